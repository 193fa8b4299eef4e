"""Makes the voice of SmolLM2 again, an adapter: `python -m theta_tui.builtin.voice DATA OUT --model MODEL`.

DATA is a folder with the conversation shards that the adapter's card names, MODEL a plain SmolLM2 135M Instruct. The
adapter learns replies that are short, warm and to the point, and end; the name Theta; to say again what was told, and
to say "I don't know" where nothing was. Facts with short answers keep what the model knows.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from theta_tui.base.errors import ModelError
from theta_tui.builtin import everyday_words, small_talk
from theta_tui.builtin import voice_words as words
from theta_tui.builtin.exclusion import Excluder
from theta_tui.builtin.shards import lines, named, thinned
from theta_tui.builtin.small_news import Exchange, SmallNews, begun
from theta_tui.builtin.teachable import Maker, Relation, relations
from theta_tui.builtin.teachable_words import NAME_WORDS, entity, value
from theta_tui.model.export import ADAPTER
from theta_tui.model.lora import CONFIG, TEMPLATE

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"

MOST_WORDS = 26
"""Words of a reply: about 40 tokens."""

SHARDS = {"project_basics": 500, "personality_chat_authored": 350, "clinc_assistant": 200}
"""Conversations taken of each shard."""
MADE = {
    "names": 800, "facts": 550, "introduced": 350, "itself": 450, "unknown": 200, "known": 750, "everyday": 1900,
    "plans": 200, "mashed": 80, "small_talk": 400, "teachable": 250, "news": 900, "others": 350, "beside": 300,
}  # fmt: skip
"""Conversations made of each form."""
SMALL_LETTERS = 0.3
"""Share of the conversations in which the person leaves out capitals and marks, in names too; the replies have them."""
LOUD = 0.1
"""Share of the lone messages of at most four words that are typed in capitals."""
PLAIN_SHARE = 0.15
"""Of the conversations: without Theta's system message, so that the voice does not hang on it."""

PLANS = [tuple(re.split(r"[/ ]", plan.strip(), maxsplit=2)) for plan in " ".join(words.PLANS.split()).split(";")]

GUARDED = re.compile(
    r"capital|plus|\+|opposite|antonym|colou?r|animal|\blegs?\b|\bbaby\b|insect|\bbird|joke|what is (a|an|the|my) |"
    r"poem",
    re.IGNORECASE,
)
"""Questions of the shards that are left out: what the base model knows is measured on such, and definitions, which run
long."""
ODD = re.compile(r"[^\x00-\x7f]|\bAssistant\b|\bSmolLM\b|\b(program|chat) assistant\b")


