"""A Hugging Face hub of one repository, on this machine: as much of it as its client asks for a download."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves the files of `folder` as the repository `name`; `asked` are the paths that were fetched, with the byte
    that each began at."""

    daemon_threads = True

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.folder = name, folder
        self.asked: list[tuple[str, int]] = []
        self.pause = 0.0
        """Seconds between two pieces of 64 KiB."""
        self.going = threading.Event()
        """While it is not set, nothing more is sent."""
        self.going.set()
        self.damage: set[str] = set()
        """Files of which other bytes are sent than the hub says."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path, hub = self.path.partition("?")[0], self.server
        if path.startswith(f"/api/models/{hub.name}/tree/"):
            self._json([self._described(file) for file in sorted(hub.folder.iterdir())])
        elif path == f"/api/models/{hub.name}" or path.startswith(f"/api/models/{hub.name}/revision/"):
            self._json({"id": hub.name, "sha": COMMIT, "siblings": []})
        elif path.startswith(f"/{hub.name}/resolve/") and (hub.folder / path.rpartition("/")[2]).is_file():
            self._file(hub.folder / path.rpartition("/")[2])
        else:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})

    def _described(self, file: Path) -> dict[str, object]:
        size = file.stat().st_size
        found: dict[str, object] = {"type": "file", "path": file.name, "size": size, "oid": "0" * 40}
        if file.suffix == ".safetensors":
            found["lfs"] = {"oid": _sha256(file), "size": size, "pointerSize": 130}
        return found

    def _file(self, file: Path) -> None:
        data = file.read_bytes()
        large = file.suffix == ".safetensors"
        tag = _sha256(file) if large else hashlib.sha1(data).hexdigest()
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{tag}"', "Accept-Ranges": "bytes"}
        if large:
            headers |= {"X-Linked-Etag": f'"{tag}"', "X-Linked-Size": str(len(data))}
        if file.name in self.server.damage:
            data = data[:-1] + bytes([data[-1] ^ 1])
        begin = 0
        if self.command == "GET" and (asked := self.headers.get("Range")):
            begin = int(asked.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        if self.command == "GET":
            self.server.asked.append((file.name, begin))
        self._send(206 if begin else 200, data[begin:], headers)

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, code: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            for at in range(0, len(data), 1 << 16):
                self.server.going.wait()
                try:
                    self.wfile.write(data[at : at + (1 << 16)])
                    self.wfile.flush()
                except OSError:
                    return
                time.sleep(self.server.pause)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@contextmanager
def hub(name: str, folder: Path) -> Iterator[Hub]:
    """A hub that serves `folder`, until the end of the block."""
    server = Hub(name, folder)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
