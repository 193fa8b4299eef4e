"""The power goes, anywhere: each home opens, and nothing that was acknowledged is gone.

kill -9 cannot show a missing fsync, because the kernel still has what was written. Here the disk is rebuilt as it may
be found after a power loss, at every prefix of what a session did to it (see `power`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tests.faults.disk import watching
from tests.faults.lessons import offer, teach
from tests.faults.power import Crash, Recorder, Tree, crashes, put
from theta_tui.base import config
from theta_tui.base.config import Settings
from theta_tui.base.files import fsync_file
from theta_tui.base.publish import fresh_folder
from theta_tui.learning import checkpoint
from theta_tui.learning.snapshot import Snapshot
from theta_tui.session.session import Session
from theta_tui.store.journal import Journal
from theta_tui.store.records import ConversationStarted
from theta_tui.store.store import Store


@dataclass(frozen=True)
class Promise:
    """What was acknowledged once so many operations were done."""

    at: int
    records: int
    waiting: str | None
    own: object
    saved: int


class Played:
    """A home below a recorded folder, and what it promised so far."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.recorder = Recorder(root)
        self.settings = settings
        self.promises = [Promise(0, 0, None, None, 0)]
        self.saved = 0

    def promise(self, record: Store) -> None:
        """Everything up to here was acknowledged to a person."""
        self.recorder.look()
        waiting = record.pending.prompt_id if record.pending else None
        own = config.own_setting(self.settings.home, "temperature")
        self.promises.append(Promise(len(self.recorder.ops), record.journal.last_seq, waiting, own, self.saved))

    def around(self, at: int) -> tuple[Promise, Promise]:
        """The last promise before operation `at`, and the next, which may be half kept."""
        number = max(index for index, promise in enumerate(self.promises) if promise.at <= at)
        return self.promises[number], self.promises[min(number + 1, len(self.promises) - 1)]


def found_again(played: Played, crash: Crash, truth: list[str]) -> str | None:
    """What is wrong with the home that a crash left, if anything."""
    kept, due = played.around(crash.at)
    try:
        record = Store.open(played.settings)
    except Exception as error:
        return f"it does not open: {error!r}"
    try:
        if record.read_only:
            return f"it is read-only: {record.read_only}"
        found = [entry.checksum for entry in record.journal.entries]
        if found != truth[: len(found)]:
            return f"it tells another state ({len(found)} records)"
        if len(found) < kept.records:
            return f"{kept.records - len(found)} acknowledged records are gone"
        told = [text for text in record.take_notices() if "by hand" in text or "could not be read" in text]
        if told:
            return f"it says {told}"
        waiting = record.pending.prompt_id if record.pending else None
        if waiting not in (kept.waiting, due.waiting):
            return f"the prompt that waits is {waiting}, not {kept.waiting} or {due.waiting}"
        if config.own_setting(played.settings.home, "temperature") not in (kept.own, due.own):
            return "the settings are others"
        if checkpoint.unreadable(record.home.checkpoints):
            return f"{checkpoint.unreadable(record.home.checkpoints)}"
        for manifest in checkpoint.list_checkpoints(record.home.checkpoints):
            checkpoint.verify(manifest.path)
        newest = next((found.position for found in checkpoint.list_checkpoints(record.home.checkpoints)), 0)
        if newest < kept.saved:
            return f"the newest checkpoint is of {newest}, and {kept.saved} was saved"
    except Exception as error:
        return f"{error!r}"
    finally:
        record.close()
    return None


def survey(played: Played, root: Path, more: Callable[[int], None] = lambda _: None) -> int:
    """Look at every crash of `session`; returns how many there were. `more` is asked of each home that is right."""
    truth = [entry.checksum for entry in Journal.read(played.settings.home / "journal.jsonl").entries]
    wrong: list[str] = []
    count = 0
    for count, crash in enumerate(crashes(played.recorder, [promise.at for promise in played.promises]), 1):
        put(root, crash.tree)
        problem = found_again(played, crash, truth)
        if problem:
            done = played.recorder.words[crash.at - 1] if crash.at else "nothing"
            wrong.append(f"after operation {crash.at} ({done}), lost: {crash.lost}: {problem}")
            if len(wrong) == 12:
                break
        else:
            more(count)
    assert not wrong, f"{len(wrong)} of the first {count} crashes: " + "\n".join(wrong)
    return count


