"""Loads PyTorch's shared libraries, and lets it be imported, without holding up the process. Does not import it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

LIBRARIES = (("libtorch_global_deps.so", os.RTLD_GLOBAL), ("libtorch_cpu.so", os.RTLD_LOCAL))
"""(name, dlopen mode), in the order in which `import torch` loads them."""


def preload_torch() -> bool:
    """Load PyTorch's largest libraries; true if that worked. `import torch` loads what is missing.

    An import holds the GIL while it loads a library, and these take 0.23 s, in which no key was drawn. ctypes calls
    `dlopen` without the GIL.
    """
    import ctypes

    with suppress(ImportError, OSError, AttributeError, TypeError):
        spec = find_spec("torch")
        if spec is not None and spec.origin is not None:
            folder = Path(spec.origin).parent / "lib"
            dlopen = ctypes.CDLL(None).dlopen
            dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
            return all([dlopen(os.fsencode(folder / name), os.RTLD_NOW | mode) for name, mode in LIBRARIES])
    return False


@contextmanager
def frames_by_name() -> Iterator[None]:
    """In the body `inspect` tells file, line and module of a frame by what is written in it.

    PyTorch asks for them at each operation that it defines. Python otherwise looks for the text around the line, which
    PyTorch drops, and for the module among the files of all modules: 0.06 s of system calls, in which no key was drawn.
    Each releases the GIL, but for too short a time for another thread to get it.
    """
    import inspect

    frame_info, module_of = inspect.getframeinfo, inspect.getmodule

    def named(item: object, _filename: str | None = None) -> ModuleType | None:
        known = sys.modules.get(item.f_globals.get("__name__", "")) if inspect.isframe(item) else None
        return known or module_of(item, _filename)

    inspect.getframeinfo = lambda frame, context=1: frame_info(frame, 0)
    inspect.getmodule = named  # type: ignore[assignment]  # its first parameter has another name
    try:
        yield
    finally:
        inspect.getframeinfo, inspect.getmodule = frame_info, module_of
