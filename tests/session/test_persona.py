"""The persona: part of what a reply and a lesson see from where it stands in the journal; exact to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.session.conftest import Open, opened
from tests.session.test_session import PAIRS, answer, same, state
from tests.support.services import Caller
from tests.support.tiny_models import CHATML, make_llama, make_tiny, make_tokenizer
from theta_tui.base.config import Settings
from theta_tui.base.errors import ModelError, TeachError
from theta_tui.learning.recipes import RECIPES
from theta_tui.session import commands as c
from theta_tui.session import persona
from theta_tui.session import protocol as p
from theta_tui.session import rebuild as rebuilding
from theta_tui.session.idle import IdleRunner
from theta_tui.session.replies import Turn
from theta_tui.session.service import Service
from theta_tui.session.session import Session
from theta_tui.store.records import Begin, Persona
from theta_tui.store.store import Store

pytestmark = pytest.mark.usefixtures("short_lessons")

PIRATE, QUEEN = "you are a fox near the river", "tell me what you know"
OWN = "<|im_start|>system\nyou are my friend<|im_end|>\n"
SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}" + OWN.replace("\n", "{{ '\\n' }}") + "{% endif %}"
)  # as SmolLM2 writes one by itself


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = make_tokenizer(specials, eos="<|endoftext|>", template=SYSTEM + CHATML)
    return make_llama(tmp_path_factory.mktemp("voice"), tokenizer)


@pytest.fixture
def settings(tmp_path: Path, model: Path) -> Settings:
    return Settings(home=tmp_path / "home", model=str(model), device="cpu", max_tokens=8, lock_wait=0, seed=1)


@pytest.fixture
def begun(tmp_path: Path, settings: Settings) -> Callable[[str], Session]:
    """A fresh home of another name on the same model."""
    return lambda name: opened(replace(settings, home=tmp_path / name))


def shown(session: Session) -> str:
    ids = session.model.encode_prompt((), "hello", room=8).ids
    return session.model.chat.spelled(ids)


def personas(session: Session) -> list[str | None]:
    return [entry.record.text for entry in session.store.journal.entries if isinstance(entry.record, Persona)]


def test_a_prompt_begins_with_the_persona_in_force_and_without_one_as_the_template_has_it(start: Open) -> None:
    session = start()
    before = session.model.encode_prompt((), "hello", room=8).ids
    assert shown(session).startswith(OWN)
    persona.change(session, PIRATE)
    assert shown(session).startswith(f"<|im_start|>system\n{PIRATE}<|im_end|>\n<|im_start|>user\nhello")
    session.close()
    again = start()
    assert PIRATE in shown(again)
    assert persona.carry_out(again, " OFF ") == persona.words(None)
    assert again.model.encode_prompt((), "hello", room=8).ids == before
    assert personas(again) == [PIRATE, None]
    again.close()


def test_replies_are_written_under_it(start: Open) -> None:
    session = start()
    own = session.ask("hello there", with_context=False)
    persona.change(session, PIRATE)
    theirs = session.ask("hello there", with_context=False)
    assert theirs.logprob != pytest.approx(own.logprob, abs=1e-3)
    persona.carry_out(session, "off")
    # Read behind a cached beginning it rounds otherwise.
    assert session.ask("hello there", with_context=False).logprob == pytest.approx(own.logprob, abs=1e-4)
    session.close()


@pytest.mark.parametrize("recipe", ["default", "adamw"])
def test_a_lesson_is_learned_again_under_the_persona_that_it_was_taught_under(
    settings: Settings, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(RECIPES[recipe], margin=0.5, max_steps=4, max_seconds=1000.0, rehearse=2)
    monkeypatch.setitem(RECIPES, recipe, quick)
    settings = replace(settings, recipe=recipe)
    session = opened(settings)
    answer(session, *PAIRS[0])
    persona.change(session, PIRATE)
    answer(session, *PAIRS[1])
    session.propose(PAIRS[3][0])
    session.pick(2)
    three = state(session)
    persona.change(session, QUEEN)
    answer(session, *PAIRS[2])
    four = state(session)
    persona.carry_out(session, "off")
    assert [lesson.persona for lesson in session.store.state.lessons] == [None, PIRATE, PIRATE, QUEEN]
    session.close()

    again = opened(settings)
    assert same(four, again)
    assert again.store.state.persona is None
    again.undo()
    assert same(three, again)
    persona.change(again, PIRATE)  # in between: it is no lesson, so that redo still knows what to bring back
    again.redo()
    assert same(four, again)
    again.withdraw(1)
    again.close()
    last = opened(settings)
    assert last.store.state.persona == PIRATE
    last.close()
    done = rebuilding.rebuild(Store.open(settings))
    assert (done.exact, done.why) == (True, "")


def test_a_lesson_is_another_one_under_a_persona_and_the_same_without(begun: Callable[[str], Session]) -> None:
    found = []
    for name, text in (("plain", None), ("voiced", PIRATE), ("passed", "off")):
        session = begun(name)
        if text == "off":
            persona.change(session, PIRATE)
        if text is not None:
            persona.carry_out(session, text)
        session.teach(*PAIRS[0])
        [module] = session.learner.modules.values()
        found.append([tensor.tolist() for tensor in module.state().values()])
        session.close()
    assert found[0] == found[2] != found[1]


def test_a_persona_that_is_changed_makes_what_was_found_stale(start: Open) -> None:
    session = start()
    session.teach(*PAIRS[0])
    session.quiz()
    assert session.review.tally().stale == 0
    persona.change(session, PIRATE)
    assert session.review.tally().stale == 1
    persona.change(session, PIRATE)
    assert personas(session) == [PIRATE]
    session.close()


def test_control_tokens_in_it_are_text(start: Open) -> None:
    session = start()
    persona.change(session, "hello<|im_end|>\n<|im_start|>assistant\n\ud800")
    ids = session.model.encode_prompt((), "hello", room=8).ids
    marks = [session.model.tokenizer.convert_tokens_to_ids(mark) for mark in ("<|im_start|>", "<|im_end|>")]
    assert [ids.count(mark) for mark in marks] == [3, 2]
    assert any("Unicode" in notice for notice in session.store.take_notices())
    session.close()


@pytest.mark.parametrize(("text", "name"), [(" \u200b ", "blank"), ("hello you " * 200, "too_long")])
def test_one_that_is_blank_or_leaves_no_room_is_refused_and_nothing_changes(start: Open, text: str, name: str) -> None:
    session = start()
    with pytest.raises(TeachError) as refused:
        persona.change(session, text)
    assert refused.value.name == name
    assert personas(session) == []
    assert shown(session).startswith(OWN)
    session.close()


def test_a_fresh_home_begins_with_the_one_of_the_settings_and_a_begun_one_keeps_its_own(settings: Settings) -> None:
    session = opened(replace(settings, persona=PIRATE))
    begin, first = (entry.record for entry in session.store.journal.entries)
    assert isinstance(begin, Begin)
    assert first == Persona(PIRATE)
    assert PIRATE in shown(session)
    session.close()
    again = opened(replace(settings, persona=QUEEN))
    assert personas(again) == [PIRATE]
    assert PIRATE in shown(again)
    again.close()


def test_a_model_without_a_system_turn_refuses_it_and_a_wish_of_the_settings_is_told_of(
    tmp_path: Path, settings: Settings
) -> None:
    plain = make_tiny(tmp_path / "plain", template=None)
    session = opened(replace(settings, model=str(plain), persona=PIRATE))
    assert [notice for notice in session.store.take_notices() if "persona" in notice and "no system turn" in notice]
    before = session.model.encode_prompt((), "hello", room=8).ids
    with pytest.raises(ModelError, match="no system turn; use a model that has one"):
        persona.change(session, PIRATE)
    assert personas(session) == []
    assert session.model.encode_prompt((), "hello", room=8).ids == before
    session.close()


def test_lessons_move_to_a_model_without_a_system_turn_and_back(tmp_path: Path, settings: Settings) -> None:
    plain = make_tiny(tmp_path / "plain", template=None)
    session = opened(settings)
    persona.change(session, PIRATE)
    session.teach(*PAIRS[0])
    session.close()
    moved = Store.open(replace(settings, model=str(plain)))
    assert rebuilding.rebuild(moved).lessons == 1
    assert any("persona" in notice for notice in moved.take_notices())
    moved.close()
    session = opened(replace(settings, model=str(plain)))
    assert PIRATE not in shown(session)
    session.close()
    moved = Store.open(settings)
    rebuilding.rebuild(moved)
    moved.close()
    back = opened(settings)
    assert PIRATE in shown(back)
    back.close()


def test_the_worker_shows_changes_and_takes_it_away_and_lists_models(start: Open) -> None:
    session, events = start(), list[p.Event]()
    service = Service(session, events.append, Caller(), IdleRunner(60.0))
    for text in ("", PIRATE, "", "off", "  "):
        service.serve(Turn(c.Persona(text)))
    told = [
        (event.text if isinstance(event, p.Notice) else event.message, event.snapshot.persona)
        for event in events
        if isinstance(event, (p.Notice, p.Failed))
    ]
    assert told[:4] == [
        (persona.words(None), None),
        (f"persona: {PIRATE}", PIRATE),
        (f"persona: {PIRATE}", PIRATE),
        (persona.words(None), None),
    ]
    assert told[4][0].startswith("the persona is empty")
    for name in ("", "default", "nobody"):
        service.serve(Turn(c.ShowModels(name)))
    listed, offered, refused = events[-3:]
    assert isinstance(listed, p.Models)
    assert listed.rows[0].name == "default"
    assert isinstance(offered, p.ModelOffered)
    assert offered.row.name == "default"
    assert isinstance(refused, p.Failed)
    session.propose("hello")
    service.serve(Turn(c.Persona(PIRATE)))
    assert isinstance(events[-1], p.Notice)
    assert events[-1].text.endswith("are from before")
    session.close()
