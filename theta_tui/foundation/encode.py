"""Documents → token ids with a loss mask, many at a time. The chat template is honoured; no text becomes control.

One rendering of the template a number of messages, and the messages themselves in batches: `Chat` renders every
conversation anew, which is right for one lesson and slow for a million.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

from theta_tui.foundation.documents import Document
from theta_tui.mind.chat import Chat
from theta_tui.mind.instant import UNDATED

Loss = Literal["all", "reply"]

CHECKED = 20
"""Conversations that are rendered whole as well, to see whether the template can be taken apart."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A document, or a part of a long one, as the model sees it.

    `learn[i]` is 1 where a loss is taken on `ids[i]`. `size` is the UTF-8 bytes of the text that the loss covers:
    what bits per byte divides by.
    """

    ids: list[int]
    learn: bytearray
    size: int
    source: str
    key: str
    """The document's text, for telling one from another; the parts of a long one share it."""


class Encoder:
    """Encodes for one tokenizer, template and length. `loss` is over everything or over the replies alone (plain
    text counts whole either way)."""

    def __init__(self, chat: Chat, *, length: int, loss: Loss, at: float = UNDATED) -> None:
        """`at`: the one instant that all documents are rendered at, for a template that writes the date."""
        self.chat = chat
        self.at = at
        self.length = length
        self.loss = loss
        self._exact = False
        """Some template does not come apart between messages: every conversation is rendered whole."""
        self._to_check = CHECKED
        self._skeleton = lru_cache(maxsize=1024)(partial(chat.skeleton, at=at))

    def encode(self, documents: Sequence[Document]) -> Iterator[Encoded]:
        """The documents, in order, in pieces of at most `length` tokens. A longer conversation is cut between
        turns; a single turn or a text that is longer is cut where it must be."""
        texts = [text for document in documents for text in _texts(document)]
        ids = iter(self.chat.plain_ids(texts))
        for document in documents:
            contents = [next(ids) for _ in _texts(document)]
            if document.turns:
                yield from self._conversation(document, contents)
            else:
                yield from self._text(document, contents[0])

    def _text(self, document: Document, ids: list[int]) -> Iterator[Encoded]:
        ids = [*ids, self.chat.turn_end]
        size = len(document.text.encode("utf-8", "replace"))
        for start in range(0, len(ids), self.length):
            part = ids[start : start + self.length]
            # Differences of a running share: the pieces' sizes add up to the document's.
            before, behind = (round(size * place / len(ids)) for place in (start, start + len(part)))
            yield Encoded(part, bytearray(b"\1" * len(part)), behind - before, document.source, document.text)

    def _conversation(self, document: Document, contents: list[list[int]]) -> Iterator[Encoded]:
        key = document.key
        start = 0
        while start < len(contents):
            stop = start + 2
            while stop + 2 <= len(contents) and self._length(contents[start : stop + 2]) <= self.length:
                stop += 2
            ids, learn = self._join(document, contents, start, stop)
            covered = document.turns[start:stop] if self.loss == "all" else document.turns[start + 1 : stop : 2]
            size = sum(len(text.encode("utf-8", "replace")) for _, text in covered)
            if len(ids) > self.length:
                # Cut in one turn: the text that is left out is left out of the count as well.
                size = round(size * sum(learn[: self.length]) / max(sum(learn), 1))
                ids, learn = ids[: self.length], learn[: self.length]
            yield Encoded(ids, learn, size, document.source, key)
            start = stop

    def _length(self, contents: Sequence[list[int]]) -> int:
        return sum(map(len, contents)) + sum(map(len, self._skeleton(len(contents))))

    def _lead(self, piece: list[int], number: int) -> int:
        """Tokens at the end of `piece`, before reply `number`, that the model has to say itself: a space, mostly,
        that the template writes before a reply and not when it asks for one."""
        asked = self._skeleton(number, True)[-1]
        return len(piece) - len(asked) if piece[: len(asked)] == asked else 0

    def _join(
        self, document: Document, contents: list[list[int]], start: int, stop: int
    ) -> tuple[list[int], bytearray]:
        pieces = self._skeleton(stop - start)
        if len(pieces) != stop - start + 1:
            # A template that leaves a message out, or writes one twice.
            self._exact = True
            pieces = ([],) * (stop - start + 1)
        ids = list(pieces[0])
        learn = bytearray(len(ids))
        for number, (content, piece) in enumerate(zip(contents[start:stop], pieces[1:], strict=True)):
            ids += content
            ids += piece
            taught = len(content) if number % 2 else 0
            if number % 2 and self.chat.turn_end in piece:
                taught += piece.index(self.chat.turn_end) + 1
            if number % 2 and (lead := self._lead(pieces[number], number)):
                learn[-lead:] = b"\1" * lead
            learn += b"\1" * taught + bytes(len(content) + len(piece) - taught)
        if self._to_check or self._exact:
            whole = self.chat.conversation_ids([text for _, text in document.turns[start:stop]], at=self.at)
            self._to_check = max(0, self._to_check - 1)
            if whole != ids:
                self._exact = True
                ids, learn = self._whole(document, start, stop, whole)
        if self.loss == "all":
            learn = bytearray(b"\1" * len(ids))
        return ids, learn

    def _whole(self, document: Document, start: int, stop: int, whole: list[int]) -> tuple[list[int], bytearray]:
        """The rendering as one, with the replies found by rendering one turn after the other."""
        learn = bytearray(len(whole))
        texts = [text for _, text in document.turns[start:stop]]
        for number in range(1, len(texts), 2):
            said = list(zip(texts[: number - 1 : 2], texts[1:number:2], strict=True))
            example = self.chat.encode_lesson(said, texts[number - 1], texts[number], limit=10**9, at=self.at)
            answer = [label for label in example.labels if label >= 0]
            # Asked for a reply, some templates write what they do not write before one that is there: from where
            # the two part, the reply is looked for.
            parted = (n for n, (one, other) in enumerate(zip(example.input_ids, whole, strict=False)) if one != other)
            begin = min(next(parted, len(whole)), len(example.input_ids) - len(answer))
            for place in range(begin, len(whole) - len(answer) + 1):
                if whole[place : place + len(answer)] == answer:
                    learn[place : place + len(answer)] = b"\1" * len(answer)
                    break
        return whole, learn


def _texts(document: Document) -> list[str]:
    return [text for _, text in document.turns] if document.turns else [document.text]
