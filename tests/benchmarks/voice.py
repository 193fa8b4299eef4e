"""Has a model a voice? Whether replies end, say again what was told, invent no name, and know who speaks.

    python -m tests.benchmarks.voice [--model default …] [--threads 2] [--json]

Every reply is greedy, in at most 48 tokens. `ended`: of 60 prompts, each alone. `told`: "my … is called X", the model's
own reply, and at once "what is my … called?": right with X as a word. `not told`: the same question where nothing, or
another name, was said: right without any name, in words that say so. `own name`: ten ways to ask, five of them after
the person has said theirs. None of the prompts and names is in the data that the voice is made of (tests/builtin).
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

PROMPTS = (
    "I'm back!", "Guess what happened at the market today.", "We painted the kitchen last weekend.",
    "My train was two hours late.", "The baby finally slept through the night.", "I can't find a good podcast.",
    "Do you think it will snow this year?", "I burned the rice again.", "What would you do with a day off?",
    "My knee hurts when I run.", "Give me an idea for a birthday present.", "Which season do you like?",
    "I might adopt a greyhound.", "How do I get ink out of a shirt?", "The library was closed today.",
    "I lost my umbrella on the bus.", "Can you recommend a simple dessert?", "Why do cats purr?",
    "I'm learning to play the trumpet.", "What's a good way to start the morning?", "my internet is so slow",
    "I beat my brother at chess!", "How long should I boil an egg?", "I have too many emails.",
    "Name three vegetables.", "We are having guests on Saturday.", "What should I name my boat?",
    "I forgot my lunch at home.", "is it rude to cancel last minute", "Tell me about the moon.",
    "My plants keep dying.", "I saw a fox in the garden!", "Who would win, a bear or a shark?",
    "I'm thinking of changing jobs.", "How do birds find their way?", "I dropped my phone in the sink.",
    "Should I take the bus or the bike?", "The concert was amazing.", "I don't like Mondays.",
    "What makes a good friend?", "My grandmother turns ninety tomorrow.", "I need to save money.",
    "Write a greeting for a card.", "There's a spider in my shower.", "Can you count to five?",
    "I just planted tomatoes.", "Why is the sea salty?", "My shoes are wet.", "I have a headache since noon.",
    "What do you think about trains?", "Help me say sorry to a colleague.", "The cake turned out great.",
    "How can I fall asleep faster?", "I won a raffle!", "Is tea better than lemonade?", "my cousin is visiting",
    "What's your opinion on robots?", "I'd like to learn Italian.", "Someone stole my bicycle.",
    "Let's play a word game.",
)  # fmt: skip
THINGS = (
    ("budgie", "Quillon"), ("piano", "Hortensia"), ("ferret", "Barnaby"), ("niece", "Philippa"), ("nephew", "Torvald"),
    ("van", "Bluebottle"), ("sheep", "Marigold"), ("landlord", "Mr Oakes"), ("farm", "Hollowmere"), ("stepsister",
    "Annika"), ("chameleon", "Pascal"), ("choir", "The Larks"), ("violin", "Esmeralda"), ("coach", "Wendell"),
    ("cow", "Buttercup"), ("godson", "Lucian"), ("tarantula", "Fluffy"), ("dog", "Zeppelin"), ("cat", "Nimbus"),
    ("sister", "Ottilie"), ("brother", "Casimir"), ("horse", "Thunderbolt"), ("hamster", "Peanut Brittle"), ("boss",
    "Mrs Vance"), ("goldfish", "Admiral"), ("rabbit", "Tansy"), ("daughter", "Saskia"), ("son", "Leopold"), ("parrot",
    "Captain Flint"), ("teacher", "Mr Abernathy"), ("motorbike", "Roxanne"), ("penguin", "Waddles"), ("duck", "Sir "
    "Quacks"), ("dentist", "Dr Molina"), ("spaceship", "Cygnus"), ("doll", "Arabella"), ("accountant", "Fergus"),
    ("tractor", "Old Bess"), ("gym", "Ironworks"), ("grandson", "Mateo"),
)  # fmt: skip
OWN = (
    "Hello! What are you called, by the way?", "Could you introduce yourself please?", "I forgot your name.",
    "And you are?", "Under which name do you go?",
)  # fmt: skip
PEOPLE = ("Ramona", "Ignatius", "Bettina", "Cornelius", "Winifred")
UNKNOWN = re.compile(r"n't told|not told|didn't tell|don't know|can't know|do not know|no way to know|tell me|\?$")


@dataclass(frozen=True, slots=True)
class Case:
    """What is said before, the question, and what a right reply matches and does not match."""

    kind: str
    said: tuple[str, ...]
    prompt: str
    right: str = ""
    wrong: str = "(?!)"


def cases() -> Iterator[Case]:
    for prompt in PROMPTS:
        yield Case("ended", (), prompt)
    for thing, name in THINGS:
        yield Case("told", (f"My {thing} is called {name}.",), f"What is my {thing} called?", rf"\b{name}\b")
    for number, (thing, _) in enumerate(THINGS[:20]):
        other, name = THINGS[number + 20]
        said = (f"My {other} is called {name}.",) if number % 2 else ()
        yield Case("not told", said, f"What is my {thing} called?", UNKNOWN.pattern, rf"\b{name}\b")
    for prompt in OWN:
        yield Case("own name", (), prompt, r"\bTheta\b")
    for person, prompt in zip(PEOPLE, OWN, strict=True):
        yield Case("own name", (f"Hi, my name is {person}.",), prompt, r"\bTheta\b")


def answered(lm: LanguageModel, case: Case) -> tuple[str, bool]:
    """(the reply, whether it is right)."""
    turns: list[tuple[str, str]] = []
    for said in case.said:
        turns.append((said, greedy(lm, lm.encode_prompt(turns, said, room=48).ids, max_tokens=48).text))
    reply = greedy(lm, lm.encode_prompt(turns, case.prompt, room=48).ids, max_tokens=48)
    text = re.sub(r"\b(Mrs?|Dr)\.", r"\1", reply.text)
    right = bool(re.search(case.right, text)) and not re.search(case.wrong, text)
    return reply.text, reply.ended if case.kind == "ended" else right


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.voice", description=__doc__)
    parser.add_argument("--model", action="append")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="every reply as well")
    options = parser.parse_args(given)
    kinds = list(dict.fromkeys(case.kind for case in cases()))
    rows = []
    for name in options.model or ["default"]:
        lm = LanguageModel.load(name, threads=options.threads)
        found: dict[str, list[bool]] = {kind: [] for kind in kinds}
        for case in cases():
            reply, right = answered(lm, case)
            found[case.kind].append(right)
            if options.json:
                asked = [*case.said, case.prompt]
                print(json.dumps({"model": name, "kind": case.kind, "asked": asked, "reply": reply, "right": right}))
        rows.append([name, *(f"{sum(each)}/{len(each)}" for each in found.values())])
    print(table(["model", *kinds], rows))


if __name__ == "__main__":
    main()
