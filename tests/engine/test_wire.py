"""What goes over the socket comes out as it went in, and nothing else comes in."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from theta_tui.engine import wire
from theta_tui.session import commands as c
from theta_tui.session import lists
from theta_tui.session import protocol as p
from theta_tui.store.plots import Curve, Plot
from theta_tui.store.records import Beside, Candidate, Outcome, Pending, Stated, Turn
from theta_tui.store.report import ConversationRow, PersonRow, ReportRow, Tally

OUTCOME = Outcome(1, "pick", "hello", "Hi \u202e", 2.0, math.inf, 0.1, 0.9, 3, 7, True, 0.1, (2.0, math.nan))
PENDING = Pending("ab", "hello", (Candidate(1, "Hi", -1.5, True, 12, False),), Stated("who?", "me"))
SHOT = p.Snapshot(
    "choosing", "waiting", turns=(Turn(4, "hello", "Hi", "pick", 1, OUTCOME),), turns_total=1,
    pending=PENDING, last=OUTCOME, losses=(1.5, 0.25), tally=Tally(2, 1, fading_first=(1,)), persona="a pirate",
)  # fmt: skip
MORE: dict[type[Any], tuple[Any, ...]] = {
    p.Streaming: ("hello", (p.Draft(1, "Hi", True),)),
    p.Taught: (OUTCOME,),
    p.TakenBack: ("undo", 3, "hello", "Hi"),
    p.Heard: ("teach", "Ada", "", 3, "hello", "Hi", 0.25, 0.5),
    p.Ledger: ((ReportRow(1, 2, "pick", "a", "b", 1.5, "kept", p_now=0.5),),),
    p.Plots: ((Plot("loss", "the loss", (Curve("loss", "success", ((1.0, 2.5),)),), whole=True),), None, True, 3),
    p.History: (SHOT.turns, (Beside(3, 1, "statement", "a", "b", outcome=OUTCOME),)),
    p.ModelOffered: (p.ModelRow("smollm2", False, "1 MB", "MIT", "a model"), 3, "/a/home", True),
    lists.Turns: (1, SHOT.turns),
    lists.Conversations: ((ConversationRow(1, "hello", False, 3, 0.5, 1.5, True),),),
    lists.People: ((PersonRow("Ada", "hold", True, 3, 1),), "teach"),
    lists.FileRead: ("a.csv", 2, (("a", "b"), ("c", "d")), ("one note",), ()),
    p.Models: ((p.ModelRow("default", True, "1 MB", "", "the one"),),),
    p.Learning: (1, 24, 0.5, 0.1, 0.2),
    p.Checked: (None,),
}
THERE = [*vars(c).values(), *vars(p).values(), *vars(lists).values()]
KINDS = [kind for kind in THERE if is_dataclass(kind) and isinstance(kind, type)]
EVENTS = [kind for kind in KINDS if issubclass(kind, p.Event) and kind is not p.Event]
COMMANDS = [kind for kind in KINDS if issubclass(kind, c.Command) and kind is not c.Command]
SAMPLES: dict[str, Any] = {
    "str": "text\x1b",
    "tuple[str, ...]": ("a", "b\x1b"),
    "int": 3,
    "float": 0.5,
    "bool": True,
    "Deed": "withdraw",
    "ConversationDeed": "rename",
    "ProposalDeed": "accept",
    "Teaching": "propose",
}


def sample(kind: type[Any]) -> Any:
    """A value of every field that is neither optional nor of another class."""
    return kind(*(SAMPLES[str(each.type).split(" |")[0]] for each in fields(kind)))


def sent(value: Any) -> tuple[str, Any]:
    frame = wire.pack(type(value).__name__, wire.fields(value))
    assert wire.size(frame[:4]) == len(frame) - 4
    name, values = wire.unpack(frame[4:])
    return name, values


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_every_command_arrives_as_it_was_sent(kind: type[Any]) -> None:
    value = sample(kind)
    assert wire.command(*sent(value)) == value


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_arrives_as_it_was_sent(kind: type[Any]) -> None:
    rest = MORE.get(kind)
    if rest is None:
        rest = tuple(SAMPLES[str(each.type).split(" |")[0]] for each in fields(kind)[1:])
    value = kind(SHOT, *rest)
    assert repr(wire.event(*sent(value))) == repr(value)  # NaN is not equal to itself


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Nothing", {}),
        ("Command", {}),
        ("Snapshot", {}),
        ("Changed", {}),
        (["Pick"], {}),
        ("Pick", {"prompt_id": "ab"}),
        ("Pick", {"prompt_id": "ab", "index": "3"}),
        ("Pick", {"prompt_id": "ab", "index": 3, "more": 1}),
        ("Pick", ["ab", 3]),
        ("TakeBack", {"deed": "burn"}),
    ],
)
def test_what_is_no_command_is_refused(name: Any, values: Any) -> None:
    with pytest.raises(wire.BadFrameError):
        wire.command(name, values)


@pytest.mark.parametrize("body", [b"", b"\xff", b"\xc1", b"\x91" * 100_000, b"\x81\xa1a\x01"])
def test_what_is_no_frame_is_refused(body: bytes) -> None:
    with pytest.raises(wire.BadFrameError):
        wire.unpack(body)


def test_a_frame_may_not_claim_to_be_huge() -> None:
    with pytest.raises(wire.BadFrameError):
        wire.size(b"\xff\xff\xff\xff")
