"""The disk refuses the n-th call, for every n until it is not reached any more: once, and from then on.

Whatever was asked for either happened, whole and with its acknowledgement, or did not: weights, state and files are
as they were, the person is told in a typed error, and the same thing works once the disk does. After a failed fsync
nobody knows what is on the disk: the home is read-only until it is opened again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import torch

from tests.faults.disk import KINDS, Refusal, watching
from tests.faults.lessons import OFFERED, offer, teach
from theta_tui.base import config
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeError, ThetaError, UsageError
from theta_tui.learning import checkpoint
from theta_tui.learning.compare import differing
from theta_tui.learning.snapshot import Snapshot
from theta_tui.session.export import export, export_hf
from theta_tui.session.session import Session
from theta_tui.store import context
from theta_tui.store.pending import new_prompt_id
from theta_tui.store.records import Pending, Stated
from theta_tui.store.store import Store

FAULTS = [(kind, lasting) for kind in KINDS for lasting in (False, True)]


class Room:
    """A home that is hurt again and again; what a test did to it is in `session`."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.root = folder / "disk"
        self.root.mkdir()
        self.settings = Settings(
            home=self.root / "home", model=str(model), device="cpu", max_tokens=2, lock_wait=0, seed=1, threads=1,
            recipe="classic", keep_checkpoints=2, window=64,
        )  # fmt: skip
        self.exports = count()
        self.session = self.opened()
        for number in range(2):
            self.session.teach(f"question {number}", f"answer {number}")
        self.offer()
        self.session.correct("a turn")
        self.session.save()

    def opened(self) -> Session:
        session = Session(Store.open(self.settings))
        session.load()
        return session

    def reopen(self) -> None:
        self.session.close()
        self.session = self.opened()
        self.session.save()  # so that coming back does not take longer each time

    def offer(self, said: str = "hello") -> None:
        stated = Stated("who are you?", "I am Theta.")
        self.session.store.keep(Pending(new_prompt_id(), said, OFFERED, stated))

    def taught(self) -> list[tuple[int, str, bool]]:
        return [(item.seq, item.exchange.reply, item.outcome is not None) for item in self.session.store.state.active]

    def found(self) -> list[tuple[int, str, bool]]:
        """The same, as another process finds it."""
        state = Store.read(self.settings).state
        return [(item.seq, item.exchange.reply, item.outcome is not None) for item in state.active]


@dataclass(frozen=True)
class Deed:
    """Something that a person does. `ready` is done before, in peace; `tolerant`: it may succeed although a call was
    refused, because what was refused is only a view of the journal, and that is told."""

    do: Callable[[Room], object]
    ready: Callable[[Room], object] = lambda room: None
    journals: bool = True
    stride: int = 1
    """Every how manieth call is refused."""


def _settings(room: Room) -> None:
    config.persist(room.settings.home, "temperature", 0.5)


def _export(kind: str) -> Callable[[Room], object]:
    return lambda room: export(room.session, kind, room.root / "out" / str(next(room.exports)))


def _export_hf(room: Room) -> object:
    """Without the lessons: putting them into plain weights takes too long to be done at each call that is refused."""
    return export_hf(room.session, room.root / "out" / str(next(room.exports)), with_lessons=False)


def _undone(room: Room) -> None:
    room.session.teach("again", "and again")
    room.session.undo()


