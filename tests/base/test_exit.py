"""How a command ends, and what of its libraries a person hears."""

from __future__ import annotations

import subprocess
import sys

import pytest

NOISY = """
import logging, warnings
from theta_tui.base import exit as leaving

def noisy():
    warnings.simplefilter("always")  # as some libraries do
    for kind in (FutureWarning, UserWarning, DeprecationWarning):
        warnings.warn("noise", kind, stacklevel=2)
    logging.getLogger("a.library").warning("noise")
    print("done")
    return 0

leaving.run(noisy)
"""


@pytest.mark.parametrize(("options", "heard"), [((), False), (("-W", "default"), True)])
def test_warnings_of_libraries_reach_only_those_who_ask_for_them(options: tuple[str, ...], heard: bool) -> None:
    ran = subprocess.run([sys.executable, *options, "-c", NOISY], capture_output=True, text=True, check=True)
    assert ran.stdout == "done\n"
    assert ("noise" in ran.stderr) is heard
