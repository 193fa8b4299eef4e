"""PyTorch's libraries are there before PyTorch is."""

import subprocess
import sys

import pytest

CODE = """
import sys
from theta_tui.base.preload import preload_torch
print(preload_torch(), "torch" in sys.modules, "libtorch_cpu" in open("/proc/self/maps").read())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries have other names elsewhere")
def test_the_libraries_are_loaded_and_torch_is_not_imported() -> None:
    run = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert run.stdout.split() == ["True", "False", "True"]
