"""The client of the Hugging Face hub, as a program of its own: `clients.py` starts it, and ends it at any moment.

It goes on in the middle of a large file, which the library does not: what is there of it stays as FILE.incomplete. Its
last line says what it has fetched, or what failed. Imports nothing of Theta.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

INCOMPLETE = ".incomplete"
PIECE = 1 << 20
"""Bytes that are written at once, and lost where this is stopped. The library's are ten times as many."""
COMMIT = ".commit"
"""In a folder that is fetched into: the commit that its files are of."""


def fetch(name: str, revision: str | None, to: str, patterns: dict[str, Any]) -> dict[str, Any]:
    """Fetch the files of a model into the folder `to`; the commit, and the sha256 that the hub says of each large file.
    What lies there of another commit is removed."""
    folder = Path(to)
    commit, files = _listed(name, revision, patterns)
    note = folder / COMMIT
    if not note.is_file() or note.read_text("utf-8") != commit:
        shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
        note.write_text(commit, "utf-8")
    for file in files:
        _fetch(name, commit, file, folder / file.path)
    return {"commit": commit, "sha256": {file.path: file.lfs.sha256 for file in files if file.lfs}}


def fetch_to_cache(name: str, patterns: dict[str, Any]) -> str:
    """The folder of a model in the cache that all programs share, fetched where it is not there yet."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.file_download import repo_folder_name
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    cache, called = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=name, repo_type="model")
    locks, blobs = cache / ".locks" / called, cache / called / "blobs"
    try:
        commit, files = _listed(name, None, patterns)
    except Exception:
        files = []  # what lies in the cache is enough without a network; else the library says what is wrong
    for file in (file for file in files if file.lfs is not None):
        # Where the library looks for it, under its lock: it then has only the small files to fetch.
        blob = blobs / file.lfs.sha256
        for folder in (locks, blobs):
            folder.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(locks / f"{blob.name}.lock"):
            _fetch(name, commit, file, blob, checked=True)
    return str(snapshot_download(name, **patterns))


def cached(name: str, revision: str | None, patterns: dict[str, Any]) -> str:
    """The folder of a model in that cache. Asks no network."""
    from huggingface_hub import snapshot_download

    return str(snapshot_download(name, revision=revision, local_files_only=True, **patterns))


def _listed(name: str, revision: str | None, patterns: dict[str, Any]) -> tuple[str, list[Any]]:
    """The commit of a revision, and its files that are wanted, the small ones first."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile
    from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]

    api = HfApi()
    commit = str(api.model_info(name, revision=revision).sha)
    files: Iterable[Any] = (found for found in api.list_repo_tree(name, revision=commit) if isinstance(found, RepoFile))
    wanted = filter_repo_objects(files, key=lambda file: file.path, **patterns)
    return commit, sorted(wanted, key=lambda file: file.size)


def _fetch(name: str, commit: str, file: Any, to: Path, *, checked: bool = False) -> None:
    """Fetch a file to `to`, unless it is there; from where it stopped. `checked`: what came damaged is thrown away."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    if to.exists():
        return
    part = to.with_name(to.name + INCOMPLETE)
    with part.open("ab") as stream:
        there = stream.tell()
        if there > file.size:
            stream.truncate(there := 0)
        address = hf_hub_url(name, file.path, revision=commit)
        http_get(address, stream, resume_size=there, headers=build_hf_headers(), expected_size=file.size)
        stream.flush()
        os.fsync(stream.fileno())
    if checked:
        with part.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != file.lfs.sha256:
                part.unlink()
                raise ValueError(f"{file.path} came damaged")
    part.replace(to)


def _end_with_parent() -> None:
    """The process that has started this one holds its standard input, and lets go of it however it ends."""
    os.read(0, 1)
    os._exit(1)


ANSWERS: dict[str, Callable[..., Any]] = {"fetch": fetch, "fetch_to_cache": fetch_to_cache, "cached": cached}


def main() -> None:
    asked, arguments = json.loads(sys.argv[1])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        from huggingface_hub import constants
        from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

        constants.DOWNLOAD_CHUNK_SIZE = PIECE
        disable_progress_bars()
        print(json.dumps(ANSWERS[asked](**arguments)))
    except Exception as error:
        cause = error.__cause__ or error
        sys.exit(f"{type(cause).__name__}: {cause}".splitlines()[0])


if __name__ == "__main__":
    main()