def test_what_was_taught_survives_the_power_at_every_instant(folder: Path) -> None:
    """Records, the kept prompt, settings and the conversation file; no model."""
    root = folder / "disk"
    root.mkdir()
    played = Played(root, Settings(home=root / "people" / "ann" / "home", lock_wait=0))
    with watching(root, played.recorder):
        for sitting in range(2):
            record = Store.open(played.settings)
            played.promise(record)
            for number in range(3):
                offer(record, f"what is {number}? " + "word " * 60)
                played.promise(record)
                teach(record, record.pending.prompt if record.pending else "", f"it is {number} of {sitting}")
                played.promise(record)
            record.withdraw_last()
            played.promise(record)
            config.persist(played.settings.home, "temperature", 0.5 + sitting / 10)
            played.promise(record)
            teach(record, "and now?", "x" * 1500)
            played.promise(record)
            if sitting == 0:
                record.begin_conversation()
            played.promise(record)
            record.close()
            played.promise(record)
    assert survey(played, root) > 300


def test_a_home_in_a_folder_that_somebody_else_made_survives(folder: Path) -> None:
    root = folder / "disk"
    root.mkdir()
    played = Played(root, Settings(home=root / "home", lock_wait=0))
    with watching(root, played.recorder):
        played.settings.home.mkdir()
        record = Store.open(played.settings)
        record.append(ConversationStarted())
        played.promise(record)
        offer(record, "a prompt that is passed over")
        played.promise(record)
        record.follow(None)
        played.promise(record)
        teach(record, "a", "b")
        played.promise(record)
        record.close()
    assert survey(played, root) > 20


def test_a_checkpoint_that_was_saved_survives_and_no_half_of_one_is_seen(folder: Path, model: Path) -> None:
    """Two, of which one is kept: the second takes the place of the first."""
    root = folder / "checkpoints"
    root.mkdir()
    session = Session(Store.open(Settings(home=folder / "home", model=str(model), device="cpu", recipe="classic")))
    session.load()
    session.teach("question", "answer")  # always on: the shared weights are in it
    recorder, saved = Recorder(root), [0]
    with watching(root, recorder):
        for position in (1, 2):
            checkpoint.save(root, session.model, session.learner, position=position, extra={}, keep=1)
            recorder.look()
            saved.append(len(recorder.ops))
    session.close()
    looked = 0
    for crash in crashes(recorder, saved):
        put(root, crash.tree)
        assert not checkpoint.unreadable(root), crash.lost
        found = [checkpoint.verify(manifest.path).position for manifest in checkpoint.list_checkpoints(root)]
        assert max(found, default=0) >= sum(at <= crash.at for at in saved) - 1, crash.lost
        looked += 1
    assert looked > 200


def test_a_torn_tail_is_kept_on_disk_before_it_is_cut_off_and_does_not_come_back(folder: Path) -> None:
    root = folder / "disk"
    root.mkdir()
    path, torn = root / "journal.jsonl", b'{"seq":2,"crc":"0badcafe",' + b"x" * 600
    recorder = Recorder(root)
    with watching(root, recorder):
        journal = Journal.open(path)
        journal.append(ConversationStarted())
        journal.close()
        sound = path.read_bytes()
        with path.open("ab") as file:
            file.write(torn)
        fsync_file(path)
        recorder.look()
        begun = len(recorder.ops)
        Journal.open(path).close()
        recorder.look()
        done = len(recorder.ops)
    looked = 0
    for crash in crashes(recorder, [begun, done]):
        if crash.at < begun:
            continue
        asides = [content for name, content in crash.tree.items() if name.startswith("journal.jsonl.torn-")]
        assert torn in asides or crash.tree["journal.jsonl"] == sound + torn, (crash.at, crash.lost)
        if crash.at >= done:
            assert crash.tree["journal.jsonl"] == sound, crash.lost
        looked += 1
    assert looked > 5


