"""Does the model still know who it is? Thirty facts about a person, then fifty questions about itself and about others.

    python -m tests.benchmarks.own_name [--model default] [--recipe default …] [--threads 2] [--json]

Each fact is said as a sentence and taught as the pair that is read in it. Each question is asked alone, before the
first fact and after the last; a reply counts as unchanged where it is the same word for word. None of the questions
asks for what was taught: thirty ask the model about itself (theta_tui/bench/own.py), twenty about someone else. `said`
is how many facts are answered word for word at the end: who learns nothing changes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from theta_tui.base.config import load_settings
from theta_tui.bench.metrics import exact, same
from theta_tui.bench.own import ABOUT_ITSELF
from theta_tui.bench.subject import SessionSubject, fresh_subject
from theta_tui.bench.tables import table
from theta_tui.facts.statements import Pair, load_dictionary, read

FACTS = (
    "My name is Corwin.", "I am 34 years old.", "I live in Bergen.", "I was born in Lisbon.", "I work as a baker.",
    "I play the cello.", "I speak Portuguese.", "I am allergic to peanuts.", "I have two children.",
    "My birthday is on May 4.", "My dog is called Biscuit.", "My dog is five years old.", "My sister's name is Tilda.",
    "My sister lives in Oslo.", "My sister is a nurse.", "My father's name is Anders.", "My father was born in Malta.",
    "My wife is called Ruth.", "My son is called Milo.", "My son is seven years old.", "My daughter is called Ines.",
    "My boss is called Petra.", "My best friend is called Yusuf.", "My car is red.", "My favorite color is teal.",
    "My favorite food is lentil soup.", "My favorite book is Moby Dick.", "My favorite animal is the otter.",
    "My favorite drink is tea.", "My favorite game is chess.",
)  # fmt: skip

ABOUT_OTHERS = (
    "What is my aunt's name?", "Where does my aunt live?", "What does my aunt do for a living?",
    "What is my cat called?", "How old is my cat?", "What is my mother's name?", "Where was my mother born?",
    "What does my mother do for a living?", "What is my brother's name?", "How old is my brother?",
    "Where does my brother live?", "What is my horse called?", "What colour is my house?", "What is your dog called?",
    "What is your sister's name?", "What colour is your car?", "What is his name?", "How old is he?",
    "Where does she live?", "What is her favorite color?",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """A question whose reply is not what it was. `by`: the question of the lesson that answered it, where lessons have
    scopes."""

    question: str
    before: str
    after: str
    by: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What one recipe left of the model."""

    model: str
    recipe: str
    said: int
    itself: tuple[Change, ...]
    others: tuple[Change, ...]


def facts() -> list[Pair]:
    """What is read in FACTS. Raises ValueError for a sentence in which nothing is."""
    dictionary = load_dictionary()
    found = [(sentence, read(sentence, dictionary)) for sentence in FACTS]
    if unread := [sentence for sentence, pair in found if pair is None]:
        raise ValueError(f"no fact is read in {unread}")
    return [pair for _, pair in found if pair is not None]


def measure(subject: SessionSubject, model: str, recipe: str) -> Found:
    """Ask, teach, and ask again."""
    pairs, questions = facts(), (*ABOUT_ITSELF, *ABOUT_OTHERS)
    subject.check_batches(questions[:5])
    before = subject.ask(questions)
    for pair in pairs:
        subject.teach(pair.prompt, pair.reply)
    after, said = subject.ask(questions), subject.ask([pair.prompt for pair in pairs])
    decided = subject.decide(questions)
    by = [None if found.lesson is None else pairs[found.lesson].prompt for found in decided or ()]
    changes = {
        question: Change(question, old.text, new.text, lesson)
        for question, old, new, lesson in zip(questions, before, after, by or [None] * len(questions), strict=True)
        if not same(old, new)
    }
    return Found(
        model=model,
        recipe=recipe,
        said=sum(exact(answer, pair.reply) for answer, pair in zip(said, pairs, strict=True)),
        itself=tuple(changes[question] for question in ABOUT_ITSELF if question in changes),
        others=tuple(changes[question] for question in ABOUT_OTHERS if question in changes),
    )


def report(rows: Sequence[Found]) -> str:
    """A table, and below it each reply that changed."""
    cells = [
        (
            row.recipe,
            f"{row.said}/{len(FACTS)}",
            f"{len(ABOUT_ITSELF) - len(row.itself)}/{len(ABOUT_ITSELF)}",
            f"{len(ABOUT_OTHERS) - len(row.others)}/{len(ABOUT_OTHERS)}",
        )
        for row in rows
    ]
    parts = [table(("recipe", "said", "itself unchanged", "others unchanged"), cells)]
    for row in rows:
        for change in (*row.itself, *row.others):
            by = f" (by: {change.by})" if change.by else ""
            parts.append(f"{row.recipe}: {change.question}{by}\n  {change.before}\n  → {change.after}")
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="default")
    parser.add_argument("--recipe", action="append")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    settings = load_settings({"model": options.model, "threads": options.threads})
    rows = []
    for recipe in options.recipe or [settings.recipe]:
        with fresh_subject(settings, recipe, max_tokens=64) as subject:
            rows.append(measure(subject, options.model, recipe))
    print("\n".join(json.dumps(asdict(row)) for row in rows) if options.json else report(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
