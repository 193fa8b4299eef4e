"""PyTorch's libraries are there before PyTorch is, and its import looks for no text around its lines."""

import inspect
import linecache
import os
import subprocess
import sys

import pytest

from theta_tui.base.preload import frames_by_name

CODE = """
import sys
from theta_tui.base.preload import preload_torch
print(preload_torch(), "torch" in sys.modules, "libtorch_cpu" in open("/proc/self/maps").read())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries have other names elsewhere")
def test_the_libraries_are_loaded_and_torch_is_not_imported() -> None:
    run = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert run.stdout.split() == ["True", "False", "True"]


def test_a_frame_says_where_it_is_and_no_file_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*given: object) -> None:
        raise AssertionError(given)

    frame = inspect.currentframe()
    assert frame is not None
    full = inspect.getframeinfo(frame)
    with frames_by_name(), monkeypatch.context() as patched:
        patched.setattr(os.path, "realpath", looked)
        patched.setattr(linecache, "getlines", looked)
        info, module = inspect.getframeinfo(frame), inspect.getmodule(frame)
    assert (info.filename, info.function, info.code_context) == (full.filename, full.function, None)
    assert module is sys.modules[__name__]
    assert inspect.getframeinfo(frame).code_context is not None


def test_what_is_no_frame_has_its_module_and_its_text_as_ever() -> None:
    with frames_by_name():
        assert inspect.getmodule(looked_at := frames_by_name) is sys.modules["theta_tui.base.preload"]
        assert "frame_info" in inspect.getsource(looked_at)
