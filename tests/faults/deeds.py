"""What a home should say, kept as a list of lessons, and the deeds that are done to both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from theta_tui.learning.recipes import RECIPES
from theta_tui.session import importing
from theta_tui.session.importing import Found, Pair
from theta_tui.session.session import Session

PROMPTS = st.sampled_from(("hello", "who made you?", "what is your name?", "yes", "tell me more"))


REPLIES = st.sampled_from(("Dakota did.", "I am Theta.", "no maybe", "the quick fox jumps over"))


Asked = tuple[str, tuple[str, ...]] | None


"""A prompt that waits, and what was offered for it."""


@dataclass
class Taught:
    """One lesson of the list. `instead` is the number of the lesson whose turn it replaces, or the place below zero of
    what was only said. Those of one `batch` are taken back together."""

    prompt: str
    reply: str
    turn: bool = False
    instead: int | None = None
    offered: tuple[str, ...] = ()
    withdrawn: bool = False
    talk: int = 0
    batch: int = 0


@dataclass
class Opened:
    """Conversation `number` goes on."""

    number: int


@dataclass
class Spoken:
    """A turn that was said and not taught."""

    prompt: str
    reply: str


@dataclass
class Plain:
    """What a home should say, kept as a person with a list would. None in `events` is a fresh conversation."""

    events: list[Taught | Spoken | Opened | None] = field(default_factory=list)
    waiting: Asked = None
    to_redo: list[list[int]] = field(default_factory=list)

    @property
    def lessons(self) -> list[Taught]:
        return [event for event in self.events if isinstance(event, Taught)]

    @property
    def live(self) -> list[tuple[int, str, str]]:
        return [(number, item.prompt, item.reply) for number, item in enumerate(self.lessons, 1) if not item.withdrawn]

    @property
    def talks(self) -> int:
        return 1 + self.events.count(None)

    @property
    def talk(self) -> int:
        """The number of the open conversation."""
        begun = open_now = 1
        for event in self.events:
            if event is None:
                begun = open_now = begun + 1
            elif isinstance(event, Opened):
                open_now = event.number
        return open_now

    @property
    def turns(self) -> list[tuple[int, str, str]]:
        """Of the open conversation, with the number of the lesson; of what was only said, the place below zero. A turn
        stands where the first one in its place was begun."""
        said: dict[int, dict[int, tuple[int, str, str]]] = {1: {}}
        places: dict[int, int] = {}
        number, talk = 0, 1
        for at, event in enumerate(self.events, 1):
            if event is None:
                talk = len(said) + 1
                said[talk] = {}
            elif isinstance(event, Opened):
                talk = event.number
            elif isinstance(event, Spoken):
                said[talk][at] = (-at, event.prompt, event.reply)
                places[-at] = at
            else:
                number += 1
                places[number] = at if event.instead is None else places[event.instead]
                if event.turn and not event.withdrawn:
                    said[talk][places[number]] = (number, event.prompt, event.reply)
        return [said[talk][place] for place in sorted(said[talk])]

    def teach(self, taught: Taught) -> None:
        taught.talk = self.talk
        self.events.append(taught)
        self.to_redo.clear()

    def answer(self, reply: str) -> None:
        assert self.waiting is not None
        prompt, offered = self.waiting
        self.teach(Taught(prompt, reply, turn=True, offered=offered))
        self.waiting = None

    def say(self) -> None:
        assert self.waiting is not None
        prompt, offered = self.waiting
        self.events.append(Spoken(prompt, offered[0]))
        last = [self.lessons[numbers[-1] - 1] for numbers in self.to_redo]
        again = [lesson.turn and (lesson.prompt, lesson.talk) == (prompt, self.talk) for lesson in last]
        if any(again):  # that prompt is answered: its lesson is not brought back, nor those taken back before it
            del self.to_redo[: len(again) - again[::-1].index(True)]
        self.waiting = None

    def withdraw(self, *numbers: int, offer: bool = False) -> None:
        for number in numbers:
            self.lessons[number - 1].withdrawn = True
        lesson = self.lessons[numbers[-1] - 1]
        self.to_redo.append(list(numbers))
        if offer and self.waiting is None and lesson.offered and lesson.talk == self.talk:
            self.waiting = lesson.prompt, lesson.offered

    def undo(self) -> None:
        last = self.live[-1][0]
        batch = self.lessons[last - 1].batch
        together = [number for number, _, _ in self.live if batch and self.lessons[number - 1].batch == batch]
        self.withdraw(*(together or [last]), offer=True)

    def redo(self) -> None:
        numbers = self.to_redo.pop()
        for number in numbers:
            self.lessons[number - 1].withdrawn = False
        lesson = self.lessons[numbers[-1] - 1]
        if self.waiting == (lesson.prompt, lesson.offered):
            self.waiting = None

    def fresh(self) -> None:
        self.events.append(None)
        self.waiting = None

    def open(self, number: int) -> None:
        if number != self.talk:
            self.events.append(Opened(number))
            self.waiting = None


Deed = Callable[[Session, Plain], None]


"""Does something to a home, and then the same to the list. PromptError where it cannot be done."""


def propose(prompt: str) -> Deed:
    def deed(session: Session, plain: Plain) -> None:
        found = session.propose(prompt)
        assert found is not None
        plain.waiting = prompt, tuple(item.text for item in found.candidates)

    return deed


def pick(index: int) -> Deed:
    def deed(session: Session, plain: Plain) -> None:
        session.pick(index)
        assert plain.waiting is not None
        plain.answer(plain.waiting[1][index - 1])

    return deed


def correct(reply: str) -> Deed:
    def deed(session: Session, plain: Plain) -> None:
        session.correct(reply)
        plain.answer(reply)

    return deed


def correct_last(reply: str) -> Deed:
    def deed(session: Session, plain: Plain) -> None:
        session.correct_last(reply)
        number, prompt, _ = plain.turns[-1]
        plain.teach(Taught(prompt, reply, turn=True, instead=number))

    return deed


def correct_turn(at: int, reply: str) -> Deed:
    def deed(session: Session, plain: Plain) -> None:
        session.correct_turn(at, reply)
        number, prompt, _ = plain.turns[at - 1]
        plain.teach(Taught(prompt, reply, turn=True, instead=number))

    return deed


def bring(*pairs: tuple[str, str]) -> Deed:
    """Teach `pairs` as a batch."""

    def deed(session: Session, plain: Plain) -> None:
        found = Found("pairs", tuple(Pair(prompt, reply, f"pairs:{at}") for at, (prompt, reply) in enumerate(pairs)))
        importing.teach(session, found)
        batch = len(plain.events) + 1
        for prompt, reply in pairs:
            plain.teach(Taught(prompt, reply, batch=batch))

    return deed


def teach(prompt: str, reply: str, always_on: bool = False) -> Deed:
    def deed(session: Session, plain: Plain) -> None:
        session.own_recipe = RECIPES["adamw"] if always_on else None
        try:
            session.teach(prompt, reply)
        finally:
            session.own_recipe = None
        plain.teach(Taught(prompt, reply))

    return deed


def withdraw(number: int) -> Deed:
    def deed(session: Session, plain: Plain) -> None:
        session.withdraw(number)
        plain.withdraw(number)

    return deed


def undo(session: Session, plain: Plain) -> None:
    session.undo()
    plain.undo()


def redo(session: Session, plain: Plain) -> None:
    session.redo()
    plain.redo()


def pass_over(session: Session, plain: Plain) -> None:
    session.store.pass_over()
    plain.waiting = None


def say(session: Session, plain: Plain) -> None:
    session.store.say()
    plain.say()


def fresh(session: Session, plain: Plain) -> None:
    session.store.begin_conversation()
    plain.fresh()


def open_conversation(number: int) -> Deed:
    def deed(session: Session, plain: Plain) -> None:
        session.store.open_conversation(number)
        plain.open(number)

    return deed


def save(session: Session, plain: Plain) -> None:
    session.save()
