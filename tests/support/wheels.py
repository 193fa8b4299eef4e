"""Wheels that hold a model, as the package registry has them."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from theta_tui.model.catalogue import Entry, Registry

PACKAGE, VERSION, FILE = "tiny-model", "1.2", "tiny.F16.gguf"


def make_wheel(folder: Path, gguf: Path, *, name: str = FILE) -> Path:
    """A wheel with the file and a licence."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"tiny_model-{VERSION}-py3-none-any.whl"
    info = f"tiny_model-{VERSION}.dist-info"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.write(gguf, f"tiny_model/{name}")
        packed.writestr(f"{info}/LICENSE", "The licence of the package.")
        packed.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {VERSION}\n")
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")
    return wheel


def entry_of(gguf: Path, *, hub: str = "someone/tiny") -> Entry:
    """What the catalogue says of it."""
    data = gguf.read_bytes()
    registry = Registry(PACKAGE, VERSION, FILE, hashlib.sha256(data).hexdigest(), len(data))
    return Entry("tiny", "A tiny model", 100_000, "Apache-2.0", 256, hub=hub, bytes=200_000, registry=registry)
