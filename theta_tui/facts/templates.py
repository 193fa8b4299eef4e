"""The dictionary of statements: templates and word lists, read from TOML and made ready to match.

The built-in one is `assets/statements.toml`, which also explains the format; a person's own files extend it. A
template's `statement` is words and slots (`{thing:np}`, `{be:is|are}`, `{x:name}`); its `question` and `paraphrases`
use the same slots. `Template.questions` can be matched as well as filled.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from theta_tui.base.text import visible
from theta_tui.facts import grammar, phrases

FILE_NAME = "statements.toml"
MAX_BYTES = 1 << 20
_SLOT = re.compile(r"\{([a-z_]\w*)(?:('s)|\.(\w+))?(?::([^{}]+))?\}")
_FILTERS = {"base": grammar.base_form, "do": grammar.do_support, "past": grammar.past_tense}
_KEYS = {"name", "statement", "question", "paraphrases", "reply", "follows"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot: `kind` says what fits, `form` how it is written (`'s`, `object`, or unchanged).

    A slot with alternatives has no `kind`; its `choices` are pairs (words as written here, alternative).
    """

    name: str
    kind: str
    form: str = ""
    choices: tuple[tuple[tuple[str, ...], str], ...] = ()


Piece = str | Slot
Pattern = tuple[Piece, ...]
Filled = dict[str, list[str]]
"""The words in each slot, by its name; for alternatives, the one that matched."""


