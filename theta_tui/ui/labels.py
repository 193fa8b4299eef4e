"""The words of the screen for a state: the line above the replies, the placeholder, the conversation, the toasts. No
widgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from theta_tui.base.text import percent
from theta_tui.session import lists
from theta_tui.session import protocol as p
from theta_tui.store.transcript import in_order, stated_by
from theta_tui.ui.state import Editing, State
from theta_tui.ui.widgets.conversation import Entry
from theta_tui.ui.widgets.rule import RuleWords

if TYPE_CHECKING:
    from theta_tui.store.records import Outcome

WELCOME = (
    "Say something below, and five replies come back.",
    "Go on talking, and nothing is learned.",
    "Pick one by its number, and the model learns it at once.",
    "/tour shows how, in three cards; /help lists the keys.",
)


@dataclass(frozen=True, slots=True)
class Typed:
    """Whether anything stands in the composer, whether Enter teaches it, and what to, where the person chose that."""

    writing: bool = False
    teaches: bool = False
    chip: Editing | None = None
    alone: str = ""
    """The word that may be meant as a command, where the composer asks."""


def says(before: float, now: float) -> str:
    """`says it 2 % → 97 %`."""
    return f"says it {percent(before)} → {percent(now)}"


def rule_words(state: State, editing: Editing | None, waiting: bool, typed: Typed) -> RuleWords:
    """What goes on, in a few words, and what Enter does with what is typed. `waiting`: the grace period."""
    if typed.alone:
        then = "enter teaches it" if typed.teaches else "enter says it"
        return RuleWords(f"“{typed.alone}”: tab does it · {then} as text", "accent")
    if state.fatal is not None:
        return RuleWords("stopped · ^q leaves", "error")
    if editing is not None:
        if editing.turn is not None:
            return RuleWords(f"a better reply to “{editing.turn}” · enter teaches · esc leaves", "accent")
        if editing.fact:
            return RuleWords("a fact · enter teaches it · tab: question or answer · esc leaves", "accent")
        return RuleWords(f"edit reply {editing.index} · enter teaches · esc leaves", "accent")
    if typed.chip is not None and state.mode in {"choosing", "idle"}:
        of = "" if typed.chip.turn is None else f" to “{typed.chip.turn}”"
        return RuleWords(f"your own reply{of} · enter teaches it · esc leaves", "accent")
    match state.mode:
        case "loading":
            stops = " · esc stops" if state.stoppable else ""
            return RuleWords(f"{state.snapshot.activity or 'loading'}{stops}", busy=True)
        case "proposing":
            return RuleWords("writing five replies", busy=True)
        case "learning":
            progress = state.progress
            if not state.teaching:
                return RuleWords(f"{state.snapshot.activity} · esc stops", busy=True)
            if progress is None:
                return RuleWords("learning", busy=True, filled=0.0)
            return RuleWords(f"learning · {says(progress.p_before, progress.p_now)}", "success", True, progress.p_now)
        case "choosing":
            if typed.writing and not state.snapshot.read_only:
                first = "teaches reply 1" if state.snapshot.continuous else "reply 1 stands"
                then = "enter teaches it as the reply" if typed.teaches else f"enter says it, and {first}"
                return RuleWords(f"five replies · {then}", "accent" if typed.teaches else "")
            if waiting:
                return RuleWords("five replies · one moment")
            if state.snapshot.read_only:
                return RuleWords("five replies · read-only: nothing can be taught", "warning")
            fact = state.result
            if fact is not None and fact.skipped is None:  # learned beside the replies, which still wait
                word, tone = ("learned", "success") if fact.learned else ("taught", "")
                return RuleWords(f"{word} · {says(fact.p_before, fact.p_after)} · five replies", tone)
            return RuleWords(f"five replies{_page(state)}{_may_be_meant(state)}")
        case _:
            result = state.result
            if result is None:
                return RuleWords()
            if result.skipped is not None:
                return RuleWords(_skipped(result), "warning" if result.lesson else "accent")
            word, tone = ("learned", "success") if result.learned else ("taught", "")
            if result.meant is not None:
                word = f"#{result.meant} is meant here too"
            return RuleWords(f"{word} · {says(result.p_before, result.p_after)}", tone, False, result.p_after)


def _page(state: State) -> str:
    """Which of the fives these are, if there were several."""
    at, of = state.pages
    return f" · {at} of {of}, ← → page" if of > 1 else ""


def _may_be_meant(state: State) -> str:
    """How to confirm a lesson that is not sure to be meant."""
    mark = state.offered.mark if state.offered is not None and state.marked is not None else None
    return "" if mark is None or mark.sure else f" · {mark.index} if #{state.marked} is meant"


def placeholder(state: State, typed: Typed, cursor: int | None = None) -> str:
    """What stands in an empty composer. `cursor`: the reply that Enter teaches."""
    if typed.chip is not None:
        return "your own reply"
    match state.mode:
        case "broken":
            return "Theta has stopped"
        case "loading":
            return "say something; it waits for the model"
        case "choosing":
            go_on = "type a better one" if typed.teaches else "go on talking"
            said = state.candidate(cursor) if cursor is not None else None
            does = "says" if said is not None and said.care else "teaches"
            return go_on if cursor is None or state.snapshot.read_only else f"enter {does} {cursor}, or {go_on}"
        case "proposing":
            return "writing … esc stops"
        case "learning":
            return "learning … esc ends it" if state.teaching else "one moment … esc stops"
        case _:
            return "say something" if state.snapshot.turns else "say something to begin"


def hidden(state: State, name: str, *, writing: bool) -> bool:
    """Whether the bottom line leaves out binding `name` although it applies. `writing`: the composer is not empty."""
    match name:
        case "say.escape" | "app.escape":
            return not state.stoppable
        case "say.newline":
            return not writing
        case "say.send":
            return state.mode == "broken" or (not writing and state.mode not in {"idle", "loading"})
        case "pick.plot":
            return state.mode not in {"choosing", "idle"} or not state.snapshot.lessons
        case "pick.copy" | "pick.type" | "pick.edit":
            return state.mode not in {"choosing", "idle"}
        case _:
            return False


def entries(state: State, undo: str = "", redo: str = "") -> list[Entry]:
    """The conversation as shown: the turns with what happened and the answers to `/ask` between them, then the turn
    under way. `undo` and `redo` are the keys that take the last lesson back, and bring back the one taken back last;
    empty where they do not apply."""
    shot = state.snapshot
    first = at = shot.turns_total - len(shot.turns)
    hints = {shot.undo: f"{undo} undo" if undo else "", shot.redo: f"{redo} redo" if redo else "", 0: ""}
    shown: list[Entry] = []
    asides = list(state.asides)

    def answers(until: int) -> None:
        while asides and asides[0].after <= until:
            aside = asides.pop(0)
            shown.append(Entry(aside.prompt, aside.reply, "aside" if aside.prompt else "heard"))

    earlier, stated = stated_by(shot.beside, shot.pending.prompt if shot.pending is not None else None)
    for before, turn in in_order(shot.turns, earlier, first):
        answers(at)
        shown += [Entry.beside(one, hints.get(one.seq, "")) for one in before]
        if turn is None:
            break
        at += 1
        busy = state.teaching and turn.outcome is None and turn.kind not in {"said", "brought"}
        hint = hints.get(turn.seq, "")
        if state.teaching and state.chosen is not None and state.chosen.turn == at:
            shown.append(Entry(turn.prompt, state.chosen.reply, "busy"))
        else:
            shown.append(Entry(turn.prompt, turn.shown, "busy") if busy else Entry.of(turn, hint))
    answers(shot.turns_total + 1)
    if state.teaching and state.chosen is not None and state.chosen.kind != "statement" and state.chosen.turn is None:
        if not (shot.turns and shot.turns[-1].outcome is None and shot.turns[-1].prompt == state.chosen.prompt):
            shown.append(Entry(state.chosen.prompt, state.chosen.reply, "busy"))
    elif state.prompt is not None:
        shown.append(Entry(state.prompt, "…", pending=True))
    elif shot.pending is not None:
        shown.append(Entry(shot.pending.prompt, "…", pending=True))
    shown += [Entry.beside(one, hints.get(one.seq, "")) for one in stated]
    shown += [Entry(prompt, "… waits for the model", pending=True) for prompt in state.queued]
    return shown


def asked(state: State) -> str:
    """The prompt of the shown replies, for a screen without room for the conversation."""
    if state.prompt is not None:
        return state.prompt
    if state.teaching and state.chosen is not None and state.chosen.kind != "statement":
        return state.chosen.prompt
    if state.snapshot.pending is not None:
        return state.snapshot.pending.prompt
    return next(iter(state.queued), "")


def toast(event: p.Event, redo: str = "f6") -> tuple[str, str] | None:
    """The toast for an event, and its severity. A fatal failure stays on the screen instead. `redo`: the key that
    brings a lesson back."""
    match event:
        case p.Taught(outcome=outcome) if outcome.skipped is not None:
            return _skipped(outcome), "information" if not outcome.lesson else "warning"
        case p.TakenBack(deed="undo", reply=reply, words=words, conversation=other):
            return f"taken back: {words or _short(reply)}{_elsewhere(other)}", "information"
        case p.TakenBack(deed="redo", reply=reply, words=words, conversation=other):
            return f"brought back: {words or _short(reply)}{_elsewhere(other)}", "information"
        case lists.FileRead(count=0, source=source, notes=notes, bad=bad):
            why = f": {'; '.join((*notes, *bad))}" if notes or bad else ""
            return f"there is nothing to teach in {source}{why}", "warning"
        case lists.FileTaught(words=words, count=count):
            return f"{words}{'; undo takes all of them back' if count > 1 else ''}", "information"
        case p.TakenBack(number=number, reply=reply):
            back = f"; {redo} brings it back" if event.snapshot.redo else ""
            return f"lesson {number} is withdrawn: {_short(reply)}{back}", "information"
        case p.Saved(asked=asked_for, seconds=seconds):
            return f"saved{f' in {seconds:.1f} s' if asked_for else ''}", "information"
        case p.Quizzed(snapshot=shot):
            return shot.tally.words if shot.tally.live else "nothing was taught yet", "information"
        case p.Notice(text=text) | p.Switched(words=text):
            return text, "information"
        case p.Failed(message=message, fatal=False):
            return message, "error"
    return None


def _skipped(outcome: Outcome) -> str:
    return f"{'nothing was learned' if outcome.lesson else 'proposed'}: {outcome.skipped}"


def _elsewhere(conversation: int | None) -> str:
    return f" (in conversation {conversation})" if conversation is not None else ""


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
