"""Conversations that are teachable by construction: a fact is stated, and later asked for in other words.

A chat model that sees a question only next to its answer learns the wording, not the link. Here each fact has one
answer sentence and a dozen ways to ask for it, so that the model sees thousands of differently worded questions with
the same answer. Other facts of the same relation are nearby, so that the name in the question has to be read, and a
name that nobody mentioned gets an honest "I don't know". Facts of a small fixed world return all over the corpus, so
that some of them have to be in the weights and not in the conversation.

Run `python -m theta_tui.builtin.teachable --help` to write a corpus. Standard library only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

from theta_tui.builtin import teachable_places as places
from theta_tui.builtin import teachable_relations as people
from theta_tui.builtin.exclusion import Excluder
from theta_tui.builtin.teachable_words import LEADS, SMALL_TALK, SURNAMES, entity, value

SHARES = {"asked_again": 0.27, "told": 0.25, "corrected": 0.18, "known": 0.18, "persona": 0.07, "rewording": 0.05}
N_FACTS = 700
WORLD_SEED = 20_417
UNKNOWN_SHARE = 0.15  # of `known`: a name that is not in the world
WORLD_SHARE = 0.75  # of the facts in `asked_again`: the first answer can then be known, not only guessed
NOISE_SHARE = 0.15
MAX_WORDS = 240
MAX_MESSAGES = 14

RoleText = tuple[str, str]

CLAUSE_WRAPPERS = (
    "Do you know {w}?", "Can you tell me {w}?", "Tell me {w}.", "I'd like to know {w}.", "I forgot {w}.",
    "I can't remember {w}.", "Any idea {w}?", "Remind me {w}.", "Please tell me {w}.", "I was wondering {w}.",
    "I need to know {w}.", "Do you remember {w}?", "My friend asked me {w}.", "Would you mind telling me {w}?",
    "Someone wants to know {w}.", "do you happen to know {w}", "Could you say {w}?", "Have I told you {w}?",
    "You know {w}, don't you?", "not sure anymore {w}",
)  # fmt: skip
NOUN_WRAPPERS = (
    "{n}?", "What is {n}?", "Tell me {n}.", "I forgot: {n}?", "{n}, please.", "Give me {n}.", "what's {n}",
    "I'm asking about {n}.", "Can you give me {n}?", "Do you remember {n}?",
)  # fmt: skip
UNKNOWN = (
    "I don't know {c}.", "I don't know {c}. You can tell me.", "Nobody has told me {c}.", "I haven't learned {c} yet.",
    "Sorry, I don't know {c}.", "I'm not sure {c}. Do you know?", "I can't say {c}.", "I have no idea {c}.",
    "I never heard {c}. Tell me, and I'll remember it.", "I wish I knew {c}.", "You haven't told me {c}.",
    "That I don't know: {c}.", "I don't know yet {c}. Teach me?", "No idea {c}, sorry.", "I don't know that one.",
    "I would have to guess {c}, so I'd rather ask you.",
)  # fmt: skip
OPENERS = (
    "Got it.", "Okay.", "Thank you.", "Noted.", "I see.", "Good to know.", "All right.", "Thanks for telling me.",
    "Understood.", "Oh, nice.", "I'll remember that.", "Very well.", "Right.", "How interesting!", "That's new to me.",
    "Fine.", "I've learned something.", "Sure.", "Ah!", "Lovely.", "I'll keep that in mind.", "Yes.",
)  # fmt: skip
TAILS = (
    "I won't forget it.", "Ask me any time.", "I've got that now.", "What else?", "Is there more?", "Tell me more.",
    "That's easy to remember.", "I'll keep it.", "Thank you.", "I like to learn such things.", "Go on.",
    "Good to know.",
)  # fmt: skip
CORRECTIONS = (
    "No, {s}", "Actually, {s}", "That's wrong. {S}", "No. {S}", "Not quite: {s}", "Wrong. {S}", "Sorry, but {s}",
    "I don't think so. {S}", "That isn't right. {S}", "The right answer is: {A}", "Say this: {A}", "no, {s}",
    "Hm, no. {S}", "You should answer: {A}", "That's not true. {S}", "Better: {A}", "Correction: {s}",
    "Almost! But {s}", "{S}",
)  # fmt: skip
FILL_INS = (
    "{S}", "I'll tell you: {s}", "Then learn it: {s}", "Well, {s}", "Here is the answer: {A}", "Now you know: {s}",
    "Listen. {S}", "Let me teach you. {S}", "It's simple. {S}", "Say this: {A}", "The answer is: {A}", "Okay, {s}",
)  # fmt: skip
ACCEPTED = (
    "Thanks, I'll remember: {A}", "Thank you. {A}", "Oh, sorry. {A}", "I see. {A}", "Got it now. {A}",
    "My mistake. {A}", "Right: {A}", "I stand corrected. {A}", "Okay, so this is it: {A}", "Now I know. {A}",
    "Thanks for the correction. {A}", "Good that you tell me. {A}", "I'll say it like that from now on: {A}",
    "Understood. {A}", "Yes, of course. {A}", "{A}", "I've learned it: {A}", "Noted. {A}", "{A} Thank you.",
    "{A} I won't get it wrong again.",
)  # fmt: skip
NEWS = (
    "That has changed. {S}", "News: {s}", "Update: {s}", "Things are different now. {S}", "Not any more. {S}",
    "By now this is true: {s}", "I have to correct myself: {s}", "Forget what I said. {S}",
    "It's new since today: {s}",
)  # fmt: skip
TELLINGS = (
    "{S}", "{S}", "{S}", "{S}", "By the way, {s}", "Did you know? {S}", "Listen: {s}", "Remember this: {s}", "so, {s}",
    "I want you to know something. {S}", "Here is a fact. {S}", "Let me tell you something: {s}",
    "{S} Please remember it.", "Just so you know, {s}", "I heard that {s}", "For later: {s}", "{S} Don't forget it.",
    "Hey, {s}", "fyi {s}",
)  # fmt: skip
PERSONA_TELLINGS = (
    "{S}", "{S}", "{S}", "From now on it is like this: {s}", "Let's say this: {s}", "Remember: {s}",
    "I've decided: {s}", "You should know something about yourself. {S}", "Let's pretend. {S}",
    "A word about you: {s}", "By the way, {s}",
)  # fmt: skip


@dataclass(frozen=True)
class Relation:
    """One kind of fact and all ways to ask for it, as templates with {e} (the name) and {v} (the value)."""

    name: str
    entity_kind: str
    value_kind: str
    clauses: tuple[str, ...]
    own_clauses: tuple[str, ...]
    nouns: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    statements: tuple[str, ...]

    @property
    def derived(self) -> tuple[str, ...]:
        """Questions made from the relation's clauses and noun phrases in the usual frames."""
        framed = [frame.replace("{w}", clause) for clause in self.clauses for frame in CLAUSE_WRAPPERS]
        framed += [_capital(frame.replace("{n}", noun)) for noun in self.nouns for frame in NOUN_WRAPPERS]
        return tuple(framed)

    @property
    def wordings(self) -> tuple[str, ...]:
        return self.questions + self.derived


