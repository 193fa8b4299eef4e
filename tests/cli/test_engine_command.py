"""Commands through an engine: what they print is what they print without one, and nothing of a model is loaded."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.running import Forked, Theta
from tests.faults.forking import Forks
from theta_tui.base.config import load_settings
from theta_tui.cli import engine as commands
from theta_tui.engine.client import Connection
from theta_tui.engine.host import Host
from theta_tui.session.session import Session
from theta_tui.store.store import Store

PATIENCE = 60.0


@pytest.fixture
def engine(theta: Theta, home: Path) -> Iterator[Host]:
    """An engine of the home, in this process."""
    host = Host(load_settings({}), lambda settings: Session(Store.open(settings)))
    host.start(lambda _: None)
    while Connection.to(home) is None:
        time.sleep(0.01)
    yield host
    host.request_stop()
    assert host.join(PATIENCE)


def test_five_replies_a_pick_and_its_undoing(theta: Theta, engine: Host) -> None:
    offered = theta("prompt", "hello", "--json").json
    assert [reply["index"] for reply in offered["candidates"]] == [1, 2, 3, 4, 5]
    taught = theta("teach", "2", "--prompt-id", offered["prompt_id"], "--json").json
    assert (taught["lesson"], taught["reply"]) == (1, offered["candidates"][1]["text"])
    assert theta("undo", "--json").json["undone"] == 1
    assert theta("redo", "--json").json["redone"] == 1
    assert theta("withdraw", "1", "--json").json["withdrawn"] == 1
    assert theta("stats", "--json").json["lessons"] == 0


def test_a_lesson_is_asked_about_and_quizzed(theta: Theta, engine: Host) -> None:
    ran = theta("teach", "--for", "who are you?", "I am Bo.", "--show-learning-info")
    assert ran.lines[0].startswith("trained.")
    assert any(line.strip().startswith("ledger") for line in ran.lines)
    assert theta("ask", "who are you?").out == "I am Bo.\n"
    asked = theta("ask", "-", stdin="who are you?\n\n").out
    assert json.loads(asked)["reply"] == "I am Bo."
    (row,) = theta("quiz", "--json").json["lessons"]
    assert (row["prompt"], row["says"]) == ("who are you?", True)


def test_settings_of_a_command_are_its_own(theta: Theta, engine: Host) -> None:
    one, other = (theta("prompt", "hello", "--seed", "7", "--json").json["candidates"] for _ in range(2))
    assert theta("prompt", "hello", "--max-tokens", "1", "--json").json["candidates"] != one
    assert len(one) == len(other) == 5


def test_errors_keep_their_code_and_their_word(theta: Theta, engine: Host) -> None:
    ran = theta("teach", "1", "--json")
    assert ran.code == 3
    assert json.loads(ran.err)["error"]["name"] == "no_prompt"
    assert theta("withdraw", "9").code == 3
    assert theta("undo").code == 3
    refused = theta("teach", "-", "--all-or-nothing", stdin='{"prompt":"a","reply":"' + "b " * 900 + '"}\n')
    assert refused.code == 4
    assert "nothing was learned" in refused.err


def test_another_model_is_refused_as_without_an_engine(theta: Theta, engine: Host) -> None:
    theta("teach", "--for", "hello", "good day")
    ran = theta("ask", "hello", "--model", "default")
    assert ran.code == 4
    assert "rebuild" in ran.err


def test_a_fresh_conversation_and_lines(theta: Theta, engine: Host) -> None:
    theta("prompt", "hello")
    theta("teach", "1")
    assert theta("new", "--json").json["turns_before"] == 1
    ran = theta("teach", "-", "--json", stdin='{"prompt":"a","reply":"b"}\nnot json\n{"prompt":"c","reply":"d"}\n')
    assert ran.code == 1
    assert [json.loads(line).get("lesson") for line in ran.lines] == [2, None, 3]


def test_undo_takes_a_file_back(theta: Theta, engine: Host, tmp_path: Path) -> None:
    path = tmp_path / "facts.txt"
    path.write_text("My creator is Dakota.\nMy dog is called Pixel.\n")
    assert theta("import", str(path), "--yes").code == 0
    assert theta("undo", "--json").json["lessons"] == [1, 2]
    assert theta("redo").out.startswith("redone: 2 lessons of facts.txt")


def test_notices_are_told_once(theta: Theta, engine: Host) -> None:
    odd = json.dumps({"prompt": "a\ud800b", "reply": "c"})
    ran = theta("teach", "-", stdin=f"{odd}\n" + '{"prompt":"d","reply":"e"}\n')
    assert ran.err.count("line 1: ") == 1, ran.err
    assert "line 2: " not in ran.err


TALK = (
    "hello", "Hi!", "who are you?", "I am Theta.", "/redo", "how many?", "/none", "again", "/regen", "/stats", "Well?",
    "/history", "/lessons", "/quiz", "/withdraw 1", "/redo", "/withdraw 9", "/fix 1 Hi.", "My dog is called Pixel.",
    "s", "/undo", "s", "none of these", "/persona", "/people", "/people Ada hold", "/find Hi", "/nonsense",
    "/new", "/conversations open 1", "/conversations", "/import FACTS", "y", "/undo", "/export trl OUT", "/save",
    "/help", "bye", "quit",
)  # fmt: skip


def test_the_plain_loop_reads_as_alone(
    theta: Theta, engine: Host, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "facts.txt").write_text("My creator is Dakota.\nMy cat is called Tom.\n")

    def said(where: Path, out: str) -> str:
        lines = "\n".join(TALK).replace("FACTS", str(tmp_path / "facts.txt")).replace("OUT", str(tmp_path / out))
        ran = theta("chat", "--plain", "--home", str(where), stdin=lines)
        assert (ran.code, ran.err) == (0, ran.err)
        shown = re.sub(r"^(> |\[1-5 or type response\] > )*[1-5]: .*", r"\1a reply", ran.out, flags=re.MULTILINE)
        shown = shown.replace(str(where), "HOME").replace(str(tmp_path / out), "OUT")
        return re.sub(r"<?[\d.,]+( (%|[Mk]?B))?", "0", shown)

    through = said(home, "one")
    monkeypatch.setenv("THETA_ENGINE", "off")
    alone = said(tmp_path / "alone", "other")
    assert through.splitlines() == alone.splitlines()
    assert through.count("trained0") == 8


def test_the_plain_loop_offers_the_prompt_again_whose_lesson_was_undone(theta: Theta, engine: Host) -> None:
    ran = theta("chat", "--plain", stdin="hello\n1\n/undo\n2\nquit\n")
    assert "undone: hello" in ran.out
    assert ran.out.count("trained.") == 2
    assert [lesson["state"] for lesson in theta("lessons", "--json").json["lessons"]] == ["withdrawn", "kept"]


def test_a_visitor_talks_line_by_line_in_a_conversation_of_their_own(theta: Theta, engine: Host) -> None:
    ran = theta("chat", "--plain", "--who", "Ada", stdin="hello\nHi!\n/save\n/people\nquit\n")
    assert "trained." in ran.out
    assert "! only the owner of this home can do that (Save)" in ran.out
    assert not ran.lines[-1].startswith("> saved")
    assert theta("lessons", "--json").json["lessons"][0]["who"] == "Ada"
    assert theta("history", "--json").json["turns"] == []


def test_engine_off_leaves_it_alone(theta: Theta, engine: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THETA_ENGINE", "off")
    monkeypatch.setenv("THETA_LOCK_WAIT", "0.1")
    assert theta("teach", "--for", "a", "b").code == 75


def test_a_command_through_an_engine_loads_no_model(theta: Theta, engine: Host, home: Path) -> None:
    script = (
        "import sys\nfrom theta_tui.cli.start import main\n"
        "sys.argv = ['theta', 'teach', '--for', 'hello', 'good day']\n"
        "try:\n    main()\nexcept SystemExit as left:\n    assert not left.code, left.code\n"
        "assert not {'torch', 'transformers', 'tokenizers', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("trained.")


# --- a process of its own ---


@pytest.fixture
def forked(forks: Forks, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine starts at once: it is forked from a process that has imported everything."""
    monkeypatch.setattr(commands, "subprocess", SimpleNamespace(Popen=partial(Forked, forks), DEVNULL=None))


