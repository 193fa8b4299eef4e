"""What holds for all tests, before any of them imports PyTorch."""

import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.faults.forking import forks as forks
from tests.support import profiles as profiles

# As many processes as there are cores run tests at once. Were each of them to use all cores, their threads would wait
# for one another: two took three times as long as with a thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Every lesson is synced to the disk, and thousands are taught here: in memory nobody waits for that.
MEMORY = Path("/dev/shm")
if os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free > 1 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# What is measured, and what is proven once, is remembered in the person's cache: tests have one of their own.
CACHE = tempfile.TemporaryDirectory(prefix="theta-cache-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
os.environ["XDG_CACHE_HOME"] = CACHE.name

# What runs the tests in the background has them ignore these, and what they start would do so too.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL), (signal.SIGHUP, signal.SIG_DFL),
):  # fmt: skip
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


gc.disable()  # until the tests are collected: of what is imported until then nothing can go
settings.load_profile("dev")  # unless --hypothesis-profile says otherwise
AT_COLLECTION = pytest.StashKey[frozenset[str]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[AT_COLLECTION] = frozenset(sys.modules)
    # What the imports made would be looked through for cycles again and again: an eighth of the time of all tests.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def pytest_sessionfinish() -> None:
    gc.freeze()  # pytest would look through all that is left five times


def pytest_unconfigure() -> None:
    CACHE.cleanup()  # a fork of `tests.faults.mutations` does not end as a process does, and left its own


def pytest_make_parametrize_id(val: object) -> str | None:
    """A text that is long has its length for a name: every worker would send all of it, with each report."""
    return f"{val[:20]}… ({len(val)})" if isinstance(val, str) and len(val) > 200 else None


@pytest.fixture
def loaded_at_collection(request: pytest.FixtureRequest) -> frozenset[str]:
    """The modules that were there when the tests that are run had been collected."""
    return request.config.stash[AT_COLLECTION]


@pytest.fixture(autouse=True)
def a_core_a_process() -> Iterator[None]:
    """Takes back the threads that a test asked for: they are the whole process's, and would slow all later tests."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
