"""Nothing disappears: what happened beside the turns of a conversation stays in it, in its place."""

from __future__ import annotations

from msgspec.structs import replace

from tests.store.test_state import outcome
from theta_tui.store.beside import TOLD_IN_A_ROW
from theta_tui.store.journal import Entry
from theta_tui.store.records import (
    Candidate,
    ConversationOpened,
    ConversationStarted,
    Exchange,
    Failure,
    Imported,
    Learned,
    Record,
    Restore,
    Said,
    Turn,
    Withdraw,
)
from theta_tui.store.state import State
from theta_tui.store.transcript import in_order, stated_by, words

FIVE = tuple(Candidate(index, f"reply {index}", -1.0) for index in range(1, 6))
FACT = Exchange("statement", "Who made you?", "Dakota did.", (), {}, conversation=False, said="Dakota made you.")


def entries(*records: Record) -> list[Entry]:
    return [Entry(seq, float(seq), record, 0, "") for seq, record in enumerate(records, 1)]


def told(*records: Record, waiting: str | None = None) -> list[str]:
    """The conversation in short; the same whether the records come at once or one by one."""
    at_once, one_by_one = State.of(entries(*records)), State()
    for entry in entries(*records):
        one_by_one.add(entry)
    assert at_once.beside() == one_by_one.beside()
    return lines(at_once, waiting)


def lines(state: State, waiting: str | None = None) -> list[str]:
    earlier, stated = stated_by(state.beside(), waiting)
    found: list[str] = []
    for before, turn in in_order(state.turns, earlier):
        found += [f"{one.prompt} – {words(one)}" if one.kind == "none" else words(one) for one in before]
        found += [f"{turn.prompt} → {turn.reply}"] if turn is not None else []
    return [*found, *([waiting] if waiting else []), *map(words, stated)]


def none(prompt: str) -> Exchange:
    return Exchange("none", prompt, "", FIVE, {}, prompt_id="p")


def pick(prompt: str) -> Exchange:
    return Exchange("pick", prompt, "reply 2", FIVE, {}, pick=2, prompt_id="p")


def test_a_message_without_an_answer_stays_where_it_was_said() -> None:
    assert told(none("first"), Said("hello", "reply 1", FIVE), none("lol"), Said("bye", "reply 1", FIVE)) == [
        "first – no reply was picked",
        "hello → reply 1",
        "lol – no reply was picked",
        "bye → reply 1",
    ]


def test_a_fact_comes_after_the_message_that_stated_it_however_that_was_answered() -> None:
    learned = Learned(1, outcome(), "m")
    said = "learned: Who made you? → Dakota did."
    assert told(FACT, waiting="Dakota made you.") == ["Dakota made you.", said.replace("learned", "learning")]
    assert told(FACT, learned, waiting="Dakota made you.") == ["Dakota made you.", said]
    assert told(FACT, learned, Said("Dakota made you.", "reply 1", FIVE)) == ["Dakota made you. → reply 1", said]
    assert told(FACT, learned, pick("Dakota made you."))[:2] == ["Dakota made you. → reply 2", said]
    assert told(FACT, learned, none("Dakota made you.")) == ["Dakota made you. – no reply was picked", said]
    assert told(FACT, Failure("no memory", 1)) == []


def test_what_was_taken_back_is_marked_and_is_a_turn_again_when_it_is_brought_back() -> None:
    taught = pick("hello"), Learned(1, outcome(), "m"), Said("and?", "reply 1", FIVE)
    assert told(*taught) == ["hello → reply 2", "and? → reply 1"]
    gone = *taught, Withdraw(1)
    assert told(*gone) == ["taken back: hello → reply 2", "and? → reply 1"]
    assert told(*gone, Restore(1)) == ["hello → reply 2", "and? → reply 1"]
    fact = FACT, Learned(1, outcome(), "m"), Withdraw(1)
    assert told(*fact) == ["taken back: Who made you? → Dakota did."]


def test_of_many_lessons_taught_outside_in_a_row_the_last_are_told_one_by_one() -> None:
    outside = [replace(FACT, said=None, prompt=f"q{n}") for n in range(20)]
    found = told(none("lol"), *outside, Said("hello", "reply 1", FIVE), *outside[:3])
    assert len(found) == 1 + TOLD_IN_A_ROW + 1 + 3
    assert found[1] == f"learning: q{20 - TOLD_IN_A_ROW} → Dakota did. (and 12 lessons before it)"
    assert found[2] == f"learning: q{21 - TOLD_IN_A_ROW} → Dakota did."


def test_a_fresh_conversation_has_none_of_it_and_the_last_ones_can_be_had_alone() -> None:
    assert told(none("lol"), FACT, ConversationStarted(), none("new")) == ["new – no reply was picked"]
    state = State.of(entries(*(none(f"{n}") for n in range(9))))
    assert [one.prompt for one in state.beside(2)] == ["7", "8"]
    turns = [Turn(n, f"{n}", "", "said") for n in (5, 6)]
    beside = [replace(one, after=n) for n, one in enumerate(state.beside())]
    shown = [(len(before), turn and turn.prompt) for before, turn in in_order(turns, beside[:8], first=5)]
    assert shown == [(1, "5"), (1, "6"), (1, None)], "what came before the first turn shown is not shown"


def test_the_lessons_of_a_file_are_told_as_many_taught_outside_also_when_they_are_taken_back() -> None:
    batch = [replace(FACT, prompt=f"q{n}", said=f"line {n}", batch=1) for n in range(20)]
    found = told(Imported("facts.txt"), *batch)
    assert len(found) == TOLD_IN_A_ROW
    assert found[0].endswith("(and 12 lessons before it)")
    assert [one.startswith("taken back") for one in told(Imported("facts.txt"), *batch, Withdraw(1))] == [True] * 8


def test_each_conversation_has_what_happened_beside_it() -> None:
    talk: list[Record] = [none("lol"), ConversationStarted(), none("new"), ConversationOpened(1), none("again")]
    assert told(*talk) == ["lol – no reply was picked", "again – no reply was picked"]