@dataclass(frozen=True)
class Fact:
    """One fact. All wordings of its question get the same `answer`."""

    relation: Relation
    entity: str
    value: str
    answer: str
    template: str

    def question(self, wording: str) -> str:
        return fill(wording, self.entity)

    @property
    def key(self) -> tuple[str, str]:
        return self.relation.name, self.entity.casefold()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _small(template: str) -> str:
    """The template with a lower-case start, to follow a lead-in. `I` stays; names are not filled in yet."""
    return template if re.match(r"I\b", template) else template[:1].lower() + template[1:]


def fill(template: str, name: str, val: str = "", capitals: bool = True) -> str:
    """The template with its slots filled; a slot at the start of a sentence gets a capital."""

    def put(match: re.Match[str]) -> str:
        before, slot = match.group(1), match.group(2)
        text = name if slot == "e" else val
        return (before or "") + (_capital(text) if capitals and before is not None else text)

    filled = re.sub(r"(^|(?<=[a-z'\"][.?!]) )?\{([ev])\}", put, template)
    filled = filled.replace("'s's", "'s")
    return re.sub(r"([.?!])(\"?)\.", r"\1\2", filled)


def _parse(block: str, text: str) -> Iterator[Relation]:
    head: list[str] = []
    lines: dict[str, list[str]] = {}

    def finish() -> Relation:
        name, entity_kind, value_kind = head
        groups = [tuple(lines.get(letter, ())) for letter in "wdnqas"]
        clauses, own, nouns, questions, answers, statements = groups
        return Relation(name, entity_kind, value_kind, clauses, own or clauses, nouns, questions, answers, statements)

    for line in text.strip().splitlines():
        letter, rest = line.split(" ", 1)
        parts = [part.strip() for part in rest.split(" | ")]
        if letter == "@":
            if head:
                yield finish()
            head, lines = parts, {}
        else:
            lines.setdefault(letter, []).extend(parts)
    if not head:
        raise ValueError(f"no relation in {block}")
    yield finish()


