"""Keeps the questions of a benchmark suite out of the training data. Standard library only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from theta_tui.builtin.teachable_words import LEADS


def _plain(text: str) -> str:
    """Lower case without punctuation, so that only words are compared."""
    text = re.sub(r"['’`]", "", text.casefold())
    return " ".join(re.sub(r"[^\w]+", " ", text).split())


_NAMES = re.compile(r"(?<=[\w,;:] )[\"'‘“(]?(?!I\b)[A-Z][\w-]*(?: (?:(?:of|the|and) )?[A-Z][\w-]*)*")


def _pattern(question: str, name: str) -> tuple[str, str] | None:
    """(a regular expression over `_plain` text for the question with any name, a key); None if it has no name.

    The key is the word that each match starts (`^`) or ends (`$`) with: one look-up instead of a thousand matches.
    """
    hole = "qqholeqq"
    text = re.sub(rf"(?i)\b(the )?{re.escape(name)}\b", hole, question) if name else question
    # A capital inside a sentence means a name, except I; the first word of a sentence stays.
    words = re.sub(rf"{hole}(?: {hole})*", hole, _plain(_NAMES.sub(hole, text)))
    if hole not in words or not words.replace(hole, "").strip():
        return None
    first, last = words.split()[0], words.split()[-1]
    key = "" if hole in last else last + "$"
    return re.escape(words).replace(hole, ".+"), key if hole in first else "^" + first


class Excluder:
    """Finds conversations that repeat a question of the suite, with its name or another one."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.whole: dict[str, str] = {}
        self.patterns: dict[str, dict[str, tuple[re.Pattern[str], str]]] = {}
        for line in lines:
            if line.strip():
                self._add(json.loads(line))

    def _add(self, item: dict[str, Any]) -> None:
        name = str(item.get("id", "")).partition("/")[2].replace("_", " ")
        for question in [item.get("prompt"), *item.get("paraphrases", ()), *item.get("near", ())]:
            if isinstance(question, dict):
                question = question.get("prompt")
            if not question:
                continue
            self.whole.setdefault(_plain(question), question)
            if found := _pattern(question, name):
                pattern, key = found
                self.patterns.setdefault(key, {}).setdefault(pattern, (re.compile(pattern), question))

    def hit(self, conversation: dict[str, Any]) -> str | None:
        """The suite question that a user message equals, with or without a lead-in; None if there is none."""
        for message in conversation["messages"]:
            if message["role"] == "user" and (question := self._match(message["content"])):
                return question
        return None

    def _match(self, text: str) -> str | None:
        forms = {text, re.sub(r"(?i)\s*(thanks|thank you!?|please|:\))[.!]?$", "", text)}
        for lead in LEADS:
            forms |= {form[len(lead) :] for form in list(forms) if form.casefold().startswith(lead.casefold())}
        for plain in map(_plain, forms):
            if plain in self.whole:
                return self.whole[plain]
            words = plain.split() or [""]
            for key in ("^" + words[0], words[-1] + "$", ""):
                for pattern, question in self.patterns.get(key, {}).values():
                    if pattern.fullmatch(plain):
                        return question
        return None
