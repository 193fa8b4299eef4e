"""Makes untrusted text safe to show and safe to store. Standard library only.

Text of a model, a person, a file or an exception goes through here before a terminal sees it:

- `visible` replaces each control, bidirectional override and invisible character with *one* visible character of
  width one, so that positions in the shown text are positions in the original (the editor relies on it).
- `repair` makes text storable: lone surrogates become U+FFFD, CR LF becomes `\n`, and it is cut at a limit. It
  changes nothing else: the journal keeps what was meant.
"""

from __future__ import annotations

import re
import unicodedata

MAX_TEXT = 100_000
"""Most characters of one message: a 1 MB paste is cut here, with a notice."""

MOST_OF_NAME = 40
"""Most characters of a person's name."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u2028\u2029\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_ACCENTS = (
    "\u0300-\u034e\u0350-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
_SOMETIMES = (
    # A joiner shapes letters of Arabic, Indic and a few other scripts, and joins emoji; elsewhere it only hides.
    "(?<![\u0600-\u0dff\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]",
    # A selector chooses the form of the sign before it; several in a row, or one after a letter, carry hidden bytes.
    f"(?<![^\\sA-Za-z{_SELECTORS}])[\ufe00-\ufe0f]",
    "(?<![\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]",
    # More accents on a letter than any script uses would cover the lines above and below.
    f"(?<=[{_ACCENTS}]{{8}})[{_ACCENTS}]",
)
_NO_LINE = f"\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_BIDI}{_INVISIBLE}"
_SUSPECT = re.compile(f"[\t\n{_NO_LINE}\u200c\u200d{_SELECTORS}{_ACCENTS}]")
_HIDDEN = re.compile("|".join((f"[{_NO_LINE}]", *_SOMETIMES)))
_HIDDEN_ONE_LINE = re.compile("|".join((f"[\t\n{_NO_LINE}]", *_SOMETIMES)))
_SURROGATE = re.compile("[\ud800-\udfff]")

_ARROWS = {
    "\u200e": "⇢", "\u200f": "⇠", "\u061c": "⇠", "\u202a": "⇢", "\u202b": "⇠", "\u202c": "⇡", "\u202d": "⇢",
    "\u202e": "⇠", "\u2066": "⇢", "\u2067": "⇠", "\u2068": "⇢", "\u2069": "⇡",
}  # fmt: skip


def _symbol(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return _ARROWS.get(char, "\u2426" if code < 0xD800 or code > 0xDFFF else REPLACEMENT)


def visible(text: str, *, one_line: bool = False) -> str:
    """The text with every control and invisible character replaced by a visible one. Newline and tab stay; with
    `one_line` they become symbols too (␊, ␉)."""
    if not _SUSPECT.search(text):
        return text
    return (_HIDDEN_ONE_LINE if one_line else _HIDDEN).sub(_symbol, text)


def could_hide(char: str) -> bool:
    """Whether `visible` changes this character, in some places at least."""
    return char not in "\t\n" and _SUSPECT.match(char) is not None


def repair(text: str, limit: int = MAX_TEXT) -> tuple[str, list[str]]:
    """(text that can be stored, notices of what was changed: surrogates, length)."""
    notices: list[str] = []
    text = text.replace("\r\n", "\n")
    if len(text) > limit:
        notices.append(f"the text had {plural(len(text), 'character')}; the first {limit:,} were kept")
        text = text[:limit]
    text, replaced = _SURROGATE.subn(REPLACEMENT, text)
    if replaced:
        notices.append("some characters were not valid Unicode and were replaced")
    return text, notices


def decode(data: bytes) -> tuple[str, list[str]]:
    """(UTF-8 bytes as text, notices). A byte order mark is dropped; bad bytes are replaced, with a notice."""
    text = data.decode("utf-8-sig", errors="replace")
    if REPLACEMENT in text and REPLACEMENT.encode() not in data:
        return text, ["some bytes were not valid UTF-8 and were replaced"]
    return text, []


def is_blank(text: str) -> bool:
    """Whether the text is only white space, controls and invisible characters."""
    return all(
        char.isspace() or unicodedata.category(char) in {"Cc", "Cf", "Cs", "Cn", "Zs"} or _HIDDEN.match(char)
        for char in text
    )


def person(name: str) -> str:
    """A person's name as it is kept: one line of at most MOST_OF_NAME characters, none of which hide. "" if nothing is
    left."""
    text = unicodedata.normalize("NFC", repair(name, 1000)[0])
    line = " ".join(_HIDDEN.sub("", text).split())[:MOST_OF_NAME].strip()
    return "" if is_blank(line) else line


def normalised(text: str) -> str:
    """The text for comparing replies: compatibility forms, case, white space and outer punctuation are folded."""
    return " ".join(_folded(text).split()).strip(" .,!?;:…'\"-")


def contains(text: str, wanted: str) -> bool:
    """Whether each word of `wanted` is somewhere in `text`, whatever the case and the form of the letters."""
    folded = _folded(text)
    return all(word in folded for word in _folded(wanted).split())


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def percent(p: float) -> str:
    """A probability for people: `97 %`, `2.1 %`, `0.04 %`, `<0.01 %`."""
    if p != p:
        return "?"
    hundred = 100 * p
    if 99.5 <= hundred < 99.95:
        return f"{hundred:.1f} %"
    if hundred >= 9.95:
        return f"{hundred:.0f} %"
    if hundred >= 0.95:
        return f"{hundred:.1f} %".replace(".0 %", " %")
    if hundred >= 0.01:
        return f"{hundred:.2f} %"
    return "<0.01 %"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """A count with its noun: `1 lesson`, `1,200 lessons`. `many` is an irregular plural, as in
    `plural(2, "query", "queries")`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def shortened(text: str, most: int = 40) -> str:
    """The text on one line of at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def reason(error: BaseException, most: int = 200) -> str:
    """The first line of an exception's message, or its type. Above `most` characters it is cut after a sentence or a
    word, never inside a quotation."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if len(line) <= most:
        return line
    cut = line[:most].rpartition(" ")[0] or line[:most]
    sentence = max(cut.rfind(". "), cut.rfind("; "))
    cut = cut[:sentence] if sentence >= most // 4 else cut
    for mark in "'\"`":
        # An apostrophe within a word opens no quotation.
        opened = re.search(rf"(?:^|(?<=[\s(=:\[])){mark}[^{mark}]*$", cut)
        cut = cut[: opened.start()] if opened else cut
    return (cut.rstrip(" ,;:.([=") or type(error).__name__) + "…"
