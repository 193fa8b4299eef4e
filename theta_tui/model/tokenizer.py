"""A tokenizer without Transformers: the same ids, the same text, the same rendering of a chat template.

The tokenizers library does the work either way; what Transformers wraps around it takes a second to import. Only a
folder whose files say nothing that this does not understand is taken: `read` returns None for anything else, and the
caller has Transformers read it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from theta_tui.model.instant import UNDATED, clock

TOKENIZER = "tokenizer.json"
CONFIG = "tokenizer_config.json"
TEMPLATE = "chat_template.jinja"

_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_MEANINGLESS = {"clean_up_tokenization_spaces", "is_local", "local_files_only", "name_or_path", "padding_side"}
"""Keys that say nothing about a text alone: Theta asks for no clean-up and pads by itself."""
_KNOWN = {"tokenizer_class", "backend", "extra_special_tokens", "model_max_length", *_NAMED, *_MEANINGLESS}
_GIVEN = {"messages", "add_generation_prompt", "enable_thinking", "strftime_now"}
"""What a template is rendered with, beside the named tokens."""
_MISTRAL = 100_000
"""Entries from which Transformers looks for a vocabulary that it mends."""


class FastTokenizer:
    """A tokenizer with its chat template. Called as Transformers' are, as far as Theta calls them."""

    def __init__(self, folder: Path, backend: Tokenizer, config: Mapping[str, Any], template: str) -> None:
        self._folder = folder
        self._names: dict[str, str] = {name: config[name] for name in _NAMED if config.get(name) is not None}
        self._extra: list[str] = config.get("extra_special_tokens") or []
        self.strftime_now = clock(UNDATED)
        """What a template asks for the time."""
        self.backend_tokenizer = backend
        self.chat_template = template
        self.model_max_length = int(config.get("model_max_length", 10**30))

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        """The ids of one text."""
        return {"input_ids": self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens).ids}

    def __len__(self) -> int:
        """Tokens, the added ones among them."""
        return self.backend_tokenizer.get_vocab_size(with_added_tokens=True)

    def decode(
        self, ids: Sequence[int], skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool = False
    ) -> str:
        """The text of `ids`; nothing is ever cleaned up."""
        return self.backend_tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        tokenize: bool,
        add_generation_prompt: bool,
        enable_thinking: bool,
    ) -> str:
        """The conversation as text. Raises jinja2's errors."""
        assert not tokenize
        return str(
            _compiled(self.chat_template).render(
                messages=[dict(message) for message in messages],
                add_generation_prompt=add_generation_prompt,
                enable_thinking=enable_thinking,
                strftime_now=self.strftime_now,
                **self._names,
            )
        )

    def save_pretrained(self, folder: Path) -> None:
        """Its files, as they are."""
        for name in (TOKENIZER, CONFIG, TEMPLATE):
            shutil.copyfile(self._folder / name, folder / name)

    # --- single tokens ---

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        return self.backend_tokenizer.get_added_tokens_decoder()

    @property
    def all_special_ids(self) -> list[int]:
        return [self.convert_tokens_to_ids(text) for text in dict.fromkeys([*self._names.values(), *self._extra])]

    def convert_ids_to_tokens(self, ids: int | Sequence[int]) -> Any:
        """Token or tokens as the vocabulary spells them."""
        if isinstance(ids, int):
            return self.backend_tokenizer.id_to_token(ids)
        return [self.backend_tokenizer.id_to_token(index) for index in ids]

    def convert_tokens_to_ids(self, token: str) -> Any:
        """Its id, that of the unknown token, or None."""
        found = self.backend_tokenizer.token_to_id(token)
        return self.unk_token_id if found is None else found

    def _id_of(self, name: str) -> int | None:
        token = self._names.get(name)
        return None if token is None else self.backend_tokenizer.token_to_id(token)

    @property
    def eos_token(self) -> str | None:
        return self._names.get("eos_token")

    @property
    def bos_token_id(self) -> int | None:
        return self._id_of("bos_token")

    @property
    def eos_token_id(self) -> int | None:
        return self._id_of("eos_token")

    @property
    def pad_token_id(self) -> int | None:
        return self._id_of("pad_token")

    @property
    def unk_token_id(self) -> int | None:
        return self._id_of("unk_token")


def tell_time(tokenizer: Any, strftime_now: Callable[[str], str]) -> None:
    """Let the chat template of `tokenizer`, Transformers' or one of these, ask `strftime_now` for the time."""
    if isinstance(tokenizer, FastTokenizer):
        tokenizer.strftime_now = strftime_now
        return
    # Transformers gives every template this machine's own clock, and lets nothing that could be called through instead.
    from transformers.utils.chat_template_utils import _compile_jinja_template

    compiled: Any = _compile_jinja_template(tokenizer.get_chat_template())
    compiled.environment.globals["strftime_now"] = strftime_now


def read(folder: Path) -> FastTokenizer | None:
    """The tokenizer of a model folder; None where its files say anything that is not understood here."""
    try:
        if any((folder / name).exists() for name in ("chat_template.json", "special_tokens_map.json")):
            return None
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        text = (folder / TOKENIZER).read_text("utf-8")
        template = (folder / TEMPLATE).read_text("utf-8")
        description = json.loads(text)
        if not template or not _plain(config, description) or not _understood(template):
            return None
        backend = Tokenizer.from_str(text)
    except Exception:  # whatever is wrong with the files: Transformers says it, or knows better
        return None
    if backend.get_vocab_size(with_added_tokens=True) > _MISTRAL:
        return None
    return FastTokenizer(folder, backend, config, template)


def _plain(config: Mapping[str, Any], description: Mapping[str, Any]) -> bool:
    """Whether the files ask for no more than what the tokenizers library does by itself."""
    if set(config) - _KNOWN or config.get("tokenizer_class") != "TokenizersBackend":
        return False
    if config.get("backend") != "tokenizers" or config.get("eos_token") is None:
        return False
    if description.get("truncation") is not None or description.get("padding") is not None:
        return False
    extra = config.get("extra_special_tokens") or []
    if not isinstance(extra, list) or type(config.get("model_max_length", 1)) is not int:
        return False
    special = [config[name] for name in _NAMED if config.get(name) is not None] + extra
    # Transformers would add those that are not there yet, or are there as something else.
    there = {
        token["content"]
        for token in description["added_tokens"]
        if token["special"] and not (token["normalized"] or token["lstrip"] or token["rstrip"] or token["single_word"])
    }
    return all(isinstance(token, str) and token in there for token in special)


@lru_cache(maxsize=8)
def _understood(template: str) -> bool:
    """Whether a template needs no more than it is given: no globals, and no filter of Transformers' own."""
    from jinja2 import meta, nodes

    if "tojson" in template:
        return False
    tree = _environment().parse(template)
    if any(meta.find_referenced_templates(tree)) or any(name.name == "self" for name in tree.find_all(nodes.Name)):
        return False
    return not meta.find_undeclared_variables(tree) - {*_GIVEN, *_NAMED}


@lru_cache(maxsize=8)
def _compiled(template: str) -> Any:
    return _environment().from_string(template)


def _environment() -> Any:
    """Transformers' own settings, sandboxed, and without anything that a template could call."""
    from jinja2 import ext, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(ext.Extension):
        """`{% generation %}`, which says what the model wrote, changes nothing of what is rendered."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_as_it_is"), [], [], body).set_lineno(line)

        def _as_it_is(self, caller: Any) -> Any:
            return caller()

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, ext.loopcontrols]
    )
    environment.globals.clear()
    return environment
