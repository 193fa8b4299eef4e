"""A third of the time in which an app starts is Textual's reading of one style sheet: here hundreds start."""

from __future__ import annotations

from typing import Any

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

_read: dict[Any, list[RuleSet]] = {}
_parse_rules = Stylesheet._parse_rules


def _parsed_once(self: Stylesheet, *given: Any, **more: Any) -> list[RuleSet]:
    """Rules do not change: sheets with the same variables share them, as the parts of one sheet do."""
    key = (frozenset(self._variables.items()), given, frozenset(more.items()))
    if key not in _read:
        _read[key] = _parse_rules(self, *given, **more)
    return _read[key]


def read_once() -> None:
    """From now on this process, and those that it forks, read every sheet once."""
    Stylesheet._parse_rules = _parsed_once  # type: ignore[method-assign]
    RuleSet.__hash__ = object.__hash__  # type: ignore[method-assign]  # the same, without a call of Python
