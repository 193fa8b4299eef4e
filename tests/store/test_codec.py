"""A record and its line are the same thing; what no Theta wrote is refused."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from theta_tui.store.codec import MAX_LINE, BadLineError, decode, encode
from theta_tui.store.records import (
    Candidate,
    Compared,
    ConversationDeleted,
    ConversationOpened,
    ConversationRenamed,
    ConversationStarted,
    Declined,
    Exchange,
    Failure,
    Imported,
    Learned,
    Outcome,
    Proposal,
    Record,
    Said,
    Standing,
    Withdraw,
)

SNARES = ',"candidates":[{"index":1}],"recipe":{}'
texts = st.one_of(st.text(max_size=20), st.sampled_from([SNARES, '"', "\\", '\\"', "}", "{", "\x00\x1f\u2028", "ü\\u"]))
numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 9).map(float))
plain = st.builds(Candidate, st.integers(1, 5), texts, numbers, st.booleans())
marked = st.builds(Candidate, st.integers(1, 5), texts, numbers, st.booleans(), st.integers(1, 10**17), st.booleans())
offers = st.lists(plain | marked, max_size=3).map(tuple)
recipes = st.dictionaries(texts, st.one_of(st.booleans(), st.integers(0, 3), numbers, texts), max_size=3)


@given(offers, recipes, texts, texts, st.lists(texts, max_size=2).map(tuple))
def test_an_exchange_is_read_back_as_it_was(
    offer: tuple[Candidate, ...], recipe: dict[str, Any], prompt: str, reply: str, variants: tuple[str, ...]
) -> None:
    said = Exchange("pick", prompt, reply, offer, recipe, pick=1, prompt_id="id", variants=variants)
    seq, at, read = decode(encode(7, 1.5, said))
    assert (seq, at) == (7, 1.5)
    assert isinstance(read, Exchange)
    first = offer[0].text if offer else None
    assert (read.first_offered, read.prompt) == (first, prompt)
    assert [type(value) for value in read.recipe.values()] == [type(value) for value in recipe.values()]
    assert (read.candidates, read.first_offered) == (offer, first)
    assert read == said
    assert encode(7, 1.5, read) == encode(7, 1.5, said)


@pytest.mark.parametrize(
    "field", [{"turn": (3, 1)}, {"conversation_id": 2}, {"batch": 4}], ids=lambda field: next(iter(field))
)
def test_a_record_with_a_field_that_earlier_versions_lack_says_so(field: dict[str, Any]) -> None:
    """They would take it for a line that was not written to its end, and set it aside where it is the last one."""
    plain = Exchange("pick", "a", "b", (), {})
    said = replace(plain, **field)
    assert b'"v":1,' in encode(7, 1.5, plain)
    assert b'"v":2,' in encode(7, 1.5, said)
    assert decode(encode(7, 1.5, said))[2] == said


WITH_PEOPLE: list[Record] = [
    Exchange("pick", "a", "b", (), {}, who="Ada"),
    Exchange("pick", "a", "b", (), {}, who="Ada", proposal=3, turn=(3, 0), replaces=3),
    Withdraw(3, who="Ada"),
    ConversationStarted("Ada"),
    Proposal(
        Exchange("correction", "a", "b", (Candidate(1, "c", -1.5, lesson=3, sure=True),), {"steps": 3}, who="Ada")
    ),
    Declined(4),
    Standing("Ada", "hold"),
]


@pytest.mark.parametrize("record", WITH_PEOPLE, ids=lambda record: type(record).__name__)
def test_what_people_besides_the_owner_do_says_that_it_is_of_a_later_version(record: Record) -> None:
    line = encode(7, 1.5, record)
    assert b'"v":3,' in line
    assert decode(line)[2] == record
    assert b'"v":1,' in encode(7, 1.5, Withdraw(3)) and b'"v":1,' in encode(7, 1.5, ConversationStarted())  # noqa: PT018


CAME_LATER = {
    Said, Compared, ConversationOpened, ConversationRenamed, ConversationDeleted, Imported, Proposal, Declined,
    Standing,
}  # fmt: skip


def test_what_the_version_before_wrote_is_read_and_written_again_to_the_bit() -> None:
    """Every kind of record, with every optional field, odd text, and numbers that are not finite."""
    lines = Path(__file__).with_name("written_before.jsonl").read_bytes().splitlines(keepends=True)
    found = [decode(line) for line in lines]
    assert {type(record) for _, _, record in found} == set(get_args(Record)) - CAME_LATER
    assert [encode(*one) for one in found] == lines
    offered = (Candidate(1, "Hi\x1b!", -1.5), Candidate(2, "Yo.", -2.5, False, 3, True))
    said = 7, 1.5, Said("hello", "Hi\x1b!", offered, "ab12")
    assert decode(encode(*said)) == said
    for compared in (Compared(2, "Hm.\x1b", None), Compared(2, None, "漢字")):
        assert decode(encode(8, 1.5, compared)) == (8, 1.5, compared)


def test_lessons_of_one_recipe_share_it_and_numbers_of_another_type_make_another_recipe() -> None:
    recipes: list[dict[str, Any]] = [{"a": 1}, {"a": 1}, {"a": 1.0}, {"a": True}]
    said = [decode(encode(1, 1.5, Exchange("pick", "a", "b", (), recipe)))[2] for recipe in recipes]
    one, two, *others = [record.recipe for record in said if isinstance(record, Exchange)]
    assert one is two
    assert [type(other["a"]) for other in others] == [float, bool]


def line(body: str) -> bytes:
    rest = f'"v":1,"at":"2026-01-01T00:00:00Z","type":"exchange",{body}}}\n'.encode()
    return b'{"seq":1,"crc":"%08x",' % zlib.crc32(rest, zlib.crc32(b"1:")) + rest


GOOD = '"kind":"pick","prompt":"a","reply":"b"'
ONE = {"index": 1, "text": "b", "logprob": -1.5, "ended": True}


@pytest.mark.parametrize(
    "candidate",
    [
        {"index": "x"}, {"index": None}, {"text": ...}, {"logprob": "much"}, {"logprob": []}, {"ended": None},
        {"lesson": "x", "sure": True}, {"lesson": [3], "sure": True}, {"lesson": 3},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("behind", [',"recipe":{}', ',"pick":1,"recipe":{}'])
def test_what_is_no_candidate_is_refused_when_the_line_is_read(candidate: dict[str, Any], behind: str) -> None:
    fields = {name: value for name, value in (ONE | candidate).items() if value is not ...}
    shown = json.dumps([fields], separators=(",", ":"))
    with pytest.raises(BadLineError):
        decode(line(f'{GOOD},"candidates":{shown}{behind}'))


@pytest.mark.parametrize(
    "body",
    [
        f'{GOOD},"candidates":[],"recipe":{{}},"recipe":{{}}',
        f'{GOOD},"candidates":[],"recipe":{{}},"candidates":[]',
        f'{GOOD},"candidates":[],"recipe":{{"lr":1,"lr":2}}',
        f'{GOOD},"candidates":[],"recipe":{{"lr":NaN}}',
        f'{GOOD},"candidates":[],"recipe":{{}},"never":1',
        '"kind":"pick","prompt":"a","candidates":[],"recipe":{}',
        f'{GOOD},"more":{{"x":1,"candidates":[],"recipe":{{}}}}',
    ],
)
def test_a_line_that_is_strange_elsewhere_is_refused_too(body: str) -> None:
    with pytest.raises(BadLineError):
        decode(line(body))


SAID = Exchange("pick", "a", "b", (Candidate(1, "b", -1.0, True),), {"lr": 1}, pick=1)
OUTCOME = Outcome(1, "pick", "a", "b", 2.5, 0.5, 0.02, 0.97, 3, 7, True, 0.25, (2.5,))


@pytest.mark.parametrize(
    ("record", "said", "instead"),
    [
        pytest.param(SAID, '"type":"exchange"', '"type":"fresh"', id="another type with replies"),
        pytest.param(SAID, '"kind":"pick"', '"kind":"dream"', id="a kind that is none"),
        pytest.param(SAID, '"pick":1', '"pick":"1"', id="a word for a number in an exchange"),
        pytest.param(SAID, '"candidates":[{"index":1', '"candidates":[{"index":1e999', id="a number without end"),
        pytest.param(Learned(1, OUTCOME, "m"), '"steps":3', '"steps":"3"', id="a word for a number in an outcome"),
        pytest.param(Learned(1, OUTCOME, "m"), '"of":1', '"of":"1"', id="a word for the number of a record"),
        pytest.param(Failure("x"), '"message":"x"', f'"message":"{"x" * MAX_LINE}"', id="a line that is too long"),
    ],
)
def test_what_proves_itself_and_no_theta_wrote_is_no_record(record: Record, said: str, instead: str) -> None:
    sound = encode(1, 1.5, record)
    assert decode(sound)[2] == record
    rest = sound[sound.index(b'"v":') :].decode()
    assert rest.count(said) == 1
    harmed = rest.replace(said, instead).encode()
    crc = zlib.crc32(harmed, zlib.crc32(b"1:"))
    with pytest.raises(BadLineError):
        decode(b'{"seq":1,"crc":"%08x",' % crc + harmed)


def test_the_checksum_covers_the_number() -> None:
    sound = encode(1, 1.5, SAID)
    with pytest.raises(BadLineError, match="checksum"):
        decode(sound.replace(b'{"seq":1,', b'{"seq":2,', 1))


def test_a_line_without_its_end_is_no_record_although_its_checksum_fits() -> None:
    """The next record would be written behind it, into the same line."""
    sound = encode(1, 1.5, SAID)
    rest = sound[sound.index(b'"v":') : -1]
    with pytest.raises(BadLineError, match="cut short"):
        decode(b'{"seq":1,"crc":"%08x",' % zlib.crc32(rest, zlib.crc32(b"1:")) + rest)


def test_a_candidate_that_is_written_in_another_way_is_read_as_well() -> None:
    spaced = json.dumps([ONE | {"logprob": None}])
    read = decode(line(f'{GOOD},"candidates":{spaced},"recipe":{{"deep":{{"er":"}}"}}}}'))[2]
    assert isinstance(read, Exchange)
    assert read.recipe == {"deep": {"er": "}"}}
    assert (read.candidates[0].text, read.candidates[0].logprob != read.candidates[0].logprob) == ("b", True)
