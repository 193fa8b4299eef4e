"""A third of the time in which an app starts is Textual's reading of one style sheet: here hundreds start."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.geometry import Size
from textual.screen import Screen

_read: dict[Any, list[RuleSet]] = {}
_parse_rules = Stylesheet._parse_rules
_screen_resized = Screen._screen_resized


def _parsed_once(self: Stylesheet, *given: Any, **more: Any) -> list[RuleSet]:
    """Rules do not change: sheets with the same variables share them, as the parts of one sheet do."""
    key = (frozenset(self._variables.items()), given, frozenset(more.items()))
    if key not in _read:
        _read[key] = _parse_rules(self, *given, **more)
    return _read[key]


def _resized_once(self: Screen[Any], size: Size) -> None:
    if size != self._compositor.size:
        _screen_resized(self, size)


def read_once() -> None:
    """From now on this process, and those that it forks, read every sheet once."""
    Stylesheet._parse_rules = _parsed_once  # type: ignore[method-assign]
    Screen._screen_resized = _resized_once  # type: ignore[method-assign]
    events.ScreenResume.__init__.__defaults__ = (False,)  # a screen that was just mounted would get its styles again
    RuleSet.__hash__ = object.__hash__  # type: ignore[method-assign]  # the same, without a call of Python
