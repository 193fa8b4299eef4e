"""One writer at a time: many processes at once lose nothing, and whoever has to wait is told for whom."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.callers import Said
from tests.faults.forking import Forks, Life
from theta_tui.base.config import Settings
from theta_tui.store.store import Store

Call = Callable[..., Said]


def environment(folder: Path, model: Path, wait: float) -> dict[str, str]:
    return {
        "THETA_HOME": str(folder / "home"),
        "THETA_MODEL": str(model),
        "THETA_DEVICE": "cpu",
        "THETA_THREADS": "1",
        "THETA_MAX_TOKENS": "2",
        "THETA_RECIPE": "classic",
        "THETA_CHECKPOINT_LESSONS": "5",
        "THETA_LOCK_WAIT": str(wait),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }


def write_at_once(forks: Forks, folder: Path, model: Path, writers: int, calls: int) -> Counter[str]:
    """Let so many processes make so many calls each, and compare what they were told with what is in the home."""
    around = environment(folder, model, 3000)
    lives = [forks.fork("tests.faults.callers:write", me, calls, environment=around) for me in range(writers)]
    told: list[Said] = []
    for life in lives:
        told += life.rest()
        assert life.wait() == 0
        life.close()
    assert len(told) == writers * calls
    assert {code for _, code, _, _ in told} <= {0, 3}, [said for said in told if said[1] not in (0, 3)]

    record = Store.read(Settings(home=folder / "home"))
    assert record.journal.damaged is None
    lessons = {lesson.number: lesson for lesson in record.state.lessons}
    taught = [(arguments, said) for arguments, code, said, _ in told if arguments[0] == "teach" and code == 0]
    assert sorted(said["lesson"] for _, said in taught) == sorted(lessons)
    for _, said in taught:
        exchange = lessons[said["lesson"]].exchange
        assert (exchange.prompt, exchange.reply) == (said["prompt"], said["reply"])
    undone = [said["undone"] for arguments, code, said, _ in told if arguments[0] == "undo" and code == 0]
    assert sorted(undone) == sorted(number for number, lesson in lessons.items() if lesson.withdrawn)

    # An answer to a prompt counts where it was told so, and only there: one that came too late was refused with 3.
    answers = [(arguments, code, said) for arguments, code, said, _ in told if "--prompt-id" in arguments]
    answered = {said["lesson"]: arguments[-1] for arguments, code, said in answers if code == 0}
    held = {number: lesson.exchange.prompt_id for number, lesson in lessons.items() if lesson.exchange.prompt_id}
    assert answered == held
    assert len(set(held.values())) == len(held)

    life = forks.fork("tests.faults.callers:replays", folder / "home", environment=around)
    assert life.hear() == ([], True)
    life.close()
    counts = Counter(f"{arguments[0]} {code}" for arguments, code, _, _ in told)
    return counts + Counter(stale=sum(code == 3 for _, code, _ in answers))


@pytest.mark.slow
def test_several_processes_write_to_one_home_and_nothing_is_lost(
    forks: Forks,
    folder: Path,
    model: Path,
) -> None:
    counts = write_at_once(forks, folder, model, 3, 5)
    assert counts["teach 0"] >= 2


@pytest.mark.slow
def test_eight_processes_make_fifty_calls_each_and_nothing_is_lost(
    forks: Forks,
    folder: Path,
    model: Path,
) -> None:
    counts = write_at_once(forks, folder, model, 8, 50)
    print(dict(counts))
    assert counts["teach 0"] >= 100
    assert counts["stale"] >= 20
    assert counts["undo 0"] >= 10


# --- who has to wait ---


@pytest.fixture
def call(forks: Forks, folder: Path, model: Path) -> Call:
    """Call `theta` in a process of its own, which waits for no other."""

    def made(*arguments: str, wait: float = 0) -> Said:
        life = forks.fork("tests.faults.callers:call", *arguments, environment=environment(folder, model, wait))
        try:
            return life.hear()  # type: ignore[no-any-return]
        finally:
            life.close()

    return made


def holder(forks: Forks, home: Path) -> Life:
    life = forks.fork("tests.faults.callers:hold", home)
    assert life.hear() == "held"
    return life


def test_who_finds_the_home_taken_leaves_with_75_and_names_who_has_it(
    forks: Forks,
    folder: Path,
    call: Call,
) -> None:
    home = folder / "home"
    life = holder(forks, home)
    for wait in (0, 0.2):
        _, code, _, complaint = call("new", wait=wait)
        assert code == 75
        assert f"process {life.pid};" in complaint
    journal = (home / "journal.jsonl").read_bytes()
    assert call("teach", "b", "--for", "a")[1] == 75
    assert (home / "journal.jsonl").read_bytes() == journal
    life.close()


def test_a_dead_holders_lock_is_free_at_once(forks: Forks, folder: Path, call: Call) -> None:
    life = holder(forks, folder / "home")
    assert call("new")[1] == 75
    life.close()
    assert call("new")[1] == 0


def test_one_that_waits_gets_the_home_when_its_holder_dies(forks: Forks, folder: Path, model: Path) -> None:
    life = holder(forks, folder / "home")
    waiting = forks.fork("tests.faults.callers:call", "new", environment=environment(folder, model, 3000))
    with pytest.raises(TimeoutError):
        waiting.hear(0.3)
    life.close()
    assert waiting.hear()[1] == 0
    waiting.close()


def test_one_that_let_go_is_not_named(forks: Forks, folder: Path, call: Call) -> None:
    """It lives on, but another has the lock, and has not said yet who it is."""
    home = folder / "home"
    first = holder(forks, home)
    first.line.send("let go")
    assert first.hear() == "let go"
    second = forks.fork("tests.faults.callers:hold_without_a_name", home, (home / "lock").read_text())
    assert second.hear() == "held"
    _, code, _, complaint = call("new")
    assert code == 75
    assert "in use by another process;" in complaint
    for life in (first, second):
        life.close()


def test_the_dead_are_not_named_and_who_says_its_name_late_is(forks: Forks, folder: Path, model: Path) -> None:
    home = folder / "home"
    dead = holder(forks, home)
    dead.close()
    name = (home / "lock").read_text()
    assert name.startswith(f"{dead.pid} ")
    life = forks.fork("tests.faults.callers:hold_without_a_name", home, name)
    assert life.hear() == "held"
    around = environment(folder, model, 0)
    waiting = forks.fork("tests.faults.callers:call_and_look_again", "new", environment=around)
    assert waiting.hear() == "looks again"
    (home / "lock").write_text(f"{os.getpid()} {socket.gethostname()} 0\n")
    waiting.line.send("look")
    _, code, _, complaint = waiting.hear()
    assert code == 75
    assert f"process {os.getpid()};" in complaint
    for each in (life, waiting):
        each.close()


# --- file systems without flock ---


def test_who_was_killed_with_a_file_for_a_lock_is_followed_by_one_at_a_time(forks: Forks, folder: Path) -> None:
    """Several find the file of the dead one at once, and each other's ever after."""
    (folder / "number").write_text("0")
    dead = forks.fork("tests.faults.callers:hold_by_file", folder)
    assert dead.hear() == "held"
    lives = [forks.fork("tests.faults.callers:count_up", folder, 5) for _ in range(4)]
    with pytest.raises(TimeoutError):
        lives[0].hear(0.2)
    dead.close()
    for life in lives:
        assert life.hear() == "done"
        life.close()
    assert (folder / "number").read_text() == "20"
    assert not (folder / "lock.pid").exists()
