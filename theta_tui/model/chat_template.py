"""Conversation → token ids: the chat template, the cut to the window, the loss mask. Knows no weights.

Three promises live here. What a person or a model said never becomes a control token, whatever it spells. The labels
of a lesson hold the reply and the token that ends the turn: without that token a model never learns to stop. And what a
template can read from outside (the time, a choice at random) is an argument, so that a lesson is the same on any day.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, cycle
from typing import Any, Literal

from theta_tui.base.errors import ModelError, TeachError
from theta_tui.base.text import is_blank, plural
from theta_tui.model.instant import UNDATED, clock
from theta_tui.model.tokenizer import tell_time

Turns = Sequence[tuple[str, str]]

IGNORE = -100
"""The label of a token that no loss is taken on (the Hugging Face convention)."""

_BUILT_IN = (
    "{% for m in messages %}{% if m['role']=='user' %}<|user|>{{ m['content'] }}{% elif m['role']=='assistant' %}"
    "<|assistant|>{% generation %}{{ m['content'] }}END{% endgeneration %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_ROLE_MARKS = ("<|user|>", "<|assistant|>", "<|end|>")

# Content is rendered as these two around a number where it must not meet the template's text before tokenization.
_OPEN, _CLOSE = "\ue000", "\ue001"
_SENTINEL = re.compile(f"{_OPEN}(\\d+){_CLOSE}")

# An added token that is not marked special is a control token too where it looks like one (`<think>`, `[/INST]`).
_TAG = re.compile(r"[<\[].*[>\]]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A conversation, ready to generate from: `ids` end where the reply begins.

    `dropped_turns` were left out, oldest first, to fit; `cut_prompt`: the prompt alone did not fit and lost its end.
    """

    ids: list[int]
    dropped_turns: int
    cut_prompt: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A lesson as ids. `labels` has the length of `input_ids` and is -100 where no loss is taken; the shift by one
    happens in the loss. The last id is the end-of-turn token, unless the reply was cut."""

    input_ids: list[int]
    labels: list[int]


class ChatTemplate:
    """A tokenizer with its chat template. Not for two threads at once."""

    def __init__(self, tokenizer: Any, *, window: int, end_ids: Sequence[int] = ()) -> None:
        """`window`: the most tokens that the model takes. `end_ids`: what its generation config ends replies with."""
        self.tokenizer = tokenizer
        self.window = window
        self.notices: list[str] = []
        self._plain: Any = None
        self._system: str | None = None
        self._at = UNDATED
        self._escaped: re.Pattern[str] | None = None
        added: dict[int, Any] = dict(tokenizer.added_tokens_decoder)
        special = set(tokenizer.all_special_ids)
        control = special | {
            index
            for index, token in added.items()
            if token.content.strip() and (token.special or _TAG.fullmatch(token.content.strip()))
        }
        strings = {added[index].content for index in control if index in added}
        strings |= {tokenizer.convert_ids_to_tokens(index) for index in special}
        longest_first = sorted((re.escape(text) for text in strings if text), key=len, reverse=True)
        self._control = re.compile("|".join(longest_first) or r"(?!)")
        # The unknown token stands for ordinary text; nobody may spell it, but a text may hold it.
        roles = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}
        self.control_ids = frozenset(control - ({tokenizer.unk_token_id} - roles))
        if tokenizer.eos_token_id is None and end_ids:
            tokenizer.eos_token = tokenizer.convert_ids_to_tokens(min(end_ids))
        if not tokenizer.chat_template:
            self._use_built_in()
        self.dated = "strftime_now" in str(tokenizer.chat_template)
        """Whether the template asks for the time."""
        self._template_controls = lru_cache(maxsize=256)(self._count_template_controls)
        self._least_prompt: int | None = None
        self.turn_end = self._find_turn_end()
        """The token that the template ends an assistant's turn with."""
        ends = {self.turn_end, *end_ids}
        self.end_ids = frozenset(ends if tokenizer.eos_token_id is None else ends | {tokenizer.eos_token_id})
        """Every token that ends a reply."""

    def encode_prompt(
        self, turns: Turns, prompt: str, *, room: int, limit: int | None = None, at: float = UNDATED
    ) -> Encoded:
        """The conversation with `room` tokens left free behind it, cut to `limit` (or the window) by whole turns. `at`
        is the time, in Unix seconds, that the template is told, as UTC."""
        self._at = at
        size = min(self.window, limit or self.window)
        ids, kept, shown = self._fit(turns, prompt, size - min(room, size // 2))
        return Encoded(ids, len(turns) - kept, shown != prompt)

    def encode_lesson(
        self,
        turns: Turns,
        prompt: str,
        reply: str,
        *,
        limit: int | None = None,
        loss: Literal["reply", "all"] = "reply",
        at: float = UNDATED,
        ended: bool = True,
    ) -> Example:
        """The conversation with the reply behind it, and the labels. Turns are left out, and `at` is told to the
        template, as in `encode_prompt`. A reply that was cut (`ended` is false) has no end token behind it.

        Raises TeachError where the reply is blank, or does not fit `limit` (or the window).
        """
        if is_blank(reply):
            raise TeachError("a blank reply cannot be taught; write what the model should say")
        self._at = at
        size = min(self.window, limit or self.window)
        reply_ids = self._content_ids(reply)
        budget = size - len(reply_ids) - 1
        while True:
            if budget < self._least:
                raise TeachError(
                    f"the reply is too long: it takes {plural(len(reply_ids), 'token')} and the model has room for "
                    f"{size - self._least - 1:,}; shorten it"
                )
            prompt_ids, kept, shown = self._fit(turns, prompt, budget)
            answer = self._answer(turns[len(turns) - kept :], shown, reply, prompt_ids, reply_ids)
            excess = len(prompt_ids) + len(answer) - size
            if excess <= 0:
                break
            budget = len(prompt_ids) - excess
        if not ended:
            answer = answer[:-1]
        # "reply" and "all" differ in the labels alone, so that both are cut alike.
        labels = prompt_ids + answer if loss == "all" else [IGNORE] * len(prompt_ids) + answer
        return Example(prompt_ids + answer, labels)

    def with_system(self, text: str) -> ChatTemplate:
        """The same chat where every conversation begins with this system message."""
        other = copy(self)
        other._template_controls = lru_cache(maxsize=256)(other._count_template_controls)
        other._begin_with(text)
        return other

    def speak_as(self, persona: str | None) -> bool:
        """Begin every conversation with this system message from now on; None: with what the template begins with by
        itself. Whether it could be done: nothing changes where the template has no place for one."""
        if persona is not None and not self.takes_system():
            return False
        if persona != self._system:
            self._begin_with(persona)
        return True

    @contextmanager
    def speaking_as(self, persona: str | None) -> Iterator[None]:
        """`speak_as` for a while."""
        before = self._system
        self.speak_as(persona)
        try:
            yield
        finally:
            self.speak_as(before)

    def _begin_with(self, system: str | None) -> None:
        self._system, self._least_prompt = system, None
        self._template_controls.cache_clear()  # what the template writes by itself may differ

    def takes_system(self) -> bool:
        """Whether the template has a place for a system message. Some leave it out, some refuse it, and some write it
        as if another role had said it."""
        messages = self.with_system("x")._marked(3)
        try:
            rendered = self._render(messages, False)
        except ModelError:
            return False
        for role in ("user", "assistant"):
            try:
                if self._render([messages[0] | {"role": role}, *messages[1:]], False) == rendered:
                    return False
            except ModelError:
                continue
        return rendered.count(_mark(0)) == 1

    def decode(self, ids: Sequence[int]) -> str:
        """The text of reply tokens; control tokens say nothing."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def skeleton(self, messages: int, generate: bool = False, *, at: float = UNDATED) -> tuple[list[int], ...]:
        """What the template writes around `messages` messages, as ids: before the first, between, behind the last.
        `generate`: and what it asks for a reply with. A system message counts; nothing where the order is another."""
        self._at = at
        pieces = _SENTINEL.split(self._render(self._marked(messages), generate))
        if pieces[1::2] != [str(number) for number in range(messages)]:
            return ()
        return tuple(self._encode(piece) if piece else [] for piece in pieces[::2])

    def met_ids(self) -> set[int]:
        """Every token of a conversation: what text can become, what the template writes, what ends a reply."""
        text = set(self.tokenizer.backend_tokenizer.get_vocab(with_added_tokens=True).values()) - self.control_ids
        written = (self.skeleton(messages, messages % 2 == 1) for messages in (1, 2, 3, 4))
        return text.union({self.turn_end}, *(piece for pieces in written for piece in pieces))

    def plain_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text by itself as ordinary tokens, in one batch."""
        cleaned = [self._clean(text) for text in texts]
        found: list[list[int]] = [
            encoded.ids for encoded in self._uncontrolled.encode_batch(cleaned, add_special_tokens=False)
        ]
        return [
            self._plain_ids(text) if self.control_ids.intersection(ids) else ids
            for text, ids in zip(cleaned, found, strict=True)
        ]

    def conversation_ids(self, texts: Sequence[str], *, at: float = UNDATED) -> list[int]:
        """A whole conversation as the template renders it: `texts` are the user's and the model's in turn."""
        self._at = at
        return self._ids(list(zip(texts[:-2:2], texts[1:-2:2], strict=True)), texts[-2], texts[-1])

    def spelled(self, ids: Sequence[int]) -> str:
        """The text of tokens, control tokens as they are written, for people to look at."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def render(self, turns: Turns, prompt: str, reply: str | None = None) -> str:
        """What the template makes of it, for people to look at."""
        return self._render(self._messages(turns, prompt, reply), reply is None)

    # --- the template ---

    def _use_built_in(self) -> None:
        tokenizer = self.tokenizer
        unknown = tokenizer.unk_token_id
        single = {mark: tokenizer.convert_tokens_to_ids(mark) for mark in _ROLE_MARKS}
        tokens = {mark for mark, index in single.items() if index is not None and index != unknown}
        if "<|end|>" not in tokens and tokenizer.eos_token is None:
            raise ModelError(
                "the model's tokenizer has neither a chat template nor an end token, so a reply could never end; "
                "use a model that has one"
            )
        first = tokenizer("x")["input_ids"][:1]
        begin = "{{ bos_token }}" if first and first[0] == tokenizer.bos_token_id else ""
        end = "<|end|>" if "<|end|>" in tokens else "{{ eos_token }}"
        tokenizer.chat_template = begin + _BUILT_IN.replace("END", end)
        # Marks that are plain text to this tokenizer could be forged by typing them, so a message may not spell them.
        spelled = [
            re.escape(mark) for mark in _ROLE_MARKS if mark not in tokens or single[mark] not in self.control_ids
        ]
        self._escaped = re.compile("|".join(spelled)) if spelled else None
        self.notices.append("the model has no chat template; Theta's own is used (<|user|> … <|assistant|> …)")

    def _find_turn_end(self) -> int:
        """The first control token that the template writes after a reply, or else the tokenizer's own end."""
        rendered = self._render(self._messages((), _mark(0), _mark(1)), False)
        tail = rendered.rpartition(_mark(1))[2]
        for index in self._encode(tail) if tail else ():
            if index in self.control_ids:
                return index
        if self.tokenizer.eos_token_id is None:
            raise ModelError("the model's chat template never ends a reply and its tokenizer has no end token")
        return int(self.tokenizer.eos_token_id)

    def _messages(self, turns: Turns, prompt: str, reply: str | None) -> list[dict[str, str]]:
        said = [text for turn in turns for text in turn] + [prompt] + ([] if reply is None else [reply])
        return self._in_turn(said if self._system is None else [self._system, *said])

    def _in_turn(self, texts: Sequence[str]) -> list[dict[str, str]]:
        """The texts as messages: of user and assistant in turn, behind the system message where there is one."""
        roles = cycle(("user", "assistant"))
        first = () if self._system is None else ("system",)
        return [
            {"role": role, "content": self._clean(text)} for role, text in zip(chain(first, roles), texts, strict=False)
        ]

    def _clean(self, text: str) -> str:
        # A lone surrogate would be a TypeError inside the tokenizer.
        text = text.encode("utf-8", "replace").decode("utf-8")
        return self._escaped.sub(lambda match: match.group().replace("<|", "< |"), text) if self._escaped else text

    def _marked(self, messages: int) -> list[dict[str, str]]:
        return self._in_turn([_mark(number) for number in range(messages)])

    def _render(self, messages: list[dict[str, str]], generate: bool) -> str:
        try:
            # enable_thinking: reasoning models otherwise open with a block that no lesson contains.
            with _same_choices():
                if self.dated:
                    tell_time(self.tokenizer, clock(self._at))
                return str(
                    self.tokenizer.apply_chat_template(
                        messages, tokenize=False, add_generation_prompt=generate, enable_thinking=False
                    )
                )
        except Exception as error:  # jinja2's own errors, and whatever a template's raise_exception says
            raise ModelError(f"the model's chat template cannot render a conversation ({error})") from None

    # --- text to ids ---

    def _ids(self, turns: Turns, prompt: str, reply: str | None = None) -> list[int]:
        """The rendered conversation as ids. Control tokens in it are the template's own, never the content's."""
        messages = self._messages(turns, prompt, reply)
        generate = reply is None
        if not any(self._control.search(message["content"]) for message in messages):
            ids = self._encode(self._render(messages, generate))
            # A tokenizer that normalises before it looks for added tokens can still find one: count them.
            if sum(index in self.control_ids for index in ids) == self._template_controls(
                len(messages), generate, self._at if self.dated else UNDATED
            ):
                return ids
        ids = []
        for number, piece in enumerate(_SENTINEL.split(self._render(self._marked(len(messages)), generate))):
            if number % 2:
                ids += self._plain_ids(messages[int(piece)]["content"])
            elif piece:
                ids += self._encode(piece)
        return ids

    def _count_template_controls(self, messages: int, generate: bool, _at: float) -> int:
        pieces = _SENTINEL.split(self._render(self._marked(messages), generate))[::2]
        return sum(index in self.control_ids for piece in pieces if piece for index in self._encode(piece))

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _content_ids(self, text: str) -> list[int]:
        """What someone said, by itself, as ids."""
        text = self._clean(text)
        ids = self._encode(text)
        return self._plain_ids(text) if self.control_ids.intersection(ids) else ids

    @property
    def _uncontrolled(self) -> Any:
        """A copy of the tokenizer that knows no added tokens."""
        if self._plain is None:
            from tokenizers import Tokenizer

            description = json.loads(self.tokenizer.backend_tokenizer.to_str())
            self._plain = Tokenizer.from_str(json.dumps(description | {"added_tokens": []}))
        return self._plain

    def _plain_ids(self, text: str) -> list[int]:
        """`text` as ordinary tokens."""
        ids: list[int] = self._uncontrolled.encode(text, add_special_tokens=False).ids
        if self.control_ids.intersection(ids):
            # Some vocabularies hold the control strings as words of their own. Letter by letter they cannot be met.
            ids = [i for char in text for i in self._uncontrolled.encode(char, add_special_tokens=False).ids]
        return [index for index in ids if index not in self.control_ids]

    # --- fitting ---

    @property
    def _least(self) -> int:
        """Tokens of the shortest prompt."""
        if self._least_prompt is None:
            self._least_prompt = len(self._ids((), "x"))
        return self._least_prompt

    def _fit(self, turns: Turns, prompt: str, budget: int) -> tuple[list[int], int, str]:
        """Ids of as many of the newest turns as fit with the prompt, how many those are, and the prompt as shown."""
        ids = self._ids((), prompt)
        if len(ids) > budget:
            ids, prompt = self._cut(prompt, budget, ids)
            return ids, 0, prompt
        # Doubling, then halving: the cost depends on the budget and not on how long the conversation has become.
        kept, refused = 0, len(turns) + 1
        while kept + 1 < refused:
            trial = min(2 * kept + 1, len(turns)) if refused > len(turns) else (kept + refused) // 2
            found = self._ids(turns[len(turns) - trial :], prompt)
            if len(found) <= budget:
                kept, ids = trial, found
            else:
                refused = trial
        return ids, kept, prompt

    def _cut(self, prompt: str, budget: int, ids: list[int]) -> tuple[list[int], str]:
        """The beginning of a prompt that does not fit, as much as does."""
        while len(ids) > budget and len(prompt) > 1:
            over = len(ids) - budget
            content = max(len(ids) - self._least, 1)
            prompt = prompt[: max(1, min(len(prompt) - 1, int(len(prompt) * (1 - over / content))))]
            ids = self._ids((), prompt)
        return ids, prompt

    def _answer(self, turns: Turns, prompt: str, reply: str, prompt_ids: list[int], reply_ids: list[int]) -> list[int]:
        """What follows `prompt_ids` when the model says `reply`: the reply's tokens and the end of the turn.

        Found by comparing the two renderings, because a mask from the template's own marks is silently empty for
        most templates. Where a template writes the two differently, it is put together here instead. What a template
        writes after the end token is left out: no loss is taken on it, and nothing that counts comes after it.
        """
        whole = self._ids(turns, prompt, reply)
        answer = whole[len(prompt_ids) :]
        if whole[: len(prompt_ids)] == prompt_ids and self.turn_end in answer:
            answer = answer[: answer.index(self.turn_end) + 1]
            if self.decode(reply_ids).strip() in self.decode(answer):
                reply_ids = answer[:-1]
        if all(index in self.control_ids for index in reply_ids):
            raise TeachError("the model's tokenizer has no tokens for this reply; write it in other characters")
        return [*reply_ids, self.turn_end]


@contextmanager
def _same_choices() -> Iterator[None]:
    """Within it, what is drawn from Python's own randomness (jinja's `random` filter) is the same each time."""
    before = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(before)


def _mark(number: int) -> str:
    return f"{_OPEN}{number}{_CLOSE}"