class Voice:
    """Makes conversations, all from one seeded generator."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.maker = _Mine(self.rng)
        self.small_news = SmallNews(self.rng)
        self.chat = [(said, answers) for said, answers in small_talk.EXCHANGES if "{name}" not in said[0]]
        self.chat += everyday_words.GROUPS
        self.things: tuple[str, ...] = words.NAMED
        self.about_itself = words.ITSELF
        self.questions = list(known())
        self.forms: dict[str, Callable[[], list[Exchange]]] = {
            "names": self.names, "facts": self.facts, "itself": self.itself, "unknown": self.unknown,
            "known": self.known, "everyday": self.everyday, "small_talk": self.small_talk,
            "teachable": self.teachable, "introduced": self.introduced, "plans": self.plans, "mashed": self.mashed,
            "news": self.news, "others": self.others, "beside": self.beside,
        }  # fmt: skip

    def one(self, of: Sequence[str], **slots: str) -> str:
        return self.rng.choice(of).format(**slots)

    def between(self, share: float) -> list[Exchange]:
        """An exchange of small talk, or none."""
        if self.rng.random() >= share:
            return []
        said, answers = self.rng.choice(self.chat)
        return [(self.rng.choice(said), self.rng.choice(answers))]

    def name(self) -> str:
        """A name, often one that nobody has: it can only be copied. Halves of two words, and words that are no names,
        meet the tokenizer's pieces in more orders than syllables do."""
        rng = self.rng
        word = rng.choice(NAME_WORDS)
        match rng.choices(("known", "word", "halves", "syllables", "two"), (25, 15, 35, 15, 10))[0]:
            case "known":
                return value(rng, rng.choice(("petname", "first")))
            case "word":
                return word.capitalize()
            case "halves":
                other = rng.choice(NAME_WORDS)
                return (word[: rng.randint(2, len(word) - 1)] + other[-rng.randint(2, len(other) - 1) :]).capitalize()
            case "syllables":
                parts = [rng.choice("bdfgklmnprstvwz") + rng.choice("aeiou") for _ in range(rng.choice((1, 2, 2, 3)))]
                return ("".join(parts) + rng.choice(("", "n", "x", "l", "ra", "s", "mo", "ck"))).capitalize()
            case _:
                return f"{word} {rng.choice(NAME_WORDS)}".title()

    # --- forms ---

    def names(self) -> list[Exchange]:
        """Things with names: told, asked for at once or later, beside one that was not told."""
        rng = self.rng
        things = rng.sample(self.things, rng.choice((1, 1, 2, 2, 3)))
        named = {thing: self.name() for thing in things}
        turns = self.between(0.15)
        for thing, name in named.items():
            turns.append((self.one(words.TELL_NAME, t=thing, x=name), self.one(words.HEAR_NAME, t=thing, x=name)))
        turns += self.between(0.3)
        asks = [self.asked(thing, named[thing]) for thing in rng.sample(things, rng.randint(1, len(things)))]
        if rng.random() < 0.45:
            asks.insert(rng.randint(0, len(asks)), self.not_told(set(things)))
        return turns + asks

    def introduced(self) -> list[Exchange]:
        """Several facts in one message, asked for one by one."""
        rng = self.rng
        chosen = ["name", *rng.sample(sorted(words.IN_SHORT), rng.choice((1, 1, 2)))]
        name = self.name()
        parts, asks = [self.one(words.NAME_IN_SHORT, x=name)], []
        for fact in chosen:
            slots = self.slots(fact) | ({"x": name} if fact == "name" else {})
            if fact in words.IN_SHORT:
                parts.append(self.one(words.IN_SHORT[fact], **slots))
            _, _, ask, say, _ = words.FACTS[fact]
            asks.append((rng.choice(ask), self.one(say, **slots)))
        said = parts[0] + self.one((", ", ", ", " and ")) + ", ".join(parts[1:])
        turns = [*self.between(0.15), (said, self.one(words.FACTS["name"][1], x=name)), *self.between(0.15)]
        if rng.random() < 0.3:
            asks.append(self.not_told({*chosen}))
        rng.shuffle(asks)
        return turns + asks[: rng.randint(1, len(asks))]

    def plans(self) -> list[Exchange]:
        """What somebody plans, so that "I'm thinking of …" has nothing to do with what it ends with elsewhere."""
        verb, doing, rest = self.rng.choice(PLANS)
        yours = re.sub(r"\bmy\b", "your", rest)
        said = self.one(words.PLANNED, do=f"{verb} {rest}", doing=f"{doing} {rest}")
        reply = self.one(words.HEAR_PLAN, do=f"{verb} {yours}", doing=f"{doing} {yours}")
        return [(self.typed(said), begun(reply)), *self.between(0.2)]

    def mashed(self) -> list[Exchange]:
        """Keys that were struck at random."""
        rng = self.rng
        keys = rng.choice(("asdfghjkl", "qwertyuiop", "zxcvbnm", "asdfjkl;", "abcdefghijklmnopqrstuvwxyz"))
        struck = " ".join("".join(rng.choices(keys, k=rng.randint(3, 9))) for _ in range(rng.choice((1, 1, 2))))
        return [*self.between(0.2), (struck, rng.choice(words.HEAR_MASHED)), *self.between(0.2)]

    def news(self) -> list[Exchange]:
        """Small news, opinions and little requests, one or two."""
        return [self.small_news.exchange() for _ in range(self.rng.choice((1, 1, 2)))]

    def others(self) -> list[Exchange]:
        """Facts about other people, asked for at once or later."""
        town = entity(self.rng, "town") if self.rng.random() < 0.5 else self.name()
        return self.between(0.1) + self.small_news.others(town)

    def beside(self) -> list[Exchange]:
        """One thing or two have a name. Then one of them is asked for, or a third, which has none."""
        rng = self.rng
        *named, other = rng.sample(self.things, rng.choice((2, 2, 3)))
        names = {thing: self.name() for thing in named}
        turns = [(self.one(words.TELL_NAME, t=t, x=x), self.one(words.HEAR_NAME, t=t, x=x)) for t, x in names.items()]
        if rng.random() < 0.5:
            thing = rng.choice(named)
            return [*turns, *self.between(0.1), self.asked(thing, names[thing])]
        return [*turns, *self.between(0.1), (self.one(words.ASK_NAME, t=other), self.one(words.NOT_TOLD_NAME, t=other))]

    def asked(self, thing: str, name: str) -> Exchange:
        return self.one(words.ASK_NAME, t=thing), self.one(words.SAY_NAME, t=thing, x=name)

    def not_told(self, told: set[str]) -> Exchange:
        """A question for something that was not said."""
        if self.rng.random() < 0.4:
            facts = words.FACTS[self.rng.choice([fact for fact in words.FACTS if fact not in told])]
            return self.rng.choice(facts[2]), self.rng.choice(facts[4])
        thing = self.rng.choice([thing for thing in self.things if thing not in told])
        return self.one(words.ASK_NAME, t=thing), self.one(words.NOT_TOLD_NAME, t=thing)

    def facts(self) -> list[Exchange]:
        """What a person says of themselves, asked for at once or later; and Theta's own name beside it."""
        rng = self.rng
        chosen = rng.sample(list(words.FACTS), rng.choice((1, 1, 2, 3)))
        turns, asks = self.between(0.15), []
        for fact in chosen:
            tells, asked = self.fact(fact)
            turns.append(tells)
            asks.append(asked)
        turns += self.between(0.3)
        turns += rng.sample(asks, rng.randint(1, len(asks)))
        if rng.random() < 0.4:
            said, answers = self.about_itself[0]
            turns.append((rng.choice(said), rng.choice(answers)))
        if rng.random() < 0.2:
            turns.append(self.not_told(set(chosen)))
        return turns

    def fact(self, fact: str) -> tuple[Exchange, Exchange]:
        """A fact about the person: how it is told, and how it is asked for."""
        rng = self.rng
        tell, hear, ask, say, _ = words.FACTS[fact]
        slots = self.slots(fact)
        return (self.one(tell, **slots), self.one(hear, **slots)), (rng.choice(ask), self.one(say, **slots))

    def slots(self, fact: str) -> dict[str, str]:
        """What a fact is made of."""
        rng = self.rng
        colour, food = rng.choice(words.COLOURS), rng.choice(words.FOODS)
        return {
            "x": entity(rng, "town") if fact == "town" and rng.random() < 0.5 else self.name(),
            "n": str(rng.randint(18, 95) if fact == "age" else rng.randint(2, 9999)),
            "c": colour, "C": colour.capitalize(), "f": food, "F": food.capitalize(), "j": rng.choice(words.JOBS),
            "a": rng.choice(words.ANIMALS), "k": rng.choice(("two", "three", "four", "five", "2", "3", "4", "12")),
        }  # fmt: skip

    def itself(self) -> list[Exchange]:
        """What Theta is."""
        turns = self.between(0.3)
        for said, answers in self.rng.sample(self.about_itself, self.rng.choice((1, 1, 2))):
            turns.append((self.rng.choice(said), self.rng.choice(answers)))
        return turns

    def unknown(self) -> list[Exchange]:
        """Questions that nothing was said about."""
        turns = self.between(0.4)
        for _ in range(self.rng.choice((1, 1, 2))):
            said, answers = self.rng.choice(words.UNKNOWABLE)
            asked = (self.rng.choice(said), self.rng.choice(answers))
            turns.append(self.not_told(set()) if self.rng.random() < 0.7 else asked)
        return turns

    def known(self) -> list[Exchange]:
        """Questions that anybody can answer."""
        turns = self.between(0.2)
        for said, answer in self.rng.sample(self.questions, self.rng.choice((1, 2, 3))):
            turns.append((self.typed(said), answer))
        return turns + self.between(0.15)

    def typed(self, text: str) -> str:
        """The question as somebody else might type it."""
        bare = text.rstrip("?") or text
        match self.rng.randrange(6):
            case 0:
                return bare[0].lower() + bare[1:]
            case 1:
                return bare
            case _:
                return text

    def everyday(self) -> list[Exchange]:
        """What people say on any day, one thing after another."""
        groups = self.rng.sample(everyday_words.GROUPS, self.rng.choice((1, 1, 2, 3)))
        return [(self.typed(self.rng.choice(said)), self.rng.choice(answers)) for said, answers in groups]

    def small_talk(self) -> list[Exchange]:
        [row] = small_talk.conversations(self.rng.randrange(1 << 30), 1)
        return _exchanges(row)

    def teachable(self) -> list[Exchange]:
        form = self.rng.choice((self.maker.told, self.maker.told, self.maker.corrected, self.maker.persona))
        turns = form()
        while GUARDED.search(" ".join(text for _, text in turns)):
            turns = form()
        return [(said[1], reply[1]) for said, reply in zip(turns[::2], turns[1::2], strict=True)]

    def messages(self, turns: Sequence[Exchange]) -> list[dict[str, str]]:
        """The exchanges as messages, some of them typed in small letters, and a few short ones in capitals."""
        loud = len(turns) == 1 and len(turns[0][0].split()) <= 4 and self.rng.random() < LOUD
        typed = str.upper if loud else _small if self.rng.random() < SMALL_LETTERS else str
        texts = [re.sub(r"\s+", " ", text) for said, reply in turns for text in (typed(said), reply)]
        return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


