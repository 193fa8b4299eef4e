"""Marks that say whether a row or a message is to be learned: `label: false`, `weight: 0`, `train: no`.

Only yes and no are understood. A weight between them, below or above is refused by name: to learn such a row in full,
or not at all, would both be a guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from theta_tui.pretrain.content import shown

_LEARN = {
    "weight", "loss", "loss_weight", "loss_mask", "sample_weight", "train", "training", "trainable", "train_on_turn",
    "learn", "label", "kto_tag", "desirable", "chosen", "is_chosen", "accepted", "keep", "review_result",
}  # fmt: skip
"""Keys whose no says: do not learn this."""
_LEAVE = {
    "rejected", "is_rejected", "undesirable", "ignore", "ignored", "exclude", "excluded", "skip", "masked", "deleted",
    "spam", "no_loss", "no_train", "do_not_train", "do_not_learn",
}  # fmt: skip
"""Keys whose yes says it."""
_OPINIONS = {"label", "rating", "feedback", "vote", "verdict", "quality", "status"}
"""Keys that say it with a word. Other words are a class, as `positive` is: a column like any other."""
_REPLIES = {"chosen", "rejected"}
"""Keys that are a mark where they hold yes or no, and a reply where they hold text or messages."""
_UNKNOWABLE = {
    "mask": "it may mean either; say train: true or train: false",
    "train_detail": "parts of a message cannot be marked here; mark the whole message with train",
}

_YES = {
    "1", "true", "yes", "y", "t", "on", "good", "ok", "right", "correct", "accept", "accepted", "approve", "approved",
    "chosen", "keep", "desirable", "up", "thumbs_up", "like", "liked", "👍",
}  # fmt: skip
_NO = {
    "0", "false", "no", "n", "f", "off", "bad", "wrong", "incorrect", "reject", "rejected", "decline", "declined",
    "undesirable", "down", "thumbs_down", "dislike", "disliked", "spam", "delete", "deleted", "ignore", "skip",
    "exclude", "excluded", "👎",
}  # fmt: skip
_USER, _MODEL = {"user", "human", "prompter"}, {"assistant", "gpt", "model"}


class Marks:
    """Reads the marks of one file, in which a column means one thing."""

    def __init__(self) -> None:
        self._meaning: dict[str, str] = {}
        """Of a key of _OPINIONS: `mark` or `class`, as first seen."""

    def reason(self, row: Mapping[str, Any], used: set[str]) -> str | None:
        """Why a row or a message is not to be learned: `label is false`; None where it is.

        The keys that are understood are added to `used`. Raises ValueError where a mark is neither yes nor no.
        """
        if _ALL.isdisjoint(map(str.lower, row)):
            return None
        found = None
        for key, value in row.items():
            name = key.lower()
            if name not in _ALL or value is None or value == "" or value == []:
                continue
            if name == "mask" and str(value).lower() in _USER | _MODEL:
                learned: bool | None = str(value).lower() in _USER
            elif name in _UNKNOWABLE:
                raise ValueError(f"{key} is {shown(value)}: {_UNKNOWABLE[name]}")
            elif name in _REPLIES and not _is_mark(row, value):
                continue
            else:
                learned = self._learned(key, name, value)
            if learned is None:
                continue
            used.add(key)
            if not learned and found is None:
                found = f"{key} is {_spelled(value)}"
        return found

    def _learned(self, key: str, name: str, value: Any) -> bool | None:
        """What one mark says; None where it is none."""
        said = _yes_or_no(value)
        if name in _OPINIONS:
            if name != "label" and (_is_number(value) or not isinstance(value, (bool, str))):
                return None  # a scale that only its author knows
            meaning = "class" if said is None and isinstance(value, str) and not _is_number(value) else "mark"
            if self._meaning.setdefault(name, meaning) != meaning:
                raise ValueError(f"{key} is {shown(value)}, and in other rows {_OTHER[meaning]}")
            if meaning == "class":
                return None
        if said is None:
            raise ValueError(_unknown(key, value))
        return said != (name in _LEAVE)


_ALL = _LEARN | _LEAVE | _OPINIONS | set(_UNKNOWABLE)
_OTHER = {"mark": "it is a class, which says nothing of learning", "class": "it says whether to learn"}


def _is_mark(row: Mapping[str, Any], value: Any) -> bool:
    """Whether `chosen` or `rejected` is a mark and not a reply: beside each other they are the two replies."""
    if isinstance(value, str):
        return value.strip().lower() in {"true", "false", "0", "1"} and not row.keys() >= _REPLIES
    return isinstance(value, (bool, int, float))


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _yes_or_no(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return bool(value) if value in (0, 1) else None
    if not isinstance(value, str):
        return None
    word = value.strip().casefold().replace(" ", "_").replace("-", "_")
    if word in _YES or word in _NO:
        return word in _YES
    try:
        number = float(word)
    except ValueError:
        return None
    return bool(number) if number in (0, 1) else None


def _spelled(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value).strip().lower()


def _unknown(key: str, value: Any) -> str:
    number = value if isinstance(value, (int, float)) else math.nan
    between = " (there is no learning by half)" if 0 < number < 1 else ""
    return f"{key} is {_spelled(value)}, which says neither learn (1, true) nor do not learn (0, false){between}"
