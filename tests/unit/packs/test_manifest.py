"""A manifest is read as something a stranger may have written."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import PackManifestError
from appliance.limits import Limits
from appliance.packs.manifest import parse_manifest, read_manifest


def text_of(pack: Path) -> str:
    return (pack / "pack.toml").read_text(encoding="utf-8")


def test_a_sound_manifest_is_read(tiny_pack: Path) -> None:
    manifest = read_manifest(tiny_pack)
    assert (manifest.name, manifest.kind, manifest.languages) == ("tiny", "translation", ("en", "es"))
    assert manifest.translation is not None
    assert [(way.source, way.target) for way in manifest.translation.directions] == [("en", "es"), ("es", "en")]
    assert manifest.size == sum(path.stat().st_size for path in tiny_pack.iterdir() if path.name != "pack.toml")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "tiny"', 'name = "../tiny"', "name"),
        ('name = "tiny"', 'name = "TINY"', "name"),
        ('version = "0.1.0"', 'version = "1"', "version"),
        ('kind = "translation"', 'kind = "virus"', "virus"),
        ('path = "encoder.onnx"', 'path = "/etc/passwd"', "path"),
        ('path = "encoder.onnx"', 'path = "../encoder.onnx"', "path"),
        ('path = "encoder.onnx"', 'path = "a//encoder.onnx"', "path"),
        ('path = "encoder.onnx"', 'path = "c:\\\\encoder.onnx"', "path"),
        ('path = "encoder.onnx"', 'path = ".hidden"', "path"),
        ('path = "encoder.onnx"', 'path = "DECODER.onnx"', "same name"),
        ('path = "encoder.onnx"', 'path = "pack.toml"', "manifest"),
        ('path = "encoder.onnx"', 'path = "other.onnx"', "encoder.onnx"),
        ('languages = ["en", "es"]', 'languages = "en"', "languages"),
        ('languages = ["en", "es"]', 'languages = ["english"]', "languages"),
        ('about = "', 'about = 7 # "', "about"),
        ("[translation]", "[[translation]]", "TOML|table|translation"),
    ],
)
def test_a_wrong_field_is_said_by_name(tiny_pack: Path, old: str, new: str, reason: str) -> None:
    changed = text_of(tiny_pack).replace(old, new, 1)
    assert changed != text_of(tiny_pack)
    with pytest.raises(PackManifestError, match=reason):
        parse_manifest(changed.encode(), "tiny")


@pytest.mark.parametrize("size", ["-1", "1.5", '"12"', "true", str(10**18)])
def test_a_size_that_cannot_be_is_refused(tiny_pack: Path, size: str) -> None:
    lines = [f"size = {size}" if line.startswith("size = ") else line for line in text_of(tiny_pack).splitlines()]
    with pytest.raises(PackManifestError, match="size"):
        parse_manifest("\n".join(lines).encode(), "tiny")


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"name = ", b"[[[[", b"a = " + b"[" * 5000, b"name = 1979-05-27"])
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(PackManifestError):
        parse_manifest(raw, "odd")


def test_a_huge_manifest_is_not_read(tiny_pack: Path) -> None:
    (tiny_pack / "pack.toml").write_bytes(b"#" * 5000)
    with pytest.raises(PackManifestError, match="larger"):
        read_manifest(tiny_pack, Limits(manifest_bytes=4096))


def test_a_missing_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(PackManifestError, match="cannot be read"):
        read_manifest(tmp_path)


def test_too_many_files_or_bytes_are_refused(tiny_pack: Path) -> None:
    for limits in (Limits(pack_files=2), Limits(pack_bytes=1000)):
        with pytest.raises(PackManifestError):
            read_manifest(tiny_pack, limits)
