"""Chat templates that write the date, or draw at random: a lesson is the same on any day, and in any time zone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.session.conftest import Open
from tests.support.sessions import PAIRS, answer, same, state
from tests.support.tiny_models import CHATML, make_llama, make_tokenizer
from theta_tui.base.config import Settings
from theta_tui.learning.recipes import RECIPES
from theta_tui.session import rebuild as rebuilding
from theta_tui.store.store import Store

pytestmark = pytest.mark.usefixtures("short_lessons")

OUTSIDE = (
    "<|im_start|>system\nToday: {{ strftime_now('%A %d %B %Y, %X, %s') }} {{ ['here', 'there', 'where']|random }}"
    "<|im_end|>\n"
)
DAYS = [("UTC+12", 0.0), ("UTC-14", 86_400.0 * 40), ("Europe/Berlin", 86_400.0 * 400), ("UTC", 86_400.0 * 800)]


class Calendar:
    """Moves the clock and the time zone of this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch, self._now = monkeypatch, time.time

    def day(self, number: int) -> None:
        zone, later = DAYS[number]
        self._monkeypatch.setenv("TZ", zone)
        time.tzset()
        self._monkeypatch.setattr(time, "time", lambda: self._now() + later)


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calendar]:
    with monkeypatch.context() as patch:
        yield Calendar(patch)
    time.tzset()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = make_tokenizer(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], eos="<|endoftext|>", template=OUTSIDE + CHATML
    )
    return make_llama(tmp_path_factory.mktemp("dated"), tokenizer)


@pytest.fixture(params=["default", "adamw"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return replace(settings, recipe=request.param)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("default", "adamw"):
        recipe = replace(RECIPES[name], margin=0.5, max_steps=4, max_seconds=1000.0, rehearse=2)
        monkeypatch.setitem(RECIPES, name, recipe)


def test_what_was_taught_on_other_days_and_in_other_zones_is_the_same_to_the_bit(
    settings: Settings, start: Open, calendar: Calendar
) -> None:
    calendar.day(0)
    session = start()
    answer(session, *PAIRS[0])
    session.propose(PAIRS[1][0])
    calendar.day(1)  # the replies were offered yesterday, and are picked today
    session.pick(2)
    two = state(session)
    session.close()

    calendar.day(2)
    again = start()
    assert same(two, again)
    answer(again, *PAIRS[2])
    three = state(again)
    again.close()

    calendar.day(3)
    last = start()
    assert same(three, last)
    last.undo()
    assert same(two, last)
    last.redo()
    assert same(three, last)
    last.close()
    done = rebuilding.rebuild(Store.open(settings))
    assert (done.exact, done.why) == (True, "")


def test_a_prompt_is_rendered_when_it_is_asked_and_a_lesson_when_it_was_taught(start: Open, calendar: Calendar) -> None:
    calendar.day(0)
    session = start()
    assert session.propose("hello") is not None
    calendar.day(2)
    session.correct("yes no maybe")
    taught = session.store.state.active[0].at
    assert abs(taught - time.time()) < 3600
    found = session._recall(session.store.state.active[0])
    calendar.day(3)
    assert session._recall(session.store.state.active[0]) == found
    one, other = (session.model.encode_prompt((), "hello", room=8, at=at).ids for at in (taught, time.time()))
    assert one != other
    session.close()
