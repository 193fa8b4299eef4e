"""Loads PyTorch's shared libraries without holding up the process. Does not import PyTorch."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

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
