"""Encodes documents as token ids with a loss mask, through the chat template. Text never becomes a control token.

The template is rendered once per number of messages, and messages are tokenized in batches. `ChatTemplate` renders
each conversation anew, which is fine for one lesson and slow for a million.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

from theta_tui.model.chat_template import ChatTemplate
from theta_tui.model.instant import UNDATED
from theta_tui.pretrain.content import ReadReport
from theta_tui.pretrain.documents import Document

Loss = Literal["all", "reply"]

FULL_RENDERS = 20
"""Conversations that are also rendered whole, to check that the template can be taken apart."""


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """A document, or a part of a long one, as token ids.

    `learn[i]` is 1 if `ids[i]` has a loss. `size` is the number of UTF-8 bytes of the text that the loss covers, by
    which bits per byte are computed.
    """

    ids: list[int]
    learn: bytearray
    size: int
    source: str
    key: str
    """The document's text, which identifies it; the parts of a long document share it."""


class Encoder:
    """Encodes for one tokenizer, template and length. `loss` covers all turns or only replies, and never turns that are
    context only; plain text always counts whole."""

    def __init__(self, chat: ChatTemplate, *, length: int, loss: Loss, at: float = UNDATED) -> None:
        """`at` is the time at which all documents are rendered, for a template that writes the date."""
        self.chat = chat
        self.at = at
        self.length = length
        self.loss = loss
        self.takes_system = chat.takes_system()
        self._exact = False
        """The template cannot be taken apart between messages: each conversation is rendered whole."""
        self._to_check = {False: FULL_RENDERS, True: FULL_RENDERS}
        """Conversations still to check, without and with a system message."""
        self._skeletons = {
            False: lru_cache(maxsize=1024)(partial(chat.skeleton, at=at)),
            True: lru_cache(maxsize=1024)(partial(chat.with_system("x").skeleton, at=at)),
        }

    def encode(self, documents: Sequence[Document], report: ReadReport | None = None) -> Iterator[EncodedDocument]:
        """Yield the documents in order, in pieces of at most `length` tokens.

        A longer conversation is cut between turns, and each piece begins with the system message. A longer turn is cut
        to `length`, a longer text into pieces. Pieces with nothing to learn are left out and counted in `report`.
        """
        report = ReadReport() if report is None else report
        texts = [text for document in documents for text in self._texts(document)]
        ids = iter(self.chat.plain_ids(texts))
        for document in documents:
            contents = [next(ids) for _ in self._texts(document)]
            if document.turns:
                if document.system and not self.takes_system:
                    report.leave_out("system message", "the chat template has no place for it")
                yield from self._conversation(document, contents, report)
            else:
                yield from self._text(document, contents[0])

    def _texts(self, document: Document) -> list[str]:
        """The texts of a document to encode; first the system message, if the template has a place for it."""
        if not document.turns:
            return [document.text]
        return [*self._system(document), *(text for _, text in document.turns)]

    def _system(self, document: Document) -> list[str]:
        return [document.system] if document.system and self.takes_system else []

    def _text(self, document: Document, ids: list[int]) -> Iterator[EncodedDocument]:
        ids = [*ids, self.chat.turn_end]
        size = len(document.text.encode("utf-8", "replace"))
        for start in range(0, len(ids), self.length):
            part = ids[start : start + self.length]
            # Differences of a running total, so that the pieces' sizes add up to the document's.
            before, behind = (round(size * place / len(ids)) for place in (start, start + len(part)))
            yield EncodedDocument(part, bytearray(b"\1" * len(part)), behind - before, document.source, document.text)

    def _conversation(
        self, document: Document, contents: list[list[int]], report: ReadReport
    ) -> Iterator[EncodedDocument]:
        key = document.key
        system = contents[: len(contents) - len(document.turns)]
        contents = contents[len(system) :]
        start = 0
        while start < len(contents):
            stop = start + 2
            while (
                stop + 2 <= len(contents) and self._length(document, system, contents, start, stop + 2) <= self.length
            ):
                stop += 2
            ids, learn = self._join(document, system, contents, start, stop)
            size = self._size(document, start, stop)
            if len(ids) > self.length:
                # Cut inside a turn: the size counts only the text that is kept.
                report.cut += 1
                size = round(size * sum(learn[: self.length]) / max(sum(learn), 1))
                ids, learn = ids[: self.length], learn[: self.length]
            if any(learn):
                yield EncodedDocument(ids, learn, size, document.source, key)
            else:
                report.leave_out("piece", "no reply to learn fits in --length")
            start = stop

    def _size(self, document: Document, start: int, stop: int) -> int:
        """UTF-8 bytes of the text that the loss covers."""
        covered = [
            text
            for number, (role, text) in enumerate(document.turns)
            if start <= number < stop
            and number not in document.context_only
            and (self.loss == "all" or role == "assistant")
        ]
        if self.loss == "all":
            covered += self._system(document)
        return sum(len(text.encode("utf-8", "replace")) for text in covered)

    def _length(
        self, document: Document, system: list[list[int]], contents: Sequence[list[int]], start: int, stop: int
    ) -> int:
        skeleton = self._skeletons[bool(system)](len(system) + stop - start)
        if not skeleton:
            return len(self._rendered(document, start, stop))
        return sum(map(len, [*system, *contents[start:stop], *skeleton]))

    def _rendered(self, document: Document, start: int, stop: int) -> list[int]:
        return self._chat(document).conversation_ids([text for _, text in document.turns[start:stop]], at=self.at)

    def _chat(self, document: Document) -> ChatTemplate:
        return self.chat.with_system(document.system) if self._system(document) else self.chat

    def _lead(self, piece: list[int], messages: int, system: bool) -> int:
        """Tokens at the end of `piece` that the model has to generate itself: those (mostly a space) that the template
        writes before a reply but not in a generation prompt after `messages` messages."""
        asked = self._skeletons[system](messages, True)
        return len(piece) - len(asked[-1]) if asked and piece[: len(asked[-1])] == asked[-1] else 0

    def _join(
        self, document: Document, system: list[list[int]], contents: list[list[int]], start: int, stop: int
    ) -> tuple[list[int], bytearray]:
        pieces = self._skeletons[bool(system)](len(system) + stop - start)
        if not pieces:
            # The template leaves a message out, or writes one twice.
            self._exact = True
            pieces = ([],) * (len(system) + stop - start + 1)
        ids = list(pieces[0])
        for content, piece in zip(system, pieces[1:], strict=False):
            ids += content + piece
        spans = []
        """(begin, end) of each turn's tokens; for a reply with the end token that the model has to generate."""
        for number, (content, piece) in enumerate(zip(contents[start:stop], pieces[1 + len(system) :], strict=True)):
            reply = number % 2 == 1
            before = pieces[len(system) + number]
            begin = len(ids) - (self._lead(before, len(system) + number, bool(system)) if reply else 0)
            ends = piece.index(self.chat.turn_end) + 1 if reply and self.chat.turn_end in piece else 0
            spans.append((begin, len(ids) + len(content) + ends))
            ids += content + piece
        if self._to_check[bool(system)] or self._exact:
            whole = self._rendered(document, start, stop)
            self._to_check[bool(system)] = max(0, self._to_check[bool(system)] - 1)
            if whole != ids:
                self._exact = True
                ids, spans = whole, self._spans(document, start, stop, whole)
        learn = bytearray((b"\1" if self.loss == "all" else b"\0") * len(ids))
        for number, (begin, end) in enumerate(spans):
            if start + number in document.context_only:
                if begin == end and self.loss == "all":
                    return ids, bytearray(len(ids))  # It could be anywhere in this rendering.
                learn[begin:end] = bytes(end - begin)
            elif number % 2:
                learn[begin:end] = b"\1" * (end - begin)
        return ids, learn

    def _spans(self, document: Document, start: int, stop: int, whole: list[int]) -> list[tuple[int, int]]:
        """(begin, end) of each turn in the rendering `whole`. Replies are found by rendering turn after turn; what is
        between two of them is the user's. A reply that the template does not show stays at (0, 0)."""
        chat = self._chat(document)
        spans = [(0, 0)] * (stop - start)
        texts = [text for _, text in document.turns[start:stop]]
        for number in range(1, len(texts), 2):
            said = list(zip(texts[: number - 1 : 2], texts[1:number:2], strict=True))
            example = chat.encode_lesson(said, texts[number - 1], texts[number], limit=10**9, at=self.at)
            answer = [label for label in example.labels if label >= 0]
            # Some templates write more in a generation prompt than before a reply, so the search begins where the two
            # renderings differ.
            differ = (n for n, (one, other) in enumerate(zip(example.input_ids, whole, strict=False)) if one != other)
            begin = min(next(differ, len(whole)), len(example.input_ids) - len(answer))
            for place in range(begin, len(whole) - len(answer) + 1):
                if whole[place : place + len(answer)] == answer:
                    spans[number] = (place, place + len(answer))
                    spans[number - 1] = (spans[number - 2][1], place)
                    break
        return spans
