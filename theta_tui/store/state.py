"""What the journal says, folded: the conversation, the lessons, the losses. Standard library only.

The fold ignores what is withdrawn, wherever it stands, so a lesson taken back is as if it had never been taught: its
turn is gone and no later lesson saw it. Restored, it stands where it stood.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from theta_tui.store.active import Live
from theta_tui.store.entry import Entry
from theta_tui.store.history import NOTHING, History
from theta_tui.store.lesson import Lesson as Lesson
from theta_tui.store.lesson import Lessons, View
from theta_tui.store.lesson import Measured as Measured
from theta_tui.store.past import CHANGES, Figures, Past
from theta_tui.store.records import (
    Asked,
    Begin,
    ContextImported,
    ConversationStarted,
    Exchange,
    Failure,
    Learned,
    Outcome,
    Rebuilt,
    Restore,
    Turn,
    TurnKind,
    Withdraw,
)

ASKINGS_KEPT = 8
"""Results kept of one lesson: the newest is what counts, the others are gone back to when lessons are withdrawn."""


class Story:
    """The fold of a journal. `add` takes one more record, `of` folds them all.

    What it says is kept as the records come in, so that no answer costs more in a long journal; only what changes the
    past folds anew: what came since `past`, where that stays as it is. The lists that it hands out are its own, to be
    read at once.
    """

    def __init__(self, past: Past | None = None) -> None:
        figures = past.figures if past is not None else Figures()
        self.past = past
        """The story up to some record, over which the rest is folded anew where it must be."""
        self._begun_from = past
        self.known = past
        """The past as far as the states of its lessons hold but where they were `touched`; None: none does."""
        self.begin: Begin | None = figures.begin
        """The model that the home belongs to: that of its first record, or of the last rebuild."""
        self.rebuilt = figures.rebuilt
        """The seq of the last rebuild; 0 where there was none."""
        self.lessons = Lessons(past)
        self.refolded = figures.refolded
        """The newest withdrawal, or return, of a lesson before the last one: the lessons since are learned again, and
        what they left then is not what they leave now."""
        self.touched: list[int] = []
        """The seqs of the lessons that changed since this list began; another list where everything may have."""
        self.withdrawn: list[int] = []
        """The seqs of the lessons that are taken back, in order."""
        self.marked: list[int] = []
        """The picks from replies of which one was marked, in order; those that count no more as well."""
        self.last_said: dict[int, float] = {}
        """Record of a lesson → when its reply was last offered as the one that is meant, or picked."""
        self._live = Live(self.lessons, past)
        self._said: list[int | History] = []  # up to each of the turns, with it; or its number in the past
        self._where: dict[int, int] = {}  # record → the place of its (last) turn
        self._replaced: dict[int, int | History] = {}  # record → the turn whose place its own took, and those before
        self._shown: list[Turn | None] = []  # the turns, as far as they were shown and did not change since
        self.since: list[Entry] = []
        """The records that came after the past."""
        if past is not None:
            columns = past.columns
            self.withdrawn.extend(past.seq_of(at) for at, gone in enumerate(columns["withdrawn"], 1) if gone)
            self.marked.extend(columns["marked"])
            self.last_said.update(zip(columns["saying"], columns["said_at"], strict=True))
            self._said.extend(columns["said"])
            self._shown.extend([None] * len(self._said))
            source = columns["source"]
            self._where.update((source[number - 1], place) for place, number in enumerate(columns["said"]))
            self._replaced.update(zip(columns["replacing"], columns["replaced"], strict=True))

    @classmethod
    def of(cls, entries: Sequence[Entry], past: Past | None = None) -> Story:
        """The story of `entries`, or that of `past` and these, which come next."""
        story = cls(past)
        story.since = list(entries)
        before = set(story.withdrawn)
        gone, then = withdrawn(entries, before), set(before)
        if past is not None and any(past.number_of(seq) for seq in gone ^ before):
            return cls.of([*past.prefix.entries(), *entries])  # the past is another one now
        differs = _first_lesson(entries, then ^ gone, past)
        for entry in entries:
            if isinstance(entry.record, (Withdraw, Restore)):
                _take_back(entry, then)
                differs = _first_lesson(entries, then ^ gone, past)
            elif isinstance(entry.record, Asked) and differs < entry.seq:
                continue  # the model of that time had learned other lessons than this story's has up to there
            story._step(entry, withdrawn=entry.seq in gone)
        if past is None:
            story.touched = []
        return story

    def add(self, entry: Entry) -> None:
        """Replay one more record in; afterwards this is the story `of` all of them."""
        self.since.append(entry)
        if isinstance(entry.record, (Withdraw, Restore)):
            # It changes the past: the conversation, and what the lessons since had seen of it.
            vars(self).update(vars(Story.of(self.since, self.past)))
        else:
            self._step(entry, withdrawn=False)

    def rebase(self, past: Past) -> None:
        """From here on `past`, the story of the first of these records, is what the rest is folded over."""
        self.since = [entry for entry in self.since if entry.seq > past.last_seq]
        self.past = past

    def _step(self, entry: Entry, *, withdrawn: bool) -> None:
        """Replay one record. `withdrawn` says of an exchange that later records take it back for good."""
        if isinstance(entry.record, Exchange) and (mark := entry.record.mark) is not None:
            assert mark.lesson is not None
            said = mark.sure or entry.record.meant is not None
            if said and self.lessons.find(mark.lesson) is not None:
                self.last_said[mark.lesson] = entry.at
            if entry.record.kind == "pick":
                self.marked.append(entry.seq)
        match entry.record:
            case Begin() as begin:
                self.begin = begin
            case Exchange() as exchange if exchange.kind != "none":
                self._exchange(entry.seq, entry.at, exchange, withdrawn)
            case Learned() as learned if self.lessons.find(learned.of) is not None:
                self.learned(learned.of, learned.outcome, learned.machine, by=entry.seq)
            case Rebuilt() as rebuilt:
                self._rebuilt(entry.seq, rebuilt)
            case Withdraw(of=of) | Restore(of=of) if self.live and self.live[-1].seq > of:
                self.refolded = entry.seq
            case ConversationStarted():
                self._begin_conversation()
            case ContextImported(turns=turns):
                self._begin_conversation()
                for prompt, reply in turns:
                    self._append(prompt, reply, entry.seq)
            case Failure(message=message, of=int(of)) if (lesson := self.lessons.find(of)) is not None:
                self._live.take(lesson)
                lesson.failed, lesson.failed_by = message, entry.seq
                self.touched.append(of)
                self._drop_turn(of)
            case Asked(results=results):
                for seq, p, says in results:
                    if (lesson := self.lessons.find(seq)) is not None:
                        found = lesson.asked
                        found.append(Measured(entry.seq, entry.at, p, says))
                        del found[:-ASKINGS_KEPT]
                        self.touched.append(seq)

    @property
    def turns(self) -> Turns:
        """The conversation as a person reads it back."""
        return Turns(self)

    @property
    def dialogue(self) -> History:
        """The conversation as the model is shown it."""
        return self._before(len(self._said))

    @property
    def live(self) -> View[Lesson]:
        """The lessons that count, in order."""
        return self._live.lessons

    def live_after(self, position: int) -> list[Lesson]:
        """Those of records after `position`."""
        return self._live.after(position)

    def unsaved(self, position: int) -> int:
        """How many those are."""
        return self._live.count_after(position)

    @property
    def begun(self) -> Lesson | None:
        """The first lesson that counts and has no outcome yet."""
        return self._live.begun

    @property
    def moved(self) -> int:
        """The newest record since which the weights are as they are."""
        return max(self._live.newest, self.refolded)

    @property
    def last(self) -> Lesson | None:
        """The newest lesson that can be taken back."""
        return next((lesson for lesson in reversed(self.live) if lesson.outcome), None)

    @property
    def step(self) -> int:
        """Optimizer steps in the weights that this story stands for."""
        return self._live.steps

    @property
    def undone(self) -> Lesson | None:
        """The lesson that redo brings back: the last one taken back, while nothing was taught or rebuilt since.

        One that was never learned is not: it would have to be learned for the first time.
        """
        restored: list[int] = []
        for what, of in self._changes():
            lesson = self.lessons.find(of)
            if what == "rebuilt":
                return None
            if what == "restore":
                restored.append(of)
            elif what == "withdraw" and of in restored:
                restored.remove(of)
            elif what == "withdraw" and lesson is not None and lesson.withdrawn:
                return lesson if lesson.outcome else None
            elif what == "exchange" and lesson is not None and lesson.failed is None:
                return None
        return None

    def _changes(self) -> Iterator[tuple[str, int]]:
        """(one of CHANGES, record that it concerns), newest first."""
        yield from changes(reversed(self.since))
        if self.past is not None:
            columns = self.past.columns
            for what, of in zip(reversed(columns["change"]), reversed(columns["changed"]), strict=True):
                yield CHANGES[what], of

    def lesson(self, seq: int) -> Lesson:
        found = self.lessons.find(seq)
        if found is None:
            raise KeyError(seq)
        return found

    def numbered(self, number: int) -> Lesson | None:
        """The lesson that a person knows by `number`."""
        return self.lessons[number - 1] if 1 <= number <= len(self.lessons) else None

    def about(self, prompt: str) -> list[Lesson]:
        """The lessons that count on the question that `prompt` asks, in order."""
        return self._live.about(prompt)

    def losses(self, most: int) -> tuple[float, ...]:
        """The last `most` losses seen in lessons that count, finite ones only."""
        found: list[float] = []
        for lesson in reversed(self.live):
            if lesson.outcome and lesson.outcome.meant is None:
                outcome = lesson.outcome
                series = outcome.losses or (outcome.loss_before, outcome.loss_after)
                found.extend(loss for loss in reversed(series) if math.isfinite(loss))
            if len(found) >= most:
                break
        return tuple(reversed(found[:most]))

    @property
    def counting(self) -> dict[str, array[int]]:
        """The numbers of the lessons that count, as the columns of a past."""
        return self._live.numbers

    @property
    def conversation(self) -> list[History]:
        """Up to each of the turns, with it."""
        return [self._up_to(said) for said in self._said]

    @property
    def replaced(self) -> dict[int, History]:
        """Record → the turn whose place in the conversation its own took, and those before it."""
        return {seq: self._up_to(said) for seq, said in self._replaced.items()}

    def learned(self, of: int, outcome: Outcome | None, machine: str | None, *, by: int = 0) -> None:
        """Lesson `of` has another outcome, from record `by`. None: it is yet to be learned."""
        lesson = self.lesson(of)
        self._live.take(lesson)
        lesson.outcome, lesson.machine, lesson.learned_by = outcome, machine, by
        self._live.put(lesson)
        self.touched.append(of)
        place = self._where.get(of)
        if place is not None:
            self._shown[place] = None

    def _exchange(self, seq: int, at: float, exchange: Exchange, withdrawn: bool) -> None:
        place = self._where.get(exchange.replaces) if exchange.replaces is not None else None
        if not exchange.conversation:
            context: History = NOTHING
        else:
            context = self._before(len(self._said) if place is None else place)
        lesson = Lesson(len(self.lessons) + 1, seq, at, exchange, context, withdrawn=withdrawn, recipe=exchange.recipe)
        self.lessons.append(lesson)
        if withdrawn:
            self.withdrawn.append(seq)
            return
        self._live.put(lesson)
        self.touched.append(seq)
        if not exchange.conversation:
            return
        if place is None:
            self._append(exchange.prompt, exchange.reply, seq)
        else:
            self._replaced[seq] = self._said[place]
            self._put(place, (exchange.prompt, exchange.reply, seq))

    def _rebuilt(self, seq: int, rebuilt: Rebuilt) -> None:
        self.begin = Begin(rebuilt.model, rebuilt.fingerprint, rebuilt.version, rebuilt.lora)
        self.rebuilt, self.refolded = seq, 0
        for lesson in self.lessons:
            lesson.asked.clear()
        for of, outcome in rebuilt.outcomes:
            tried = self.lessons.find(of)
            if tried is not None:
                tried.recipe, tried.recipe_by = rebuilt.recipe, seq
                said = tried.exchange
                full = replace(outcome, lesson=tried.number, kind=said.kind, prompt=said.prompt, reply=said.reply)
                tried.outcome, tried.machine, tried.learned_by = full, rebuilt.machine, seq
        self._live = Live(self.lessons)
        for lesson in self.lessons:
            self._live.put(lesson)
        self._shown = [None] * len(self._said)
        self.touched, self.known = [], None

    # --- the conversation, and the place of each turn in it ---

    def _up_to(self, said: int | History) -> History:
        if isinstance(said, History):
            return said
        assert self._begun_from is not None
        return self._begun_from.dialogue(said)

    def _before(self, place: int) -> History:
        """What was said before the turn at `place`."""
        return self._up_to(self._said[place - 1]) if place else NOTHING

    def _turn(self, place: int) -> Turn:
        shown = self._shown[place]
        if shown is None:
            here = self._up_to(self._said[place])
            lesson = self.lessons.find(here.source)
            if lesson is None:
                shown = Turn(here.source, *here.said, "brought")
            else:
                exchange = lesson.exchange
                kind: TurnKind = "pick" if exchange.kind == "pick" else "correction"
                shown = Turn(lesson.seq, exchange.prompt, exchange.reply, kind, exchange.pick, lesson.outcome)
            self._shown[place] = shown
        return shown

    def _append(self, prompt: str, reply: str, source: int) -> None:
        self._where[source] = len(self._said)
        self._said.append(self.dialogue.then(prompt, reply, source))
        self._shown.append(None)

    def _put(self, place: int, *turns: tuple[str, str, int]) -> None:
        """`turns` (prompt, reply, record) take the place of the one that is there. What follows it, mostly nothing, is
        told again."""
        there = [self._up_to(said) for said in self._said[place:]]
        following = [*turns, *((*each.said, each.source) for each in there[1:])]
        for each in there:
            self._where.pop(each.source, None)
        for source in {each.source for each in there if self.lessons.find(each.source) is None}:
            # ContextImported: others came with it, under the same number.
            earlier = (at for at in range(place - 1, -1, -1) if self._up_to(self._said[at]).source == source)
            at = next(earlier, None)
            if at is not None:
                self._where[source] = at
        del self._said[place:], self._shown[place:]
        for turn in following:
            self._append(*turn)

    def _drop_turn(self, of: int) -> None:
        """Take the turn of exchange `of` out; one that it had replaced comes back."""
        place = self._where.get(of)
        if place is not None:
            before = self._replaced.pop(of, None)
            if before is None:
                self._put(place)
            else:
                turn = self._up_to(before)
                self._put(place, (*turn.said, turn.source))

    def _begin_conversation(self) -> None:
        self._said, self._where, self._replaced, self._shown = [], {}, {}, []


class Turns(View[Turn]):
    """The conversation of a story, as it is by then."""

    def __init__(self, story: Story) -> None:
        self._story = story

    def __len__(self) -> int:
        return len(self._story._said)

    def _at(self, index: int) -> Turn:
        return self._story._turn(index)


def changes(entries: Iterable[Entry]) -> Iterator[tuple[str, int]]:
    """(one of CHANGES, record that it concerns) of those of `entries` that are one."""
    for entry in entries:
        match entry.record:
            case Exchange(kind=kind) if kind != "none":
                yield "exchange", entry.seq
            case Withdraw(of=of):
                yield "withdraw", of
            case Restore(of=of):
                yield "restore", of
            case Rebuilt():
                yield "rebuilt", entry.seq


def withdrawn(entries: Iterable[Entry], before: Iterable[int] = ()) -> set[int]:
    """The seqs of the exchanges that are taken back once all of `entries` are read, where those `before` were."""
    gone = set(before)
    for entry in entries:
        _take_back(entry, gone)
    return gone


def _take_back(entry: Entry, gone: set[int]) -> None:
    match entry.record:
        case Withdraw(of=of) if of < entry.seq:
            gone.add(of)
        case Restore(of=of):
            gone.discard(of)


def _first_lesson(entries: Sequence[Entry], seqs: set[int], past: Past | None) -> float:
    """The least of `seqs` that is one of a lesson, of `past` or in `entries`; infinity where none is."""
    return min((seq for seq in seqs if _is_lesson(entries, seq, past)), default=math.inf)


def _is_lesson(entries: Sequence[Entry], seq: int, past: Past | None) -> bool:
    if past is not None and past.number_of(seq):
        return True
    # A journal's entries are numbered without a gap; those of a part of one need not begin with the first.
    at = bisect_left(entries, seq, key=lambda entry: entry.seq)
    record = entries[at].record if at < len(entries) and entries[at].seq == seq else None
    return isinstance(record, Exchange) and record.kind != "none"
