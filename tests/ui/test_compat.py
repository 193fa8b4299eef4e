"""What Textual keeps to itself and is leaned on all the same: in `ui/compat/` alone, each name of it known, and there.

Where a new version of Textual has moved one, the test with its name fails.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.fakes import FakeWorker
from theta_tui import ui
from theta_tui.base.config import Settings
from theta_tui.ui.app import ThetaApp
from theta_tui.ui.compat.pace import FRAMES

LEANED_ON = {
    "textual._time": {"get_time"},
    "textual._xterm_parser": {"XTermParser", "BRACKETED_PASTE_START", "BRACKETED_PASTE_END"},
    "textual.document._document": {"EditResult"},
    "textual.app:App": {"_check_bindings", "_keymap", "_notifications", "_unnotify"},
    "textual.dom:DOMNode": {"_bindings"},
    "textual._parser:Parser": {"_timeout_time"},
    "textual.driver:Driver": {"_debug", "_loop", "_size"},
    "textual.drivers.linux_driver:LinuxDriver": {
        "_disable_mouse_support", "_get_terminal_size", "_key_thread", "_mouse_pixels", "_must_signal_resume",
        "_sigcont_application",
        "_sigtstp_application",
    },
    "textual.screen:Screen": {"_get_breakpoint_classes", "_on_resize", "_on_screen_resume", "_refresh_layout"},
    "textual.widget:Widget": {"_scroll_update"},
    "textual.widgets:TextArea": {"_theme", "_on_key", "_on_paste", "_replace_via_keyboard", "_delete_via_keyboard"},
}  # fmt: skip
"""Where it is, a module or a class of one, and its names."""


MODULES = [info.name for info in pkgutil.walk_packages(ui.__path__, "theta_tui.ui.")]


@cache
def names_of(owner: type) -> frozenset[str]:
    """What a class has, and what it gives to what is made of it."""
    return frozenset({*vars(owner), *re.findall(r"self\.(\w+)", inspect.getsource(owner))})


@pytest.mark.parametrize(("place", "name"), [(place, name) for place in LEANED_ON for name in sorted(LEANED_ON[place])])
def test_it_is_where_it_was(place: str, name: str) -> None:
    module, _, owner = place.partition(":")
    found = importlib.import_module(module)
    assert name in (names_of(getattr(found, owner)) if owner else vars(found))


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def leaned_on(name: str) -> set[str]:
    """What a module leans on: imports from a private module, takes of another object, or has in common with a base."""
    module = importlib.import_module(name)
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and private(node.attr)]
    classes = [value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == name]
    functions = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    stored = {node.attr for node in attributes if isinstance(node.ctx, ast.Store)}
    found = {node.attr for node in attributes if ast.unparse(node.value) not in {"self", "os"}} - functions - stored
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual"):
            hidden = any(map(private, str(node.module).split(".")))
            found |= {alias.name for alias in node.names if hidden or private(alias.name)}
    for base in {base for owner in classes for base in owner.__mro__ if base.__module__.startswith("textual")}:
        found |= names_of(base) & {*filter(private, functions), *(node.attr for node in attributes)}
    return found


def test_what_compat_leans_on_is_the_list_above_and_nothing_else_leans_on_anything() -> None:
    compat = {name for name in MODULES if name.startswith("theta_tui.ui.compat.")}
    assert set().union(*map(leaned_on, compat)) == set().union(*LEANED_ON.values())
    assert {name: leaned_on(name) for name in MODULES if name not in compat and leaned_on(name)} == {}


async def test_a_screen_draws_at_the_ticks_of_the_clock_that_is_set_for_it() -> None:
    app = ThetaApp(Settings(), FakeWorker())
    async with app.run_test():
        assert app.screen._update_timer._interval == 1 / FRAMES