DEEDS = {
    "pick": Deed(lambda room: room.session.pick(1), Room.offer),
    "statement": Deed(lambda room: room.session.state("who?", "me", said="hello"), Room.offer),
    "correct the last turn": Deed(lambda room: room.session.correct_last("better")),
    "pass over": Deed(lambda room: room.session.store.pass_over(), Room.offer),
    "say": Deed(lambda room: room.session.store.say(), Room.offer),
    "undo": Deed(lambda room: room.session.undo(), lambda room: room.session.teach("one", "more")),
    "redo": Deed(lambda room: room.session.redo(), _undone),
    "new": Deed(lambda room: room.session.store.begin_conversation(), Room.offer),
    "open": Deed(
        lambda room: room.session.store.open_conversation(1), lambda room: room.session.store.begin_conversation()
    ),
    "propose": Deed(lambda room: room.session.propose("hello"), journals=False),
    # One before in peace: an old one that could not be removed stays until the next.
    "save": Deed(lambda room: room.session.save(), lambda room: room.session.save(), journals=False, stride=3),
    "settings": Deed(_settings, journals=False),
    "export trl": Deed(_export("trl"), journals=False),
    "export hf": Deed(_export_hf, journals=False, stride=3),
}


@contextmanager
def told(refusal: Refusal) -> Iterator[list[BaseException]]:
    """What a person is told of. Any other exception is a traceback, and fails the test."""
    errors: list[BaseException] = []
    try:
        yield errors
    except ThetaError as error:
        errors.append(error)
    except MemoryError as error:
        assert refusal.kind == "MemoryError"
        errors.append(error)


def hurt(room: Room, deed: Deed, kind: str, lasting: bool) -> int:
    """Do `deed` again and again, with the n-th call refused, until none is. Returns how many were."""
    for nth in count(1, deed.stride):
        deed.ready(room)
        record = room.session.store
        record.take_notices()
        before, taught, journal = room.session.learner.snapshot(), room.taught(), record.home.journal.read_bytes()
        waiting, saved = record.pending, valid(room) if deed is DEEDS["save"] else []
        refusal = Refusal(kind, nth, lasting)
        with watching(room.root, refusal), told(refusal) as errors:
            deed.do(room)
        if not refusal.refused:
            return nth - 1
        here = f"{kind} {'from' if lasting else 'at'} call {nth}: {refusal.refused[0]}"
        assert not differing(room.session.learner.snapshot(), before) or not errors, here
        assert not saved or len(valid(room)) >= len(saved), here
        if errors:
            assert [item for item in room.taught() if item[2]] == taught, here
            assert record.pending == waiting or not deed.journals, here
            if record.read_only is None:
                assert room.taught() == taught, here
                assert record.home.journal.read_bytes() == journal, here
        elif deed.journals and not lasting:
            written = record.settings.context_path.read_bytes() == context.render(record.state.history)
            kept = Store.read(room.settings).pending == record.pending
            assert (written and kept) or record.notices, here
        if record.read_only is not None:
            assert errors, here
            with pytest.raises(ThetaError):
                room.session.teach("no", "no")
            room.reopen()
            # Whether the last record is there nobody knew, and that was said; all before it was acknowledged.
            assert room.taught()[: len(taught) - 1] == taught[:-1], here
        elif errors:
            deed.do(room)
        assert room.found() == room.taught(), here
    raise AssertionError("never")


def valid(room: Room) -> list[Path]:
    found = []
    for manifest in checkpoint.list_checkpoints(room.settings.home / "checkpoints"):
        checkpoint.verify(manifest.path)
        found.append(manifest.path)
    return found


@pytest.fixture
def room(folder: Path, model: Path) -> Iterator[Room]:
    torch.set_num_threads(1)
    made = Room(folder, model)
    yield made
    made.session.close()


def replays(room: Room) -> bool:
    """Coming back gives the weights that are in memory now, bit for bit."""
    now: Snapshot = room.session.learner.snapshot()
    room.reopen()
    return not differing(now, room.session.learner.snapshot())


def test_a_pick_on_a_full_disk_is_all_or_nothing_and_works_when_there_is_room(room: Room) -> None:
    reached = [hurt(room, DEEDS["pick"], "ENOSPC", lasting) for lasting in (False, True)]
    assert min(reached) > 8
    assert replays(room)


