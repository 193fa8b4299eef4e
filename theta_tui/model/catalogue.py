"""The models that have a name here: what there is (assets/models.toml), and where each lies once it was got.

What is fetched or converted is kept in the person's cache, a folder a model, whole or not at all. A name means the same
from any working folder, so it goes before a folder that is called the same. Standard library and platformdirs only.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from theta_tui.base.errors import HomeError, ModelError
from theta_tui.base.files import assets_dir, cache_dir, make_folder
from theta_tui.model.measured import speeds

CATALOGUE = "models.toml"
LICENSES = "licences"
LICENSE = "LICENSE"
SOURCE = "source.json"
"""Beside a model that was got or converted: where it comes from."""
SMALL = 1 << 20
"""Bytes that a `source.json` may have."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A package of the Python registry that holds a model; `file` in it has `sha256` and so many `bytes`."""

    package: str
    version: str
    file: str
    sha256: str
    bytes: int

    @property
    def wheel(self) -> str:
        """How the names of its wheels begin."""
        return f"{self.package.replace('-', '_')}-{self.version}-"


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the catalogue. Without a `hub` id it is the one that is built in."""

    name: str
    title: str
    parameters: int
    license: str
    window: int
    """Tokens that it reads at most."""
    hub: str = ""
    revision: str | None = None
    bytes: int = 0
    """About how much is fetched from the hub."""
    registry: Registry | None = None
    voice: str = ""
    """A folder in assets/ with an adapter that is added to the weights when the model is got."""


@cache
def entries() -> dict[str, Entry]:
    """The catalogue by name, in its own order. A model with a voice is there without it too, as NAME-plain."""

    def entry(name: str, values: dict[str, Any]) -> Entry:
        registry = values.pop("registry", None)
        return Entry(name, registry=None if registry is None else Registry(**registry), **values)

    table = tomllib.loads((assets_dir() / CATALOGUE).read_text("utf-8"))
    found = {}
    for name, values in table.items():
        found[name] = one = entry(name, values)
        if one.voice:
            found[f"{name}-plain"] = replace(one, name=f"{name}-plain", voice="")
    return found


def find(name: str) -> Entry | None:
    """The entry of a name; None for anything else, and for the model that is built in."""
    found = entries().get(name)
    return found if found is not None and found.hub else None


def models() -> Path:
    """The folder of what was got by name."""
    return cache_dir() / "models"


def conversions() -> Path:
    """The folder of what was made of GGUF files, by their fingerprints."""
    return cache_dir() / "gguf"


def folder(name: str) -> Path:
    """Where the model of a name lies, there or not."""
    return models() / name


def here(name: str) -> bool:
    """Whether it was got."""
    return (folder(name) / "config.json").is_file()


def leftovers(name: str) -> list[Path]:
    """Where a model of the catalogue, or a part of it that is to be gone on with, may lie."""
    return [folder(name), models() / f".{name}.part"]


def require(name: str) -> None:
    """Raises ModelError (exit 4) where a model of the catalogue was not got."""
    if find(name) is not None and not here(name):
        raise ModelError(
            f"the model {name} is not on this machine; get it with `theta models get {name}`", name="model_missing"
        )


def source(place: Path) -> dict[str, Any]:
    """What `source.json` in a model folder says; nothing where there is none, or it says nothing."""
    try:
        with (place / SOURCE).open("rb") as stream:
            values = json.loads(stream.read(SMALL))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def write_source(place: Path, **values: Any) -> None:
    """Write `source.json`. Raises OSError."""
    (place / SOURCE).write_text(json.dumps(values, indent=2) + "\n", "utf-8")


@contextmanager
def alone(place: Path, on_stage: Callable[[str], None]) -> Iterator[None]:
    """While one process makes `place`, another waits here. What a process that was killed has left of it is removed.

    Raises HomeError where the folder above cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        make_folder(place.parent)
        lock = FileLock(str(place.with_name(f".{place.name}.lock")), mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            while not lock.is_locked:
                on_stage(f"waiting for another process, which makes {place.name}")  # may stop it
                with suppress(Timeout):
                    lock.acquire(timeout=0.2)
    except OSError as error:
        raise HomeError(f"{place.parent} cannot be written ({error.strerror}); check its permissions") from None
    try:
        for left in place.parent.glob(f".{place.name}.*.tmp"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release()


def size(place: Path) -> int:
    """Bytes of what lies in a folder."""
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def converted() -> dict[str, Path]:
    """What was made of GGUF files: the name of each file as it was, and its folder."""
    found = sorted(conversions().glob("*/config.json"))
    return {str(source(path.parent).get("file", path.parent.name)): path.parent for path in found}


def described(entry: Entry) -> dict[str, Any]:
    """An entry as plain values; `bytes` is what it takes here, or else what is fetched."""
    from theta_tui.base.config import DEFAULT_MODEL

    built_in = not entry.hub
    place = assets_dir() / DEFAULT_MODEL if built_in else folder(entry.name)
    there = built_in or here(entry.name)
    voice = bool(entry.voice) and (not there or "voice" in source(place))
    said = ", with Theta's voice" if voice else ", got before it had Theta's voice" if entry.voice else ""
    return {
        "name": entry.name,
        "title": entry.title + said,
        "here": there,
        "parameters": entry.parameters,
        "bytes": size(place) if there else entry.bytes,
        "license": entry.license,
        "window": entry.window,
        "voice": voice,
        "source": "built in" if built_in else source(place).get("source") if there else None,
        "path": str(place) if there else None,
    }


def listing() -> list[dict[str, Any]]:
    """Every model that has a name, and then what was made of GGUF files, as plain values. `tokens_per_second`: five
    replies together, on this machine; None where it has not written yet."""
    made: list[dict[str, Any]] = [
        {"name": name, "title": "", "here": True, "parameters": None, "bytes": size(place), "license": None,
         "window": None, "voice": False, "source": "gguf", "path": str(place)}
        for name, place in converted().items()
    ]  # fmt: skip
    known = speeds()
    return [row | {"tokens_per_second": known.get(row["name"])} for row in [*map(described, entries().values()), *made]]


def remove(place: Path) -> int:
    """Take a model out of the cache; returns how many bytes that frees. Raises HomeError where the disk refuses."""
    freed = size(place)
    away = place.with_name(f".{place.name}.old")  # not half there at any moment
    try:
        shutil.rmtree(away, ignore_errors=True)
        place.rename(away)
        shutil.rmtree(away)
    except OSError as error:
        raise HomeError(f"{place} cannot be removed ({error.strerror}); check its permissions") from None
    return freed
