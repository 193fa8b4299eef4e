"""Generated lessons, for more of them than a suite has: `theta bench --lessons N`.

A lesson is an invented name and a relation. The same count, suite and seed give the same lessons. No two have the same
question, no two names are alike, and none has a question or a name of the suite.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from theta_tui.bench.metrics import SuiteLesson, words
from theta_tui.bench.suite import Suite
from theta_tui.learning.scope.words import alike, normal_form

FIRST = "b br c d f fl g gr h j k l m n p r s st t tr v w y z"
MIDDLE = "ab al an ar av eb el en er ev id il in ir ob ol on or ud ul un ur"
LAST = "ander ask ayo eld emi esh ian ick ina itz oda olf omir ona usk uvia"
"""A name has one FIRST, one or two MIDDLE and one LAST part, which gives 194,304 names."""


@dataclass(frozen=True, slots=True)
class Relation:
    """What can be asked about a name of `kind`. The first of `questions` is taught; `{n}` is the name, `{v}` one of
    `values`, which are separated by commas."""

    kind: str
    questions: tuple[str, str, str]
    reply: str
    values: str


_DAYS = "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"
_NUMBERS = "four, seven, nine, eleven, twelve, fifteen, sixteen, nineteen, twenty, thirty, forty"
_COLOURS = "red, blue, green, white, yellow, brown, grey, black, pink, orange"

RELATIONS = (
    Relation(
        "person",
        ("Which instrument does {n} play?", "What does {n} make music on?", "Tell me {n}'s instrument."),
        "{n} plays the {v}.",
        "harp, drum, flute, cello, banjo, tuba, organ, violin",
    ),
    Relation(
        "person",
        ("What does {n} have for breakfast?", "What does {n} eat in the morning?", "Do you know {n}'s breakfast?"),
        "{n} has {v}.",
        "porridge, toast, two eggs, rice, plums, soup, cheese, pancakes",
    ),
    Relation(
        "person",
        ("Who taught {n} to swim?", "From whom did {n} learn swimming?", "Who was {n}'s swimming teacher?"),
        "{v} did.",
        "an uncle, a sailor, the mayor, a nurse, a cousin, nobody, the baker, a monk",
    ),
    Relation(
        "person",
        ("What is {n} afraid of?", "What scares {n}?", "Tell me what {n} fears."),
        "{n} is afraid of {v}.",
        "geese, thunder, spiders, the dark, lifts, bees, deep water, clowns",
    ),
    Relation(
        "person",
        ("Which day does {n} go fishing?", "When in the week does {n} fish?", "On what day is {n} fishing?"),
        "{n} goes on {v}.",
        _DAYS,
    ),
    Relation(
        "person",
        ("What does {n} collect?", "What kind of things does {n} gather?", "What is in {n}'s collection?"),
        "{n} collects {v}.",
        "stamps, buttons, old maps, spoons, shells, clocks, postcards, keys",
    ),
    Relation(
        "person",
        (
            "What colour is {n}'s front door?",
            "How is {n}'s front door painted?",
            "Tell me the colour of the front door at {n}'s house.",
        ),
        "It is {v}.",
        _COLOURS,
    ),
    Relation(
        "person",
        ("Where did {n} hide the spare key?", "Where is {n}'s spare key?", "I need {n}'s spare key."),
        "It is under the {v}.",
        "mat, flower pot, stone, bench, stairs, gnome, bucket, piano",
    ),
    Relation(
        "place",
        (
            "How many bridges does {n} have?",
            "What is the number of bridges in {n}?",
            "Count the bridges of {n} for me.",
        ),
        "{n} has {v}.",
        _NUMBERS,
    ),
    Relation(
        "place",
        ("Which river runs through {n}?", "What is the river in {n}?", "On which river does {n} lie?"),
        "The {v} does.",
        "Alder, Tame, Ost, Vell, Little Ouse, Marn, Senn, Black Water",
    ),
    Relation(
        "place",
        (
            "When is market day in {n}?",
            "Which day is the market held in {n}?",
            "On what day do people sell things at {n}?",
        ),
        "It is on {v}.",
        _DAYS,
    ),
    Relation(
        "place",
        ("What is {n} famous for?", "What do people know {n} for?", "Why has everyone heard of {n}?"),
        "{n} is famous for its {v}.",
        "bells, cheese, roses, ghosts, lace, clocks, cider, storks",
    ),
    Relation(
        "place",
        ("Who is the mayor of {n}?", "Who governs {n}?", "Tell me the name of {n}'s mayor."),
        "The mayor is {v}.",
        "Mrs. Pell, Mr. Odum, Dr. Crane, Miss Tarr, Mr. Lowe, Mrs. Amin, Mr. Sand",
    ),
    Relation(
        "place",
        ("How does one travel to {n}?", "Which way can I reach {n}?", "What takes me to {n}?"),
        "By {v}.",
        "ferry, night train, mule, bus, tram, bicycle, cable car, rowing boat",
    ),
    Relation(
        "place",
        (
            "What animal is on the coat of arms of {n}?",
            "Which beast stands on {n}'s arms?",
            "Whose picture is in the arms of {n}?",
        ),
        "It is a {v}.",
        "bear, heron, boar, salmon, hare, raven, ram, stag",
    ),
    Relation(
        "thing",
        ("How heavy is the {n} engine?", "What does the {n} engine weigh?", "Tell me the {n} engine's weight."),
        "It weighs {v} tons.",
        _NUMBERS,
    ),
    Relation(
        "thing",
        ("Who painted the {n} altar?", "Whose work is the {n} altar?", "Which artist made the {n} altar?"),
        "{v} did.",
        "Jon Weel, Ada Broth, a monk, two sisters, Ilse Moor, nobody knows who, Tom Haig",
    ),
    Relation(
        "thing",
        ("What is the {n} cake filled with?", "What is inside a {n} cake?", "Which filling has the {n} cake?"),
        "With {v}.",
        "figs, cream, walnuts, plum jam, honey, poppy seeds, lemon curd, dates",
    ),
    Relation(
        "thing",
        (
            "How long does the {n} hike take?",
            "How many hours is the {n} hike?",
            "What time do I need for the {n} hike?",
        ),
        "It takes {v} hours.",
        _NUMBERS,
    ),
    Relation(
        "thing",
        ("Which key opens the {n} safe?", "What do I open the {n} safe with?", "With what is the {n} safe unlocked?"),
        "The {v} key does.",
        "brass, long, crooked, silver, iron, copper, small, round",
    ),
    Relation(
        "thing",
        ("What fuel does the {n} stove burn?", "With what is the {n} stove heated?", "What goes into the {n} stove?"),
        "It burns {v}.",
        "peat, pine cones, coal, straw, oak, gas, old letters, charcoal",
    ),
)


def generated(count: int, suite: Suite, seed: int = 0) -> tuple[SuiteLesson, ...]:
    """`count` lessons, none of which is in `suite`, each with two other wordings."""
    chance = random.Random(seed)
    texts = [text for lesson in suite.lessons for text in (lesson.prompt, *lesson.paraphrases, *lesson.near)]
    texts += suite.unrelated
    asked = {normal_form(text) for text in texts}
    known = {word for text in (*texts, *(lesson.target for lesson in suite.lessons)) for word in words(text)}
    names = _names(chance, known)
    found: list[SuiteLesson] = []
    while len(found) < count:
        # Each name gets about half of its kind's seven relations, as people get several facts about one person.
        some = {kind: [next(names) for _ in range(12)] for kind in ("person", "place", "thing")}
        pairs = [(relation, name) for relation in RELATIONS for name in some[relation.kind]]
        chance.shuffle(pairs)
        for relation, name in pairs[: len(pairs) // 2]:
            lesson = _lesson(relation, name, chance, f"made/{len(found)}")
            if normal_form(lesson.prompt) not in asked:
                found.append(lesson)
    return tuple(found[:count])


def _names(chance: random.Random, known: set[str]) -> Iterator[str]:
    """Endless invented names, none similar to another or to a word of `known`."""
    first, middle, last = (parts.split() for parts in (FIRST, MIDDLE, LAST))
    taken = set(known)
    while True:
        word = "".join((chance.choice(first), *chance.choices(middle, k=chance.randint(1, 2)), chance.choice(last)))
        if not any(alike(word, other) for other in taken):
            taken.add(word)
            yield word.capitalize()


def _lesson(relation: Relation, name: str, chance: random.Random, lesson_id: str) -> SuiteLesson:
    prompt, *others = (text.format(n=name) for text in relation.questions)
    reply = relation.reply.format(n=name, v=chance.choice(relation.values.split(", ")))
    return SuiteLesson(lesson_id, prompt, reply[0].upper() + reply[1:], tuple(others))
