"""Several people teach one home: whose conversation is whose, what undo takes back, and what the owner decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.session.conftest import Open
from tests.support.services import Caller, FakeSession
from tests.support.sessions import PAIRS, answer, same, state
from tests.support.tiny_models import equal
from theta_tui.base.config import Settings
from theta_tui.base.errors import PromptError, TeachError
from theta_tui.session import commands as c
from theta_tui.session import lists, people
from theta_tui.session import protocol as p
from theta_tui.session.idle import IdleRunner
from theta_tui.session.replies import Turn
from theta_tui.session.service import Service
from theta_tui.store.report import Teaching
from theta_tui.store.store import Store

pytestmark = pytest.mark.usefixtures("short_lessons")

PEOPLE = ("", "Ada", "Zoë")


class Table:
    """People at one service, without a thread. `ask` carries out a command, and returns its events."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.session = FakeSession(Store.open(Settings(home=home, **settings)))
        self.session.own_ids = True
        self.session.load(lambda _: None)
        self.events: list[p.Event] = []
        self.service = Service(self.session, self.events.append, Caller(), IdleRunner(60))  # type: ignore[arg-type]
        self.said = 0

    @property
    def store(self) -> Store:
        return self.session.store

    def ask(self, who: str, command: c.Command) -> list[p.Event]:
        self.events.clear()
        self.service.serve(Turn(command, who=who))
        return list(self.events)

    def say(self, who: str) -> str:
        """Ask for replies to a prompt that names its person; returns that prompt."""
        self.said += 1
        prompt = f"{who}: prompt {self.said}"
        self.ask(who, c.Propose(prompt))
        return prompt

    def pick(self, who: str, index: int = 1) -> list[p.Event]:
        waiting = self.service.snapshot(who).pending
        return self.ask(who, c.Pick(waiting.prompt_id if waiting else "none", index))

    def view(self, who: str) -> tuple[Any, ...]:
        """All that is this person's own."""
        shot, conversations = self.service.snapshot(who), self.store.state.conversations
        own = [(one.turns, one.deleted) for one in conversations if one.who == who]
        return shot.turns, shot.pending, shot.undo, shot.redo, shot.beside, own

    def close(self) -> None:
        self.store.close()


@contextmanager
def table(home: Path, **settings: Any) -> Iterator[Table]:
    made = Table(home, **settings)
    try:
        yield made
    finally:
        made.close()


# --- whose is what ---

DEEDS = st.tuples(
    st.sampled_from(PEOPLE),
    st.sampled_from(["say", "pick", "pick", "stand", "none", "undo", "redo", "new", "withdraw", "let", "decide"]),
    st.integers(0, 5),
)


