"""Takes out what keeps lessons safe, one thing at a time, and sees whether a test fails for each.

    python -m tests.faults.mutations [--jobs 2] [--no-check] [WORD ...]

`mutations.toml` lists them: a line of a file, what stands in its place, and the tests that should notice. First all of
these tests must pass with nothing taken out. Then each mutation is tried in a copy of the project. One that no test
notices survives, and is an error, and so is one whose line is no longer in the file (which `test_mutations` also sees).
With words, only those are tried whose name or file contains one of them.

Each trial is a fork of this process, which has loaded what takes long and nothing of the project.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import shutil
import signal
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutations.toml")
LONGEST = 300.0
"""Seconds that the tests of one mutation may take. One that makes them hang has been noticed."""
NOTICED = ("noticed", "hung")
LOADED = ("pytest", "xdist", "pytest_asyncio", "pytest_textual_snapshot", "hypothesis.strategies", "textual.app",
          "textual.widgets", "typer", "pyte", "pexpect", "torch", "safetensors.torch", "tokenizers")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutation:
    """`old` becomes `new` in `file`, and one of `tests` fails. `what` is taken out by it."""

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """`text` of the file with the mutation. ValueError where `old` is not there exactly once."""
        if (times := text.count(self.old)) != 1:
            raise ValueError(f"{self.what}: what {self.file} should lose is there {times} times")
        return text.replace(self.old, self.new)


def read() -> list[Mutation]:
    with open(LIST, "rb") as file:
        entries = tomllib.load(file)["mutation"]
    return [Mutation(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


Ended = tuple[int, str, float]
"""Place in the work, what came of it, seconds."""


class Copy:
    """A copy of the project, in which one mutation at a time is tried."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        for folder in ("theta_tui", "tests"):
            shutil.copytree(ROOT / folder, tree / folder)
        (tree / "assets").symlink_to(ROOT / "assets")
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, tree)
        self._times = itertools.count(int(time.time()))
        self._process = 0
        self._begun = 0.0
        self._before: tuple[Path, str] | None = None

    def begin(self, tests: Sequence[str], mutation: Mutation | None = None) -> None:
        """Run the tests, with a mutation or with none."""
        if mutation is not None:
            path = self.tree / mutation.file
            self._before = path, path.read_text("utf-8")
            self._write(path, mutation.applied(self._before[1]))
        self._begun = time.monotonic()
        self._process = os.fork()
        if self._process == 0:
            with suppress(BaseException):
                os._exit(self._run(tests))
            os._exit(3)

    def end(self) -> tuple[str, float] | None:
        """`survived`, `noticed`, `hung` or what went wrong, and the seconds; None while the tests run."""
        process, status = os.waitpid(self._process, os.WNOHANG)
        seconds = time.monotonic() - self._begun
        if process == 0 and seconds < LONGEST:
            return None
        with suppress(ProcessLookupError):
            os.killpg(self._process, signal.SIGKILL)  # with all that the tests have started
        if process == 0:
            os.waitpid(self._process, 0)
        if self._before is not None:
            self._write(*self._before)
            self._before = None
        if process == 0:
            return "hung", seconds
        code = os.waitstatus_to_exitcode(status)
        said = (self.tree / "said").read_text("utf-8", errors="replace").strip().splitlines()
        return {0: "survived", 1: "noticed"}.get(code, f"pytest gave {code}: {said[-1:]}"), seconds

    def _run(self, tests: Sequence[str]) -> int:
        """In the forked process: what of the project was loaded is forgotten, and the copy is the project."""
        os.setsid()
        said = os.open(self.tree / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for target, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, said), (2, said)):
            os.dup2(source, target)
        os.chdir(self.tree)
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "theta_tui")]:
            del sys.modules[name]
        sys.path[:] = [str(self.tree), *(path for path in sys.path if path and Path(path) != ROOT)]
        os.environ["PYTHONPATH"] = str(self.tree)
        importlib.invalidate_caches()
        import pytest

        # No mark is left out: some of the tests are slow ones.
        how = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "", "--hypothesis-profile=ci"]
        return pytest.main([*how, *tests])

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, "utf-8")
        now = next(self._times)
        os.utime(path, (now, now))  # Python knows what it has compiled by the second, and two may fall into one


def tried(
    copies: list[Copy], work: Sequence[tuple[Sequence[str], Mutation | None]]
) -> Iterator[tuple[int, str, float]]:
    """What came of the work, as it ends; as much of it at once as there are copies."""
    free, under_way, waiting = list(copies), dict[int, Copy](), list(enumerate(work))
    while waiting or under_way:
        while waiting and free:
            at, (tests, mutation) = waiting.pop(0)
            under_way[at] = free.pop()
            under_way[at].begin(tests, mutation)
        for at, copy in list(under_way.items()):
            if (ended := copy.end()) is not None:
                free.append(under_way.pop(at))
                yield at, *ended
        time.sleep(0.05)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--jobs", type=int, default=2, help="copies that are worked in at once")
    parser.add_argument("--no-check", action="store_true", help="take it that the tests pass with nothing taken out")
    given = parser.parse_args(arguments)
    chosen = [m for m in read() if not given.words or any(word in f"{m.what} {m.file}" for word in given.words)]
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in LOADED:
        importlib.import_module(name)
    begun, wrong = time.monotonic(), 0
    with TemporaryDirectory(prefix="theta-mutations-") as name:
        copies = []
        for number in range(given.jobs):
            (place := Path(name, str(number))).mkdir()
            copies.append(Copy(place))
        if not given.no_check:
            tests: dict[str, list[str]] = {}
            for test in sorted({test for mutation in chosen for test in mutation.tests}):
                tests.setdefault(test.partition("::")[0], []).append(test)
            whole = [(some, None) for some in tests.values()]
            for at, found, _ in tried(copies, whole):
                if found != "survived":
                    print(f"with nothing taken out, {found}: {' '.join(whole[at][0])}", flush=True)
                    wrong += 1
        for at, found, seconds in tried(copies, [(mutation.tests, mutation) for mutation in chosen]):
            wrong += found not in NOTICED
            print(f"{found:8} {seconds:4.0f} s  {chosen[at].file}: {chosen[at].what}", flush=True)
    print(f"{len(chosen)} taken out, {wrong} wrong, {time.monotonic() - begun:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
