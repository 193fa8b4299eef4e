"""Whatever is typed, nothing is taught by it: only a pick, a fix, an own reply and a fact do that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from textual.events import Paste

from tests.support.fakes import Driven, FakeWorker, drive
from tests.support.profiles import examples
from tests.support.sessions import same, state
from tests.support.tiny_models import make_tiny
from theta_tui.base.config import Settings
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.session.idle import IdleRunner
from theta_tui.session.replies import Turn
from theta_tui.session.service import Service
from theta_tui.session.session import Session
from theta_tui.session.verbs import lone
from theta_tui.store.records import Begin, ConversationStarted, Exchange, Said
from theta_tui.store.store import Store

PRINTABLE = st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc", "Cf", "Cn", "Co", "Zl", "Zp"))
"""What `str.isprintable` takes too: Textual puts no other key into a text."""
TEXTS = st.one_of(
    st.sampled_from(("lol", "yes please", "just kidding", "2 apples", "12", "u", "x?", "t", "e", "👍", "quit", "undo")),
    st.text(PRINTABLE, min_size=2, max_size=12),
).filter(lambda text: not text.lstrip().startswith("/"))
TEACHING = (c.Pick, c.Correct, c.TeachFact, c.TakeBack)


Run = Callable[[Callable[[Driven], Coroutine[Any, Any, None]]], None]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs an example on the one app of this file, in which nothing was said yet."""
    with asyncio.Runner() as runner:
        driving = drive()
        d = runner.run(driving.__aenter__())

        async def afresh(example: Callable[[Driven], Coroutine[Any, Any, None]]) -> None:
            d.worker.changed(phase="idle", pending=None)
            d.teach.composer.put("")
            await d.settle()
            d.sent.clear()
            await example(d)

        yield lambda example: runner.run(afresh(example))
        runner.run(driving.__aexit__(None, None, None))


async def say(d: Driven, text: str, waits: bool) -> None:
    """Type `text`, Enter, and let the machine answer; then, where it `waits`, leave the replies alone for a while."""
    await d.type(f"{text}\n")
    for command in d.sent[-2:]:
        if isinstance(command, c.Say) and d.worker.shot.pending is not None:
            d.worker.said()
    if isinstance(d.sent[-1] if d.sent else None, c.Propose):
        await d.offer(text, settled=waits)


@pytest.mark.parametrize("at_first", [True, False], ids=["replies wait", "nothing was said yet"])
@given(texts=st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=4))
@examples(5, suppress_health_check=list(HealthCheck))
def test_no_text_that_is_typed_and_sent_teaches_anything(
    run: Run, at_first: bool, texts: list[tuple[str, bool]]
) -> None:
    async def example(d: Driven) -> None:
        if at_first:
            await d.offer()
        for text, waits in texts:
            await say(d, text, waits)
        assert not [command for command in d.sent if isinstance(command, TEACHING)]

    run(example)


@given(keys=st.lists(st.sampled_from([*"abeilrstuxy?12360 ", "enter"]), min_size=1, max_size=12))
@examples(8, suppress_health_check=list(HealthCheck))
def test_keys_alone_teach_nothing_but_a_pick_from_an_empty_composer(run: Run, keys: list[str]) -> None:
    async def example(d: Driven) -> None:
        await d.offer()
        for key in keys:
            empty, before = not d.teach.composer.text, len(d.sent)
            await d.press(key)
            taught = [command for command in d.sent[before:] if isinstance(command, TEACHING)]
            assert not taught or (empty and key in "12345enter" and isinstance(taught[0], c.Pick))
            if taught:
                break

    run(example)


async def test_that_talking_teaches_is_said_while_it_does() -> None:
    async with drive((100, 24)) as d:
        await d.offer("hello")
        await d.type("and you?")
        assert "talking teaches" not in d.screen_text()
        assert "enter says it, and reply 1 stands" in d.screen_text()
        d.worker.changed(continuous=True)
        await d.settle()
        assert "talking teaches" in d.lines()[0]
        assert "enter says it, and teaches reply 1" in d.screen_text()


# --- the same with a real model behind the screen ---


