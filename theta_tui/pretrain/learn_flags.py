"""Flags that say whether a row or a message is learned: `label: false`, `weight: 0`, `train: no`.

Only yes and no are understood. Any other weight is refused: to learn such a row in full, or not at all, would both be
a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from theta_tui.pretrain.content import shown

_LEARN = {
    "weight", "loss", "loss_weight", "loss_mask", "sample_weight", "train", "training", "trainable", "train_on_turn",
    "learn", "label", "kto_tag", "desirable", "chosen", "is_chosen", "accepted", "keep", "review_result",
}  # fmt: skip
"""Keys whose `no` means: do not learn this."""
_SKIP = {
    "rejected", "is_rejected", "undesirable", "ignore", "ignored", "exclude", "excluded", "skip", "masked", "deleted",
    "spam", "no_loss", "no_train", "do_not_train", "do_not_learn",
}  # fmt: skip
"""Keys whose `yes` means: do not learn this."""
_RATINGS = {"label", "rating", "feedback", "vote", "verdict", "quality", "status"}
"""Keys that are flags if they hold a word for yes or no. Other words, like `positive`, are a class."""
_REPLIES = {"chosen", "rejected"}
"""Keys that are flags if they hold yes or no, and replies if they hold text or messages."""
_UNCLEAR = {
    "mask": "its meaning is unclear; say train: true or train: false",
    "train_detail": "parts of a message cannot be flagged here; flag the whole message with train",
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


class LearnFlags:
    """Reads the flags of one file, in which each column has one meaning."""

    def __init__(self) -> None:
        self._meaning: dict[str, str] = {}
        """`flag` or `class` for each key of _RATINGS, as first seen."""

    def reason(self, row: Mapping[str, Any], used: set[str]) -> str | None:
        """Why a row or a message is not learned, as in `label is false`; None if it is learned.

        Adds the keys that are flags to `used`. Raises ValueError for a flag that is neither yes nor no.
        """
        if _ALL.isdisjoint(map(str.lower, row)):
            return None
        found = None
        for key, value in row.items():
            name = key.lower()
            if name not in _ALL or value is None or value == "" or value == []:
                continue
            if name == "mask" and str(value).lower() in _USER | _MODEL:
                learn: bool | None = str(value).lower() in _USER
            elif name in _UNCLEAR:
                raise ValueError(f"{key} is {shown(value)}: {_UNCLEAR[name]}")
            elif name in _REPLIES and not _is_flag(row, value):
                continue
            else:
                learn = self._learned(key, name, value)
            if learn is None:
                continue
            used.add(key)
            if not learn and found is None:
                found = f"{key} is {_spelled(value)}"
        return found

    def _learned(self, key: str, name: str, value: Any) -> bool | None:
        """Whether one flag says to learn; None if it is no flag."""
        said = _yes_or_no(value)
        if name in _RATINGS:
            if name != "label" and (_is_number(value) or not isinstance(value, (bool, str))):
                return None  # a scale whose meaning is unknown
            meaning = "class" if said is None and isinstance(value, str) and not _is_number(value) else "flag"
            if self._meaning.setdefault(name, meaning) != meaning:
                raise ValueError(f"{key} is {shown(value)}, but in other rows {_OTHER[meaning]}")
            if meaning == "class":
                return None
        if said is None:
            raise ValueError(_unknown(key, value))
        return said != (name in _SKIP)


_ALL = _LEARN | _SKIP | _RATINGS | set(_UNCLEAR)
_OTHER = {"flag": "it is a class, which says nothing about learning", "class": "it says whether to learn"}


def _is_flag(row: Mapping[str, Any], value: Any) -> bool:
    """Whether `chosen` or `rejected` is a flag. If a row has both, they are the two replies."""
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
    return f"{key} is {_spelled(value)}; it must be 1 or true (learn) or 0 or false (do not learn)"
