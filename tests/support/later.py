"""Libraries that take seconds to import, imported when a test first needs something of them and never at collection."""

from __future__ import annotations

import importlib
from typing import Any


class Later:
    """Stands for a module; what is asked of it is asked of the module."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pytest looks at all that a module of tests holds
            raise AttributeError(name)
        return getattr(importlib.import_module(self._name), name)


transformers = Later("transformers")
peft = Later("peft")
