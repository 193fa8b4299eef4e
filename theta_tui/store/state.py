"""The state that the journal's records make: the conversations, the lessons, the losses. No model, no files.

The replay ignores withdrawn records, so a lesson taken back is as if it had never been taught: its turn is gone and no
later lesson saw it. A restored lesson is in its old place again.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from operator import attrgetter

from msgspec.structs import replace

from theta_tui.store.beside import Happened
from theta_tui.store.conversation import Conversation
from theta_tui.store.history import NOTHING, History
from theta_tui.store.lesson import ASKINGS_KEPT, Measured
from theta_tui.store.lesson import Lesson as Lesson
from theta_tui.store.lesson import question as question
from theta_tui.store.proposals import Proposals
from theta_tui.store.records import (
    Asked,
    Begin,
    Beside,
    Candidate,
    Compared,
    ContextImported,
    ConversationDeleted,
    ConversationOpened,
    ConversationRenamed,
    ConversationStarted,
    Declined,
    Entry,
    Exchange,
    Failure,
    Imported,
    Learned,
    Outcome,
    Persona,
    Proposal,
    Rebuilt,
    Restore,
    Said,
    Standing,
    Teaching,
    Turn,
    Withdraw,
    marked,
)
from theta_tui.store.withdrawals import Withdrawals

_seq = attrgetter("seq")


class State:
    """The projection of a journal. `add` replays one more record, `of` all of them. `open`, `turns`, `history`,
    `own_last` and `redo` are those of the person `who` ("": the owner).

    All answers are kept up to date as records come in, so they cost no more in a long journal. Only a record that
    changes the past replays everything. The lists are the state's own: read them at once and do not keep them.
    """

    def __init__(self, who: str = "") -> None:
        self.who = who
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
        self.imports: dict[int, Imported] = {}
        """The records of imports, by their seq."""
        self.batches: dict[int, list[Lesson]] = {}
        """Record of an import → its lessons, counting or not, in order."""
        self.relearned_at = 0
        """The newest withdrawal or restoration of a lesson other than the last. The lessons after it were learned
        again, so the weights differ from those of earlier records."""
        self.persona: str | None = None
        """The system turn in force; None: the model's own."""
        self._persona_at = 0
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
        self.conversations = [Conversation(1, 0.0, self._by_seq, self.spoken, self._cut)]
        """All conversations ever begun, deleted ones too, in order. Number N is the N-th."""
        self.opened = {"": self.conversations[0]}
        """The conversation that goes on, of each person who began one."""
        self.proposals = Proposals()
        self.standings: dict[str, Teaching] = {}
        """What the owner has said of persons."""

    @classmethod
    def of(cls, entries: Iterable[Entry], who: str = "") -> State:
        """The state that `entries` make, for the person `who`."""
        state = cls(who)
        state._entries = list(entries)
        taught = {entry.seq for entry in state._entries if _is_lesson(entry)}
        after, then = Withdrawals(), Withdrawals()
        for entry in state._entries:
            after.add(entry)
        gone = after.gone
        differs: float | None = None  # the first lesson that counts now and did not then, or vice versa
        for entry in state._entries:
            then.add(entry)
            if isinstance(entry.record, (Withdraw, Restore)):
                differs = None
            elif isinstance(entry.record, Asked):
                differs = min((gone ^ then.gone) & taught, default=math.inf) if differs is None else differs
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
            vars(self).update(vars(State.of(self._entries, self.who)))
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
                self.proposals.settle(exchange.proposal)
                where = self._conversation_of(exchange)
                this = Happened(entry.seq, len(where.turns), exchange, withdrawn)
                if beside and (exchange.said is not None or this.outside):
                    where.besides.put(this)
                else:
                    where.besides.answered(exchange.prompt, len(where.turns), *([this] if beside else []))
            case Said() as said:
                self._look_at_mark(entry, marked(said.candidates))
                self._say(entry, said, self.conversation(said.conversation_id) or self.opened[""])
            case Proposal(exchange=wanted):
                self.proposals.put(entry.seq, entry.at, wanted)
                if wanted.conversation and wanted.replaces is None:
                    self._say(entry, wanted, self._conversation_of(wanted))
            case Declined(of=of):
                self.proposals.settle(of)
            case Standing(who=who, may=may):
                self.standings[who] = may
            case Learned(of=of, outcome=outcome, machine=machine) if of in self._by_seq:
                self.learned(of, outcome, machine, by=entry.seq)
            case Compared(of=of, before=before, now=now) if (lesson := self.find(of)) is not None:
                lesson.said_before, lesson.says_now = before, now
            case Rebuilt() as rebuilt:
                self._rebuilt(entry.seq, rebuilt)
            case Withdraw(of=of) | Restore(of=of) if self.active and self.active[-1].seq > self._last_of(of):
                self.relearned_at = entry.seq
            case Persona(text=text):
                self.persona, self._persona_at = text, entry.seq
            case ConversationStarted(who=who):
                number, known = len(self.conversations) + 1, (self._by_seq, self.spoken, self._cut)
                self.opened[who] = Conversation(number, entry.at, *known, who=who)
                self.conversations.append(self.opened[who])
            case ConversationOpened(of=of) if (found := self.conversation(of)) is not None:
                found.deleted = False
                self.opened[found.who] = found
            case ConversationRenamed(of=of, name=name) if (found := self.conversation(of)) is not None:
                found.name = name
            case ConversationDeleted(of=of) if (found := self.conversation(of)) is not None:
                found.deleted = True
            case ContextImported(turns=turns):
                owners = self.opened[""]
                owners.restart()
                for at, (prompt, reply) in enumerate(turns):
                    owners.append(prompt, reply, entry.seq, (entry.seq, at), entry.at)
            case Imported() as imported:
                self.imports[entry.seq], self.batches[entry.seq] = imported, []
            case Failure(message=message, of=int(of)) if (lesson := self.find(of)) is not None:
                self._take(lesson)
                lesson.failed = message
                self.touched.append(of)
                self.proposals.reopen(lesson.exchange.proposal)
                if (where_of := self.conversation(lesson.conversation)) is not None:
                    where_of.drop(of)
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
    def open(self) -> Conversation:
        """The conversation that goes on; an empty one, numbered 0, of a person who has not begun any."""
        return self.opened.get(self.who) or Conversation(0, 0.0, self._by_seq, self.spoken, self._cut, self.who)

    @property
    def history(self) -> History:
        """The open conversation, as the model is shown it."""
        return self.open.history

    @property
    def turns(self) -> list[Turn]:
        """The open conversation, as a person reads it back."""
        return self.open.turns

    def conversation(self, number: int | None) -> Conversation | None:
        """Conversation `number`, deleted or not; None if there is none."""
        there = number is not None and 1 <= number <= len(self.conversations)
        return self.conversations[number - 1] if there and number is not None else None

    def beside(self, most: int | None = None, *, of: Conversation | None = None) -> tuple[Beside, ...]:
        """What happened beside the turns of a conversation, by default the open one, oldest first: the last `most`."""
        return (of or self.open).besides.told(self._by_seq, most)

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
    def own_last(self) -> Lesson | None:
        """The newest lesson that this person taught, or took in, and can take back."""
        return next((one for one in reversed(self.active) if one.outcome and self._brought_by(one) == self.who), None)

    def _brought_by(self, lesson: Lesson) -> str:
        """Who taught `lesson`, or took it in from a file or another home."""
        batch = self.imports.get(lesson.exchange.batch or 0)
        return lesson.who if batch is None else batch.who

    @property
    def undone(self) -> Lesson | None:
        """The lesson that redo brings back, the last one of a batch; None if it brings back none."""
        return self.redo[1] if self.redo is not None else None

    @property
    def redo(self) -> tuple[int, Lesson] | None:
        """(record, its last lesson) that redo brings back: what this person took back last, while this person taught
        nothing and nothing was rebuilt since.

        A lesson that was never learned is not: it would have to be learned for the first time. Nor is one whose
        prompt, offered once more, was answered by what was only said: the conversation would have it twice.
        """
        restored: list[int] = []
        spoken: list[Said | Exchange] = []
        for entry in reversed(self._entries):
            match entry.record:
                case Rebuilt():
                    return None
                case Restore(of=of):
                    restored.append(of)
                case Withdraw(of=of) if of in restored:
                    restored.remove(of)
                case Withdraw(who=who) if who != self.who:
                    pass
                case Withdraw(of=of) if back := [lesson for lesson in self.taught_by(of) if lesson.withdrawn]:
                    offered, here = back[-1].exchange, back[-1].conversation
                    again = here is not None and any(
                        one.prompt == offered.prompt and one.conversation_id in (None, here) for one in spoken
                    )
                    learned = [lesson for lesson in back if lesson.outcome]
                    return (of, learned[-1]) if learned and not again else None
                case Said() as said:
                    spoken.append(said)
                case Proposal(exchange=wanted) if wanted.conversation:
                    spoken.append(wanted)
                case Exchange() if (lesson := self.find(entry.seq)) is not None and lesson.failed is None:
                    if self._brought_by(lesson) == self.who:
                        return None
        return None

    def together(self, lesson: Lesson) -> int:
        """The record that undo takes back for `lesson`: that of its batch, or its own."""
        batch = lesson.exchange.batch
        return batch if batch in self.batches else lesson.seq

    def taught_by(self, of: int) -> list[Lesson]:
        """The lessons that record `of` taught, in order: one, or a batch. None for any other record."""
        lesson = self.find(of)
        return self.batches.get(of, []) if lesson is None else [lesson]

    def _last_of(self, of: int) -> int:
        """The record of the last lesson that record `of` taught; `of` itself if it taught none."""
        lessons = self.taught_by(of)
        return lessons[-1].seq if lessons else of

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
        if (conversation := self.conversation(lesson.conversation)) is not None:
            conversation.refresh(of)

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

    def _conversation_of(self, exchange: Exchange) -> Conversation:
        return self.conversation(exchange.conversation_id) or self.opened.get(exchange.who) or self.opened[""]

    def _say(self, entry: Entry, said: Said | Exchange, where: Conversation) -> None:
        """A turn that was said and not taught."""
        self.spoken[entry.seq] = said.prompt_id
        if said.cut:
            self._cut.add(entry.seq)
        where.append(said.prompt, said.reply, entry.seq, (entry.seq, 0), entry.at)
        where.besides.answered(said.prompt, len(where.turns))

    def _look_at_mark(self, entry: Entry, mark: Candidate | None, *, meant: bool = False) -> None:
        if mark is not None and mark.lesson in self._by_seq and (mark.sure or meant):
            self.last_said[mark.lesson] = entry.at

    def _exchange(self, seq: int, at: float, exchange: Exchange, withdrawn: bool) -> None:
        conversation, index, taken, place = None, 0, False, (seq, 0)
        if exchange.conversation:
            conversation = self._conversation_of(exchange)
            index, taken, place = conversation.slot(seq, exchange.replaces, exchange.turn)
        lesson = Lesson(
            len(self.lessons) + 1, seq, at, exchange,
            NOTHING if conversation is None else conversation.before(index),
            withdrawn=withdrawn, recipe=exchange.recipe, persona=self.persona,
            conversation=None if conversation is None else conversation.number,
        )  # fmt: skip
        self.lessons.append(lesson)
        self._by_seq[seq] = lesson
        if exchange.batch in self.batches:
            self.batches[exchange.batch].append(lesson)
        if withdrawn:
            self.withdrawn.append(seq)
            return
        self._put(lesson)
        self.touched.append(seq)
        if conversation is not None:
            conversation.put(index, taken, (exchange.prompt, exchange.reply, seq, place), at)

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
        for conversation in self.conversations:
            conversation.refresh()
        self.touched = []


def _is_lesson(entry: Entry) -> bool:
    return isinstance(entry.record, Exchange) and entry.record.kind != "none"