@pytest.mark.slow
@pytest.mark.parametrize("name", DEEDS)
def test_any_refused_call_leaves_all_as_it_was_or_is_told(room: Room, name: str) -> None:
    reached = {(kind, lasting): hurt(room, DEEDS[name], kind, lasting) for kind, lasting in FAULTS}
    assert min(reached.values()) >= 1, reached
    assert replays(room)
    print(name, sum(reached.values()))


def test_opening_a_home_on_a_disk_that_refuses_is_told_and_works_afterwards(folder: Path) -> None:
    """A new one, one that is there, and one with a torn tail."""
    root = folder / "disk"
    root.mkdir()
    reached = 0
    for kind, lasting in FAULTS:
        for nth in count(1):
            home = root / f"{kind} {lasting} {nth}" / "home"
            settings = Settings(home=home, lock_wait=0)
            refusal = Refusal(kind, nth, lasting)
            with told(refusal), watching(root, refusal):
                Store.open(settings).close()
            home.mkdir(parents=True, exist_ok=True)
            with home.joinpath("journal.jsonl").open("ab") as file:
                file.write(b'{"seq":1,"crc"')
            with told(refusal), watching(root, refusal):
                Store.open(settings).close()
            record = Store.open(settings)
            assert record.read_only is None
            record.begin_conversation()
            record.close()
            assert Store.read(settings).journal.last_seq == 1
            if not refusal.refused:
                break
            reached += 1
    assert reached > 100


def test_after_a_failed_fsync_nothing_is_synced_again_as_if_nothing_had_happened(room: Room) -> None:
    record = room.session.store
    refusal = Refusal("EIO", 1, only=frozenset({"fsync"}))
    with watching(room.root, refusal), pytest.raises(HomeError, match="quit"):
        room.session.teach("a", "b")
    assert record.read_only
    hears = Refusal("EIO", 10**9)
    with watching(room.root, hears):
        for deed in (
            lambda: room.session.teach("a", "b"),
            room.session.undo,
            record.begin_conversation,
            room.session.save,
        ):
            with pytest.raises(ThetaError, match="read-only"):
                deed()
    assert hears.count == 0
    room.reopen()
    assert room.session.teach("a", "b").steps


def test_an_answered_prompt_whose_file_cannot_be_removed_is_not_offered_again(folder: Path) -> None:
    settings = Settings(home=folder / "home", lock_wait=0)
    record = Store.open(settings)
    waiting = offer(record, "hello")
    with watching(folder, Refusal("EACCES", 1, lasting=True, only=frozenset({"unlink"}))):
        teach(record, "hello", "hi")
    assert record.pending is None
    assert any("pending.json cannot be removed" in notice for notice in record.take_notices())
    record.close()
    assert (settings.home / "pending.json").exists()
    again = Store.open(settings)
    assert again.pending is None
    again.withdraw_last()
    assert again.pending is not None
    assert (again.pending.prompt, again.pending.prompt_id != waiting.prompt_id) == ("hello", True)
    again.close()


def test_a_settings_file_that_cannot_be_read_is_named(folder: Path) -> None:
    settings = Settings(home=folder / "home")
    settings.home.mkdir()
    (settings.home / "config.toml").write_text("temperature = 0.5\n")
    refusal = Refusal("EIO", 1)
    with watching(folder, refusal), pytest.raises(UsageError, match=r"config\.toml cannot be read"):
        config.own_setting(settings.home, "temperature")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"temperature = ", "not valid TOML"),
        (b"seed = 1\nseed = 2\n", "not valid TOML"),
        (b"# \xff\n", "cannot be read"),
    ],
)
def test_a_setting_is_not_written_into_a_file_that_cannot_be_read(folder: Path, content: bytes, why: str) -> None:
    path = folder / "config.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"config.toml {why}|config.toml is {why}"):
        config.persist(folder, "temperature", 0.5)
    assert path.read_bytes() == content
    with watching(folder, Refusal("EIO", 1)), pytest.raises(UsageError, match="cannot be read"):
        config.persist(folder, "temperature", 0.5)
    assert path.read_bytes() == content
