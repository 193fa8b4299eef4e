"""Documents → token ids with a loss mask, many at a time. The chat template is honoured; no text becomes control.

One rendering of the template a number of messages, and the messages themselves in batches: `Chat` renders every
conversation anew, which is right for one lesson and slow for a million.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

from theta_tui.model.chat_template import ChatTemplate
from theta_tui.model.instant import UNDATED
from theta_tui.pretrain.content import Tally
from theta_tui.pretrain.documents import Document

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
    text counts whole either way); never over what is context only."""

    def __init__(self, chat: ChatTemplate, *, length: int, loss: Loss, at: float = UNDATED) -> None:
        """`at`: the one instant that all documents are rendered at, for a template that writes the date."""
        self.chat = chat
        self.at = at
        self.length = length
        self.loss = loss
        self.takes_system = chat.takes_system()
        self._exact = False
        """Some template does not come apart between messages: every conversation is rendered whole."""
        self._to_check = {False: CHECKED, True: CHECKED}
        """Conversations, without and with a system message, that are still rendered whole as well."""
        self._skeletons = {
            False: lru_cache(maxsize=1024)(partial(chat.skeleton, at=at)),
            True: lru_cache(maxsize=1024)(partial(chat.with_system("x").skeleton, at=at)),
        }

    def encode(self, documents: Sequence[Document], tally: Tally | None = None) -> Iterator[Encoded]:
        """The documents, in order, in pieces of at most `length` tokens.

        A longer conversation is cut between turns, and each piece begins with the system message; a single turn or a
        text that is longer is cut where it must be. A piece with nothing to learn is left out. `tally` hears of it.
        """
        tally = Tally() if tally is None else tally
        texts = [text for document in documents for text in self._texts(document)]
        ids = iter(self.chat.plain_ids(texts))
        for document in documents:
            contents = [next(ids) for _ in self._texts(document)]
            if document.turns:
                if document.system and not self.takes_system:
                    tally.leave_out("system message", "the chat template has no place for it")
                yield from self._conversation(document, contents, tally)
            else:
                yield from self._text(document, contents[0])

    def _texts(self, document: Document) -> list[str]:
        """The texts of a document that are encoded: a system message first, where there is a place for it."""
        if not document.turns:
            return [document.text]
        return [*self._system(document), *(text for _, text in document.turns)]

    def _system(self, document: Document) -> list[str]:
        return [document.system] if document.system and self.takes_system else []

    def _text(self, document: Document, ids: list[int]) -> Iterator[Encoded]:
        ids = [*ids, self.chat.turn_end]
        size = len(document.text.encode("utf-8", "replace"))
        for start in range(0, len(ids), self.length):
            part = ids[start : start + self.length]
            # Differences of a running share: the pieces' sizes add up to the document's.
            before, behind = (round(size * place / len(ids)) for place in (start, start + len(part)))
            yield Encoded(part, bytearray(b"\1" * len(part)), behind - before, document.source, document.text)

    def _conversation(self, document: Document, contents: list[list[int]], tally: Tally) -> Iterator[Encoded]:
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
                # Cut in one turn: the text that is left out is left out of the count as well.
                tally.cut += 1
                size = round(size * sum(learn[: self.length]) / max(sum(learn), 1))
                ids, learn = ids[: self.length], learn[: self.length]
            if any(learn):
                yield Encoded(ids, learn, size, document.source, key)
            else:
                tally.leave_out("piece", "no reply that is to be learned is within --length")
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
        """Tokens at the end of `piece`, before the reply to `messages`, that the model has to say itself: a space,
        mostly, that the template writes before a reply and not when it asks for one."""
        asked = self._skeletons[system](messages, True)
        return len(piece) - len(asked[-1]) if asked and piece[: len(asked[-1])] == asked[-1] else 0

    def _join(
        self, document: Document, system: list[list[int]], contents: list[list[int]], start: int, stop: int
    ) -> tuple[list[int], bytearray]:
        pieces = self._skeletons[bool(system)](len(system) + stop - start)
        if not pieces:
            # A template that leaves a message out, or writes one twice.
            self._exact = True
            pieces = ([],) * (len(system) + stop - start + 1)
        ids = list(pieces[0])
        for content, piece in zip(system, pieces[1:], strict=False):
            ids += content + piece
        spans = []
        """Where the tokens of each turn are, and of a reply the end that the model has to say."""
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
                    return ids, bytearray(len(ids))  # It may be anywhere in a rendering that hides where it is.
                learn[begin:end] = bytes(end - begin)
            elif number % 2:
                learn[begin:end] = b"\1" * (end - begin)
        return ids, learn

    def _spans(self, document: Document, start: int, stop: int, whole: list[int]) -> list[tuple[int, int]]:
        """As in `_join`, in a rendering as one: a reply is found by rendering one turn after the other, and what is
        between two of them is the user's. A reply that the template does not show is nowhere."""
        chat = self._chat(document)
        spans = [(0, 0)] * (stop - start)
        texts = [text for _, text in document.turns[start:stop]]
        for number in range(1, len(texts), 2):
            said = list(zip(texts[: number - 1 : 2], texts[1:number:2], strict=True))
            example = chat.encode_lesson(said, texts[number - 1], texts[number], limit=10**9, at=self.at)
            answer = [label for label in example.labels if label >= 0]
            # Asked for a reply, some templates write what they do not write before one that is there: from where
            # the two part, the reply is looked for.
            parted = (n for n, (one, other) in enumerate(zip(example.input_ids, whole, strict=False)) if one != other)
            begin = min(next(parted, len(whole)), len(example.input_ids) - len(answer))
            for place in range(begin, len(whole) - len(answer) + 1):
                if whole[place : place + len(answer)] == answer:
                    spans[number] = (place, place + len(answer))
                    spans[number - 1] = (spans[number - 2][1], place)
                    break
        return spans
