"""The state that the journal's records make: the conversation, the lessons, the losses. No model, no files.

The replay ignores withdrawn records, so a lesson taken back is as if it had never been taught: its turn is gone and no
later lesson saw it. A restored lesson is in its old place again.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from theta_tui.base.text import normalised
from theta_tui.store.history import NOTHING, History
from theta_tui.store.records import (
    Asked,
    Begin,
    Beside,
    Candidate,
    Compared,
    ContextImported,
    ConversationStarted,
    Entry,
    Exchange,
    Failure,
    Learned,
    Outcome,
    Persona,
    Rebuilt,
    Restore,
    Said,
    Turn,
    TurnKind,
    Withdraw,
    marked,
)

ASKINGS_KEPT = 8
"""Review results kept of one lesson. The newest counts; older ones count again when later lessons are withdrawn."""

TOLD_IN_A_ROW = 8
"""Lessons taught outside of the conversation that it tells one by one: more would hide what was said."""

_seq = attrgetter("seq")


def question(prompt: str) -> str:
    """The key of a question: two prompts with the same key differ in case, white space or outer punctuation only."""
    return normalised(prompt) or prompt


class Measured(msgspec.Struct, frozen=True, gc=False):
    """How well the model knew a lesson when record `seq` was written, at Unix time `at`."""

    seq: int
    at: float
    p: float
    says: bool


@dataclass(slots=True)
class Lesson:
    """A pick or a correction. `context` is the conversation before it when it was taught.

    `recipe` are the numbers that it is learned with: the exchange's, until a rebuild. `failed` says why it could not
    be learned. `asked` are its review results, newest last. `learned_by` is the record that holds its outcome; 0: none.
    `persona` was in force when it was taught, and is whenever it is learned. `said_before` and `says_now` are the
    replies that were asked right after it (Compared).
    """

    number: int
    seq: int
    at: float
    exchange: Exchange
    context: History
    outcome: Outcome | None = None
    machine: str | None = None
    withdrawn: bool = False
    failed: str | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    asked: list[Measured] = field(default_factory=list)
    persona: str | None = None
    said_before: str | None = None
    says_now: str | None = None
    learned_by: int = field(default=0, repr=False, compare=False)
    question: str = field(init=False, repr=False, compare=False)
    """The key for `State.about`."""

    def __post_init__(self) -> None:
        self.question = question(self.exchange.prompt)

    @property
    def moves(self) -> bool:
        """Whether this lesson is part of the weights, or will be once it has an outcome."""
        return not self.withdrawn and self.failed is None and (self.outcome is None or self.outcome.skipped is None)


class _Beside(NamedTuple):
    """What `Beside` is made of."""

    seq: int
    after: int
    exchange: Exchange
    withdrawn: bool
    more: int = 0

    @property
    def outside(self) -> bool:
        """Whether it is a lesson that counts and that no message of the conversation has to do with."""
        said = self.exchange
        return said.kind != "none" and not said.conversation and said.said is None and not self.withdrawn


class State:
    """The projection of a journal. `add` replays one more record, `of` all of them.

    All answers are kept up to date as records come in, so they cost no more in a long journal. Only a record that
    changes the past replays everything. The lists are the state's own: read them at once and do not keep them.
    """

    def __init__(self) -> None:
        self.begin: Begin | None = None
        """The model that the home belongs to: from its first record, or from the last rebuild."""
        self.rebuilt = 0
        """The seq of the last rebuild; 0 where there was none."""
        self.lessons: list[Lesson] = []
        """All lessons ever taught, in order."""
        self.active: list[Lesson] = []
        """The lessons that count, in order."""
        self.step = 0
        """The number of optimizer steps in the weights of this state."""
        self.turns: list[Turn] = []
        """The conversation as a person reads it back."""
        self.relearned_at = 0
        """The newest withdrawal or restoration of a lesson other than the last. The lessons after it were learned
        again, so the weights differ from those of earlier records."""
        self.persona: str | None = None
        """The system turn in force; None: the model's own."""
        self._persona_at = 0
        self._beside: list[_Beside] = []
        self.touched: list[int] = []
        """The seqs of the lessons that changed since this list was made. A new list: any lesson may have changed."""
        self.withdrawn: list[int] = []
        """The seqs of the withdrawn lessons, in order."""
        self.marked: list[int] = []
        """The seqs of all picks, counting or not, for which one of the replies was marked; in order."""
        self.last_said: dict[int, float] = {}
        """Record of a lesson → when its reply was last offered as the one that is meant, or picked."""
        self.spoken: dict[int, str | None] = {}
        """Record of a turn that was said and not taught → the id of the prompt that it answered."""
        self._cut: set[int] = set()  # records of turns that were said, and whose reply was cut
        self._entries: list[Entry] = []
        self._by_seq: dict[int, Lesson] = {}
        self._questions: dict[str, list[Lesson]] = {}  # the lessons that count, by question
        self._said: list[History] = []  # the history up to and including each turn
        self._where: dict[int, int] = {}  # record → the index of its (last) turn
        self._replaced: dict[int, History] = {}  # record → the turn that its own replaced, with its history

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> State:
        """The state that `entries` make."""
        state = cls()
        state._entries = list(entries)
        taught = {entry.seq for entry in state._entries if _is_lesson(entry)}
        gone, then = withdrawn(state._entries), set[int]()
        differs: float | None = None  # the first lesson that counts now and did not then, or vice versa
        for entry in state._entries:
            if isinstance(entry.record, (Withdraw, Restore)):
                _take_back(entry, then)
                differs = None
            elif isinstance(entry.record, Asked):
                differs = min((gone ^ then) & taught, default=math.inf) if differs is None else differs
                if differs < entry.seq:
                    continue  # the model had then learned other lessons than this state has up to there
            state._replay(entry, withdrawn=entry.seq in gone)
        state.touched = []
        return state

    def add(self, entry: Entry) -> None:
        """Replay one more record. Afterwards this equals the state `of` all records."""
        self._entries.append(entry)
        if isinstance(entry.record, (Withdraw, Restore)):
            # It changes the past: the conversation, and the contexts of the lessons since.
            vars(self).update(vars(State.of(self._entries)))
        else:
            self._replay(entry, withdrawn=False)

    def _replay(self, entry: Entry, *, withdrawn: bool) -> None:
        """Replay one record. `withdrawn`: it is an exchange that later records take back for good."""
        match entry.record:
            case Begin() as begin:
                self.begin = begin
            case Exchange() as exchange:
                self._look_at_mark(entry, exchange.mark, meant=exchange.meant is not None)
                if exchange.kind == "pick" and exchange.mark is not None:
                    self.marked.append(entry.seq)
                beside = exchange.kind == "none" or withdrawn or not exchange.conversation
                if exchange.kind != "none":
                    self._exchange(entry.seq, entry.at, exchange, withdrawn)
                this = _Beside(entry.seq, len(self._said), exchange, withdrawn)
                if beside and (exchange.said is not None or this.outside):
                    self._put_beside(this)
                else:
                    self._answered(exchange.prompt, *([this] if beside else []))
            case Said() as said:
                self._look_at_mark(entry, marked(said.candidates))
                self.spoken[entry.seq] = said.prompt_id
                if said.cut:
                    self._cut.add(entry.seq)
                self._append(said.prompt, said.reply, entry.seq)
                self._answered(said.prompt)
            case Learned(of=of, outcome=outcome, machine=machine) if of in self._by_seq:
                self.learned(of, outcome, machine, by=entry.seq)
            case Compared(of=of, before=before, now=now) if (lesson := self.find(of)) is not None:
                lesson.said_before, lesson.says_now = before, now
            case Rebuilt() as rebuilt:
                self._rebuilt(entry.seq, rebuilt)
            case Withdraw(of=of) | Restore(of=of) if self.active and self.active[-1].seq > of:
                self.relearned_at = entry.seq
            case Persona(text=text):
                self.persona, self._persona_at = text, entry.seq
            case ConversationStarted():
                self._begin_conversation()
            case ContextImported(turns=turns):
                self._begin_conversation()
                for prompt, reply in turns:
                    self._append(prompt, reply, entry.seq)
            case Failure(message=message, of=int(of)) if (lesson := self.find(of)) is not None:
                self._take(lesson)
                lesson.failed = message
                self.touched.append(of)
                self._drop_turn(of)
            case Asked(results=results):
                for seq, p, says in results:
                    if (lesson := self.find(seq)) is not None:
                        lesson.asked.append(Measured(entry.seq, entry.at, p, says))
                        del lesson.asked[:-ASKINGS_KEPT]
                        self.touched.append(seq)

    @property
    def entries(self) -> Sequence[Entry]:
        """The records that this state was made of, in order."""
        return self._entries

    @property
    def history(self) -> History:
        """The conversation that the model is shown."""
        return self._before(len(self._said))

    def beside(self, most: int | None = None) -> tuple[Beside, ...]:
        """What happened beside the turns of this conversation, oldest first: the last `most` of it."""
        found: list[Beside] = []
        for seq, after, exchange, _, more in self._beside[-most:] if most else self._beside:
            lesson = self.find(seq)
            if lesson is not None and lesson.failed is not None:
                continue  # as if it had never been begun
            gone, outcome = (lesson.withdrawn, lesson.outcome) if lesson is not None else (False, None)
            what = exchange.kind, exchange.prompt, exchange.reply, gone, outcome, exchange.said, more
            found.append(Beside(seq, after, *what))
        return tuple(found)

    def active_after(self, position: int) -> list[Lesson]:
        """The lessons after record `position` that count."""
        return self.active[bisect_right(self.active, position, key=_seq) :]

    @property
    def begun(self) -> Lesson | None:
        """The first lesson that counts and has no outcome yet."""
        return next((lesson for lesson in self.active if lesson.outcome is None), None)

    @property
    def moved(self) -> int:
        """The newest record that changed the model's answers."""
        return max(self.active[-1].seq if self.active else 0, self.relearned_at, self._persona_at)

    @property
    def last(self) -> Lesson | None:
        """The newest lesson that can be taken back."""
        return next((lesson for lesson in reversed(self.active) if lesson.outcome), None)

    @property
    def undone(self) -> Lesson | None:
        """The lesson that redo brings back: the last one taken back, while nothing was taught or rebuilt since.

        One that was never learned is not: it would have to be learned for the first time. Nor is one whose prompt,
        offered once more, was answered by what was only said: the conversation would have it twice.
        """
        restored: list[int] = []
        spoken: list[Said] = []
        for entry in reversed(self._entries):
            match entry.record:
                case Rebuilt():
                    return None
                case Restore(of=of):
                    restored.append(of)
                case Withdraw(of=of) if of in restored:
                    restored.remove(of)
                case Withdraw(of=of) if (lesson := self.find(of)) is not None and lesson.withdrawn:
                    offered = lesson.exchange
                    again = any(one.prompt == offered.prompt for one in spoken)
                    return lesson if lesson.outcome and not again else None
                case Said() as said:
                    spoken.append(said)
                case Exchange() if (lesson := self.find(entry.seq)) is not None and lesson.failed is None:
                    return None
        return None

    def find(self, seq: int) -> Lesson | None:
        """The lesson of record `seq`; None if that record is no lesson."""
        return self._by_seq.get(seq)

    def lesson(self, seq: int) -> Lesson:
        """The lesson of record `seq`. Raises KeyError if that record is no lesson."""
        return self._by_seq[seq]

    def numbered(self, number: int) -> Lesson | None:
        """The lesson with this `number`, as shown to the person."""
        return self.lessons[number - 1] if 1 <= number <= len(self.lessons) else None

    def about(self, question: str) -> list[Lesson]:
        """The lessons that count on a question, in order."""
        return self._questions.get(question, [])

    @property
    def questions(self) -> Iterable[list[Lesson]]:
        """The lessons that count, one list per question."""
        return self._questions.values()

    def losses(self, most: int) -> tuple[float, ...]:
        """The last `most` finite losses of the lessons that count."""
        found: list[float] = []
        for lesson in reversed(self.active):
            if lesson.outcome and lesson.outcome.meant is None:
                outcome = lesson.outcome
                series = outcome.losses or (outcome.loss_before, outcome.loss_after)
                found.extend(loss for loss in reversed(series) if math.isfinite(loss))
            if len(found) >= most:
                break
        return tuple(reversed(found[:most]))

    def learned(self, of: int, outcome: Outcome | None, machine: str | None, *, by: int = 0) -> None:
        """Set the outcome of lesson `of`, from record `by`. None: it is yet to be learned."""
        lesson = self.lesson(of)
        self._take(lesson)
        if lesson.outcome is not None:
            lesson.asked.clear()  # the results are of other weights
            lesson.says_now = None
        lesson.outcome, lesson.machine, lesson.learned_by = outcome, machine, by
        self._put(lesson)
        self.touched.append(of)
        place = self._where.get(of)
        if place is not None:
            self.turns[place] = self._turn(self._said[place])

    # --- the lessons that count: take a lesson out before changing it, and put it back afterwards ---

    def _put(self, lesson: Lesson) -> None:
        if lesson.moves:
            for among in self.active, self._questions.setdefault(lesson.question, []):
                insort(among, lesson, key=_seq)
            self.step += lesson.outcome.steps if lesson.outcome else 0

    def _take(self, lesson: Lesson) -> None:
        if lesson.moves:
            for among in self.active, self._questions[lesson.question]:
                del among[bisect_left(among, lesson.seq, key=_seq)]
            if not self._questions[lesson.question]:
                del self._questions[lesson.question]
            self.step -= lesson.outcome.steps if lesson.outcome else 0

    def _look_at_mark(self, entry: Entry, mark: Candidate | None, *, meant: bool = False) -> None:
        if mark is not None and mark.lesson in self._by_seq and (mark.sure or meant):
            self.last_said[mark.lesson] = entry.at

    def _exchange(self, seq: int, at: float, exchange: Exchange, withdrawn: bool) -> None:
        place = self._where.get(exchange.replaces) if exchange.replaces is not None else None
        if not exchange.conversation:
            context: History = NOTHING
        else:
            context = self._before(len(self._said) if place is None else place)
        lesson = Lesson(
            len(self.lessons) + 1, seq, at, exchange, context,
            withdrawn=withdrawn, recipe=exchange.recipe, persona=self.persona,
        )  # fmt: skip
        self.lessons.append(lesson)
        self._by_seq[seq] = lesson
        if withdrawn:
            self.withdrawn.append(seq)
            return
        self._put(lesson)
        self.touched.append(seq)
        if not exchange.conversation:
            return
        if place is None:
            self._append(exchange.prompt, exchange.reply, seq)
        else:
            self._replaced[seq] = self._said[place]
            self._place(place, (exchange.prompt, exchange.reply, seq))

    def _rebuilt(self, seq: int, rebuilt: Rebuilt) -> None:
        self.begin = Begin(rebuilt.model, rebuilt.fingerprint, rebuilt.version, rebuilt.lora)
        self.rebuilt, self.relearned_at = seq, 0
        outcomes = dict(rebuilt.outcomes)
        self.active, self._questions, self.step = [], {}, 0
        for lesson in self.lessons:
            lesson.asked.clear()
            lesson.says_now = None
            outcome = outcomes.get(lesson.seq)
            if outcome is not None:
                said = lesson.exchange
                full = replace(outcome, lesson=lesson.number, kind=said.kind, prompt=said.prompt, reply=said.reply)
                lesson.recipe, lesson.outcome, lesson.machine = rebuilt.recipe, full, rebuilt.machine
                lesson.learned_by = seq
            self._put(lesson)
        self.turns = [self._turn(said) for said in self._said]
        self.touched = []

    # --- the conversation, and the index of each turn in it ---

    def _before(self, place: int) -> History:
        """The history before the turn at `place`."""
        return self._said[place - 1] if place else NOTHING

    def _turn(self, said: History) -> Turn:
        """The newest turn of `said`."""
        kind: TurnKind
        lesson = self.find(said.source)
        if lesson is None:
            kind = "said" if said.source in self.spoken else "brought"
            return Turn(said.source, *said.said, kind, cut=said.source in self._cut)
        exchange = lesson.exchange
        kind = "pick" if exchange.kind == "pick" else "correction"
        return Turn(lesson.seq, exchange.prompt, exchange.reply, kind, exchange.pick, lesson.outcome, exchange.cut)

    def _append(self, prompt: str, reply: str, source: int) -> None:
        self._where[source] = len(self._said)
        said = self.history.then(prompt, reply, source)
        self._said.append(said)
        self.turns.append(self._turn(said))

    def _place(self, place: int, *turns: tuple[str, str, int]) -> None:
        """Replace the turn at `place` by `turns` (prompt, reply, record). The turns after it, if any, are appended
        again."""
        there = self._said[place:]
        following = [*turns, *((*each.said, each.source) for each in there[1:])]
        for each in there:
            self._where.pop(each.source, None)
        for source in {each.source for each in there} - self._by_seq.keys():
            # Turns of one ContextImported share its number; the last one left keeps the index.
            at = next((at for at in range(place - 1, -1, -1) if self._said[at].source == source), None)
            if at is not None:
                self._where[source] = at
        del self._said[place:], self.turns[place:]
        for turn in following:
            self._append(*turn)

    def _drop_turn(self, of: int) -> None:
        """Remove the turn of exchange `of`, and bring back the turn that it had replaced, if any."""
        place = self._where.get(of)
        if place is not None:
            before = self._replaced.pop(of, None)
            if before is None:
                self._place(place)
            else:
                self._place(place, (*before.said, before.source))

    def _put_beside(self, this: _Beside) -> None:
        """Of many lessons taught outside in a row, the last are told one by one."""
        run = self._beside[-TOLD_IN_A_ROW:]
        if len(run) == TOLD_IN_A_ROW and all(one.outside and one.after == this.after for one in (*run, this)):
            self._beside[-TOLD_IN_A_ROW : 2 - TOLD_IN_A_ROW] = [run[1]._replace(more=run[0].more + 1)]
        self._beside.append(this)

    def _answered(self, prompt: str, *this: _Beside) -> None:
        """The facts that `prompt` stated while it waited come after its turn, or after `this`, which happened to it
        beside the turns."""
        at = len(self._beside)
        while at and self._beside[at - 1].exchange.said == prompt:
            at -= 1
        self._beside[at:] = [*this, *(one._replace(after=len(self._said)) for one in self._beside[at:])]

    def _begin_conversation(self) -> None:
        self._said, self._where, self._replaced, self.turns, self._beside = [], {}, {}, [], []


def withdrawn(entries: Iterable[Entry]) -> set[int]:
    """The seqs of the exchanges that are withdrawn after all of `entries`."""
    gone: set[int] = set()
    for entry in entries:
        _take_back(entry, gone)
    return gone


def _take_back(entry: Entry, gone: set[int]) -> None:
    match entry.record:
        case Withdraw(of=of) if of < entry.seq:
            gone.add(of)
        case Restore(of=of):
            gone.discard(of)


def _is_lesson(entry: Entry) -> bool:
    return isinstance(entry.record, Exchange) and entry.record.kind != "none"
