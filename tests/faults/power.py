"""What may be on a disk when the power goes: every prefix of what was done, with what was not synced lost or torn.

The model is a harsh one. Content is safe once its file was synced, a name once its folder was; a new file's name is not
safe because the file was synced, and nothing keeps the order of what is not. A rename is atomic. `Recorder` notes what
a session does to a folder, whoever writes and however: before and after each call that `disk` hears it looks which
names and contents have changed. `crashes` gives the folders that may be found afterwards.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.disk import WRITES, Call

SECTOR = 512

Tree = dict[str, bytes | None]
"""Path below the root → content; None is a folder. Folders come before what is in them."""


@dataclass(frozen=True, slots=True)
class Named:
    """(folder, name, what it names; None: no more), together or not at all."""

    changes: tuple[tuple[int, str, int | None], ...]


@dataclass(frozen=True, slots=True)
class Wrote:
    """All of a file's content from now on."""

    item: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Synced:
    item: int


Op = Named | Wrote | Synced


@dataclass(frozen=True, slots=True)
class Crash:
    """`at` operations were begun. `lost` says in words what of them is not on the disk."""

    at: int
    lost: str
    tree: Tree


class Recorder:
    """Notes what is done below `root`, which is there and empty."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.ops: list[Op] = []
        self.words: list[str] = []
        """What each operation was, for a person."""
        self.folders = {0}
        """The items that are folders."""
        self._ids: dict[int, int] = {os.stat(root).st_ino: 0}  # inode → item, while it has a name
        self._items = 1
        self._names: dict[int, dict[str, int]] = {0: {}}
        self._seen: dict[int, tuple[int, int]] = {}
        self._contents: dict[int, bytes] = {}

    def before(self, call: Call) -> None:
        self.look()

    def after(self, call: Call) -> None:
        written = None
        if call.descriptor is not None:
            written = self._ids.get(os.fstat(call.descriptor).st_ino)
        if call.name == "fsync":
            if written is not None:
                self._note(Synced(written), f"fsync {self._short(call.path)}")
            return
        if written is not None and call.name in WRITES | {"ftruncate"}:
            self._seen.pop(written, None)  # the clock may be too coarse to tell
        self.look(f"{call.name} {self._short(call.path)}")

    def look(self, words: str = "") -> None:
        """Note what has changed. With `words` it was one call; else each name is a change of its own."""
        ids: dict[int, int] = {os.stat(self.root).st_ino: 0}
        names: dict[int, dict[str, int]] = {}
        files: list[tuple[int, str, os.stat_result]] = []
        folders = [(0, self.root)]
        while folders:
            folder, place = folders.pop()
            names[folder] = {}
            for entry in sorted(os.scandir(place), key=lambda entry: entry.name):
                found = entry.stat(follow_symlinks=False)
                item = ids.get(found.st_ino) or self._ids.get(found.st_ino)
                if item is None:
                    item, self._items = self._items, self._items + 1
                ids[found.st_ino] = item
                names[folder][entry.name] = item
                if stat.S_ISDIR(found.st_mode):
                    self.folders.add(item)
                    folders.append((item, entry.path))
                else:
                    files.append((item, entry.path, found))
        changed = [
            (folder, name, now.get(name))
            for folder, now in sorted(names.items())
            for before in [self._names.get(folder, {})]
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        ]
        gone = {item for names_then in self._names.values() for item in names_then.values()} - set(ids.values())
        self._ids, self._names = ids, names
        for item in gone:
            self._seen.pop(item, None)
        if words:
            if changed:
                self._note(Named(tuple(changed)), words)
        else:
            for change in changed:
                self._note(Named((change,)), f"somebody named {change[1]}")
        for item, path, found in files:
            mark = found.st_size, found.st_mtime_ns
            if self._seen.get(item) == mark:
                continue
            self._seen[item] = mark
            content = Path(path).read_bytes()
            if self._contents.get(item, b"") != content:
                self._contents[item] = content
                self._note(Wrote(item, content), words or f"somebody wrote {self._short(path)}")

    def _note(self, op: Op, words: str) -> None:
        self.ops.append(op)
        self.words.append(words)

    def _short(self, path: str) -> str:
        return os.path.relpath(path, self.root)


@dataclass(slots=True)
class _Disk:
    """What is safe and what is not, at some moment."""

    safe_names: dict[int, dict[str, int]] = field(default_factory=lambda: {0: {}})
    unsafe_names: list[tuple[int, Named]] = field(default_factory=list)
    safe: dict[int, bytes] = field(default_factory=dict)
    now: dict[int, bytes] = field(default_factory=dict)

    def take(self, at: int, op: Op, folders: set[int]) -> None:
        match op:
            case Named():
                self.unsafe_names.append((at, op))
            case Wrote(item=item, content=content):
                self.now[item] = content
            case Synced(item=item) if item in folders:
                kept: list[tuple[int, Named]] = []
                for where, named in self.unsafe_names:
                    mine = [change for change in named.changes if change[0] == item]
                    _apply(self.safe_names, mine)
                    others = tuple(change for change in named.changes if change[0] != item)
                    if others:
                        kept.append((where, Named(others)))
                self.unsafe_names = kept
            case Synced(item=item):
                self.safe[item] = self.now.get(item, b"")

    def names(self, without: int | None = None, *, none: bool = False) -> dict[int, dict[str, int]]:
        found = {folder: dict(names) for folder, names in self.safe_names.items()}
        for where, named in [] if none else self.unsafe_names:
            if where != without:
                _apply(found, list(named.changes))
        return found


def _apply(names: dict[int, dict[str, int]], changes: list[tuple[int, str, int | None]]) -> None:
    for folder, name, item in changes:
        if item is None:
            names.setdefault(folder, {}).pop(name, None)
        else:
            names.setdefault(folder, {})[name] = item


def crashes(recorded: Recorder, promises: Sequence[int]) -> Iterator[Crash]:
    """Every folder that may be found when the power goes before, between and after what was noted. One that may be
    found at several moments comes once after each of `promises`, the numbers of operations done at each."""
    ops, words, folders = recorded.ops, recorded.words, recorded.folders
    disk, known = _Disk(), set[tuple[int, bytes]]()

    def tree(names: dict[int, dict[str, int]], contents: dict[int, bytes]) -> Tree:
        found: Tree = {}
        todo = [(0, "")]
        while todo:
            folder, place = todo.pop()
            for name, item in sorted(names.get(folder, {}).items()):
                path = f"{place}{name}"
                if item in folders:
                    found[path] = None
                    todo.append((item, path + "/"))
                else:
                    found[path] = contents.get(item, b"")
        return found

    def fresh(crash: Crash) -> Iterator[Crash]:
        digest = hashlib.sha256()
        for path, content in sorted(crash.tree.items()):
            digest.update(path.encode() + (b"/" if content is None else hashlib.sha256(content).digest()))
        key = bisect_right(promises, crash.at), digest.digest()
        if key not in known:
            known.add(key)
            yield crash

    for at in range(len(ops) + 1):
        everything, nothing = disk.names(), disk.names(none=True)
        yield from fresh(Crash(at, "nothing", tree(everything, disk.now)))
        yield from fresh(Crash(at, "all that is not synced", tree(nothing, disk.safe)))
        yield from fresh(Crash(at, "all unsynced content", tree(everything, disk.safe)))
        yield from fresh(Crash(at, "all unsynced names", tree(nothing, disk.now)))
        for where, _ in disk.unsafe_names:
            yield from fresh(Crash(at, words[where], tree(disk.names(without=where), disk.now)))
        for item, now in disk.now.items():
            safe = disk.safe.get(item, b"")
            if now != safe:
                for what, content in (("all of", safe), *_torn(safe, now)):
                    yield from fresh(Crash(at, f"{what} a content", tree(everything, disk.now | {item: content})))
        if at < len(ops):
            disk.take(at, ops[at], folders)


def _torn(safe: bytes, now: bytes) -> list[tuple[str, bytes]]:
    """Some of the sectors of `now` have come to lie on the disk: up to one, or the length alone."""
    same = next((at for at, (a, b) in enumerate(zip(safe, now, strict=False)) if a != b), min(len(safe), len(now)))
    first, last = (same // SECTOR + 1) * SECTOR, (len(now) - 1) // SECTOR * SECTOR
    cuts = sorted({first, (first + last) // 2 // SECTOR * SECTOR, last, (same + len(now)) // 2})
    torn = [(f"from byte {cut}", now[:cut] + safe[cut:]) for cut in cuts if same < cut < len(now)]
    return [*torn, ("zeros instead of", now[:same] + bytes(len(now) - same))]


def put(root: Path, tree: Tree) -> None:
    """Make `root`, which is below a folder that is there, hold `tree` and nothing else."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(mode=0o700)
    for path, content in tree.items():
        if content is None:
            (root / path).mkdir(mode=0o700)
        else:
            (root / path).write_bytes(content)
