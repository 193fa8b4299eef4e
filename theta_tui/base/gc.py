"""Python's search for garbage in cycles, put off while a great many modules are imported."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 100
"""Modules, imported meanwhile, from which it was for something. Where they were there already nothing is set aside:
garbage that is about then would stay for ever, a little more each time."""


def put_off() -> None:
    """Look for no cycles until `begin`: what is imported and made for the first frame stays."""
    gc.disable()


def begin() -> None:
    """Look for cycles again, where it was put off, and never among what is there by now."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


@contextmanager
def collecting_later() -> Iterator[None]:
    """Look for no cycles meanwhile, and afterwards never again among what is there by then.

    Importing makes hundreds of thousands of objects that stay: looking through them again and again was a fifth of the
    time until the model is ready, and every later look through all of them would hold up a key press.
    """
    enabled, modules = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if len(sys.modules) >= modules + MANY:
                gc.freeze()
            gc.enable()