def do(at: Table, who: str, deed: str, number: int) -> list[p.Event]:
    waiting = at.service.snapshot(who).pending
    known = waiting.prompt_id if waiting else "none"
    lessons = len(at.store.state.lessons)
    match deed:
        case "say":
            at.say(who)
            return []
        case "pick":
            return at.ask(who, c.Pick(known, number % 5 + 1))
        case "stand":
            return at.ask(who, c.Say(known, number % 5 + 1))
        case "none":
            return at.ask(who, c.PassOver(known))
        case "undo" | "redo":
            return at.ask(who, c.TakeBack(deed))  # type: ignore[arg-type]
        case "withdraw":
            return at.ask(who, c.TakeBack("withdraw", number % max(1, lessons) + 1))
        case "let":
            may: Teaching = ("teach", "propose", "hold")[number % 3]
            return at.ask("", lists.ChangePerson(PEOPLE[1 + number // 3], may))
        case "decide":
            wanted = [one.number for one in at.store.state.proposals] or [1]
            return at.ask("", lists.Decide("accept" if number % 2 else "decline", wanted[0]))
        case _:
            return at.ask(who, c.NewConversation())


@given(st.lists(DEEDS, max_size=30))
def test_in_any_order_nobody_touches_what_is_anothers_and_nothing_is_lost(
    deeds: list[tuple[str, str, int]],
) -> None:
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        taught: list[str] = []
        with table(home) as at:
            for who, deed, number in deeds:
                before = {one: at.view(one) for one in PEOPLE}
                active = [lesson.seq for lesson in at.store.state.active]
                events = do(at, who, deed, number)
                actor = "" if deed in {"let", "decide"} else who
                whose = {actor}
                for event in events:
                    if isinstance(event, p.Taught | p.TakenBack):
                        whose.add(event.who)
                    if isinstance(event, p.Taught) and event.outcome.lesson:
                        taught.append(event.outcome.prompt)
                now = [lesson.seq for lesson in at.store.state.active]
                for seq in set(active) ^ set(now):
                    lesson = at.store.state.lesson(seq)
                    assert lesson.who in whose
                    if deed == "undo":
                        own = [one for one in active if at.store.state.lesson(one).who == who]
                        assert (lesson.who, seq) == (who, own[-1])
                for one in PEOPLE:
                    if one not in whose:
                        assert at.view(one) == before[one]
                    shot = at.service.snapshot(one)
                    prompts = [turn.prompt for turn in shot.turns] + ([shot.pending.prompt] if shot.pending else [])
                    assert all(prompt.startswith(f"{one}: ") for prompt in prompts)
            assert [lesson.exchange.prompt for lesson in at.store.state.lessons] == taught
            views = {one: at.view(one) for one in PEOPLE}
            shared = at.store.state.standings, [one.number for one in at.store.state.proposals]
            owners = at.store.settings.context_path.read_bytes() if at.store.settings.context_path.exists() else b""
        with table(home) as again:
            assert {one: again.view(one) for one in PEOPLE} == views
            assert (again.store.state.standings, [one.number for one in again.store.state.proposals]) == shared
        assert b"Ada" not in owners


def test_undo_takes_back_ones_own_last_lesson_and_offers_its_replies_again(tmp_path: Path) -> None:
    with table(tmp_path) as at:
        mine = at.say("Ada")
        at.pick("Ada", 2)
        at.say("Zoë")
        at.pick("Zoë", 3)
        *_, back = (event for event in at.ask("Ada", c.TakeBack("undo")) if isinstance(event, p.TakenBack))
        assert (back.number, back.who) == (1, "Ada")
        waits = at.service.snapshot("Ada").pending
        assert waits is not None
        assert waits.prompt == mine
        assert at.service.snapshot("Zoë").pending is None
        (refused,) = (event for event in at.ask("", c.TakeBack("undo")) if isinstance(event, p.Failed))
        assert "you have taught none" in refused.message
        at.ask("Zoë", c.TakeBack("redo"))
        assert len(at.store.state.active) == 1  # it is Ada's to bring back
        at.ask("Ada", c.TakeBack("redo"))
        assert [lesson.who for lesson in at.store.state.active] == ["Ada", "Zoë"]


def test_what_the_owner_takes_out_the_person_cannot_bring_back(tmp_path: Path) -> None:
    with table(tmp_path) as at:
        at.say("Ada")
        at.pick("Ada")
        at.ask("", c.TakeBack("withdraw", 1))
        assert at.service.snapshot("Ada").redo == 0
        assert any(isinstance(event, p.Failed) for event in at.ask("Ada", c.TakeBack("redo")))
        at.ask("", c.TakeBack("redo"))
        assert [lesson.who for lesson in at.store.state.active] == ["Ada"]


@pytest.mark.parametrize(
    "command",
    [c.TakeBack("withdraw", 1), c.Configure("temperature", "1"), c.Export("trl", "x"), c.SwitchModel("x"), c.Save(),
     c.Persona("a pirate"), c.Quiz(), lists.ChangePerson("Ada", "teach"), lists.Decide("accept", 1), lists.TeachFile(),
     lists.ChangeConversation("delete", 1)],
    ids=lambda command: type(command).__name__,
)  # fmt: skip
def test_what_is_the_owners_is_refused_to_others(tmp_path: Path, command: c.Command) -> None:
    with table(tmp_path) as at:
        at.say("")
        at.pick("")
        records = at.store.journal.last_seq
        *_, refused = at.ask("Ada", command)
        assert isinstance(refused, p.Failed)
        assert at.store.journal.last_seq == records


# --- what people may ---


def test_a_proposal_is_said_and_waits_and_is_a_lesson_of_its_person_once_accepted(tmp_path: Path) -> None:
    with table(tmp_path, newcomers="propose") as at:
        prompt = at.say("Ada")
        *_, done = at.pick("Ada", 4)
        assert isinstance(done, p.Taught)
        assert "proposal 1" in (done.outcome.skipped or "")
        shot = at.service.snapshot("Ada")
        assert [(turn.reply, turn.kind) for turn in shot.turns] == [("reply 4", "said")]
        assert (shot.lessons, shot.proposals, shot.pending) == (0, 1, None)
        at.say("Ada")  # the talk goes on, and what waits there stays
    with table(tmp_path, newcomers="propose") as at:
        ledger = next(event for event in at.ask("", c.ShowLessons()) if isinstance(event, p.Ledger))
        assert [(row.number, row.who, row.reply, row.state) for row in ledger.proposals] == [
            (1, "Ada", "reply 4", "proposed")
        ]
        taught = next(event for event in at.ask("", lists.Decide("accept", 1)) if isinstance(event, p.Taught))
        assert (taught.who, taught.outcome.lesson) == ("Ada", 1)
        shot = at.service.snapshot("Ada")
        assert [(turn.prompt, turn.reply, turn.kind, turn.pick) for turn in shot.turns] == [
            (prompt, "reply 4", "pick", 4)
        ]
        assert (shot.proposals, shot.undo > 0, shot.pending is not None) == (0, True, True)
        assert at.service.snapshot("").turns == ()
        at.ask("Ada", c.TakeBack("undo"))
        assert [turn.kind for turn in at.service.snapshot("Ada").turns] == ["said"]


def test_a_declined_proposal_is_gone_and_what_was_said_stays(tmp_path: Path) -> None:
    with table(tmp_path, newcomers="propose") as at:
        at.say("Ada")
        at.pick("Ada")
        at.ask("", lists.Decide("decline", 1))
        assert (len(at.store.state.proposals), len(at.store.state.lessons)) == (0, 0)
        assert [turn.kind for turn in at.service.snapshot("Ada").turns] == ["said"]
        *_, refused = at.ask("", lists.Decide("accept", 1))
        assert isinstance(refused, p.Failed)


def test_a_person_on_hold_can_talk_and_teaches_nothing(tmp_path: Path) -> None:
    with table(tmp_path) as at:
        at.say("Ada")
        at.ask("", lists.ChangePerson("Ada", "hold"))
        (refused,) = (event for event in at.pick("Ada") if isinstance(event, p.Failed))
        assert "does not let you teach" in refused.message
        waiting = at.service.snapshot("Ada").pending
        assert waiting is not None
        at.ask("Ada", c.Say(waiting.prompt_id))
        assert [turn.kind for turn in at.service.snapshot("Ada").turns] == ["said"]
        at.say("Zoë")
        at.pick("Zoë")
        rows = people.rows(at.store)
        assert [(row.name, row.may, row.named, row.lessons) for row in rows] == [
            ("Ada", "hold", True, 0), ("Zoë", "teach", False, 1),
        ]  # fmt: skip
        with pytest.raises(PromptError, match="there is no 'Bob' here: Ada, Zoë"):
            people.let(at.store, "Bob", "teach")


# --- on a model ---


def test_people_take_back_and_bring_back_in_turn_to_the_bit(start: Open) -> None:
    """The states that undo remembers are a stack, and two people use it in an order of their own."""
    session = start()
    store = session.store
    for who, pair in zip(("Ada", "Zoë", "Ada"), PAIRS, strict=False):
        with store.speaking(who):
            answer(session, *pair)
    all_three = state(session)

    def by(who: str, deed: str) -> None:
        with store.speaking(who):
            getattr(session, deed)()

    by("Ada", "undo")
    by("Zoë", "undo")
    by("Ada", "redo")  # what was taken back last is Zoë's
    assert [lesson.number for lesson in store.state.active] == [1, 3]
    now = state(session)
    session.replay.from_base_model(lambda at, of: None)
    assert same(now, session)
    by("Zoë", "redo")
    assert same(all_three, session)
    session.close()
    again = start()
    assert same(all_three, again)
    assert equal(all_three[0], state(again)[0])
    again.close()


def test_a_lesson_that_a_crash_cut_short_is_still_its_persons_and_takes_no_prompt_of_others(start: Open) -> None:
    session = start()
    session.propose("a prompt of the owner")
    with session.store.speaking("Ada"):
        session.propose("a prompt of Ada")
        waiting = session.store.waiting()
        session.store.append(session._exchange("correction", waiting.prompt, "so it is", waiting))
    session.close()
    again = start()
    (lesson,) = again.store.state.lessons
    assert (lesson.who, lesson.outcome is not None) == ("Ada", True)
    assert again.store.waiting().prompt == "a prompt of the owner"
    with again.store.speaking("Ada"):
        assert again.pending is None
        assert [turn.prompt for turn in again.store.state.turns] == ["a prompt of Ada"]
    assert again.settings.context_path.read_bytes() == b"" if again.settings.context_path.exists() else True
    again.close()


def test_an_accepted_proposal_is_learned_in_its_conversation(start: Open) -> None:
    session = start()
    session.store.append(_standing("Ada", "propose"))
    with session.store.speaking("Ada"):
        answer(session, *PAIRS[0])
        answer(session, *PAIRS[1])
        assert session.learner.step == 0
    outcome = people.accept(session, 2)
    assert (outcome.lesson, outcome.prompt) == (1, PAIRS[1][0])
    lesson = session.store.state.lessons[0]
    assert (lesson.who, tuple(lesson.context)) == ("Ada", (PAIRS[0],))
    session.store.append(_standing("Ada", "hold"))
    with session.store.speaking("Ada"), pytest.raises(TeachError, match="does not let you"):
        answer(session, *PAIRS[2])
    session.close()


def _standing(who: str, may: Teaching) -> Any:
    from theta_tui.store.records import Standing

    return Standing(who, may)
