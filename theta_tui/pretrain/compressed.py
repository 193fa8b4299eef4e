"""Reads gzip and Zstandard files, recognised by their first bytes, piece by piece. Standard library only, except that
.zst before Python 3.14 needs the package `zstandard`, which is imported for such a file.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, BinaryIO, cast

DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile)
"""Exceptions of reading a file that is damaged or cut short."""


def decompressed(file: BinaryIO) -> BinaryIO:
    """The decompressed content of a file just opened. Raises ImportError if a package is missing."""
    start = cast(io.BufferedReader, file).peek(4)[:4]
    if start.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if start == b"\x28\xb5\x2f\xfd":
        return _zstandard(file)
    return file


def _zstandard(file: BinaryIO) -> BinaryIO:
    if sys.version_info >= (3, 14):
        package: Any = import_module("compression.zstd")
        new_frame: Callable[[], Any] = package.ZstdDecompressor
    else:
        package = import_module("zstandard")
        new_frame = package.ZstdDecompressor().decompressobj
    return cast(BinaryIO, io.BufferedReader(_Zstandard(file, new_frame, package.ZstdError)))


class _Zstandard(io.RawIOBase):
    """A Zstandard file of any number of frames. Unlike the package's reader, it notices a file that is cut short."""

    def __init__(self, file: BinaryIO, new_frame: Callable[[], Any], error: type[Exception]) -> None:
        self._file, self._new_frame, self._error = file, new_frame, error
        self._frame: Any = None
        self._compressed = self._out = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._out:
            # 2 KiB can expand to at most 64 MB: a block of 4 bytes gives 128 KB.
            self._compressed = self._compressed or self._file.read(2048)
            if not self._compressed:
                if self._frame is not None:
                    raise EOFError("the last frame has no end")
                return 0
            self._frame = self._frame or self._new_frame()
            try:
                self._out = self._frame.decompress(self._compressed)
            except self._error as error:
                raise EOFError(str(error)) from None
            self._compressed = b""
            if self._frame.eof:
                self._compressed, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._out))
        buffer[:size] = self._out[:size]
        self._out = self._out[size:]
        return size
