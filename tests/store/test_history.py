"""A conversation that shares its past: the same as a tuple of its turns, whoever looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from theta_tui.store.history import NOTHING, History

Turns = tuple[tuple[str, str], ...]
turns_said = st.lists(st.tuples(st.text(max_size=2), st.text(max_size=2)), max_size=8).map(tuple)


def grown(turns: Turns) -> History:
    here = NOTHING
    for prompt, reply in turns:
        here = here.then(prompt, reply)
    return here


@given(turns_said, st.slices(8))
def test_it_reads_as_the_tuple_of_its_turns(turns: Turns, part: slice) -> None:
    history = grown(turns)
    assert (tuple(history), len(history), bool(history)) == (turns, len(turns), bool(turns))
    assert history[part] == turns[part]
    assert tuple(reversed(history)) == turns[::-1]
    assert [history[at] for at in range(-len(turns), len(turns))] == [*turns, *turns]
    assert history == turns


@given(turns_said, turns_said)
def test_two_are_equal_where_they_say_the_same(one: Turns, other: Turns) -> None:
    assert (grown(one) == grown(other)) == (one == other)
    assert hash(grown(one)) == hash(grown(tuple(one)))


def test_what_grows_from_it_leaves_it_as_it_was() -> None:
    begun = NOTHING.then("a", "b")
    assert begun.then("c", "d")[:1] == begun[:]
    assert begun.then("e", "f") != begun.then("c", "d")
    assert begun == (("a", "b"),)


def test_a_very_long_one_is_compared_and_let_go_of() -> None:
    one, other = grown((("a", "b"),) * 100_000), grown((("a", "b"),) * 100_000)
    assert one == other
    assert one[-1] == ("a", "b")
    assert one[99_998:] == (("a", "b"),) * 2
    del one, other
