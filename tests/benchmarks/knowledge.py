"""Does a model still know what it knew? Two hundred questions that anybody can answer, before and after it is changed.

    python -m tests.benchmarks.knowledge [--model default …] [--threads 2] [--json]

Capitals, sums to twenty, opposites, animals and colours. Each question is asked alone and answered greedily, in at most
48 tokens. A reply is right where it has one of the answers as a word (numbers in digits or spelled out) and none of the
other answers of its kind: "Paris or Rome" is wrong. A model with an adapter is measured beside its base (`--model`
twice) before anything is believed of the adapter.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from theta_tui.bench.tables import table
from theta_tui.model.generate import greedy
from theta_tui.model.language_model import LanguageModel

CAPITALS = """
France Paris; Germany Berlin; Italy Rome; Spain Madrid; Portugal Lisbon; England London; Ireland Dublin; Norway Oslo;
Sweden Stockholm; Finland Helsinki; Denmark Copenhagen; Poland Warsaw; Austria Vienna; Hungary Budapest; Greece
Athens; Russia Moscow; Ukraine Kyiv|Kiev; Turkey Ankara; Egypt Cairo; Kenya Nairobi; Japan Tokyo; China Beijing;
Thailand Bangkok; Canada Ottawa; Cuba Havana; Peru Lima; Chile Santiago; Iceland Reykjavik; Belgium Brussels; Scotland
Edinburgh; Wales Cardiff; Romania Bucharest; Bulgaria Sofia; Serbia Belgrade; Croatia Zagreb; Iran Tehran; Iraq
Baghdad; Australia Canberra; Vietnam Hanoi; Argentina Buenos.Aires
"""
SUMS = (
    (2, 2), (3, 4), (5, 5), (1, 8), (6, 3), (7, 2), (4, 6), (9, 1), (8, 5), (7, 7), (6, 6), (9, 4), (3, 9), (8, 8),
    (10, 5), (12, 3), (11, 6), (9, 9), (13, 4), (10, 10), (2, 7), (5, 8), (14, 2), (6, 9), (4, 4), (1, 1), (3, 3),
    (7, 8), (15, 3), (12, 6), (2, 9), (5, 3), (11, 8), (16, 4), (6, 7), (9, 8), (13, 6), (2, 5), (10, 3), (17, 2),
)  # fmt: skip
OPPOSITES = """
hot cold; big small|little|tiny; up down; left right; day night; black white; happy sad|unhappy; fast slow; old
young|new; rich poor; full empty; open closed|shut|close; light dark|heavy; wet dry; hard soft|easy; good bad|evil;
early late; long short; high low; love hate|hatred; win lose; begin end|finish|stop; true false; strong weak; clean
dirty; loud quiet|silent; sweet sour|bitter; thick thin; wide narrow; inside outside; before after; buy sell; push
pull; war peace; friend enemy|foe; first last; always never; north south; east west; laugh cry
"""
ANIMALS = """
What animal says meow? cat; What animal barks? dog; What animal gives us milk and says moo? cow; What animal says
oink? pig; What is a baby dog called? puppy|pup; What is a baby cat called? kitten; What is a baby cow called? calf;
What is a baby sheep called? lamb; What is a baby horse called? foal|colt|filly; What is a baby bear called? cub;
Which animal has a trunk and big ears? elephant; Which animal has a very long neck? giraffe; Which animal has black
and white stripes and looks like a horse? zebra; Which big cat has a mane? lion; Which big cat has orange and black
stripes? tiger; Which bird cannot fly and lives in the cold south? penguin; Which animal carries its baby in a pouch
and hops? kangaroo; Which animal builds dams in rivers? beaver; Which insect makes honey? bee|bees|honeybee|honeybees;
Which animal do we get wool from? sheep; Which bird lays the eggs that we eat? chicken|hen|chickens|hens; How many
legs does a spider have? 8; How many legs does a dog have? 4; How many legs does an insect have? 6; How many legs does
a bird have? 2; What does a caterpillar turn into? butterfly|moth; What does a tadpole turn into? frog|toad; What is
the largest animal on Earth? whale; What is the tallest animal? giraffe; What is the fastest land animal? cheetah;
Where does a fish live? water|ocean|sea; What do pandas eat? bamboo; What do cows eat? grass|hay; What animal is
Bambi? deer|fawn; Which animal hangs upside down in caves? bat|bats; Which animal has eight arms? octopus; Which
animal is called the king of the jungle? lion; Which animal spins a web? spider; What animal has a shell and is slow?
turtle|tortoise|snail; Which animal is known for its humps? camel
"""
COLOURS = """
grass green; the sky on a clear day blue; snow white; coal black; a ripe banana yellow; blood red; an orange orange; a
ripe tomato red; milk white; a lemon yellow; a carrot orange; a leaf in summer green; the sun yellow|white|orange; a
polar bear white; a crow black; chocolate brown; a strawberry red; a frog green; a fire truck red; an elephant
gray|grey; a flamingo pink; salt white; a lime green; a raven black; an eggplant purple|violet; gold
gold|golden|yellow; a pumpkin orange; a cherry red; rice white; the sea blue; a school bus yellow; broccoli green; a
stop sign red; cucumber green; a blueberry blue|purple; wood brown; ash gray|grey; a swan white; mud brown; a lobster
that is cooked red
"""
NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """`answers` are all right; a reply that has one of `wrong` as well is not."""

    kind: str
    text: str
    answers: frozenset[str]
    wrong: frozenset[str] = frozenset()


def questions() -> list[Question]:
    """All of them, by kind."""
    found = list(_asked("capitals", "What is the capital of {}?", CAPITALS))
    for one, other in SUMS:
        found.append(Question("sums", f"What is {one} plus {other}?", frozenset(_spelled(str(one + other)))))
    found += _asked("opposites", "What is the opposite of {}?", OPPOSITES)
    for item in _items(ANIMALS):
        text, answers = re.fullmatch(r"(.*\?)\s+(\S+)", item, re.DOTALL).groups()  # type: ignore[union-attr]
        right = {word for answer in answers.split("|") for word in _spelled(answer)}
        found.append(Question("animals", " ".join(text.split()), frozenset(right)))
    found += _asked("colours", "What colour is {}?", COLOURS)
    return found


def _items(listed: str) -> list[str]:
    return [item.strip() for item in listed.split(";")]


def _asked(kind: str, template: str, listed: str) -> Iterator[Question]:
    pairs = [re.split(r"\s+(?=\S+$)", item) for item in _items(listed)]
    every = {word for _, answers in pairs for word in answers.lower().split("|")}
    for about, answers in pairs:
        right = frozenset(answers.lower().replace(".", " ").split("|"))
        # What is named in the question may be said again; several opposites of one word are not each other's rivals.
        wrong = frozenset() if kind == "opposites" else frozenset(every) - right - set(about.lower().split())
        yield Question(kind, template.format(about), right, wrong)


def _spelled(answer: str) -> set[str]:
    return {answer, NUMBERS[int(answer)]} if answer.isdigit() else {answer}


def right(question: Question, reply: str) -> bool:
    """Whether a reply answers the question."""
    said = f" {' '.join(re.findall(r'[a-z0-9]+', reply.lower()))} "
    # A sum's own numbers stand in front of its result.
    said = said.rpartition(" is ")[2] if question.kind == "sums" and " is " in said else said
    said = f" {said.strip()} "
    return any(f" {word} " in said for word in question.answers) and not any(
        f" {word} " in said for word in question.wrong
    )


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.knowledge", description=__doc__)
    parser.add_argument("--model", action="append")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="every reply as well")
    options = parser.parse_args(given)
    asked = questions()
    kinds = list(dict.fromkeys(question.kind for question in asked))
    rows = []
    for name in options.model or ["default"]:
        lm = LanguageModel.load(name, threads=options.threads)
        found = []
        for question in asked:
            ids = lm.encode_prompt((), question.text, room=48).ids
            reply = greedy(lm, ids, max_tokens=48).text
            found.append((question, reply, right(question, reply)))
        shares = {kind: [ok for question, _, ok in found if question.kind == kind] for kind in kinds}
        rows.append([name, *(f"{sum(each)}/{len(each)}" for each in shares.values()), str(sum(ok for *_, ok in found))])
        if options.json:
            for question, reply, ok in found:
                print(json.dumps({"model": name, "question": question.text, "reply": reply, "right": ok}))
    print(table(["model", *kinds, f"of {len(asked)}"], rows))


if __name__ == "__main__":
    main()