@pytest.fixture
def started(theta: Theta, home: Path) -> Iterator[Callable[[], int]]:
    """Starts an engine in the background; returns its process. It is killed at the end."""
    processes: list[int] = []

    def start() -> int:
        ran = theta("engine", "start", "--json")
        assert ran.code == 0, ran.err
        processes.append(ran.json["pid"])
        return processes[-1]

    yield start
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def test_it_starts_answers_and_stops(theta: Theta, forked: None, started: Callable[[], int], home: Path) -> None:
    assert theta("engine", "status", "--json").json["running"] is False
    process = started()
    assert started() == process  # it runs already
    assert theta("teach", "--for", "hello", "good day").code == 0
    assert theta("engine", "stop", "--json").json["stopped"] == process
    assert theta("engine", "stop").code == 1
    assert theta("ask", "hello").out == "good day\n"


def test_an_engine_that_serves_nobody_makes_room_for_who_needs_the_home_alone(
    theta: Theta, forks: Forks, forked: None, started: Callable[[], int], home: Path
) -> None:
    process = started()
    assert theta("rebuild").code == 0
    forks.wait(process)
    assert Connection.to(home) is None


def test_killed_it_loses_nothing_and_the_next_command_goes_on_alone(
    theta: Theta, forked: None, started: Callable[[], int], home: Path
) -> None:
    process = started()
    assert theta("teach", "--for", "hello", "good day").code == 0
    os.kill(process, signal.SIGKILL)
    assert theta("ask", "hello").out == "good day\n"
    assert started() != process
    assert theta("undo", "--json").json["undone"] == 1


@pytest.mark.slow
def test_an_engine_that_cannot_start_says_why(theta: Theta, started: Callable[[], int], home: Path) -> None:
    ran = theta("engine", "start", "--model", "/nowhere", "--json")
    assert ran.code == 4
    assert "/nowhere" in ran.err


@pytest.mark.slow
def test_with_engine_always_the_first_command_starts_one(
    theta: Theta, home: Path, started: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THETA_ENGINE", "always")
    assert theta("teach", "1").code == 3  # it cannot succeed, so none is started for it
    assert theta("engine", "status", "--json").json["running"] is False
    assert theta("teach", "--for", "hello", "good day").code == 0
    assert theta("engine", "status", "--json").json["running"] is True
    started()  # to be killed


def test_an_engine_whose_home_was_deleted_ends_and_touches_the_next_one_not(
    theta: Theta, home: Path, forks: Forks, forked: None, started: Callable[[], int]
) -> None:
    process = started()
    shutil.rmtree(home)
    assert theta("teach", "--for", "hello", "good day").code == 0
    forks.wait(process)
    assert theta("ask", "hello").out == "good day\n"