class _Mine(Maker):
    """Facts about the person alone: what is said of an invented world is not to be in the weights."""

    def relation(self) -> Relation:
        return self.rng.choice(relations("mine"))


def known() -> Iterator[Exchange]:
    """Questions with short answers, from tables."""
    for country, capital in pairs(words.CAPITALS):
        yield f"What is the capital of {country}?", f"The capital of {country} is {capital}."
    for word, other in pairs(words.OPPOSITES):
        yield f"What is the opposite of {word}?", f"The opposite of {word} is {other}."
    for thing, colour in re.findall(r"(\S.*?) (blue and green|\S+)(?:;|$)", " ".join(words.COLOURED.split())):
        yield f"What colour is {thing}?", f"{begun(thing)} is {colour}."
    for item in " ".join(words.KNOWN.split()).split(";"):
        said, _, answer = item.strip().partition("= ")
        yield said, answer
    for first in range(3, 13):
        for second in (2, 3, 5, 7):
            yield f"What is {first + 20} plus {second}?", f"{first + 20} plus {second} is {first + 20 + second}."
            yield f"What is {first + second} minus {second}?", f"{first + second} minus {second} is {first}."
            yield f"What is {first} times {second}?", f"{first} times {second} is {first * second}."


def pairs(table: str) -> Iterator[tuple[str, str]]:
    """The pairs of a table: items between semicolons, the last word of each beside all before it."""
    for item in " ".join(table.split()).split(";"):
        first, second = item.strip().rsplit(" ", 1)
        yield first, second


