"""A disk that really is full: a small file system in memory where this runs as root, a limit on file sizes otherwise.

What the system does then (short writes, native libraries that leave half a file) is nothing that a test makes up.
"""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import torch

from tests.faults.full import disk as disk
from tests.faults.full import room_for
from tests.faults.lessons import OFFERED
from tests.support.later import transformers
from tests.support.tiny_models import make_tokenizer
from theta_tui.base import config
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeError, ThetaError
from theta_tui.learning import checkpoint
from theta_tui.learning.compare import differing
from theta_tui.model.files import save_tokenizer
from theta_tui.session.export import export_hf, export_trl
from theta_tui.session.session import Session
from theta_tui.store.pending import new_prompt_id
from theta_tui.store.records import Pending
from theta_tui.store.store import Store


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose tokenizer and weights are written by Transformers."""
    folder = tmp_path_factory.mktemp("gpt2")
    torch.manual_seed(0)
    tokenizer = make_tokenizer(["<|endoftext|>"], eos="<|endoftext|>", template=None)
    shape = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_positions=256, n_embd=32, n_layer=2, n_head=2,
        bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def opened(home: Path, model: Path) -> Session:
    torch.set_num_threads(1)
    settings = Settings(
        home=home, model=str(model), device="cpu", max_tokens=2, lock_wait=0, seed=1, threads=1, recipe="classic",
        keep_checkpoints=2,
    )  # fmt: skip
    session = Session(Store.open(settings))
    session.load()
    return session


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: a write is cut short there, and the next one refused."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


EXPORTS = count()


def does_all(session: Session) -> dict[str, ThetaError]:
    """Do a bit of everything; what was refused, by name. Any other error is a traceback."""
    refused: dict[str, ThetaError] = {}
    home = session.settings.home
    deeds = {
        "offer": lambda: session.store.keep(Pending(new_prompt_id(), "hello", OFFERED)),
        **dict.fromkeys(map("teach {}".format, range(6)), lambda: session.teach("question", "answer " * 40)),
        "correct": lambda: session.correct("well " * 20) if session.pending else None,
        "undo": lambda: session.undo(),
        "set": lambda: config.persist(home, "temperature", 0.5),
        "trl": lambda: export_trl(session.store, home / f"trl-{next(EXPORTS)}"),
        "hf": lambda: export_hf(session, home / f"hf-{next(EXPORTS)}", with_lessons=False),
        "save": lambda: session.save(),
    }
    for name, deed in deeds.items():
        before, lessons = session.learner.snapshot(), len(session.store.state.active)
        try:
            deed()
        except ThetaError as error:
            refused[name.split()[0]] = error
            assert not differing(before, session.learner.snapshot()), name
            assert len(session.store.state.active) == lessons, name
    for path in home.glob("*-*/"):
        shutil.rmtree(path)
    assert not [str(error) for error in refused.values() if str(home) not in str(error)]
    return refused


def comes_back(session: Session, model: Path) -> Session:
    """Open the home again: all that was acknowledged is there, and the weights are the same to the bit."""
    now, lessons = session.learner.snapshot(), [item.seq for item in session.store.state.active]
    assert session.store.read_only is None
    home = session.settings.home
    session.close()
    again = opened(home, model)
    assert [item.seq for item in again.store.state.active] == lessons
    assert not differing(now, again.learner.snapshot())
    assert not checkpoint.unreadable(home / "checkpoints")
    assert not list(home.glob("**/*.tmp")), "something was left behind"
    return again


def fill(disk: Path, model: Path, rooms: list[int]) -> set[str]:
    """With so many pages free, one after the other, all is done whole or not at all; and then again with room."""
    home = disk / f"home-{next(EXPORTS)}"
    session = opened(home, model)
    for _ in range(2):  # one is undone where nothing can be taught
        session.teach("who are you?", "Theta")
    session.save()
    refused: set[str] = set()
    for pages in rooms:
        with room_for(disk, pages):
            refused |= does_all(session).keys()
        assert checkpoint.verify(checkpoint.list_checkpoints(home / "checkpoints")[0].path)
        assert not does_all(session), "it did not go on when there was room"
        session = comes_back(session, model)
    session.close()
    shutil.rmtree(home)
    return refused


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(disk: Path, model: Path) -> None:
    assert fill(disk, model, [0, 1, 4, 30]) >= {"offer", "teach", "set", "trl", "hf", "save"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["own", "foreign"])
def test_a_disk_with_few_free_pages_does_all_or_nothing(disk: Path, model: Path, foreign: Path, kind: str) -> None:
    chosen, rooms = (model, range(0, 90, 2)) if kind == "own" else (foreign, range(0, 90, 3))
    assert fill(disk, chosen, list(rooms)) >= {"offer", "teach", "set", "trl", "hf", "save"}


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_does_all_or_nothing(folder: Path, model: Path) -> None:
    """Needs no root: the system cuts a write short at the limit, and then refuses (EFBIG)."""
    session = opened(folder / "home", model)
    session.teach("who are you?", "Theta")
    refused: set[str] = set()
    for step in range(20):
        grown = (folder / "home" / "journal.jsonl").stat().st_size
        with files_up_to(grown + 74 * step):
            refused |= does_all(session).keys()
        session = comes_back(session, model)
        session.teach("who are you?", "Theta")  # there may be none left
    assert not does_all(session)
    session.close()
    assert refused >= {"teach", "save", "hf"}


def test_a_file_that_may_not_grow_leaves_the_journal_whole(folder: Path) -> None:
    """The same for the journal alone; a write is cut short in the middle of a record."""
    record = Store.open(Settings(home=folder / "home", lock_wait=0))
    record.begin_conversation()
    path = folder / "home" / "journal.jsonl"
    sound = path.read_bytes()
    for more in range(0, 70, 9):
        with files_up_to(len(sound) + more), pytest.raises(HomeError, match="nothing was learned"):
            record.begin_conversation()
        assert path.read_bytes() == sound
    record.begin_conversation()
    record.close()
    assert Store.read(Settings(home=folder / "home")).journal.last_seq == 2


def test_a_tokenizer_that_does_not_fit_is_refused_as_any_file_is(foreign: Path, folder: Path) -> None:
    """The library that writes it raises a bare Exception."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(foreign)
    save_tokenizer(tokenizer, folder)
    largest = folder / "tokenizer.json"
    size = largest.stat().st_size
    assert max(path.stat().st_size for path in folder.iterdir() if path != largest) < size - 1
    with files_up_to(size - 1), pytest.raises(OSError, match="File too large"):
        save_tokenizer(tokenizer, folder)
