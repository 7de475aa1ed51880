"""llama.cpp on one file: reads prompts, writes greedily, through its C interface.

    python -m benchmarks.rivals.llama_cpp_ FILE THREADS CONTEXT

benchmarks.rivals.generation says what goes in and out.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence

import llama_cpp
import numpy as np
import numpy.typing as npt

from benchmarks.rivals.generation import serve


class Model:
    """One file and one context, used for one text after the other."""

    def __init__(self, path: str, threads: int, context: int) -> None:
        settings = llama_cpp.llama_model_default_params()
        self._model = llama_cpp.llama_model_load_from_file(path.encode(), settings)
        if not self._model:
            sys.exit(f"llama.cpp cannot open {path}.")
        options = llama_cpp.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = context, 512, 512
        options.n_threads = options.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(self._model, options)
        self._vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))

    def write(self, prompt: Sequence[int], most: int) -> Iterator[int]:
        """Greedily, with the logits of the last place only."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        token = int(self._read(prompt).argmax())
        yield token
        for _ in range(most - 1):
            token = int(self._read([token]).argmax())
            yield token

    def _read(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        array = (llama_cpp.llama_token * len(ids))(*ids)
        # Such a batch asks for the logits of its last token only.
        batch = llama_cpp.llama_batch_get_one(array, len(ids))
        if llama_cpp.llama_decode(self._context, batch):
            sys.exit("llama.cpp could not go on.")
        logits = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(logits, shape=(self._vocabulary,))


def main() -> None:
    """Answer each line."""
    quiet = llama_cpp.llama_log_callback(lambda _level, _text, _data: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p())
    path, threads, context = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    model = Model(path, threads, context)
    about = {"version": llama_cpp.__version__, "system": llama_cpp.llama_print_system_info().decode()}
    serve(about, model.write)


if __name__ == "__main__":
    main()