@dataclass(frozen=True, slots=True)
class Template:
    """One template with a single statement. The first of `questions` is the one that is offered.

    With `follows` it matches only an answer to the previous question, which must begin with one of these words.
    """

    name: str
    statement: Pattern
    questions: tuple[Pattern, ...]
    reply: Pattern | None = None
    follows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dictionary:
    """`words` are lists of lower-case words; `notices` say which files could not be used, and why."""

    templates: tuple[Template, ...] = ()
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def built_in() -> Path:
    """The file that ships with Theta: inside the package in a wheel, next to it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "assets" / FILE_NAME
    return inside if inside.is_file() else package.parent / "assets" / FILE_NAME


def load_dictionary(*paths: Path) -> Dictionary:
    """The built-in dictionary, extended by those of `paths` that exist.

    A file that cannot be used is left out as a whole and named in `notices`; the others still work. Templates of later
    files are tried first, so that a person's own win.
    """
    templates: tuple[Template, ...] = ()
    words: Mapping[str, frozenset[str]] = {}
    notices: list[str] = []
    for path in (built_in(), *paths):
        try:
            more, words = _read(_text(path), tuple(words.items()))
            templates = (*more, *templates)
        except FileNotFoundError:
            if path == built_in():
                notices.append(f"{path} is missing: facts in messages are not recognised; install Theta again")
        except (OSError, ValueError, RecursionError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            notices.append(
                f"{path} is not used: {reason}; correct it or move it away (the other statements still work)"
            )
    return Dictionary(templates, words, tuple(notices))


@lru_cache(maxsize=8)
def _read(
    text: str, known: tuple[tuple[str, frozenset[str]], ...]
) -> tuple[tuple[Template, ...], Mapping[str, frozenset[str]]]:
    """The templates of a file, and the `known` words with its own. The homes of a process share what is built in."""
    table, words = tomllib.loads(text), dict(known)
    for name, more in _words(table).items():
        words[name] = words.get(name, frozenset()) | more
    return tuple(_templates(table, words)), words


def fill(pattern: Pattern, filled: Filled) -> list[str] | None:
    """The words of a pattern with its slots filled; None if a slot is not in `filled`."""
    said: list[str] = []
    for piece in pattern:
        if isinstance(piece, str):
            said.append(piece)
            continue
        found = filled.get(piece.name)
        if found is None:
            return None
        if piece.choices:
            said += next(shown for shown, choice in piece.choices if [choice] == found)
        elif piece.form == "'s":
            said += grammar.possessive(found)
        else:
            said += grammar.as_object(found) if piece.form else found
    return said


def match(pattern: Pattern, found: list[str], dictionary: Dictionary, *, lower: bool) -> Filled | None:
    """The slots of `pattern` when it matches all of `found`; None if it does not.

    `lower`: the person types without capitals, so a name may have none.
    """
    if len(found) < len(pattern):
        return None
    there = {word.lower() for word in found}
    for piece in pattern:  # rules most patterns out at once
        if isinstance(piece, str):
            if piece.lower() not in there:
                return None
        elif piece.choices and not any(shown[0] in there for shown, _ in piece.choices):
            return None
    return _match(pattern, found, 0, {}, phrases.Lexicon(dictionary.words, lower))


def _match(pattern: Pattern, found: list[str], at: int, filled: Filled, lexicon: phrases.Lexicon) -> Filled | None:
    if not pattern:
        return filled if at == len(found) else None
    piece, rest = pattern[0], pattern[1:]
    if isinstance(piece, str):
        fits = at < len(found) and found[at].lower() == piece.lower()
        return _match(rest, found, at + 1, filled, lexicon) if fits else None
    for part, end in _parts(piece, found, at, len(found) - len(rest), lexicon):
        if filled.get(piece.name, part) != part:
            continue
        after = _match(rest, found, end, filled | {piece.name: part}, lexicon)
        if after is not None:
            return after
    return None


def _parts(
    slot: Slot, found: list[str], at: int, most: int, lexicon: phrases.Lexicon
) -> Iterator[tuple[list[str], int]]:
    """Every way to fill the slot from `at` on: (its words, where it ends)."""
    if slot.choices:
        for shown, choice in slot.choices:
            if tuple(word.lower() for word in found[at : at + len(shown)]) == shown:
                yield [choice], at + len(shown)
        return
    for end in range(most, at, -1):  # greedy: "the boss of our team" rather than "the boss"
        part: list[str] | None = found[at:end]
        assert part is not None
        if slot.form == "'s":
            part = grammar.owner(part)
        elif slot.form:
            part = grammar.as_subject(part)
        if part is not None and phrases.fits(slot.kind, part, lexicon, first=at == 0):
            yield part, end


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES >> 10} KiB")
    return data.decode("utf-8-sig")


def _words(table: dict[str, Any]) -> dict[str, frozenset[str]]:
    unknown = set(table) - {"words", "template"}
    if unknown:
        raise ValueError(f"'{min(unknown)}' is not known; a file has [words] and [[template]]")
    lists = table.get("words", {})
    if not isinstance(lists, dict):
        raise ValueError("words must be a table of lists")
    found: dict[str, frozenset[str]] = {}
    for name, items in lists.items():
        if not isinstance(items, (list, str)):
            raise ValueError(f"words.{name} must be a list of words")
        items = items.split() if isinstance(items, str) else items
        if not all(isinstance(item, str) and item.strip() for item in items):
            raise ValueError(f"words.{name} must be a list of words")
        found[name] = frozenset(" ".join(item.lower().split()) for item in items)
    return found


def _templates(table: dict[str, Any], words: Mapping[str, frozenset[str]]) -> Iterator[Template]:
    items = table.get("template", [])
    if not isinstance(items, list):
        raise ValueError("templates are written [[template]]")
    made: list[Template] = []
    for number, item in enumerate(items, 1):
        name = item.get("name", number) if isinstance(item, dict) else number
        try:
            made += _template(item, words)
        except ValueError as error:
            raise ValueError(f"template {name}: {error}") from None
    return iter(made)


def _template(item: Any, words: Mapping[str, frozenset[str]]) -> Iterator[Template]:
    if not isinstance(item, dict) or not {"name", "statement"} <= set(item) or not {"question", "follows"} & set(item):
        raise ValueError("it needs a name, a statement and a question")
    if set(item) - _KEYS:
        raise ValueError(f"'{min(set(item) - _KEYS)}' is not known; a template has {', '.join(sorted(_KEYS))}")
    statements = _lines(item["statement"])
    asked = [*_lines(item.get("question", [])), *_lines(item.get("paraphrases", []))]
    reply, follows = _lines(item.get("reply", [])), tuple(_lines(item.get("follows", [])))
    for statement in statements:
        pattern = _pattern(statement, words, None)
        slots = {piece.name: piece for piece in pattern if isinstance(piece, Slot)}
        questions = tuple(_pattern(line.rstrip("?"), words, slots) for line in asked)
        said = _pattern(reply[0].rstrip("."), words, slots) if reply else None
        yield Template(str(item["name"]), pattern, questions, said, follows)


def _lines(value: Any) -> list[str]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(line, str) and line.strip() for line in found):
        raise ValueError("statement, question, paraphrases, reply and follows must be text or lists of text")
    if any(visible(line, one_line=True) != line for line in found):
        raise ValueError("a line contains a control or invisible character")
    return found


def _pattern(line: str, words: Mapping[str, frozenset[str]], slots: dict[str, Slot] | None) -> Pattern:
    """A line as words and slots. `slots` are the statement's; None while the statement itself is read."""
    pieces: list[Piece] = []
    for word in _SLOT.sub(lambda found: f" {found.group().replace(' ', chr(0))} ", line).split():
        found = _SLOT.fullmatch(word.replace(chr(0), " "))
        if found is None:
            if "{" in word or "}" in word:
                raise ValueError(f"'{word}' is not a slot; write {{thing}}, {{x:name}} or {{be:is|are}}")
            pieces.append(word)
            continue
        name, form, kind = found[1], found[2] or found[3] or "", found[4]
        known = slots.get(name) if slots is not None else None
        if slots is not None and known is None:
            raise ValueError(f"its statement has no {{{name}}}")
        pieces.append(_slot(name, form, kind or name, known, words))
    return tuple(pieces)


def _slot(name: str, form: str, kind: str, known: Slot | None, words: Mapping[str, frozenset[str]]) -> Slot:
    alternatives = [choice for _, choice in known.choices] if known else kind.lower().split("|") if "|" in kind else []
    if alternatives:
        if form and form not in _FILTERS:
            raise ValueError(f".{form} is not known; there are {', '.join(f'.{item}' for item in _FILTERS)}")
        forms = _FILTERS.get(form, str)
        choices = (" ".join(item.split()) for item in alternatives if item.strip())
        return Slot(name, "", form, tuple((tuple(forms(choice).split()), choice) for choice in choices))
    if form not in {"", "'s", "object"}:
        raise ValueError(f"{{{name}.{form}}} needs alternatives, as in {{{name}:lives|lived}}")
    kind = known.kind if known else kind
    if not phrases.known(kind, words):
        raise ValueError(f"'{kind}' is no kind of slot and no list in [words]")
    return Slot(name, kind, form)