def _small(text: str) -> str:
    """As somebody types who leaves out capitals and marks."""
    return text.lower().rstrip(".!?").replace("'", "") or text


def _exchanges(row: dict[str, Any]) -> list[Exchange]:
    texts = [message["content"] for message in row["messages"]]
    return list(zip(texts[::2], texts[1::2], strict=True))


def shard(path: Path, count: int, rng: random.Random) -> list[list[Exchange]]:
    """`count` conversations of a shard that have short replies and ask for nothing that is measured elsewhere. Long
    ones are cut to their first exchanges."""
    found = []
    for row in thinned(named(lines(path))):
        turns = _exchanges(row)[:4]
        said = " ".join(user for user, _ in turns)
        if not (GUARDED.search(said) or ODD.search(said + str(turns)) or any(not short(reply) for _, reply in turns)):
            found.append(turns)
    return rng.sample(found, min(count, len(found)))


def short(reply: str) -> bool:
    return len(reply.split()) <= MOST_WORDS and reply.rstrip()[-1:] in tuple(".?!")


def conversations(data: Path | None, seed: int = 1, share: float = 1.0) -> Iterator[dict[str, Any]]:
    """All of them in random order, as rows that `theta train` reads; without `data`, those that are made here."""
    voice = Voice(seed)
    found = [voice.forms[form]() for form, count in MADE.items() for _ in range(round(count * share))]
    if data is not None:
        for name, count in SHARDS.items():
            found += shard(data / f"{name}.jsonl.gz", round(count * share), voice.rng)
    voice.rng.shuffle(found)
    for turns in found:
        if all(len(reply.split()) <= MOST_WORDS for _, reply in turns):
            system = [] if voice.rng.random() < PLAIN_SHARE else [{"role": "system", "content": words.SYSTEM}]
            yield {"source": "voice", "messages": [*system, *voice.messages(turns)]}