@cache
def relations(block: str = "world") -> tuple[Relation, ...]:
    """The relations of `world` (persons, places, things, words, procedures), `mine` (the user's) or `assistant`."""
    texts = {
        "world": (people.PEOPLE, places.PLACES, places.THINGS, places.WORDS, places.PROCEDURES),
        "mine": (people.MINE,),
        "assistant": (people.ASSISTANT,),
    }[block]
    return tuple(relation for text in texts for relation in _parse(block, text))


def make_fact(rng: random.Random, relation: Relation, name: str | None = None, template: str | None = None) -> Fact:
    """A fact of this relation about `name`, or about a new name."""
    name = entity(rng, relation.entity_kind) if name is None else name
    while (val := value(rng, relation.value_kind)) == name:
        pass
    template = template or rng.choice(relation.answers)
    return Fact(relation, name, val, fill(template, name, val), template)


@cache
def world(count: int = N_FACTS) -> dict[tuple[str, str], Fact]:
    """The fixed world by key: always the same facts, spread evenly over the relations."""
    rng = random.Random(WORLD_SEED)
    facts: dict[tuple[str, str], Fact] = {}
    available = relations()
    while len(facts) < count:
        fact = make_fact(rng, available[len(facts) % len(available)])
        facts.setdefault(fact.key, fact)
    return facts


@cache
def _world_of(name: str) -> tuple[Fact, ...]:
    return tuple(fact for fact in world().values() if fact.relation.name == name)