def test_an_export_that_was_finished_survives_and_no_half_of_one_is_seen(folder: Path) -> None:
    """Two, of which the second takes the place of the first."""
    root = folder / "disk"
    root.mkdir()
    recorder, done = Recorder(root), [0]
    wanted: list[Tree] = []
    with watching(root, recorder):
        for number in (1, 2):
            tree: Tree = {"README.md": f"- theta-tui\n{number}".encode(), "data": None, "data/x": b"x" * 1500 * number}
            with fresh_folder(root / "new" / "out", force=True) as into:
                (into / "data").mkdir()
                for name, content in tree.items():
                    if content is not None:
                        (into / name).write_bytes(content)
            recorder.look()
            done.append(len(recorder.ops))
            wanted.append(tree)
    looked = 0
    for crash in crashes(recorder, done):
        found: dict[str, Tree] = {}
        for path, content in crash.tree.items():
            _, top, rest = [*path.split("/", 2), "", ""][:3]
            found.setdefault(top, {})
            if rest:
                found[top][rest] = content
        assert found.get("out") in (None, *wanted), (crash.at, crash.lost)
        finished = sum(at <= crash.at for at in done) - 1
        assert not finished or any(tree in wanted[finished - 1 :] for tree in found.values()), (crash.at, crash.lost)
        if finished == 2:
            assert found["out"] == wanted[1], crash.lost
        looked += 1
    assert looked > 30


@pytest.mark.slow
def test_checkpoints_and_weights_survive_the_power_at_every_instant(folder: Path, model: Path) -> None:
    """A whole session with a model. The weights of every tenth home are folded and compared, bit for bit."""
    torch.set_num_threads(1)
    root = folder / "disk"
    root.mkdir()
    settings = Settings(
        home=root / "home", model=str(model), device="cpu", max_tokens=4, lock_wait=0, seed=1, threads=1,
        recipe="classic", keep_checkpoints=2,
    )  # fmt: skip
    played = Played(root, settings)
    states: dict[int, Snapshot] = {}

    def done(session: Session) -> None:
        played.promise(session.store)
        states[session.store.journal.last_seq] = session.learner.snapshot()

    def save(session: Session) -> None:
        session.save()
        played.saved = session.replay.saved_position
        done(session)

    with watching(root, played.recorder):
        for sitting in range(2):
            session = Session(Store.open(settings))
            session.load()
            done(session)
            session.propose("hello")
            done(session)
            session.pick(2)
            done(session)
            save(session)
            if sitting:
                session.close()
                break
            session.propose("what is your name")
            done(session)
            session.correct("my name is Theta")
            done(session)
            session.correct_last("my name is Mr. Classic")
            done(session)
            save(session)
            session.teach("who made you", "Dakota")
            done(session)
            session.undo()
            done(session)
            session.redo()
            done(session)
            played.saved = 0  # those before may be of no more use
            session.withdraw(1)
            done(session)
            save(session)
            session.quiz()
            done(session)
            session.close()
            played.promise(session.store)

    compared = 0

    def same_weights(count: int) -> None:
        nonlocal compared
        if count % 10:
            return
        session = Session(Store.open(settings))
        session.load()
        expected = states.get(session.store.journal.last_seq)
        if expected is not None:
            compared += 1
            assert same(session.learner.snapshot(), expected), count
        session.close()

    assert survey(played, root, same_weights) > 500
    assert compared > 30


def same(one: Snapshot, other: Snapshot) -> bool:
    from theta_tui.learning.compare import differing

    return not differing(one, other)
