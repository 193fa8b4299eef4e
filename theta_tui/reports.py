"""What is said of lessons: by `history`, `lessons`, `stats`, and after each one. Reads the record; needs no model."""

from __future__ import annotations

import statistics
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from theta_tui.console import Invocation
from theta_tui.lessons.records import Outcome, Stated, Turn
from theta_tui.lessons.story import Lesson
from theta_tui.record import HomeRecord
from theta_tui.text import percent


def history(call: Invocation, record: HomeRecord) -> None:
    """The conversation, a turn in two lines."""
    turns = record.story.turns
    if call.json:
        call.emit(turns=[_turn(turn) for turn in turns])
        return
    if not turns:
        call.out("no conversation yet; begin with: theta")
    for turn in turns:
        call.out(f"you    {turn.prompt}")
        call.out(f"theta  {turn.reply}   {_mark(turn)}".rstrip())


def lessons(call: Invocation, record: HomeRecord) -> None:
    """Every lesson that was ever taught, withdrawn ones marked."""
    found = record.story.lessons
    if call.json:
        call.emit(lessons=[_lesson(lesson) for lesson in found])
        return
    if not found:
        call.out("no lessons yet; teach one with: theta")
        return
    for lesson in found:
        when = datetime.fromtimestamp(lesson.at).strftime("%Y-%m-%d %H:%M")
        outcome = lesson.outcome
        effect = f"{percent(outcome.p_before)} → {percent(outcome.p_after)}" if outcome and lesson.moves else ""
        call.out(
            f"{lesson.number:4}  {when}  {_state(lesson):10} {effect:>20}   "
            f"{lesson.exchange.prompt} → {lesson.exchange.reply}"
        )


def stats(call: Invocation, record: HomeRecord) -> None:
    """Counts, losses, sizes and speeds."""
    values = figures(record)
    if call.json:
        call.emit(**values)
        return
    width = max(len(name) for name in values)
    for name, value in values.items():
        call.out(f"{name.replace('_', ' '):{width}}  {_shown(name, value)}")


def figures(record: HomeRecord) -> dict[str, Any]:
    """What `stats` tells, as plain values: seconds, bytes, nats, Unix time."""
    story = record.story
    outcomes = [lesson.outcome for lesson in story.live if lesson.outcome]
    home = record.home
    checkpoints = sorted(home.checkpoints.glob("step-*"), key=lambda path: path.stat().st_mtime)
    return {
        "home": str(home.path),
        "model": story.begin.model if story.begin else record.settings.model,
        "lessons": len(story.live),
        "picks": sum(1 for lesson in story.live if lesson.exchange.kind == "pick"),
        "corrections": sum(1 for lesson in story.live if lesson.exchange.kind == "correction"),
        "statements": sum(1 for lesson in story.live if lesson.exchange.kind == "statement"),
        "withdrawn": sum(1 for lesson in story.lessons if lesson.withdrawn),
        "turns": len(story.turns),
        "step": outcomes[-1].step if outcomes else 0,
        "said_afterwards": sum(1 for outcome in outcomes if outcome.learned),
        "loss_before": _median([outcome.loss_before for outcome in outcomes]),
        "loss_after": _median([outcome.loss_after for outcome in outcomes]),
        "p_before": _median([outcome.p_before for outcome in outcomes]),
        "p_after": _median([outcome.p_after for outcome in outcomes]),
        "seconds_a_lesson": _median([outcome.seconds for outcome in outcomes if outcome.seconds > 0]),
        "records": record.journal.last_seq,
        "journal_bytes": _size(home.journal),
        "checkpoints": len(checkpoints),
        "checkpoint_bytes": sum(_size(path) for folder in checkpoints for path in folder.iterdir()),
        "saved_at": checkpoints[-1].stat().st_mtime if checkpoints else None,
    }


def trained_line(outcome: Outcome) -> str:
    return f"trained. (loss {outcome.loss_before:.2f} → {outcome.loss_after:.2f}, step {outcome.step})"


def offer_line(stated: Stated) -> str:
    """The fact that a message states, offered below the five replies."""
    return f's: learn "{stated.prompt}" → "{stated.reply}"'


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """An outcome as CONTRACT's JSON has it."""
    names = (
        "lesson", "kind", "prompt", "reply", "loss_before", "loss_after", "p_before", "p_after", "steps", "step",
        "learned", "seconds",
    )  # fmt: skip
    return {name: getattr(outcome, name) for name in names}


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name.startswith("p_"):
        return percent(value)
    if name.endswith("_bytes"):
        return f"{value / 1e6:.1f} MB" if value >= 1e5 else f"{value / 1e3:.1f} kB"
    if name == "saved_at":
        return f"{max(0, time.time() - value) / 60:.0f} min ago"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _mark(turn: Turn) -> str:
    if turn.kind == "brought":
        return ""
    mark = f"✓ {turn.pick}" if turn.kind == "pick" else "✎"
    outcome = turn.outcome
    if outcome is None:
        return mark
    return f"{mark} not learned" if outcome.skipped else f"{mark} {outcome.loss_before:.2f} → {outcome.loss_after:.2f}"


def _state(lesson: Lesson) -> str:
    if lesson.withdrawn:
        return "withdrawn"
    if lesson.failed is not None or (lesson.outcome is not None and lesson.outcome.skipped is not None):
        return "failed"
    return lesson.exchange.kind


def _effect(outcome: Outcome | None) -> dict[str, Any] | None:
    if outcome is None:
        return None
    names = ("loss_before", "loss_after", "p_before", "p_after", "steps", "step", "learned", "seconds", "skipped")
    return {name: getattr(outcome, name) for name in names}


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "prompt": turn.prompt,
        "reply": turn.reply,
        "kind": turn.kind,
        "pick": turn.pick,
        "outcome": _effect(turn.outcome),
    }


def _lesson(lesson: Lesson) -> dict[str, Any]:
    return {
        "lesson": lesson.number,
        "at": lesson.at,
        "state": _state(lesson),
        "prompt": lesson.exchange.prompt,
        "reply": lesson.exchange.reply,
        "outcome": _effect(lesson.outcome),
    }