class Maker:
    """Makes conversations of several forms, all from one seeded generator."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.forms: dict[str, Callable[[], list[RoleText]]] = {
            "asked_again": self.asked_again,
            "told": self.told,
            "corrected": self.corrected,
            "known": self.known,
            "persona": self.persona,
            "rewording": self.rewording,
        }

    # Sentences.

    def wording(self, relation: Relation, used: set[str]) -> str:
        """A question template not in `used`, more often one of the relation's own than a framed one."""
        while True:
            wording = self.rng.choice(relation.questions if self.rng.random() < 0.55 else relation.derived)
            if wording not in used:
                used.add(wording)
                return wording

    def said(self, template: str, name: str, val: str = "", lead: bool = True) -> str:
        """The template as a person types it, sometimes with a lead-in or carelessly. Names stay whole."""
        rng = self.rng
        if lead and rng.random() < 0.14:
            start = rng.choice(LEADS)
            template = start + (template if start.endswith((". ", "! ")) else _small(template))
        if rng.random() < 0.05:
            template += (
                rng.choice([" Thanks.", " Thank you!", " Please.", " :)"]) if template[-1] in ".?" else " please"
            )
        if rng.random() >= NOISE_SHARE:
            return fill(template, name, val)
        parts = re.split(r"(\{[ev]\})", template)
        if rng.random() < 0.8:
            parts = [part.lower() for part in parts]
        if rng.random() < 0.6:
            parts[-1] = parts[-1].rstrip(".?!")
        if rng.random() < 0.3:
            parts = [part.replace("'", "") for part in parts]
        if rng.random() < 0.35:
            parts = [part if part.startswith("{") else self._typo(part) for part in parts]
        return fill("".join(parts), name, val, capitals=False)

    def _typo(self, text: str) -> str:
        """The text with one typo in a longer word: two letters swapped, one left out or one doubled."""
        spots = [match.span() for match in re.finditer(r"[a-z]{5,}", text)]
        if not spots:
            return text
        start, end = self.rng.choice(spots)
        at = self.rng.randrange(start + 1, end - 2)
        slip = self.rng.choice([text[at + 1] + text[at], text[at + 1], text[at] * 2 + text[at + 1]])
        return text[:at] + slip + text[at + 2 :]

    def ask(self, fact: Fact, used: set[str]) -> str:
        return self.said(self.wording(fact.relation, used), fact.entity)

    def framed(self, frames: tuple[str, ...], fact: Fact) -> str:
        """The fact as the user states it, inside one of the frames."""
        statement = self.rng.choice(fact.relation.statements)
        frame = self.rng.choice(frames)
        if fact.relation in relations("mine") and "heard" in frame:
            frame = "{S}"  # nobody has heard about their own dog
        frame = frame.replace("{A}", fact.template)
        return self.said(
            frame.replace("{S}", statement).replace("{s}", _small(statement)), fact.entity, fact.value, False
        )

    def unknown(self, relation: Relation, name: str) -> str:
        clause = self.rng.choice(relation.own_clauses)
        return fill(self.rng.choice(UNKNOWN).replace("{c}", clause), name)

    def noted(self, fact: Fact) -> str:
        """A short acknowledgement of a stated fact, which often repeats it."""
        parts = [self.rng.choice(OPENERS)]
        if self.rng.random() < 0.55:
            parts.append(fact.answer)
        if self.rng.random() < 0.3:
            parts.append(self.rng.choice([tail for tail in TAILS if tail not in parts]))
        return " ".join(parts)

    def chat(self, share: float = 0.4) -> list[RoleText]:
        """Some small talk; in most cases none."""
        count = 0 if self.rng.random() >= share else self.rng.choice([1, 1, 2])
        turns: list[RoleText] = []
        for user, assistant in self.rng.sample(SMALL_TALK, count):
            turns += [("user", self.said(user, "", lead=False)), ("assistant", assistant)]
        return turns

    # Facts.

    def relation(self) -> Relation:
        draw = self.rng.random()
        return self.rng.choice(relations("world" if draw < 0.82 else "mine" if draw < 0.93 else "assistant"))

    def fact(self, relation: Relation, taken: set[tuple[str, str]], from_world: float = 0.0, like: str = "") -> Fact:
        """A fact not in `taken`. An invented one never contradicts the world, and may have a name similar to `like`."""
        while True:
            known = _world_of(relation.name)
            if known and self.rng.random() < from_world:
                fact = self.rng.choice(known)
            else:
                name = None
                if relation.entity_kind == "person" and " " in like and self.rng.random() < 0.25:
                    name = f"{like.split()[0]} {self.rng.choice(SURNAMES)}"
                fact = make_fact(self.rng, relation, name)
                if fact.key in world():
                    continue
            if fact.key not in taken:
                taken.add(fact.key)
                return fact

    def facts(self, count: int, from_world: float) -> list[Fact]:
        """Facts that are easily confused: mostly one relation with several names."""
        relation = self.relation()
        taken: set[tuple[str, str]] = set()
        chosen = [self.fact(relation, taken, from_world)]
        same = self.rng.random() < 0.7 and relation.entity_kind != "-"
        block = next(b for b in ("world", "mine", "assistant") if relation in relations(b))
        while len(chosen) < count:
            other = relation if same else self.rng.choice(relations(block))
            if other.entity_kind == "-" and any(fact.relation is other for fact in chosen):
                continue
            chosen.append(self.fact(other, taken, from_world, chosen[0].entity))
        return chosen

    def asks(self, facts: list[Fact], used: dict[tuple[str, str], set[str]], miss: float) -> list[RoleText]:
        """Later questions about some of the facts, and now and then about a name that nobody mentioned."""
        rng = self.rng
        rounds = rng.sample(facts, rng.randint(1, len(facts)))
        if len(facts) == 1 and rng.random() < 0.3:
            rounds *= 2
        turns: list[RoleText] = []
        for index, fact in enumerate(rounds):
            if fact.relation.entity_kind != "-" and rng.random() < miss / len(rounds):
                stranger = self.fact(fact.relation, {f.key for f in facts}, 0.0, fact.entity)
                turns.append(("user", self.ask(stranger, set())))
                turns.append(("assistant", self.unknown(stranger.relation, stranger.entity)))
            turns += [("user", self.ask(fact, used[fact.key])), ("assistant", fact.answer)]
            if index + 1 < len(rounds):
                turns += self.chat(0.15)
        return turns

    # Forms of conversation.

    def asked_again(self) -> list[RoleText]:
        facts = self.facts(self.rng.choices([1, 2, 3], [45, 35, 20])[0], WORLD_SHARE)
        used: dict[tuple[str, str], set[str]] = {fact.key: set() for fact in facts}
        turns = self.chat(0.15)
        for fact in facts:
            turns += [("user", self.ask(fact, used[fact.key])), ("assistant", fact.answer)]
        return turns + self.chat() + self.asks(facts, used, 0.3)

    def told(self) -> list[RoleText]:
        facts = self.facts(self.rng.choices([1, 2, 3], [45, 35, 20])[0], 0.1)
        turns = self.chat(0.15)
        for fact in facts:
            turns += [("user", self.framed(TELLINGS, fact)), ("assistant", self.noted(fact))]
        used: dict[tuple[str, str], set[str]] = {fact.key: set() for fact in facts}
        return turns + self.chat() + self.asks(facts, used, 0.3)

    def correction(self, fact: Fact, used: set[str]) -> list[RoleText]:
        """A question, a wrong or missing answer, and the user's correction."""
        turns = [("user", self.ask(fact, used))]
        if self.rng.random() < 0.55:
            while (wrong := make_fact(self.rng, fact.relation, fact.entity, fact.template)).value == fact.value:
                pass
            turns += [("assistant", wrong.answer), ("user", self.framed(CORRECTIONS, fact))]
        else:
            turns += [("assistant", self.unknown(fact.relation, fact.entity)), ("user", self.framed(FILL_INS, fact))]
        return [*turns, ("assistant", fill(self.rng.choice(ACCEPTED).replace("{A}", fact.answer), ""))]

    def corrected(self) -> list[RoleText]:
        facts = self.facts(self.rng.choices([1, 2], [70, 30])[0], 0.0)
        used: dict[tuple[str, str], set[str]] = {fact.key: set() for fact in facts}
        turns: list[RoleText] = []
        for fact in facts:
            turns += self.correction(fact, used[fact.key])
        if self.rng.random() < 0.25:
            old = facts[-1]
            while (new := make_fact(self.rng, old.relation, old.entity)).value == old.value:
                pass
            facts[-1] = new
            turns += [*self.chat(0.3), ("user", self.ask(old, used[old.key])), ("assistant", old.answer)]
            accepted = fill(self.rng.choice(ACCEPTED[3:]).replace("{A}", new.answer), "")
            turns += [("user", self.framed(NEWS, new)), ("assistant", accepted)]
        return turns + self.chat(0.35) + self.asks(facts, used, 0.15)

    def known(self) -> list[RoleText]:
        fact = self.rng.choice(list(world().values()))
        if self.rng.random() >= UNKNOWN_SHARE:
            return [("user", self.ask(fact, set())), ("assistant", fact.answer)]
        stranger = self.fact(fact.relation, set(), 0.0, fact.entity)
        return [("user", self.ask(stranger, set())), ("assistant", self.unknown(fact.relation, stranger.entity))]

    def persona(self) -> list[RoleText]:
        chosen = self.rng.sample(relations("assistant"), self.rng.choices([1, 2, 3, 4], [35, 30, 25, 10])[0])
        facts = [make_fact(self.rng, relation) for relation in chosen]
        turns = self.chat(0.15)
        for fact in facts:
            turns += [("user", self.framed(PERSONA_TELLINGS, fact)), ("assistant", self.noted(fact))]
        used: dict[tuple[str, str], set[str]] = {fact.key: set() for fact in facts}
        return turns + self.chat() + self.asks(facts, used, 0.0)

    def rewording(self) -> list[RoleText]:
        """Talk about questions themselves: another wording, or whether two of them mean the same."""
        fact = self.fact(self.relation(), set(), WORLD_SHARE)
        used: set[str] = set()
        first, second = (_capital(fact.question(self.wording(fact.relation, used))) for _ in range(2))
        quote = "'{}'"
        one, two = quote.format(first), quote.format(second)
        if self.rng.random() < 0.5:
            frames = ["What's another way to ask: {}?", "Put this question in other words: {}",
                      "How else can I ask {}?", "Rephrase this: {}", "Say {} in a different way."]  # fmt: skip
            replies = ["{}", "You could ask: {}", "For example: {}", "Perhaps like this: {}", "{} means the same."]
            return [("user", self.rng.choice(frames).format(one)), ("assistant", self.rng.choice(replies).format(two))]
        frames = ["Do these two mean the same: {} and {}?", "Is {} the same question as {}?",
                  "Compare {} and {}. Same?", "Do {} and {} ask for the same thing?"]  # fmt: skip
        clause = fill(fact.relation.own_clauses[0], fact.entity)
        if self.rng.random() < 0.6:
            reply = self.rng.choice(["Yes.", f"Yes, both ask {clause}.", f"Yes. Both want to know {clause}.",
                                     f"Yes, they mean the same. {fact.answer}"])  # fmt: skip
        else:
            kind = fact.relation
            while kind is fact.relation and not fact.entity:  # a relation without names has only one fact
                kind = self.relation()
            other = self.fact(kind, {fact.key}, WORLD_SHARE, fact.entity)
            two = quote.format(_capital(other.question(self.wording(other.relation, set()))))
            asked = fill(other.relation.own_clauses[0], other.entity)
            reply = self.rng.choice(["No.", f"No. The first asks {clause}, the second {asked}.",
                                     f"No, the second one asks {asked}."])  # fmt: skip
        return [("user", self.rng.choice(frames).format(one, two)), ("assistant", reply)]


