"""The wordings that the matcher is trained on, and the names that fill their slots. No torch here.

A file of `assets/scope/` has groups (`@group`) of relations (`@rel`), each with one wording per line. Wordings of one
relation ask the same; relations of one group look alike but differ. `{person}` and the like are slots.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from theta_tui.base.files import assets_dir

SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Relation:
    """`wordings` all ask the same. `slots` are the names of their slots."""

    group: str
    name: str
    wordings: tuple[str, ...]
    slots: tuple[str, ...]


def read_relations(paths: Iterable[Path]) -> list[Relation]:
    """The relations of some files, in order. Raises ValueError for a line outside of any relation."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        group = name = ""
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            text = line.strip()
            if text.startswith("@group "):
                group, name = f"{path.stem}/{text[7:].strip()}", ""
            elif text.startswith("@rel "):
                name = text[5:].strip()
            elif text and not name:
                raise ValueError(f"{path}:{number}: a wording stands before its @rel")
            elif text:
                found.setdefault((group, name), []).append(text)
    return [
        Relation(group, name, tuple(lines), tuple(sorted(set(SLOT.findall(" ".join(lines))))))
        for (group, name), lines in found.items()
    ]


def held_out(relations: Iterable[Relation], share: float) -> set[str]:
    """The groups, so large a share of all, that a training only asks."""
    groups = sorted({relation.group for relation in relations})
    random.Random(1).shuffle(groups)
    return set(groups[: int(share * len(groups))])


def put(wording: str, names: Mapping[str, str]) -> str:
    """The wording with its slots filled in."""
    return SLOT.sub(lambda match: names.get(match[1], match[1]), wording)


def fill(slots: Iterable[str], rng: random.Random) -> dict[str, str]:
    """A name for each slot: mostly real ones, some made up."""
    return {slot: _name(slot.rstrip("2"), rng) for slot in slots}


def another(names: Mapping[str, str], rng: random.Random) -> dict[str, str]:
    """The same with another name in one slot, which may share a part with the old one."""
    slot = rng.choice(sorted(names))
    old = names[slot]
    new = old
    while new.lower() == old.lower():
        new = _name(slot.rstrip("2"), rng)
        parts = old.split(" ")
        if len(parts) > 1 and rng.random() < 0.4:
            parts[rng.randrange(len(parts))] = new.split(" ")[-1]
            new = " ".join(parts)
    return {**names, slot: new}


def disturbed(text: str, rng: random.Random) -> str:
    """The text as people type it: without capitals, after a greeting, or with a typing error."""
    chance = rng.random()
    if chance < 0.20:
        return text.lower()
    if chance < 0.28:
        return text.rstrip("?!.")
    if chance < 0.34:
        return rng.choice(_BEFORE) + text
    if chance < 0.38:
        return text + rng.choice(_BEHIND)
    if chance < 0.43:
        return _slipped(text, rng)
    return text


_BEFORE = ("Hey, ", "Hello! ", "Please, ", "Sorry, ", "One question: ", "By the way, ", "hm, ")
_BEHIND = (" Thanks!", " please", " I forgot.", " Any idea?")


def _slipped(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    at = rng.randrange(len(words))
    word = words[at]
    if len(word) > 5:
        place = rng.randrange(1, len(word) - 2)
        swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        words[at] = swapped if rng.random() < 0.5 else word[:place] + word[place + 1 :]
    return " ".join(words)


def _name(slot: str, rng: random.Random) -> str:
    return _one_of(slot, rng) if rng.random() >= _INVENTED.get(slot, 0.3) else _made(slot, rng)


def _made(slot: str, rng: random.Random) -> str:
    word = "".join(rng.choice(_names()["syllable"]) for _ in range(rng.randint(2, 4)))
    if slot in ("thing", "animal", "food"):
        return f"{rng.choice(_names()['kind'])} {word}" if rng.random() < 0.4 else word
    name = word.capitalize()
    if slot == "person" and rng.random() < 0.4:
        return f"{name} {_made('place', rng)}"
    if slot in ("company", "school", "team", "product"):
        return name + rng.choice(_BEHIND_NAMES)
    return name


def _one_of(slot: str, rng: random.Random) -> str:
    if slot == "number":
        return str(rng.randint(2, 999)) if rng.random() < 0.7 else rng.choice(_names()["number"])
    if slot == "year":
        return str(rng.randint(1100, 2030))
    if slot == "person" and rng.random() < 0.25:
        return f"{rng.choice(_names()['person'])} {rng.choice(_names()['family'])}"
    if slot in ("thing", "product", "book") and rng.random() < 0.5:
        both = f"{rng.choice(_names()['kind'])} {rng.choice(_names()['thing'])}"
        return f"The {both.title()}" if slot == "book" else both
    if slot in ("company", "school", "team"):
        return rng.choice(_names()["family"] + _names()["place"]) + rng.choice(_BEHIND_NAMES)
    return rng.choice(_names().get(slot) or _names()["thing"])


_INVENTED = {"number": 0.0, "year": 0.0, "day": 0.0, "job": 0.0, "animal": 0.2, "language": 0.2, "place": 0.5}
"""The share of made-up names, by slot."""

_BEHIND_NAMES = ("", "", " School", " United", " Bakery", " Motors", " Bank", " Foods", " College", " Rovers", " Pro")


@cache
def _names() -> dict[str, list[str]]:
    """Real names by slot."""
    held = tomllib.loads((assets_dir() / "scope" / "names.toml").read_text("utf-8"))
    return {slot: names.split() for slot, names in held.items()}
