"""Clients that fetch models, as processes of their own: pip, and the Hugging Face hub's.

They run as the person has set them up (proxy, index, token). So they can be stopped at any moment, and how far they are
is the size of what they have written.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from theta_tui.base.memory import shown
from theta_tui.model import catalogue, hub_client, room

LOOK_SECONDS = 0.2
"""Between two looks at how far a download is."""
GRACE_SECONDS = 0.5
"""A client that was asked to end may take so long."""
WANTED = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "LICENSE*")
UNWANTED = ("*/*", "consolidated*")
"""Of a hub repository: neither pickles nor code, and no second copy in a folder."""
PATTERNS = {"allow_patterns": WANTED, "ignore_patterns": UNWANTED}
Tell = Callable[[int], None]


class ClientError(Exception):
    """What a client said when it failed."""


def ask(what: str, folder: Path | None, tell: Tell, **arguments: Any) -> Any:
    """What the hub's client answers: `what` is a function of `hub_client`. Raises as `run` does."""
    # Without -P its own folder, which is full of common names, would go before the libraries.
    command = [sys.executable, "-P", hub_client.__file__, json.dumps([what, arguments])]
    return json.loads(run(command, folder, {}, tell))


def fetched_to_cache(name: str, on_stage: Callable[[str], None]) -> Path:
    """The folder of a hub model in the cache that all programs share, fetched where it is not there. `on_stage` may
    raise, which stops it; the next time goes on from there. Raises ClientError, and HomeError where the disk refuses.
    """
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    blobs = cache / f"models--{name.replace('/', '--')}" / "blobs"

    def tell(size: int) -> None:
        far = f": {shown(size)}" if size >= 1e6 else ""
        on_stage(f"fetching {name} from the Hugging Face hub{far}")

    try:
        return Path(ask("fetch_to_cache", blobs, tell, name=name, patterns=PATTERNS))
    except OSError as error:
        raise room.refused(cache, error) from None


def run(command: list[str], folder: Path | None, environment: Mapping[str, str], tell: Tell) -> str:
    """Run a client to its end, and `tell` how many bytes lie in `folder` meanwhile. Returns the last line that it said.
    Where this is interrupted it is ended too. Raises ClientError where it fails, OSError where the disk refuses it."""
    with tempfile.TemporaryFile() as said:
        size = 0
        # Its standard input ends when this process does, in whatever way.
        client = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=said, stderr=said, env=os.environ | environment
        )
        try:
            while client.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    client.wait(LOOK_SECONDS)
                with suppress(OSError):  # a file that has just been renamed
                    size = catalogue.size(folder) if folder is not None else 0
                tell(size)  # may stop it
        finally:
            if client.poll() is None:
                client.terminate()
                try:
                    client.wait(GRACE_SECONDS)
                except subprocess.TimeoutExpired:
                    client.kill()
                    client.wait()
            assert client.stdin is not None
            client.stdin.close()
        said.seek(0)
        lines = [line.strip() for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    if not client.returncode:
        return lines[-1] if lines else ""
    for number in map(int, re.findall(r"\[Errno (\d+)\]", "\n".join(lines))):
        if number in room.DISK:
            raise OSError(number, os.strerror(number))
    # Of what pip did not expect it says "ERROR: Exception:", and then where; the last line says what.
    errors = [line for line in lines if line.startswith("ERROR:") and not line.endswith(":")] or lines
    raise ClientError(errors[-1].removeprefix("ERROR: ")[:200] if errors else "it said nothing")