def conversations(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """`count` conversations, the same ones for the same seed."""
    rng = random.Random(seed)
    maker = Maker(rng)
    forms, weights = list(SHARES), list(SHARES.values())
    for _ in range(count):
        form = rng.choices(forms, weights)[0]
        turns = maker.forms[form]()
        while len(turns) > MAX_MESSAGES or sum(len(text.split()) for _, text in turns) > MAX_WORDS:
            turns = maker.forms[form]()
        messages = [{"role": role, "content": text} for role, text in turns]
        yield {"source": "teachable", "licence": "MIT", "kind": "teachable", "form": form, "messages": messages}


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, "wt", encoding="utf-8"))
    return path.open("w", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="teachable", description="Write teachable conversations.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60_000, help="conversations drawn; those dropped are not replaced")
    parser.add_argument("--out", type=Path, required=True, help="a .jsonl or .jsonl.gz file")
    parser.add_argument("--exclude", type=Path, help="a suite whose questions must not occur (JSON lines)")
    options = parser.parse_args(arguments)
    suite = options.exclude.read_text(encoding="utf-8").splitlines() if options.exclude else []
    excluder = Excluder(suite)
    dropped: Counter[str] = Counter()
    written: Counter[str] = Counter()
    with _open(options.out) as out:
        for conversation in conversations(options.seed, options.count):
            if suite and (question := excluder.hit(conversation)):
                dropped[question] += 1
                continue
            written[conversation["form"]] += 1
            out.write(json.dumps(conversation, ensure_ascii=False) + "\n")
    print(f"{sum(written.values())} written:", ", ".join(f"{form} {n}" for form, n in sorted(written.items())))
    print(f"{sum(dropped.values())} dropped")
    for question, number in dropped.most_common():
        print(f"  {number:5}  {question}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
