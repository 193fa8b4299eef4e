"""The state that a journal tells: at once or record by record, and as if the withdrawn had never been taught."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.profiles import examples
from theta_tui.store.journal import Entry
from theta_tui.store.records import (
    Asked,
    Begin,
    Candidate,
    Consolidated,
    ContextImported,
    ConversationDeleted,
    ConversationOpened,
    ConversationRenamed,
    ConversationStarted,
    Declined,
    Exchange,
    Failure,
    Finding,
    Imported,
    Learned,
    Outcome,
    Proposal,
    Rebuilt,
    Record,
    Restore,
    Said,
    Standing,
    Withdraw,
)
from theta_tui.store.state import Lesson, State, question

MOST = 24


def outcome(**changes: Any) -> Outcome:
    base = Outcome(1, "correction", "", "", 2.0, 0.5, 0.1, 0.9, 3, 3, True, 0.1)
    return replace(base, **changes)


def marked(exchange: Exchange, lesson: int, *, sure: bool, meant: bool) -> Exchange:
    """A pick instead, where one of two replies was written with a lesson."""
    offered = Candidate(1, "Hm.", -1.0), Candidate(2, "Oh.", -1.0, True, lesson, sure)
    return replace(exchange, kind="pick", candidates=offered, pick=2 if meant else 1)


def said(prompt: str, *, conversation: bool = True, replaces: int | None = None, kind: str = "correction") -> Exchange:
    return Exchange(
        kind,
        prompt,
        f"{prompt}!",
        (),
        {"name": "default"},
        conversation=conversation,
        replaces=replaces,  # type: ignore[arg-type]
    )


def entries(records: list[Record]) -> list[Entry]:
    return [Entry(seq, float(seq), record, 0, f"{seq:08x}") for seq, record in enumerate(records, 1)]


def step_by_step(records: list[Record]) -> State:
    state = State()
    for entry in entries(records):
        state.add(entry)
    return state


PEOPLE = ("", "Ada")


def told(state: State) -> dict[str, Any]:
    """All that a state says."""
    names = (
        "begin",
        "rebuilt",
        "turns",
        "lessons",
        "history",
        "active",
        "last",
        "step",
        "withdrawn",
        "undone",
        "redo",
        "batches",
        "marked",
        "last_said",
        "spoken",
    )
    talks = [(one.row(is_open=one is state.open), one.turns, one.places, one.history) for one in state.conversations]
    found = {name: getattr(state, name) for name in names} | {"losses": state.losses(50), "conversations": talks}
    found |= {"proposals": list(state.proposals), "standings": state.standings}
    for who in PEOPLE:
        state.who = who
        found[who] = state.open.number, state.turns, state.own_last, state.redo
    state.who = ""
    return found


@st.composite
def journals(draw: st.DrawFn) -> list[Record]:
    """Any records in any order, pointing anywhere; outcomes and withdrawals mostly at something that is there."""
    count = draw(st.integers(0, MOST))
    where = st.integers(1, MOST)
    records: list[Record] = []
    for at in range(1, count + 1):
        any_seq = draw(st.one_of(where, st.integers(1, max(1, at - 1))))
        what = draw(st.sampled_from("eeeeessslllwwwrrrffobtixgnaacppd"))
        who = draw(st.sampled_from(PEOPLE))
        match what:
            case "e":
                replaces = draw(st.one_of(st.none(), where))
                prompt = draw(st.sampled_from([f"p{at}", "q", "Q", "Q?"]))  # one question, and several answers to it
                exchange = said(prompt, conversation=draw(st.booleans()) or at % 3 > 0, replaces=replaces)
                if draw(st.booleans()):
                    turn = draw(st.one_of(st.none(), st.tuples(where, st.integers(0, 1))))
                    number, batch = draw(st.one_of(st.none(), st.integers(1, 4))), draw(st.one_of(st.none(), where))
                    exchange = replace(exchange, turn=turn, conversation_id=number, batch=batch)
                if draw(st.integers(0, 2)) == 0:
                    exchange = marked(exchange, any_seq, sure=draw(st.booleans()), meant=draw(st.booleans()))
                records.append(replace(exchange, who=who, proposal=draw(st.one_of(st.none(), where))))
            case "p":
                replaces = draw(st.one_of(st.none(), where))
                records.append(Proposal(replace(said(f"p{at}", replaces=replaces), who=who)))
            case "d":
                may = draw(st.sampled_from(["teach", "propose", "hold"]))
                records.append(draw(st.sampled_from([Declined(any_seq), Standing(who, may)])))
            case "s":
                offered = draw(st.sampled_from([(), marked(said("q"), any_seq, sure=True, meant=False).candidates]))
                number = draw(st.one_of(st.none(), st.integers(1, 4)))
                records.append(Said(draw(st.sampled_from([f"p{at}", "q"])), "so.", offered, f"{at}", number))
            case "n":
                records.append(said(f"p{at}", kind="none"))
            case "l":
                skipped = draw(st.sampled_from([None, None, "not finite"]))
                records.append(Learned(any_seq, outcome(steps=at, losses=(float(at),), skipped=skipped), "m"))
            case "w":
                records.append(Withdraw(any_seq, who))
            case "r":
                records.append(Restore(any_seq))
            case "f":
                records.append(
                    draw(st.sampled_from([ConversationStarted(who), Failure("it broke", any_seq), Failure("it broke")]))
                )
            case "b":
                records.append(ContextImported((("x", f"{at}"), ("y", "z"))))
            case "o":
                records.append(ConversationOpened(draw(st.integers(0, 4))))
            case "t":
                named = ConversationRenamed(at % 5, f"n{at}"), ConversationDeleted(at % 5)
                records.append(draw(st.sampled_from(named)))
            case "i":
                records.append(Imported(f"{at}.csv"))
            case "x":
                tried = draw(st.lists(where, unique=True, max_size=6))
                results = tuple((seq, outcome(steps=100 + seq)) for seq in sorted(tried))
                records.append(Rebuilt(f"model {at}", "f", "1", "n", {"name": "other"}, results))
            case "a":
                records.append(Asked((Finding(any_seq, at / MOST, at % 2 == 0),)))
            case "c":
                records.append(Consolidated(any_seq, at, at, {}, "m"))
            case "g":
                records.append(Begin("default", "f" * 16, "0.1.0"))
    return records


@given(journals())
@examples(37)
def test_a_state_told_record_by_record_is_the_state_told_at_once(records: list[Record]) -> None:
    state = State()
    all_entries = entries(records)
    for upto, entry in enumerate(all_entries, 1):
        state.add(entry)
        at_once = State.of(all_entries[:upto])
        assert (told(state), state.relearned_at) == (told(at_once), at_once.relearned_at)


def counted_anew(state: State) -> dict[str, Any]:
    """What a state says of its lessons, from all of them."""
    active = [lesson for lesson in state.lessons if lesson.moves]
    done = [lesson.outcome for lesson in active if lesson.outcome]
    about: dict[str, list[Lesson]] = {}
    for lesson in active:
        about.setdefault(question(lesson.exchange.prompt), []).append(lesson)
    return {
        "active": active,
        "moved": max(active[-1].seq if active else 0, state.relearned_at),
        "last": next((lesson for lesson in reversed(active) if lesson.outcome), None),
        "step": sum(each.steps for each in done),
        "withdrawn": [lesson.seq for lesson in state.lessons if lesson.withdrawn],
        "history": tuple((turn.prompt, turn.reply) for turn in state.turns),
        "losses": tuple(loss for each in done for loss in each.losses or (2.0, 0.5))[-5:],
        "about": {lesson.question: about.get(lesson.question, []) for lesson in state.lessons},
    }


@given(journals())
@examples(25)
def test_what_is_kept_as_the_records_come_in_is_what_counting_anew_finds(records: list[Record]) -> None:
    state = State()
    for entry in entries(records):
        state.add(entry)
        expected = counted_anew(state)
        names = ("active", "moved", "last", "step", "withdrawn", "history")
        kept = {name: getattr(state, name) for name in names} | {"losses": state.losses(5)}
        kept["about"] = {lesson.question: state.about(lesson.question) for lesson in state.lessons}
        assert kept == expected


@given(journals())
@examples(30)
def test_a_withdrawn_lesson_is_as_if_it_had_never_been_taught(records: list[Record]) -> None:
    all_entries = entries(records)
    state = State.of(all_entries)
    gone = {lesson.seq for lesson in state.lessons if lesson.withdrawn}
    kept = [e for e in all_entries if e.seq not in gone and not isinstance(e.record, (Withdraw, Restore))]
    never = State.of(kept)

    def plain(lesson: Lesson) -> Lesson:
        done = replace(lesson.outcome, lesson=0) if lesson.outcome else None
        return dataclasses.replace(lesson, number=0, outcome=done, asked=[])

    def shown(one: State) -> list[Any]:
        return [replace(turn, outcome=replace(turn.outcome, lesson=0) if turn.outcome else None) for turn in one.turns]

    assert state.history == never.history
    assert shown(state) == shown(never)
    assert [talk.history for talk in state.conversations] == [talk.history for talk in never.conversations]
    assert [plain(lesson) for lesson in state.active] == [plain(lesson) for lesson in never.active]


@given(journals(), st.integers(1, MOST))
@examples(30)
def test_withdrawing_and_bringing_back_changes_nothing(records: list[Record], of: int) -> None:
    before = told(State.of(entries(records)))
    if of in before["withdrawn"]:
        return
    after = told(step_by_step([*records, Withdraw(of), Restore(of)]))
    assert after == before


def test_redo_puts_a_turn_back_where_it_stood() -> None:
    taught: list[Record] = [said("a"), said("b"), said("c")]
    state = step_by_step([*taught, Withdraw(2)])
    assert [turn.prompt for turn in state.turns] == ["a", "c"]
    assert state.lessons[2].context == (("a", "a!"),)
    state = step_by_step([*taught, Withdraw(2), Restore(2)])
    assert [turn.prompt for turn in state.turns] == ["a", "b", "c"]
    assert state.lessons[2].context == (("a", "a!"), ("b", "b!"))


def test_a_turn_of_an_earlier_conversation_comes_back_there_and_not_into_the_new_one() -> None:
    state = step_by_step([said("a"), Withdraw(1), ConversationStarted(), said("b"), Restore(1)])
    assert [turn.prompt for turn in state.turns] == ["b"]
    assert [lesson.exchange.prompt for lesson in state.active] == ["a", "b"]


@pytest.mark.parametrize(
    ("later", "redone"),
    [
        ([Withdraw(3)], 3),
        ([Withdraw(3), Withdraw(2)], 2),
        ([Withdraw(3), Withdraw(2), Restore(2)], 3),
        ([Withdraw(3), Withdraw(2), Restore(2), Restore(3)], None),
        ([Withdraw(3), Restore(3), Withdraw(3)], 3),
        ([Withdraw(3), Withdraw(1), Restore(1), Withdraw(2)], 2),
        ([Withdraw(3), ConversationStarted()], 3),
        ([Withdraw(3), said("none of these", kind="none")], 3),
        ([Withdraw(3), said("d")], None),
        ([Withdraw(3), said("d"), Failure("no memory", 5)], 3),
        ([Withdraw(3), said("d"), Withdraw(5)], 5),
        ([Withdraw(3), said("d"), Withdraw(5), Restore(5)], None),
        ([Withdraw(3), Rebuilt("m", "f", "1", "n", {}, ())], None),
        ([], None),
    ],
    ids=str,
)
def test_redo_brings_back_the_newest_first_and_nothing_once_a_lesson_was_taught(
    later: list[Record], redone: int | None
) -> None:
    taught = [said("a"), said("b"), said("c")]
    state = step_by_step([*taught, *later])
    for lesson in state.lessons:
        lesson.outcome = outcome()
    assert (state.undone.seq if state.undone else None) == redone


def test_a_rebuild_gives_every_lesson_its_new_outcome_recipe_and_machine_and_the_home_its_new_model() -> None:
    taught = [Begin("default", "old", "1"), said("a"), Learned(2, outcome(), "here"), said("b"), Withdraw(4)]
    state = step_by_step([*taught, Rebuilt("big", "new", "2", "there", {"name": "better"}, ((2, outcome(steps=9)),))])
    assert (state.begin, state.rebuilt) == (Begin("big", "new", "2"), 6)
    first, second = state.lessons
    assert (first.recipe, first.machine) == ({"name": "better"}, "there")
    assert first.outcome is not None
    assert (first.outcome.steps, first.outcome.prompt, first.outcome.reply) == (9, "a", "a!")
    assert state.turns[0].outcome == first.outcome
    assert (second.recipe, second.outcome) == ({"name": "default"}, None)
    assert state.step == 9


def test_what_asking_found_counts_only_of_the_lessons_that_the_model_had_then() -> None:
    def found(*later: Record) -> list[float]:
        base: list[Record] = [said("a"), Learned(1, outcome(), "m"), said("b"), Learned(3, outcome(), "m")]
        return [one.p for one in step_by_step([*base, *later]).lessons[0].asked]

    first, second = Asked((Finding(1, 0.5, True),)), Asked((Finding(1, 0.25, True),))
    assert found(first, Withdraw(3)) == []
    assert found(first, Withdraw(3), second) == [0.25]
    assert found(first, Withdraw(3), second, Restore(3)) == [0.5]
    assert found(first, Rebuilt("m", "f", "1", "n", {}, ())) == []
    assert found(Withdraw(3), first, Restore(3)) == []


def prompts(state: State, number: int) -> list[str]:
    conversation = state.conversation(number)
    assert conversation is not None
    return [turn.prompt for turn in conversation.turns]


def test_a_conversation_goes_on_where_it_was_left_and_the_journal_of_an_earlier_version_has_one_for_each_new() -> None:
    state = step_by_step([said("a"), ConversationStarted(), said("b"), ConversationOpened(1), said("c")])
    assert (prompts(state, 1), prompts(state, 2), state.open.number) == (["a", "c"], ["b"], 1)
    assert state.lessons[2].context == (("a", "a!"),)
    assert [lesson.conversation for lesson in state.lessons] == [1, 2, 1]
    assert [len(talk.turns) for talk in step_by_step([ConversationStarted(), said("b")]).conversations] == [0, 1]


def test_a_record_that_names_its_conversation_is_in_that_one_whichever_is_open() -> None:
    talks: list[Record] = [said("a"), ConversationStarted(), replace(said("b"), conversation_id=1)]
    state = step_by_step([*talks, Said("c", "so.", (), None, 1), said("d")])
    assert (prompts(state, 1), prompts(state, 2)) == (["a", "b", "c"], ["d"])
    assert state.history == (("d", "d!"),)


def test_a_name_and_a_deletion_change_the_list_alone_and_opening_brings_back() -> None:
    talks: list[Record] = [said("a"), ConversationRenamed(1, "first"), ConversationDeleted(1), ConversationStarted()]
    state = step_by_step(talks)
    assert [(talk.title, talk.deleted) for talk in state.conversations] == [("first", True), ("", False)]
    assert len(state.active) == 1
    back = step_by_step([*talks, ConversationOpened(1), ConversationRenamed(1, None)])
    assert (back.open.title, back.open.deleted, prompts(back, 1)) == ("a", False, ["a"])


def test_a_turn_that_is_corrected_keeps_its_place_whatever_is_taken_back_before_it() -> None:
    talk: list[Record] = [said("a"), said("b"), said("c"), replace(said("A", replaces=1), turn=(1, 0))]
    assert prompts(step_by_step(talk), 1) == ["A", "b", "c"]
    assert prompts(step_by_step([*talk, Withdraw(1)]), 1) == ["A", "b", "c"]
    assert prompts(step_by_step([*talk, Withdraw(4)]), 1) == ["a", "b", "c"]
    assert step_by_step(talk).lessons[-1].context == ()
    again: list[Record] = [said("a"), said("A", replaces=1), replace(said("x", replaces=2), turn=(1, 0)), said("b")]
    assert prompts(step_by_step([*again, Withdraw(1)]), 1) == ["x", "b"]
    assert prompts(step_by_step([*again, Withdraw(1), Withdraw(3)]), 1) == ["A", "b"]
    brought: list[Record] = [ContextImported((("x", "1"), ("y", "2"))), replace(said("X", replaces=1), turn=(1, 0))]
    assert prompts(step_by_step(brought), 1) == ["X", "y"]
    twice = [*brought, replace(said("Y", replaces=1), turn=(1, 1))]
    assert prompts(step_by_step(twice), 1) == ["X", "Y"]
    assert prompts(step_by_step([*twice, Withdraw(2), Withdraw(3)]), 1) == ["x", "y"]


def batch(*later: Record) -> State:
    """A lesson, an import of two at record 2, and what follows."""
    taught = [replace(said(name, conversation=False), batch=2) for name in "bc"]
    records: list[Record] = [said("a"), Imported("facts.txt"), *taught, *later]
    learned: list[Record] = [Learned(seq, outcome(), "m") for seq in (1, 3, 4)]
    return step_by_step([*records[:4], *learned, *records[4:]])


def test_a_batch_is_taken_back_and_brought_back_as_one() -> None:
    assert batch().last is not None
    state = batch(Withdraw(2))
    assert [lesson.exchange.prompt for lesson in state.active] == ["a"]
    assert (state.withdrawn, state.redo) == ([3, 4], (2, state.lessons[2]))
    assert [lesson.exchange.prompt for lesson in batch(Withdraw(2), Restore(2)).active] == ["a", "b", "c"]


def test_a_lesson_that_was_taken_out_of_a_batch_stays_out_when_the_batch_comes_back() -> None:
    state = batch(Withdraw(4), Withdraw(2))
    assert state.redo == (2, state.lessons[2])
    back = batch(Withdraw(4), Withdraw(2), Restore(2))
    assert [lesson.exchange.prompt for lesson in back.active] == ["a", "b"]
    assert back.redo == (4, back.lessons[2])


def test_what_is_taught_after_a_batch_was_taken_back_is_not_of_it() -> None:
    late = replace(said("d", conversation=False), batch=2)
    assert [lesson.exchange.prompt for lesson in batch(Withdraw(2), late).active] == ["a", "d"]
    assert [lesson.exchange.prompt for lesson in batch(Withdraw(2), late, Withdraw(1)).active] == ["d"]
