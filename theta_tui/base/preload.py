"""PyTorch's libraries, loaded beside whatever else the process does. Imports no PyTorch."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

LIBRARIES = (("libtorch_global_deps.so", os.RTLD_GLOBAL), ("libtorch_cpu.so", os.RTLD_LOCAL))
"""In the order and the way that `import torch` loads them."""


def preload_torch() -> bool:
    """Load the largest of PyTorch's libraries; whether that worked. What did not is left to `import torch`.

    Python holds its lock while it loads a library for an import, and these take 0.23 s: no key was drawn meanwhile. A
    foreign function is called without the lock, and the linker's own is one.
    """
    import ctypes

    with suppress(ImportError, OSError, AttributeError, TypeError):
        spec = find_spec("torch")
        if spec is not None and spec.origin is not None:
            folder = Path(spec.origin).parent / "lib"
            dlopen = ctypes.CDLL(None).dlopen
            dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
            return all([dlopen(os.fsencode(folder / name), os.RTLD_NOW | how) for name, how in LIBRARIES])
    return False
