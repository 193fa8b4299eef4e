"""Whatever is typed, nothing is taught by it: only a pick, a fix, an own reply and a fact do that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fakes import Driven, drive
from theta_tui.session import protocol as p

PRINTABLE = st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp"))
TEXTS = st.one_of(
    st.sampled_from(("lol", "yes please", "just kidding", "2 apples", "12", "u", "x?", "t", "e", "👍", "quit", "undo")),
    st.text(PRINTABLE, min_size=2, max_size=12),
).filter(lambda text: not text.lstrip().startswith("/"))
TEACHING = (p.Pick, p.Correct, p.TeachFact, p.TakeBack)


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
        if isinstance(command, p.Say) and d.worker.shot.pending is not None:
            d.worker.said()
    if isinstance(d.sent[-1] if d.sent else None, p.Propose):
        await d.offer(text, settled=waits)


@pytest.mark.parametrize("at_first", [True, False], ids=["replies wait", "nothing was said yet"])
@given(texts=st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=4))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
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
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_keys_alone_teach_nothing_but_a_pick_from_an_empty_composer(run: Run, keys: list[str]) -> None:
    async def example(d: Driven) -> None:
        await d.offer()
        for key in keys:
            empty, before = not d.teach.composer.text, len(d.sent)
            await d.press(key)
            taught = [command for command in d.sent[before:] if isinstance(command, TEACHING)]
            assert not taught or (empty and key in "12345enter" and isinstance(taught[0], p.Pick))
            if taught:
                break

    run(example)
