"""Homes that cannot be used as they are, and models that may not be: refused, with the way out. And who may read."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.running import Ran, Theta
from tests.faults.test_hostile_files import line
from tests.support.tiny_models import make_tiny
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeError
from theta_tui.cli import app as cli
from theta_tui.store.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def theta(
    home: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Theta:
    """Runs a command line in this process, with a tiny model."""
    monkeypatch.setenv("THETA_HOME", str(home))
    monkeypatch.setenv("THETA_MODEL", str(model))
    monkeypatch.setenv("THETA_RECIPE", "classic")
    monkeypatch.setenv("THETA_MAX_TOKENS", "2")
    monkeypatch.setenv("THETA_LOCK_WAIT", "0")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["theta", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        return Ran(int(left.value.code or 0), captured.out, captured.err)

    return run


TEACH = ("teach", "--for", "who are you?", "I am Theta.")


def files(folder: Path) -> dict[str, bytes]:
    """What is in a home, but for the lock, which says who had it last."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


@contextmanager
def nobody() -> Iterator[None]:
    """Not root for a while: permissions mean nothing to root."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


# --- the home ---


def test_a_linked_home_is_one_home(theta: Theta, home: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    home.symlink_to(tmp_path / "elsewhere")
    assert theta(*TEACH).code == 0
    assert theta("--home", str(tmp_path / "elsewhere"), "undo").code == 0
    assert theta("redo").code == 0
    assert (tmp_path / "elsewhere" / "journal.jsonl").read_bytes().count(b'"type":"restore"') == 1
    assert home.is_symlink()


def test_a_home_that_is_a_link_to_nowhere_or_to_a_file_is_named(theta: Theta, home: Path, tmp_path: Path) -> None:
    home.symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("mine")
    for place in (home, tmp_path / "file", tmp_path / "file" / "below"):
        refused = theta(*TEACH, "--home", str(place))
        assert refused.code == 1, refused
        assert str(place) in refused.err
        assert "--home" in refused.err
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_home_that_links_in_a_circle_is_named(theta: Theta, home: Path) -> None:
    home.symlink_to(home)
    refused = theta(*TEACH)
    assert refused.code in (1, 2)
    assert str(home) in refused.err
    assert "should not have happened" not in refused.err


def test_a_conversation_file_that_links_in_a_circle_is_told_and_the_lesson_counts(theta: Theta, home: Path) -> None:
    home.mkdir()
    (home / "context.md").symlink_to(home / "context.md")
    assert theta("prompt", "hello").code == 0
    taught = theta("teach", "hi there")
    assert taught.code == 0
    assert "context.md" in taught.err


@pytest.mark.parametrize(
    ("what", "bits", "why"),
    [
        ("home", 0o555, "cannot be written to; choose another"), (".", 0o555, "cannot be made"),
        ("home/journal.jsonl", 0o444, "cannot be written (Permission"),
        ("home/journal.jsonl", 0, "cannot be read (Permission"),
    ],
)  # fmt: skip
def test_a_home_that_may_not_be_written_is_named(what: str, bits: int, why: str) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's folders are closed to others
        home = Path(name, "in", "home")
        home.parent.mkdir()
        if what != ".":
            Store.open(Settings(home=home)).close()
        for path in (home.parent.parent, home.parent, *home.parent.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        (home.parent / what).chmod(bits)
        try:
            with nobody(), pytest.raises(HomeError) as refused:
                Store.open(Settings(home=home, lock_wait=0))
        finally:
            (home.parent / what).chmod(0o777)
        assert refused.value.code == 1
        assert str(home) in str(refused.value)
        assert why in str(refused.value)


def test_a_home_of_a_newer_version_is_read_and_never_written(theta: Theta, home: Path) -> None:
    assert theta(*TEACH).code == 0
    path = home / "journal.jsonl"
    last = path.read_bytes().count(b"\n")
    sound = path.read_bytes()
    for newer in (
        b'"v":9,"at":"2030-01-01T00:00:00.000Z","type":"fresh"}',
        b'"v":1,"at":"2030-01-01T00:00:00.000Z","type":"dreamt"}',
    ):
        path.write_bytes(sound + line(last + 1, newer))
        before = files(home)
        for arguments in (TEACH, ("prompt", "hello"), ("undo",), ("quiz",), ("rebuild",)):
            refused = theta(*arguments)
            assert (refused.code, "update Theta" in refused.err) == (4, True), (arguments, refused)
        assert "I am Theta." in theta("lessons").out
        assert files(home) == before


def test_a_recipe_of_a_newer_version_is_not_guessed(theta: Theta, home: Path) -> None:
    assert theta(*TEACH).code == 0
    path = home / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(number for number, found in enumerate(lines) if b'"type":"exchange"' in found)
    rest = lines[at][lines[at].index(b'"v":') :].replace(b'"recipe":{', b'"recipe":{"dreams":3,').rstrip(b"\n")
    lines[at] = line(at + 1, rest)
    path.write_bytes(b"".join(lines))
    refused = theta("ask", "who are you?")
    assert (refused.code, "update Theta" in refused.err) == (4, True), refused


def test_another_model_than_the_home_began_with_is_refused_with_the_way_out(
    theta: Theta, home: Path, tmp_path: Path
) -> None:
    assert theta(*TEACH).code == 0
    other = make_tiny(tmp_path / "other", seed=7)
    before = files(home)
    refused = theta(*TEACH, "--model", str(other))
    assert refused.code == 4
    assert f"theta rebuild --model {other}" in refused.err
    assert files(home) == before


# --- the model ---


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """What appears where code of a model folder was run."""
    return tmp_path / "trap"


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "copy"))


class Bait:
    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.open, (str(self.trap), os.O_CREAT | os.O_WRONLY)


def refused(theta: Theta, home: Path, model: Path, trap: Path) -> str:
    ran = theta(*TEACH, "--model", str(model))
    assert ran.code == 4, ran
    assert not trap.exists(), "code of the model folder was run"
    assert "Traceback" not in ran.err
    assert not (home / "journal.jsonl").exists() or b"exchange" not in (home / "journal.jsonl").read_bytes()
    return ran.err


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt", "pytorch_model-00001-of-00001.bin"])
def test_pickled_weights_are_never_opened(theta: Theta, home: Path, copy: Path, trap: Path, name: str) -> None:
    (copy / "model.safetensors").unlink()
    (copy / name).write_bytes(pickle.dumps(Bait(trap)))
    assert "safetensors" in refused(theta, home, copy, trap)


@pytest.mark.parametrize("place", ["as a shard", "by another name", "beside it"])
def test_a_pickle_that_stands_for_safetensors_is_never_opened(
    theta: Theta, home: Path, copy: Path, trap: Path, place: str
) -> None:
    bait = pickle.dumps(Bait(trap))
    if place == "by another name":
        (copy / "model.safetensors").write_bytes(bait)
    elif place == "as a shard":
        (copy / "model.safetensors").unlink()
        (copy / "pytorch_model.bin").write_bytes(bait)
        shards = {"metadata": {}, "weight_map": {"model.norm.weight": "pytorch_model.bin"}}
        (copy / "model.safetensors.index.json").write_text(json.dumps(shards))
    else:  # sound weights with a pickle beside them: these are used, that is not looked at
        (copy / "pytorch_model.bin").write_bytes(bait)
        assert theta(*TEACH, "--model", str(copy)).code == 0
        assert not trap.exists()
        return
    refused(theta, home, copy, trap)


@pytest.mark.parametrize("kind", ["homemade", "llama"])
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_of_a_model_folder_is_never_run(
    theta: Theta, home: Path, copy: Path, trap: Path, kind: str, file: str
) -> None:
    """Where the model cannot be had without its code it is refused; where it can, its code is left alone."""
    (copy / "x.py").write_text(f"open({str(trap)!r}, 'w').close()\n")
    own = {"AutoConfig": "x.Y", "AutoModelForCausalLM": "x.Z", "AutoTokenizer": ["x.T", "x.T"]}
    values = json.loads((copy / file).read_text()) | {"auto_map": own}
    if kind == "homemade":
        values |= {"model_type": "homemade"} if file == "config.json" else {"tokenizer_class": "HomemadeTokenizer"}
    (copy / file).write_text(json.dumps(values))
    ran = theta(*TEACH, "--model", str(copy))
    assert not trap.exists(), "code of the model folder was run"
    assert ran.code in (0, 4), ran
    assert "should not have happened" not in ran.err
    if kind == "homemade" and file == "config.json":
        assert ran.code == 4
        assert "code" in ran.err


# --- who may read ---


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_a_home_is_its_owners_alone_whatever_the_mask(theta: Theta, home: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        assert theta("prompt", "hello").code == 0
        assert theta("teach", "1").code == 0
        assert theta(*TEACH).code == 0
        assert theta("rebuild").code == 0  # writes a checkpoint
        with (home / "journal.jsonl").open("ab") as file:
            file.write(b"torn")
        assert theta("new").code == 0
        from theta_tui.base import config
        from theta_tui.ui.launch import log_to, own_terminal

        config.persist(home, "temperature", 0.5)
        logged(home, log_to, own_terminal)
    finally:
        os.umask(before)
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (home, *home.rglob("*"))}
    names = {path.name.partition("-")[0] for path in found}
    assert names >= {"journal.jsonl", "journal.jsonl.torn", "checkpoints", "step", "context.md", "config.toml", "lock"}
    assert names >= {"theta.log", "theta.log.1"}
    assert {path: oct(mode) for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}


def logged(home: Path, log_to: Callable[[Path], None], own_terminal: Callable[..., object]) -> None:
    """Fill the log until it was begun anew."""
    import logging
    import warnings

    root = logging.getLogger()
    handlers, level, filters = list(root.handlers), root.level, list(warnings.filters)
    log_to(home / "theta.log")
    try:
        with own_terminal(home / "theta.log"):  # type: ignore[attr-defined]
            for _ in range(3):
                root.warning("x" * 600_000)
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:], root.level = handlers, level
        logging.captureWarnings(False)
        warnings.filters[:] = filters
