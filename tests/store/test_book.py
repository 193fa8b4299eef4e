"""The ledger in numbers, kept in step: at every moment what counting all lessons anew says."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.test_state import entries, journals, outcome, said
from theta_tui.store import retention as ledger
from theta_tui.store.book import ANSWERS, Book
from theta_tui.store.records import Finding, Learned, Record, Withdraw
from theta_tui.store.state import Story


@given(journals(), st.randoms(use_true_random=False))
@settings(max_examples=120, deadline=None)
def test_it_says_what_counting_anew_says_whenever_it_is_asked(records: list[Record], chance: Random) -> None:
    found: dict[int, Finding] = {}
    book, story = Book(found), Story()
    for entry in entries(records):
        story.add(entry)
        if story.lessons and chance.random() < 0.4:
            seq = chance.choice(story.lessons).seq
            found[seq] = Finding(seq, chance.random(), chance.random() < 0.5)
            book.touch([seq])
        if chance.random() < 0.2:
            book.touch(found)
            found.clear()
        if chance.random() < 0.7:
            rows = ledger.standings(story, found)
            assert book.tally(story) == ledger.tally(rows)
            assert [book.state(story, row.seq) for row in rows] == [row.state for row in rows]
            answers = [lesson.seq for lesson in ledger.live_answers(story)]
            assert [row.seq for row in rows if row.state in ANSWERS] == answers


@given(journals())
@settings(max_examples=100, deadline=None)
def test_the_answer_that_holds_is_the_newest_on_its_question(records: list[Record]) -> None:
    story = Story()
    for entry in entries(records):
        story.add(entry)
        live = [lesson for lesson in story.lessons if lesson.moves]
        newest = ledger.newest(live)
        assert [ledger.holding(story, lesson) for lesson in live] == [
            newest[ledger.question(lesson.exchange.prompt)] for lesson in live
        ]
        assert ledger.standings(story, most=2) == ledger.standings(story)[-2:]


def test_another_story_is_told_from_its_beginning() -> None:
    taught: list[Record] = [said("a"), Learned(1, outcome(), "m"), said("b"), Learned(3, outcome(), "m")]
    book, story, other = Book({}), Story.of(entries(taught)), Story.of(entries([*taught, Withdraw(1)]))
    assert book.tally(story).words == "kept 2/2"
    assert (book.tally(other).words, book.tally(other).withdrawn) == ("kept 1/1", 1)
    assert book.tally(story).words == "kept 2/2"
