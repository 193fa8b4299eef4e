"""The time as a chat template is told it: in UTC and in English, whatever this machine's time zone and language are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

UNDATED = 0.0
"""The instant, in Unix seconds, where none is given: 1 January 1970."""

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DIRECTIVE = re.compile(r"%([-_0^#]*)[0-9]*[EO]?(.)", re.DOTALL)


def clock(at: float) -> Callable[[str], str]:
    """`strftime_now` of chat templates, at the instant `at`. It has whole seconds: a journal keeps no more than the
    thousandths of them."""
    # Naive, as the one that Transformers gives is: `%Z` and `%z` write nothing.
    moment = datetime.fromtimestamp(at, UTC).replace(microsecond=0, tzinfo=None)
    return lambda form: _written(moment, str(form))


def _written(moment: datetime, form: str) -> str:
    """As strftime in the C locale and UTC. What depends on the process's locale or zone is spelled out here."""
    day, month, half = _DAYS[moment.weekday()], _MONTHS[moment.month - 1], "AM" if moment.hour < 12 else "PM"
    named = {"A": day, "a": day[:3], "B": month, "b": month[:3], "h": month[:3], "p": half, "P": half.lower()}
    composed = {"c": "%a %b %e %H:%M:%S %Y", "x": "%m/%d/%y", "X": "%H:%M:%S", "r": "%I:%M:%S %p", "Z": "", "z": ""}

    def spelled(match: re.Match[str]) -> str:
        flags, letter = match.groups()
        if letter in composed:
            return _written(moment, composed[letter])
        if letter == "s":
            return str(int(moment.replace(tzinfo=UTC).timestamp()))
        if letter in named:
            return named[letter].upper() if "^" in flags else named[letter]
        return match.group()

    return moment.strftime(_DIRECTIVE.sub(spelled, form))