class Machine(FakeWorker):
    """A real session, which serves each command at once and on the app's own thread."""

    stopping = False

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.idle = IdleRunner(1e9)

    def interrupted(self) -> bool:
        return False

    def should_abandon(self) -> bool:
        return False

    def start(self, post: Callable[[p.Event], None]) -> None:
        self.service = Service(self.session, post, self, self.idle)
        self.service.load()

    def send(self, command: c.Command) -> None:
        super().send(command)
        if not isinstance(command, c.Cancel):
            self.service.serve(Turn(command))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    made = tmp_path_factory.mktemp("typed")
    home = Settings(home=made / "home", model=str(make_tiny(made / "model")), device="cpu", max_tokens=4, seed=1)
    found = Session(Store.open(home))
    found.load()
    yield found
    found.close()


async def typed(session: Session, keys: str, *, settled: bool) -> list[c.Command]:
    """What was sent when `keys` were pressed, a newline being Enter. An act that is meant, a digit or Enter at replies
    that wait while nothing is typed, is left out."""
    session.store.begin_conversation()
    async with drive(ready=False, worker=Machine(session)) as d:
        for key in keys:
            d.clock.seconds += settled
            if d.teach.picking and key in "12345\n":
                continue
            if key == "/" and not d.teach.composer.text:
                continue  # a command is an act that is meant, too
            await d.press("enter" if key == "\n" else key)
        return d.sent


@given(keys=st.lists(st.one_of(st.sampled_from("12345\n\n u?/"), PRINTABLE), max_size=20), settled=st.booleans())
@examples(3, suppress_health_check=list(HealthCheck))
def test_no_sequence_of_printable_keys_and_enter_changes_the_weights(
    session: Session, keys: list[str], settled: bool
) -> None:
    before = state(session)
    asyncio.run(typed(session, "".join(keys), settled=settled))
    assert same(before, session)
    assert not session.store.state.lessons
    for entry in session.store.journal.entries:
        record = entry.record
        assert isinstance(record, (Begin, Said, ConversationStarted, Exchange))
        assert not isinstance(record, Exchange) or record.kind == "none"


FIRST_MINUTES = {
    "a joke": ("hello", "lol", "just kidding"),
    "an assent": ("hello", "yes please"),
    "a question": ("hello", "what's your name?"),
    "two questions in a row": ("who are you?", "and how old are you?", "where do you live?"),
    "a number": ("hello", "42"),
    "a number of things": ("hello", "2 apples"),
    "an emoji": ("hello", "👍"),
    "a paste of several lines": ("hello", "one\ntwo\n3"),
    "words of commands": ("help", "undo", "quit"),
    "nothing": ("", "", ""),
}


def test_ten_first_minutes_change_no_weights_and_are_all_in_the_conversation(session: Session) -> None:
    async def minute(d: Driven, texts: tuple[str, ...]) -> None:
        d.worker.send(c.NewConversation())
        await d.settle()
        d.sent.clear()
        for text in texts:
            d.clock.seconds += 1
            if "\n" in text:
                d.app.post_message(Paste(text))
            await d.type("\n" if "\n" in text else f"{text}\n")
            if lone(text) is not None:
                await d.type("\n")  # it was asked whether that is meant as a command
        assert {type(command) for command in d.sent} <= {c.Propose, c.Say}
        waiting = [session.pending.prompt] if session.pending is not None else []
        assert [*(turn.prompt for turn in session.store.state.turns), *waiting] == list(filter(None, texts))

    async def run() -> None:
        async with drive(ready=False, worker=Machine(session)) as d:
            for script in FIRST_MINUTES.values():
                await minute(d, script)

    before = state(session)
    asyncio.run(run())
    assert same(before, session)
    assert not session.store.state.lessons


def test_the_machine_of_these_tests_does_learn_when_a_reply_is_picked(session: Session) -> None:
    async def run() -> None:
        session.store.begin_conversation()
        async with drive(ready=False, worker=Machine(session)) as d:
            await d.type("hello\n")
            d.clock.seconds += 1
            await d.press("2")

    before = state(session)
    asyncio.run(run())
    assert not same(before, session)
    assert len(session.store.state.lessons) == 1
