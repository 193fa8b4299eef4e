"""Garbage in cycles is looked for again once the imports are done, and only what they made is left alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import gc, sys, types
from theta_tui.base.gc import gc_paused
class Loop: pass
try:
    with gc_paused():
        assert not gc.isenabled()
        for number in range({modules}):
            sys.modules[f"made_here_{{number}}"] = types.ModuleType("made_here")
        if {broken}: raise ImportError
except ImportError:
    pass
assert gc.isenabled()
print(gc.get_freeze_count() > 0)
"""


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("modules", [0, 500])
def test_what_many_imports_made_is_looked_through_no_more(modules: int, broken: bool) -> None:
    program = PROGRAM.format(modules=modules, broken=broken)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(modules > 0)


def test_where_it_was_off_it_stays_off() -> None:
    program = (
        "import gc; gc.disable(); from theta_tui.base.gc import gc_paused\n"
        "with gc_paused(): pass\nassert not gc.isenabled()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
