"""What a home should say, kept as a list of lessons, and the deeds that are done to both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from theta_tui.learning.recipes import RECIPES
from theta_tui.session.session import Session

PROMPTS = st.sampled_from(("hello", "who made you?", "what is your name?", "yes", "tell me more"))


REPLIES = st.sampled_from(("Dakota did.", "I am Theta.", "no maybe", "the quick fox jumps over"))


Asked = tuple[str, tuple[str, ...]] | None


"""A prompt that waits, and what was offered for it."""


@dataclass
class Taught:
    """One lesson of the list. `instead` is the number of the lesson whose turn it replaces."""

    prompt: str
    reply: str
    turn: bool = False
    instead: int | None = None
    offered: tuple[str, ...] = ()
    withdrawn: bool = False


@dataclass
class Spoken:
    """A turn that was said and not taught."""

    prompt: str
    reply: str


@dataclass
class Plain:
    """What a home should say, kept as a person with a list would. None in `events` is a fresh conversation."""

    events: list[Taught | Spoken | None] = field(default_factory=list)
    waiting: Asked = None
    to_redo: list[int] = field(default_factory=list)

    @property
    def lessons(self) -> list[Taught]:
        return [event for event in self.events if isinstance(event, Taught)]

    @property
    def live(self) -> list[tuple[int, str, str]]:
        return [(number, item.prompt, item.reply) for number, item in enumerate(self.lessons, 1) if not item.withdrawn]

    @property
    def turns(self) -> list[tuple[int, str, str]]:
        """With the number of the lesson; of what was only said, the place below zero."""
        said: list[tuple[int, str, str]] = []
        number = 0
        for at, event in enumerate(self.events, 1):
            if event is None:
                said = []
                continue
            if isinstance(event, Spoken):
                said.append((-at, event.prompt, event.reply))
                continue
            number += 1
            if event.withdrawn or not event.turn:
                continue
            turn = (number, event.prompt, event.reply)
            places = [place for place, (other, _, _) in enumerate(said) if other == event.instead]
            if places:
                said[places[0]] = turn
            else:
                said.append(turn)
        return said

    def teach(self, taught: Taught) -> None:
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
        again = [
            self.waiting == (self.lessons[number - 1].prompt, self.lessons[number - 1].offered)
            for number in self.to_redo
        ]
        if any(again):  # that prompt is answered: its lesson is not brought back, nor those taken back before it
            del self.to_redo[: len(again) - again[::-1].index(True)]
        self.waiting = None

    def withdraw(self, number: int, *, offer: bool = False) -> None:
        lesson = self.lessons[number - 1]
        lesson.withdrawn = True
        self.to_redo.append(number)
        if offer and self.waiting is None and lesson.offered:
            self.waiting = lesson.prompt, lesson.offered

    def redo(self) -> None:
        lesson = self.lessons[self.to_redo.pop() - 1]
        lesson.withdrawn = False
        if self.waiting == (lesson.prompt, lesson.offered):
            self.waiting = None

    def fresh(self) -> None:
        self.events.append(None)
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
    plain.withdraw(plain.live[-1][0], offer=True)


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


def save(session: Session, plain: Plain) -> None:
    session.save()