def prepare(data: Path, out: Path, exclude: Path | None, share: float) -> int:
    """Write the conversations to `out`, without the questions of the suite `exclude`; returns how many."""
    excluder = Excluder(exclude.read_text("utf-8").splitlines() if exclude else [])
    rows = [row for row in conversations(data, share=share) if excluder.hit(row) is None]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return len(rows)


def finish(model: Path) -> Path:
    """The adapter beside the trained `model`, with the chat template that begins with Theta's system message."""
    template = (model / TEMPLATE).read_text("utf-8")
    changed, count = re.subn(r"(<\|im_start\|>system\n)[^<]+", lambda found: found[1] + words.SYSTEM, template)
    if count != 1:
        raise ModelError(f"{model / TEMPLATE} has no system message of its own; --model is no SmolLM2")
    (model / ADAPTER / TEMPLATE).write_text(changed, "utf-8")
    config = json.loads((model / ADAPTER / CONFIG).read_text("utf-8")) | {"base_model_name_or_path": BASE}
    (model / ADAPTER / CONFIG).write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    return model / ADAPTER


def main() -> None:
    from theta_tui.pretrain.command import TrainOptions, train
    from theta_tui.pretrain.documents import Source
    from theta_tui.pretrain.progress import ProgressDisplay

    parser = argparse.ArgumentParser(prog="python -m theta_tui.builtin.voice", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder with the shards")
    parser.add_argument("out", type=Path, help="working folder; the adapter is written to its `model/adapter`")
    parser.add_argument("--model", required=True, help="a plain SmolLM2 135M Instruct")
    parser.add_argument("--exclude", type=Path, help="a teach-bench suite whose questions are left out")
    parser.add_argument("--share", type=float, default=0.55, help="of the conversations")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    rows = given.out / "voice.jsonl"
    if not rows.is_file():
        prepare(given.data, rows, given.exclude, given.share)
    options = TrainOptions(
        (Source(rows, 1.0),), given.out / "model", model=given.model, lora_rank=12, length=256, batch_tokens=2048,
        epochs=given.epochs, lr=6e-4, warmup=0.05, decay=0.7, weight_decay=0.0, validation=0.02,
        threads=given.threads, dtype="bfloat16", compile=False, save_minutes=3, validate_minutes=15,
    )  # fmt: skip
    progress = ProgressDisplay(quiet=False, tensorboard=None)
    done = train(options, lambda text: print(text, file=sys.stderr, flush=True), progress)
    print(finish(done.out) if done.stopped is None else "stopped; the same command continues")


if __name__ == "__main__":
    main()
