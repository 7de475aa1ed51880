"""onnxruntime-genai on one folder, greedily.

    python -m benchmarks.rivals.genai_ FOLDER THREADS CONTEXT

benchmarks.rivals.generation says what goes in and out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version

import onnxruntime_genai as og

from benchmarks.rivals.generation import serve


class Model:
    """One folder; a generator a text."""

    def __init__(self, folder: str, threads: int) -> None:
        config = og.Config(folder)
        options = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
        self._model = og.Model(config)

    def write(self, prompt: Sequence[int], most: int) -> Iterator[int]:
        params = og.GeneratorParams(self._model)
        params.set_search_options(max_length=len(prompt) + most, do_sample=False, batch_size=1)
        generator = og.Generator(self._model, params)
        generator.append_tokens(list(prompt))
        for _ in range(most):
            generator.generate_next_token()
            yield int(generator.get_next_tokens()[0])


def main() -> None:
    """Answer each line."""
    model = Model(sys.argv[1], int(sys.argv[2]))
    serve({"version": version("onnxruntime-genai")}, model.write)


if __name__ == "__main__":
    main()
