"""What the header of a GGUF file says, checked against the file before anything is made of it. No numpy, no torch.

A header is a stranger's: it can promise 2^60 tensors in a file of a kilobyte, and what believes it allocates. So each
count and length is held against the bytes that there are, and against a limit where those would be many. The format is
ggml's (docs/gguf.md of its repository).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from theta_tui.base.errors import ModelError
from theta_tui.base.text import plural

MAGIC = b"GGUF"
SUFFIX = ".gguf"
VERSIONS = (2, 3)
MAX_HEADER = 64 << 20
"""Bytes of a header. With a vocabulary of 262 thousand it takes some 15 million."""
MAX_ITEMS = 3_000_000
"""Array items in a header: the gguf package makes a few objects of each, some 200 bytes."""
MAX_COUNT = 100_000
"""Tensors, and keys. The largest models have some two thousand."""
ENDS = ("eos", "eot", "eom")
"""The tokens under `tokenizer.ggml.*_token_id` that end a reply."""
WHOLE = 256 << 20
"""Bytes up to which the fingerprint reads all of a file; of a larger one it reads SAMPLES pieces."""
SAMPLES, PIECE = 256, 64 << 10

_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True, slots=True)
class Header:
    """`values` are the numbers and the texts among the keys; `bytes` is what the weights take where those that come in
    blocks are kept in 32 bits, and others in 16."""

    architecture: str
    values: dict[str, Any]
    tensors: int
    parameters: int
    bytes: int

    @property
    def pre_tokenizer(self) -> str:
        return str(self.values.get("tokenizer.ggml.pre", ""))

    @property
    def ends(self) -> list[int]:
        """The tokens that end a reply, without repeats."""
        found = (self.values.get(f"tokenizer.ggml.{end}_token_id") for end in ENDS)
        return list(dict.fromkeys(index for index in found if type(index) is int))


def is_gguf(path: Path) -> bool:
    """Whether a file is one by its name or its first bytes (the blobs of Ollama have no name)."""
    if path.suffix.lower() == SUFFIX:
        return not path.is_dir()
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(4) == MAGIC
    except OSError:
        return False


def fingerprint(path: Path) -> str:
    """A short sha256 of a GGUF file: of all of it up to 256 MiB, of its size and of 256 pieces of a larger one.
    Raises ModelError where it cannot be read."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            if size <= WHOLE:
                return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
            digest = hashlib.sha256(str(size).encode())
            for index in range(SAMPLES):
                stream.seek((size - PIECE) * index // (SAMPLES - 1))
                digest.update(stream.read(PIECE))
            return digest.hexdigest()[:16]
    except FileNotFoundError:
        raise ModelError(f"there is no file {path}; check --model") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check its permissions") from None


def read(path: Path, blocks: dict[int, tuple[int, int]]) -> Header:
    """The header of `path`, every count of it held against the file.

    `blocks`: type of a tensor as ggml numbers it → (numbers, bytes) of a block. Raises ModelError where it is no GGUF
    file, is cut short, or says what cannot be.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            data = stream.read(min(size, MAX_HEADER))
    except FileNotFoundError:
        raise ModelError(f"there is no file {path}; check --model") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check its permissions") from None

    def wrong(why: str) -> ModelError:
        return ModelError(f"{path} is not a GGUF file that can be used: {why}; download it again, or use another")

    if data[:4] != MAGIC:
        raise wrong("it does not begin as one")
    try:
        return _Walk(data, size, wrong, blocks).header()
    except (struct.error, OverflowError):
        why = "it is cut short" if len(data) == size else f"its header takes more than {MAX_HEADER >> 20} MB"
        raise wrong(why) from None


class _Walk:
    """A place in the header that moves on. Past its end `struct` raises."""

    def __init__(
        self, data: bytes, size: int, wrong: Callable[[str], ModelError], blocks: dict[int, tuple[int, int]]
    ) -> None:
        self.data, self.size, self.wrong, self.blocks = data, size, wrong, blocks
        self.at = 4
        self.items = 0

    def header(self) -> Header:
        version, tensors, keys = self.number("I"), self.number("Q"), self.number("Q")
        if version not in VERSIONS:
            other = int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS
            raise self.wrong("its bytes are in big-endian order" if other else f"it is of version {version}")
        for count, what, least in ((tensors, "tensors", 24), (keys, "keys", 13)):
            if count > min(MAX_COUNT, self.size // least):
                raise self.wrong(f"it says that it has {count:,} {what}")
        values: dict[str, Any] = {}
        for _ in range(keys):
            name = self.text()
            if name in values:
                raise self.wrong(f"it has the key {name!r} twice")
            values[name] = self.value(self.number("I"))
        architecture = values.get("general.architecture")
        if not isinstance(architecture, str):
            raise self.wrong("it does not say which architecture it is")
        if values.get("split.count", 0) not in (0, 1):
            raise self.wrong("it is one part of several; join them with llama-gguf-split --merge")
        for key, most in (("block_count", tensors), ("expert_count", MAX_COUNT)):
            if isinstance(count := values.get(f"{architecture}.{key}", 0), int) and count > most:
                raise self.wrong(f"it says {key} {count:,} and has {tensors:,} tensors")
        return self.tensors(architecture, values, tensors)

    def tensors(self, architecture: str, values: dict[str, Any], count: int) -> Header:
        align = values.get("general.alignment", 32)
        if not isinstance(align, int) or not 0 < align <= 1 << 20 or align & (align - 1):
            raise self.wrong(f"it says that its alignment is {align}")
        parameters, ends, needed = 0, 0, 0
        for _ in range(count):
            name, rank = self.text(), self.number("I")
            if rank > 8:
                raise self.wrong(f"its tensor {name!r} has {rank:,} dimensions")
            shape = [self.number("Q") for _ in range(rank)]
            kind, offset = self.number("I"), self.number("Q")
            if kind not in self.blocks:
                raise self.wrong(f"its tensor {name!r} is of a type ({kind}) that is not known here")
            numbers, per_block = self.blocks[kind]
            elements = prod(shape)
            if elements % numbers or offset % align:
                raise self.wrong(f"its tensor {name!r} does not fit its type")
            parameters += elements
            needed += elements * (2 if numbers == 1 else 4)
            ends = max(ends, offset + elements // numbers * per_block)
        begins = -(-self.at // align) * align
        if begins + ends > self.size:
            raise self.wrong(f"it is cut short ({plural(begins + ends, 'byte')} promised, {self.size:,} there)")
        return Header(architecture, values, count, parameters, needed)

    def number(self, kind: str) -> Any:
        [found] = struct.unpack_from(f"<{kind}", self.data, self.at)
        self.at += struct.calcsize(f"<{kind}")
        return found

    def text(self) -> str:
        length = self.number("Q")
        if length > self.size:
            raise self.wrong(f"it has a text of {plural(length, 'byte')}")
        [found] = struct.unpack_from(f"{length}s", self.data, self.at)
        self.at += length
        return found.decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """A number or a text; None for an array, which is passed over."""
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise self.wrong(f"a value in it is of a type ({kind}) that is not known here")
        of, count = self.number("I"), self.number("Q")
        self.items += count
        if self.items > MAX_ITEMS:
            raise self.wrong(f"it has an array of {count:,} items")
        if of in _SCALARS:
            self.at += count * struct.calcsize(_SCALARS[of])
        elif of == _STRING:
            for _ in range(count):
                length = self.number("Q")
                self.at += length
        else:
            raise self.wrong(f"it has an array of a type ({of}) that is not known here")
        return None
