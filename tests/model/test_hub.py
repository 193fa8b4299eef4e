"""A model of the hub without a name here: fetched into the cache that all programs share, stopped at any moment."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.hub import Hub, hub
from theta_tui.base.errors import ModelError, Stoppable, Stopped
from theta_tui.model import clients, loading
from theta_tui.model.language_model import LanguageModel

NAME = "someone/tiny"


@pytest.fixture
def served(tmp_path: Path, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with a model of whose weights each piece takes a while, and a cache of our own."""
    folder = tmp_path / "large"
    folder.mkdir()
    for path in folders["theta"].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights = folder / "model.safetensors"
    save_file(load_file(weights) | {"unused": torch.zeros(5_000_000)}, str(weights))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with hub(NAME, folder) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
        yield server


def begun(place: Path) -> list[Path]:
    return list((place / "hf" / "hub").rglob("*.incomplete"))


def test_a_download_is_stopped_by_who_hears_of_it_and_goes_on_in_the_middle_of_the_file(
    served: Hub, tmp_path: Path
) -> None:
    served.pause = 0.02

    def stop(words: str) -> None:
        assert isinstance(words, Stoppable)
        if " MB" in words:
            raise Stopped

    with pytest.raises(Stopped):
        loading.find_folder(NAME, False, stop)
    [part] = begun(tmp_path)
    assert not list((tmp_path / "hf" / "hub").rglob("model.safetensors"))
    with pytest.raises(ModelError, match="nor in the Hugging Face cache"):
        loading.find_folder(NAME, True, lambda _: None)
    there = part.stat().st_size
    served.pause = 0.0
    served.asked.clear()
    folder = loading.find_folder(NAME, False, lambda _: None)
    assert ("model.safetensors", there) in served.asked
    assert begun(tmp_path) == []
    assert (folder / "model.safetensors").read_bytes() == (served.folder / "model.safetensors").read_bytes()


def test_another_program_finds_it_there_and_nothing_is_fetched_twice(served: Hub) -> None:
    folder = loading.find_folder(NAME, False, lambda _: None)
    served.asked.clear()
    script = f"from huggingface_hub import snapshot_download; print(snapshot_download({NAME!r}, local_files_only=True))"
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert found.strip() == str(folder) == str(loading.find_folder(NAME, False, lambda _: None))
    assert served.asked == []
    served.shutdown()  # what lies there is enough without a hub
    assert loading.find_folder(NAME, True, lambda _: None) == folder


def test_what_came_damaged_is_not_put_into_the_cache(served: Hub, tmp_path: Path) -> None:
    served.damage.add("model.safetensors")
    with pytest.raises(ModelError, match=r"model\.safetensors came damaged"):
        loading.find_folder(NAME, False, lambda _: None)
    assert begun(tmp_path) == []
    served.damage.clear()
    assert loading.find_folder(NAME, False, lambda _: None).is_dir()


SCRIPT = """
from theta_tui.model.language_model import LanguageModel
LanguageModel.load("someone/tiny", device="cpu", on_stage=lambda words: print(words, flush=True))
"""


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_the_client_ends_with_the_process_that_has_started_it(served: Hub, tmp_path: Path, number: int) -> None:
    served.pause = 0.02
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert any(" MB" in line for line in process.stdout)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("only Linux tells the children of a process")
    [client] = map(int, children.read_text().split())
    ended = os.pidfd_open(client)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert select.select([ended], [], [], 20)[0]
    os.close(ended)
    assert len(begun(tmp_path)) == 1


def test_what_the_client_says_of_a_full_disk_is_not_taken_for_the_network() -> None:
    said = "import sys; sys.exit('OSError: [Errno {}] whatever')"
    with pytest.raises(OSError, match="No space left on device"):
        clients.run([sys.executable, "-c", said.format(28)], None, {}, lambda _: None)
    with pytest.raises(clients.ClientError, match="whatever"):
        clients.run([sys.executable, "-c", said.format(111)], None, {}, lambda _: None)


def test_it_is_loaded_as_it_is_on_the_hub(served: Hub, folders: dict[str, Path]) -> None:
    for path in folders["theta"].iterdir():
        (served.folder / path.name).write_bytes(path.read_bytes())
    assert (
        LanguageModel.load(NAME, device="cpu").window == LanguageModel.load(str(folders["theta"]), device="cpu").window
    )
