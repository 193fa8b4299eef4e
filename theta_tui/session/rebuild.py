"""`theta rebuild` learns everything that was taught again, from the same base model or from another.

From the same base model it is a proof: each lesson takes its recorded steps, and the result is compared, bit for bit,
with what an ordinary start gives. From another it is a move: each lesson is learned afresh, with the recipe in force,
in as many steps as it needs there. All of this happens in memory; one record at the end makes it permanent. If it
stops before that, the home is unchanged.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theta_tui.base import config
from theta_tui.base.errors import PromptError
from theta_tui.base.text import plural
from theta_tui.session.relearn import rebuilt, relearn
from theta_tui.session.replay import Stage
from theta_tui.session.session import Session
from theta_tui.store.adaptation import adapts_anew, asked_for
from theta_tui.store.records import Outcome
from theta_tui.store.store import Store

if TYPE_CHECKING:
    from theta_tui.model.lora import Choice


PATIENCE = 10
"""A lesson may take this many times as long here as where a person waits for it."""


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a rebuild.

    `exact`: from the same base model, whether weights and moments are bit-equal to `against`; `why` explains a
    difference. None after a move. `lora` is the rank of the adapter that learns now, None if the whole model learns.
    `said` counts the lessons that the model said right after learning them, `p_after` is the median P(reply) there.
    """

    model: str
    came_from: str
    lessons: int
    steps: int
    said: int
    skipped: tuple[tuple[int, str], ...]
    p_after: float | None
    exact: bool | None
    against: str
    why: str
    checkpoint: Path
    seconds: float
    lora: int | None


def rebuild(store: Store, on_stage: Stage = lambda _: None) -> Done:
    """Replay the journal of `store` from the model that its settings name, and write a checkpoint.

    Raises PromptError (exit 3) if nothing was taught yet, ModelError (4), HomeError. Until it returns, the home has
    only what an ordinary start writes.
    """
    store.require_writable()
    begin = store.state.begin
    if begin is None:
        raise PromptError("there is nothing to rebuild yet: nothing was taught in this home", name="nothing_to_rebuild")
    on_stage("loading PyTorch")
    from theta_tui.model.files import fingerprint

    found = fingerprint(store.settings.model)
    same = found == begin.fingerprint
    if same and not adapts_anew(store):
        return _again(store, on_stage)
    return _move(store, found, asked_for(store, moving=not same), on_stage)


def _again(store: Store, on_stage: Stage) -> Done:
    """Replay from the same base model, and compare with an ordinary start."""
    from theta_tui.learning.checkpoint import read_manifest
    from theta_tui.learning.compare import differing

    started = time.perf_counter()
    session = Session(store)
    path = session.load(on_stage)
    replay, state, machine = session.replay, store.state, session.model.machine()
    before = replay.learner.snapshot()
    replay.from_base_model(lambda at, of: on_stage(f"learning again, {at} of {of}"))
    differences = differing(before, replay.learner.snapshot())
    lessons = state.active
    elsewhere = sum(1 for lesson in lessons if lesson.machine not in (None, machine))
    if not differences:
        why = ""
    elif elsewhere or (path is not None and read_manifest(path).machine != machine):
        why = (
            f"lessons ({elsewhere:,} of {len(lessons):,}) were first learned on another machine, which rounds "
            "differently"
            if elsewhere
            else "the checkpoint was written on another machine, which rounds differently"
        )
    else:
        parts = f"{plural(len(differences), 'part')} ({differences[0]})"
        why = f"the two differ in {parts}; the checkpoint did not hold what the journal says"
    outcomes = [lesson.outcome for lesson in state.active if lesson.outcome]
    assert state.begin is not None
    return _done(
        session,
        state.begin.model,
        outcomes,
        (),
        started,
        exact=not differences,
        against=f"checkpoint {path.name} and the lessons since" if path else "a second replay of the journal",
        why=why,
    )


def _move(store: Store, found: str, adaptation: tuple[Choice, int], on_stage: Stage) -> Done:
    """Learn again on another base model, or by LoRA instead of whole, and report."""
    assert store.state.begin is not None
    started, came_from = time.perf_counter(), store.state.begin.model
    session, outcomes = move(store, found, adaptation, on_stage)
    skipped = tuple((outcome.lesson, outcome.skipped) for outcome in outcomes if outcome.skipped is not None)
    learned = [outcome for outcome in outcomes if outcome.skipped is None]
    return _done(session, came_from, learned, skipped, started)


def move(
    store: Store, found: str, adaptation: tuple[Choice, int], on_stage: Stage
) -> tuple[Session, tuple[Outcome, ...]]:
    """Learn the lessons of `store` on the model that its settings name, whose fingerprint is `found`: first in memory,
    then one record. Until that is written nothing has changed. Returns the session, and the lessons' outcomes."""
    from theta_tui.model.files import full_name

    session = Session(store)
    replay, own = session.replay, store.state
    recipe = replace(session.recipe, max_seconds=PATIENCE * session.recipe.max_seconds)
    name = full_name(store.settings.model)
    replay.open(None, on_stage, adaptation)
    outcomes = relearn(
        store,
        replay.learner,
        recipe,
        lambda at, of: on_stage(f"learning on {store.settings.model}, {at} of {of}"),
    )
    cut_short = [lesson.exchange for lesson in own.active if lesson.outcome is None]
    on_stage("writing it down")
    store.append(rebuilt(replay.model, name, found, recipe, outcomes))
    for exchange in cut_short:
        session.consumed(exchange)
    store.write_context()
    _keep_settings(store, name, replay.model.lora_rank)
    return session, tuple(outcome for _, outcome in outcomes)


def _keep_settings(store: Store, name: str, lora: int | None) -> None:
    """Update the model, or the way to learn, if the home's own file sets it. A contradicting setting elsewhere is
    reported."""
    from theta_tui.model.files import full_name

    home = store.home.path
    ours: dict[str, Any] = {"model": name, "lora": "off" if lora is None else "on"}
    if lora is not None:
        ours["lora_rank"] = lora
    for key, value in ours.items():
        if config.own_setting(home, key) is not None:
            config.persist(home, key, value)
    settings = config.load_settings({"home": home})
    set_to = settings.model
    if settings.lora not in ("auto", ours["lora"]) or (lora is not None and settings.lora_rank not in (None, lora)):
        store.notices.append(
            "this home learns in another way now than your settings say: remove lora and lora_rank from them, or give "
            + ("--lora off" if lora is None else f"--lora on --lora-rank {lora}")
            + " from now on"
        )
    if set_to and full_name(set_to) != name:
        store.notices.append(
            f"this home belongs to {name} now, but your settings say model {set_to}: change that, or give "
            f"--model {name} from now on"
        )


def _done(
    session: Session,
    came_from: str,
    outcomes: list[Outcome],
    skipped: tuple[tuple[int, str], ...],
    started: float,
    *,
    exact: bool | None = None,
    against: str = "",
    why: str = "",
) -> Done:
    chances = sorted(outcome.p_after for outcome in outcomes)
    return Done(
        model=session.settings.model,
        came_from=came_from,
        lessons=len(outcomes),
        steps=sum(outcome.steps for outcome in outcomes),
        said=sum(1 for outcome in outcomes if outcome.learned),
        skipped=skipped,
        p_after=chances[len(chances) // 2] if chances else None,
        exact=exact,
        against=against,
        why=why,
        checkpoint=session.save(),
        seconds=time.perf_counter() - started,
        lora=session.model.lora_rank,
    )
