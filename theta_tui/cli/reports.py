"""The reports on lessons: of `history`, `lessons`, `quiz` and `stats`, and after each lesson. Needs the store but no
model: the results of `quiz` are passed in."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theta_tui.base.errors import TeachError
from theta_tui.base.text import contains, percent, plural
from theta_tui.cli.console import Invocation
from theta_tui.store import meant, retention
from theta_tui.store.conversation import Conversation
from theta_tui.store.records import Beside, Outcome, Pending, Stated, Turn
from theta_tui.store.report import ReportRow, Tally
from theta_tui.store.state import Lesson, State
from theta_tui.store.store import Store
from theta_tui.store.transcript import in_order, stated_by, words

if TYPE_CHECKING:
    from theta_tui.cli.opening import AnySession

REVIEW_SECONDS = 1.0
"""With `--show-learning-info`, lessons are reviewed for this long after each lesson."""


def history(call: Invocation, conversation: Conversation, beside: Sequence[Beside], waiting: Pending | None) -> None:
    """Print a conversation, two lines per turn with its number, what happened beside it, and the prompt that waits."""
    turns = conversation.turns
    if call.json:
        call.emit(**history_fields(conversation, beside), waiting=waiting.prompt if waiting else None)
        return
    if not turns and not beside and waiting is None:
        call.out("no conversation yet; begin with: theta")
    width = len(str(len(turns)))
    room = " " * width
    earlier, stated = stated_by(beside, waiting.prompt if waiting else None)
    for number, (before, turn) in enumerate(in_order(turns, earlier), 1):
        for one in before:
            if one.kind == "none":
                call.out(f"{room}  you    {one.prompt}")
            call.out(f"{room}         {words(one)}")
        if turn is not None:
            _print_turn(call, number, turn, width)
    if waiting is not None:
        call.out(f"{room}  you    {waiting.prompt}")
        call.out(f"{room}         five replies wait")
    for one in stated:
        call.out(f"{room}         {words(one)}")


def found(call: Invocation, conversation: Conversation, wanted: str) -> None:
    """Print the turns of a conversation that have the text `wanted`."""
    width = len(str(len(conversation.turns)))
    there = [
        (number, turn)
        for number, turn in enumerate(conversation.turns, 1)
        if contains(f"{turn.prompt}\n{turn.reply}", wanted)
    ]
    for number, turn in there:
        _print_turn(call, number, turn, width)
    if not there:
        call.out(f"nothing in it has '{wanted}'" if wanted else "nothing was said yet")


def _print_turn(call: Invocation, number: int, turn: Turn, width: int) -> None:
    call.out(f"{number:{width}}  you    {turn.prompt}")
    call.out(f"{'':{width}}  theta  {turn.shown}   {_mark(turn)}".rstrip())


def history_fields(conversation: Conversation, beside: Sequence[Beside]) -> dict[str, Any]:
    """A conversation, and what happened beside it, as JSON values."""
    told = [
        {"after": one.after, "kind": one.kind, "prompt": one.prompt, "reply": one.reply, "more": one.more,
         "taken_back": one.withdrawn, "outcome": _effect(one.outcome)}
        for one in beside
    ]  # fmt: skip
    turns = [{"turn": number} | _turn(turn) for number, turn in enumerate(conversation.turns, 1)]
    return {"turns": turns, "beside": told}


def lessons(call: Invocation, store: Store) -> None:
    """Print the retention report: every lesson ever taught, as last measured."""
    rows = retention.rows(store.state)
    if call.json:
        told = [_lesson(row, lesson) for row, lesson in zip(rows, store.state.lessons, strict=True)]
        call.emit(lessons=told, **_totals(retention.tally(rows)))
        return
    if not rows:
        call.out("no lessons yet; teach one with: theta")
        return
    call.out(f"{'#':>4}  {'taught':16}  {HEAD}")
    for row in rows:
        when = datetime.fromtimestamp(row.at).strftime("%Y-%m-%d %H:%M")
        call.out(f"{row.number:4}  {when}  {_row(row)}")
    _sum_up(call, retention.tally(rows))
    if waits := len(store.state.proposals):
        call.out(f"{plural(waits, 'proposal')} of others: theta people")


def quiz(call: Invocation, store: Store, rows: Sequence[ReportRow]) -> None:
    """Print the result of a quiz: one line per live lesson, and how many hold."""
    live = [row for row in rows if row.state in {"kept", "fading", "lost", "unasked"}]
    total = retention.tally(rows)
    if call.json:
        by_seq = {lesson.seq: lesson for lesson in store.state.lessons}
        call.emit(lessons=[_lesson(row, by_seq[row.seq]) for row in live], **_totals(total))
        return
    if not live:
        call.out("no lessons yet; teach one with: theta")
        return
    call.out(f"{'#':>4}  {HEAD}")
    for row in live:
        call.out(f"{row.number:4}  {_row(row)}")
    _sum_up(call, total)


HEAD = f"{'state':14} {'says it: before→then→now':>24}   prompt → reply"
"""The headings over what `_row` writes."""


def _row(row: ReportRow) -> str:
    p = [percent(value) for value in (row.p_before, row.p_then, row.p_now) if value is not None]
    effect = "" if row.state in {"withdrawn", "failed"} else " → ".join(p)
    more = f"  (+{plural(row.more, 'wording')})" if row.more else ""
    who = f"{row.who}: " if row.who else ""
    return f"{row.words:14} {effect:>24}   {who}{row.prompt} → {row.reply}{more}"


def _sum_up(call: Invocation, total: Tally) -> None:
    stale = f" ({total.stale} not checked since the newest lesson: theta quiz)" if total.stale else ""
    call.out(f"{total.words}{stale}")


def _totals(total: Tally) -> dict[str, Any]:
    names = ("live", "kept", "fading", "lost", "unasked", "stale", "superseded", "withdrawn")
    return {name: getattr(total, name) for name in names}


def stats(call: Invocation, store: Store) -> None:
    """Print counts, losses, sizes and speeds."""
    values = figures(store)
    if call.json:
        call.emit(**values)
        return
    rows = _told(values)
    width = max(map(len, rows))
    for name, told in rows.items():
        call.out(f"{name:{width}}  {told}")


def _told(values: dict[str, Any]) -> dict[str, str]:
    """The figures for people, by name."""
    shown = {name: _shown(name, value) for name, value in values.items()}
    kinds = [plural(values[f"{kind}s"], kind) for kind in ("pick", "correction", "statement") if values[f"{kind}s"]]
    rows: dict[str, str] = {name: shown[name] for name in ("home", "model", "persona") if name in shown}
    rows["lessons"] = f"{values['lessons']:,}" + (f" ({', '.join(kinds)})" if kinds else "")
    rows["kept"] = f"{values['kept']:,} of {values['live']:,} (more is better)"
    rows |= {name: shown[name] for name in ("fading", "lost")}
    rows["not checked"] = f"{values['not_asked_since']:,} since the newest lesson"
    rows["replaced"] = f"{values['superseded']:,} by a later answer to the same question"
    rows["withdrawn"] = shown["withdrawn"]
    rows["turns"] = f"{values['turns']:,}"
    rows["training steps"] = f"{values['step']:,}"
    if values["loss_before"] is not None:
        rows["said afterwards"] = f"{values['said_afterwards']:,} of {values['lessons']:,} (more is better)"
        rows["loss"] = f"{values['loss_before']:.2f} → {values['loss_after']:.2f} (median; lower is better)"
        rows["says it"] = f"{shown['p_before']} → {shown['p_after']} (median; more is better)"
        rows["time a lesson"] = f"{values['seconds_a_lesson']:.1f} s (median)"
    rows["journal"] = f"{plural(values['records'], 'record')}, {shown['journal_bytes']}"
    newest = f", the newest {shown['saved_at']}" if values["saved_at"] is not None else ""
    rows["checkpoints"] = f"{values['checkpoints']}, {shown['checkpoint_bytes']}{newest}"
    return rows


def figures(store: Store) -> dict[str, Any]:
    """The figures of `stats` as plain values: seconds, bytes, nats, Unix time."""
    state = store.state
    total = retention.tally(retention.judged(state))
    kinds = Counter(lesson.exchange.kind for lesson in state.active)
    outcomes = [lesson.outcome for lesson in state.active if lesson.outcome is not None]
    medians = {
        name: _median([value for outcome in outcomes if (value := getattr(outcome, name)) > 0 or name != "seconds"])
        for name in ("loss_before", "loss_after", "p_before", "p_after", "seconds")
    }
    home = store.home
    checkpoints = sorted(home.checkpoints.glob("step-*"), key=lambda path: path.stat().st_mtime)
    return {
        "home": str(home.path),
        "model": state.begin.model if state.begin else store.settings.model,
        **({} if state.persona is None else {"persona": state.persona}),
        "lessons": len(state.active),
        "picks": kinds["pick"],
        "corrections": kinds["correction"],
        "statements": kinds["statement"],
        "withdrawn": total.withdrawn,
        "superseded": total.superseded,
        "live": total.live,
        "kept": total.kept,
        "fading": total.fading,
        "lost": total.lost,
        "not_asked_since": total.stale,
        "turns": len(state.turns),
        "step": state.step,
        "said_afterwards": sum(outcome.learned for outcome in outcomes),
        "loss_before": medians["loss_before"],
        "loss_after": medians["loss_after"],
        "p_before": medians["p_before"],
        "p_after": medians["p_after"],
        "seconds_a_lesson": medians["seconds"],
        "records": store.journal.last_seq,
        "journal_bytes": _size(home.journal),
        "checkpoints": len(checkpoints),
        "checkpoint_bytes": sum(_size(path) for folder in checkpoints for path in folder.iterdir()),
        "saved_at": checkpoints[-1].stat().st_mtime if checkpoints else None,
    }


def trained_line(outcome: Outcome) -> str:
    if not outcome.lesson:
        return f"proposed: {outcome.skipped}."
    if outcome.meant is not None:
        return f"#{outcome.meant} is meant here too."
    return f"trained. (loss {outcome.loss_before:.2f} → {outcome.loss_after:.2f}, step {outcome.step})"


def reply_lines(waiting: Pending, state: State) -> list[str]:
    """The five replies as lines; the marked one has the number of its lesson. If that lesson is not sure to be meant, a
    last line says how to confirm it."""
    number, mark = meant.number(waiting, state), waiting.mark
    tags = [item.tag(number) for item in waiting.candidates]
    shown = zip(waiting.candidates, tags, strict=True)
    lines = [f"{item.index}: {item.shown}{f'  ({tag})' if tag else ''}" for item, tag in shown]
    if number is not None and mark is not None and not mark.sure:
        lines.append(f"{mark.index} is what lesson {number} says: pick it if that is meant")
    return lines


def reply_fields(waiting: Pending, state: State) -> list[dict[str, Any]]:
    """The five replies as JSON values."""
    number = meant.number(waiting, state)
    return [
        {"index": item.index, "text": item.text, "logprob": item.logprob, "cut": not item.ended}
        | ({} if number is None or item.lesson is None else {"lesson": number, "sure": item.sure})
        | ({"care": True} if item.care else {})
        for item in waiting.candidates
    ]


def offer_line(stated: Stated) -> str:
    """The line that offers a stated fact below the five replies."""
    return f's: learn "{stated.prompt}" → "{stated.reply}"'


def learning_lines(outcome: Outcome, before: str | None, now: str | None, total: Tally) -> list[str]:
    """The lines of `--show-learning-info` after a lesson. `before` and `now`: what was said and is said, if known."""
    says = "says it by itself" if outcome.learned else "not by itself yet"
    lines = [
        f"  says it  {percent(outcome.p_before)} → {percent(outcome.p_after)}, {says}",
        f"  steps    {outcome.steps} in {outcome.seconds:.2f} s",
        f"  loss     {' '.join(f'{loss:.2f}' for loss in outcome.losses)}".rstrip(),
    ]
    if before is not None:
        lines.append(f"  before   {before}")
    if now is not None:
        lines.append(f"  says now {now}")
    lines.append(f"  ledger   {total.words}" + (f" ({total.stale} not checked since)" if total.stale else ""))
    return lines


def learning_info(call: Invocation, session: AnySession, outcome: Outcome) -> None:
    """Ask what was said before, review as many lessons as possible in a moment, then print these lines."""
    before, now = before_and_now(session, outcome)
    session.review.ask_for(REVIEW_SECONDS)
    for line in learning_lines(outcome, before, now, session.review.tally()):
        call.out(line)


def before_and_now(session: AnySession, outcome: Outcome, *, ask: bool = True) -> tuple[str | None, str | None]:
    """What the model said to the prompt of the last lesson before it, and says now. None: unknown. Unless `ask`, only
    what is known without a forward pass."""
    from theta_tui.session.session import Session

    if ask and isinstance(session, Session):  # an engine does so by itself
        from theta_tui.session.comparing import compare

        for _ in compare(session, outcome.lesson):
            pass
    lesson = session.store.state.lessons[outcome.lesson - 1]
    return retention.said_before(lesson), retention.says_now(lesson, outcome.learned)


def trained(call: Invocation, session: AnySession, outcome: Outcome, info: bool, *, line: int | None = None) -> None:
    """Acknowledge a lesson. `line`: its line of standard input. Raises TeachError if nothing was learned."""
    at = {} if line is None else {"line": line}
    if not outcome.lesson:
        call.done = "the lesson was proposed"
        one = session.store.state.proposals.of(session.store.who)[-1]
        what = {"kind": outcome.kind, "prompt": outcome.prompt, "reply": outcome.reply, "who": session.store.who}
        if call.json:
            call.emit(**at, proposal=one.number, **what)
        else:
            call.out(trained_line(outcome))
        return
    if outcome.skipped is not None:
        raise TeachError(f"nothing was learned: {outcome.skipped}; the model is as it was")
    call.done = f"lesson {outcome.lesson} was taught"
    if call.json:
        # A lesson a line: asking would take as long as learning.
        before, now = before_and_now(session, outcome, ask=line is None)
        said = {"said_before": before, "says_now": now}
        call.emit(**at, **outcome_fields(outcome), **said, who=session.store.state.lessons[outcome.lesson - 1].who)
    else:
        call.out(trained_line(outcome))
        if info:
            learning_info(call, session, outcome)


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON values."""
    names = (
        "lesson", "kind", "prompt", "reply", "loss_before", "loss_after", "p_before", "p_after", "steps", "step",
        "learned", "seconds",
    )  # fmt: skip
    meant = {} if outcome.meant is None else {"meant": outcome.meant}
    return {name: getattr(outcome, name) for name in names} | meant


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
    if turn.kind in {"said", "brought"}:
        return "○" if turn.kind == "said" else ""
    mark = f"✓ {turn.pick}" if turn.kind == "pick" else "✎"
    outcome = turn.outcome
    if outcome is None:
        return mark
    if outcome.skipped:
        return f"{mark} not learned"
    return f"{mark} says it {percent(outcome.p_before)} → {percent(outcome.p_after)}"


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
        "cut": turn.cut,
        "outcome": _effect(turn.outcome),
    }


def _lesson(row: ReportRow, lesson: Lesson) -> dict[str, Any]:
    return {
        "lesson": row.number,
        "at": row.at,
        "state": row.state,
        "kind": row.kind,
        "prompt": row.prompt,
        "reply": row.reply,
        "who": row.who,
        "p_before": row.p_before,
        "p_then": row.p_then,
        "p_now": row.p_now,
        "says": row.says,
        "asked_at": row.asked_at,
        "fresh": row.fresh,
        "superseded_by": row.by,
        "said_before": row.said_before,
        "says_now": row.says_now,
        **({} if row.more is None else {"more_wordings": row.more, "said_at": row.said_at}),
        "outcome": _effect(lesson.outcome),
    }
