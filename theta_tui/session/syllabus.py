"""The training data for distilling lessons into shared weights: what the model must say, and what must not change.

It must say each lesson's reply to all its wordings. Its replies to near prompts and to everyday ones must not change.
Needs torch only to make rows of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theta_tui.learning.module_lesson import Row
    from theta_tui.session.session import Session

NEAR = 64
"""At most this many near prompts are held."""

HELD_TOKENS, ASKED_TOKENS = 12, 24
"""Tokens of a reply that are held, and tokens that are compared."""

EVERYDAY = (
    "Hello!", "How are you today?", "Good evening.", "Thank you very much.", "I had a long day at work.",
    "Why is the sky blue?", "Tell me a joke.", "What should I cook tonight?", "I feel a bit sad.",
    "What is the capital of Italy?", "How do I boil an egg?", "Can you write a short poem?",
    "What do you think about rain?", "I bought a new bicycle.", "Give me some advice on saving money.",
    "How does a car engine work?", "My back hurts.", "What are you good at?", "Let's talk about books.",
    "Is it better to run or to swim?", "I cannot sleep at night.", "What is two plus five?", "Who wrote Hamlet?",
    "Do you like the winter?", "The train was late again.", "Explain what a cloud is.",
    "What can I do on a rainy day?", "Bye, see you tomorrow!", "Name three animals.",
    "I am learning to play the piano.", "How old is the earth?", "What makes bread rise?", "Do you ever get tired?",
    "We are moving to a new flat.", "Where can I learn to dance?", "What time should I get up?",
    "Say something nice.", "I lost my keys.", "How far away is the moon?", "Are you a robot?",
)  # fmt: skip
"""Prompts whose replies are held (must not change)."""

ASKED = (
    "Good morning!", "What is your favorite season?", "I like long walks.", "How do magnets work?",
    "Can you help me with my homework?", "What happened in the news?", "I am going to the beach.",
    "Which language is hardest to learn?", "How do I make coffee?", "Do you have any hobbies?", "It is raining here.",
    "What is a good name for a boat?", "Why do cats purr?", "I failed my exam.", "What is ten minus three?",
    "Where does honey come from?", "Tell me about trees.", "What should I read next?", "I am hungry.",
    "How long does a flight around the world take?",
)  # fmt: skip
"""Prompts that are not held, but asked before and after to measure the cost."""

_PERSONS = {"my": ("your", "his"), "your": ("my", "her"), "his": ("my",), "her": ("my",), "our": ("your",)}
_STRANGER, _ANYBODY = "Bramwell", "neighbor"


@dataclass(frozen=True, slots=True)
class Scoped:
    """A lesson with weights and a scope of its own. `rows` are its prompt and its other wordings, each with the
    reply."""

    number: int
    prompt: str
    wordings: tuple[str, ...]
    reply: str
    rows: tuple[Row, ...]
    at: float


def scoped(session: Session) -> list[Scoped]:
    """The lessons with weights of their own, without those that a newer answer replaces."""
    from theta_tui.learning.module_lesson import row_of

    found = []
    for seq in sorted(session.learner.modules):
        lesson = session.store.state.lesson(seq)
        said = lesson.exchange
        mine = [text for text in dict.fromkeys((said.prompt, *said.variants)) if session.decide(text).lesson == seq]
        if said.prompt in mine:
            rows = (row_of(session.model.encode_lesson((), text, said.reply, at=lesson.at)) for text in mine)
            found.append(Scoped(lesson.number, said.prompt, tuple(mine[1:]), said.reply, tuple(rows), lesson.at))
    return found


def elsewhere(session: Session, lessons: Sequence[Scoped]) -> list[str]:
    """Prompts in no lesson's scope: near ones, and everyday ones."""
    close = [text for lesson in lessons for text in near(lesson.prompt)]
    # Of too many, an even selection.
    return nowhere(session, [*EVERYDAY, *close[:: 1 + len(close) // NEAR]])


def nowhere(session: Session, prompts: Sequence[str]) -> list[str]:
    """The `prompts` that are in no lesson's scope, without duplicates."""
    return [prompt for prompt in dict.fromkeys(prompts) if session.decide(prompt).lesson is None]


def answered(
    session: Session, prompts: Sequence[str], tokens: int, on_progress: Callable[[int, int], None]
) -> Iterator[Row]:
    """The model's reply to each of `prompts`, with all lessons off. Prompts with an empty reply are left out. Before
    each, `on_progress` gets the number of prompts done and of all."""
    from theta_tui.learning.distilling import own_rows

    rows = own_rows(session.model, prompts, tokens)
    for at in range(len(prompts)):
        on_progress(at, len(prompts))
        row = next(rows)
        if row is not None:
            yield row


def near(prompt: str) -> list[str]:
    """Prompts that differ from `prompt` in a person or a name, so that its answer is wrong for them."""
    words = prompt.split()
    found = []
    for at, word in enumerate(words):
        if word.lower() in _PERSONS:
            others = (*_PERSONS[word.lower()], f"{word} {_ANYBODY}'s")
            found += [[*words[:at], other, *words[at + 1 :]] for other in others]
        elif at and word[0].isupper() and word.rstrip("?.!,") not in ("I", "I'm"):
            bare = word.rstrip("?.!,")
            other = _STRANGER + ("'s" if bare.endswith("'s") else "") + word[len(bare) :]
            found.append([*words[:at], other, *words[at + 1 :]])
    return [" ".join(some) for some in found]
