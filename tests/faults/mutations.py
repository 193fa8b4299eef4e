"""Takes out what keeps lessons safe, one thing at a time, and sees whether a test fails for each.

    python -m tests.faults.mutations [--jobs 2] [--no-check] [WORD ...]

`mutations.toml` lists them: a line of a file, what stands in its place, and the tests that should notice. First all of
these tests must pass with nothing taken out. Then each mutation is tried in a copy of the project. One that no test
notices survives, and is an error, and so is one whose line is no longer in the file (which `test_mutations` also sees).
With words, only those are tried whose name or file contains one of them.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutations.toml")
LONGEST = 300.0
"""Seconds that the tests of one mutation may take. One that makes them hang has been noticed."""
NOTICED = ("noticed", "hung")


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


class Copy:
    """A copy of the project in which one mutation at a time is made."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        for folder in ("theta_tui", "tests"):
            shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
        (tree / "assets").symlink_to(ROOT / "assets")
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, tree)
        self._times = count(int(time.time()))

    def verdict(self, mutation: Mutation) -> str:
        """`noticed`, `hung`, `survived`, or what went wrong."""
        try:
            with self._with(mutation):
                code, last = self.run(mutation.tests)
        except (OSError, ValueError) as error:
            return str(error)
        return {0: "survived", 1: "noticed", None: "hung"}.get(code, f"pytest gave {code}: {last}")

    def run(self, tests: Sequence[str]) -> tuple[int | None, str]:
        """pytest's exit code (None: it took too long) and the last line that it wrote."""
        # No mark is left out: some of the tests are slow ones.
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "", *tests]
        environment = os.environ | {"PYTHONPATH": str(self.tree), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, cwd=self.tree, env=environment, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            said, _ = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            return None, "it took too long"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with what the tests have started
            process.wait()
        return process.returncode, next(reversed(said.strip().splitlines()), "")

    @contextmanager
    def _with(self, mutation: Mutation) -> Iterator[None]:
        path = self.tree / mutation.file
        before = path.read_text("utf-8")
        self._write(path, mutation.applied(before))
        try:
            yield
        finally:
            self._write(path, before)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, "utf-8")
        now = next(self._times)
        os.utime(path, (now, now))  # Python knows what it has compiled by the second, and two may fall into one


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--jobs", type=int, default=2, help="copies that are worked in at once")
    parser.add_argument("--no-check", action="store_true", help="take it that the tests pass with nothing taken out")
    given = parser.parse_args(arguments)
    chosen = [m for m in read() if not given.words or any(word in f"{m.what} {m.file}" for word in given.words)]
    begun, wrong = time.monotonic(), 0
    with TemporaryDirectory(prefix="theta-mutations-") as name, ThreadPoolExecutor(given.jobs) as pool:
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for number in range(given.jobs):
            (place := Path(name, str(number))).mkdir()
            copies.put(Copy(place))

        def each(mutation: Mutation | None, tests: Sequence[str] = ()) -> tuple[str, float]:
            copy, then = copies.get(), time.monotonic()
            try:
                if mutation is not None:
                    return copy.verdict(mutation), time.monotonic() - then
                code, last = copy.run(tests)
                return "" if code == 0 else last or "it hangs", time.monotonic() - then
            finally:
                copies.put(copy)

        if not given.no_check:
            by_file: dict[str, set[str]] = {}
            for test in {test for mutation in chosen for test in mutation.tests}:
                by_file.setdefault(test.partition("::")[0], set()).add(test)
            groups = [sorted(tests) for _, tests in sorted(by_file.items())]
            for (said, _), tests in zip(pool.map(lambda tests: each(None, tests), groups), groups, strict=True):
                if said:
                    print(f"with nothing taken out: {tests}: {said}", flush=True)
                    return 1
        for mutation, (found, seconds) in zip(chosen, pool.map(each, chosen), strict=True):
            wrong += found not in NOTICED
            print(f"{found:10} {seconds:4.0f} s  {mutation.file}: {mutation.what}", flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} noticed, {time.monotonic() - begun:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
