"""Python's cyclic garbage collector, paused while hundreds of modules are imported."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MANY_MODULES = 100
"""Imports from which the objects that exist are frozen (never scanned again). With fewer, nothing is frozen: garbage
that exists then would stay for ever, a little more each time."""


def pause() -> None:
    """Stop collecting until `resume`: what is imported and made for the first frame stays in use."""
    gc.disable()


def resume() -> None:
    """After `pause`, collect again, but never scan what exists by now."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause collection in the body; afterwards never scan what exists by then.

    Imports make hundreds of thousands of objects that stay. Scanning them again and again took a fifth of the time
    until the model is ready, and each later scan of all of them would hold up a key press.
    """
    enabled, modules = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if len(sys.modules) >= modules + MANY_MODULES:
                gc.freeze()
            gc.enable()
