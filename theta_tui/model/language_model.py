"""A Hugging Face causal language model with its tokenizer, ready to generate and to learn.

torch is imported when a model is loaded, not with this module, so that `--offline` and the quiet settings are in force
first. Transformers is imported only if model/llama or model/tokenizer.py does not know the model, or if it learns by
LoRA.
"""

from __future__ import annotations

import inspect
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from theta_tui.base.files import assets_dir
from theta_tui.model import catalogue, loading, lora, token_rows
from theta_tui.model.chat_template import ChatTemplate, Encoded, Example, Turns
from theta_tui.model.files import fingerprint, resolve, save_tokenizer
from theta_tui.model.instant import UNDATED
from theta_tui.model.loading import choose_device

if TYPE_CHECKING:
    import torch

    from theta_tui.model.decoding.protocol import Decoder

__all__ = [
    "Encoded", "Example", "LanguageModel", "assets_dir", "choose_device", "fingerprint", "resolve", "save_tokenizer",
]  # fmt: skip

REVISION = 2
"""Version of how steps are computed. It goes up when the same lessons, from the same state, give other bits than
before."""

REVISION_OF_LARGE = 3
"""The same of models whose blocks are known (model/llama) and which are large, in 16 bits or adapted: their lessons
were read by the model's own forward pass once."""


REVISION_OF_DEEP = 4
"""The same of models with more than DEEP blocks: a pick moved each block by as much as one of a shallow model."""
DEEP = 7


class LanguageModel:
    """The model, its tokenizer and what it takes to talk to it. Belongs to one thread."""

    def __init__(
        self, name: str, folder: Path, model: Any, tokenizer: Any, device: str, adapter: Any | None = None
    ) -> None:
        self.name = name
        self.folder = folder
        self.model = model
        self.adapter = adapter
        """peft's handle on the adapter in `model`, where it learns by LoRA; None where it learns whole."""
        self.tokenizer = tokenizer
        self.device = device
        every = {name: parameter.numel() for name, parameter in model.named_parameters()}
        self.adapter_parameters = sum(every[name] for name in self.trainable()) if adapter is not None else 0
        self.parameters = sum(every.values()) - self.adapter_parameters
        """Of the base model; those of an adapter are not counted."""
        self.window = _window(model, tokenizer)
        self.chat = ChatTemplate(tokenizer, window=self.window, end_ids=_generation_ends(model))
        token_rows.require(model, self.chat)
        self.end_ids = self.chat.end_ids
        self.notices = list(self.chat.notices)
        self.last_logits = {"logits_to_keep": 1} if _can_keep_last(model) else {}
        """Arguments of a forward pass for the logits of the last token only."""

    @classmethod
    def load(
        cls,
        name: str,
        *,
        device: str = "auto",
        dtype: str = "auto",
        offline: bool = False,
        threads: int = 0,
        on_stage: Callable[[str], None] | None = None,
        weights: Path | None = None,
        adapt: lora.Choice = "off",
        rank: int = lora.RANK,
        transformers: bool = False,
    ) -> LanguageModel:
        """The model that `name` (`default`, a folder, a hub id) means; with `weights`, its tensors from there.

        `adapt` says whether it is to learn by LoRA, of `rank` (auto: where it is large). `weights` is a model folder
        of the same architecture, such as a checkpoint, or a folder with an adapter where it learns by LoRA.
        With `transformers` model and tokenizer are its classes whatever they are, for more than talk and lessons.
        `on_stage` hears what is going on. Raises ModelError with what is wrong and what to do.
        """
        stage = on_stage or (lambda _: None)
        stage("importing PyTorch")
        if offline:
            os.environ["HF_HUB_OFFLINE"] = "1"
        import torch

        if threads > 0:
            torch.set_num_threads(threads)
        place = choose_device(device)
        target = resolve(name)
        catalogue.require(name)
        folder = loading.find_folder(target, offline, stage)
        stage("reading the model")
        kind = loading.choose_dtype(dtype, folder)
        loading.require_memory(name, folder, kind)
        chosen = lora.rank_for(adapt, rank, loading.parameters(folder))
        adapter = None
        model = None
        if chosen is None:
            source = loading.whole(weights or folder)
            model = None if transformers else loading.read_known(folder, source, kind)
            if model is None:
                stage("importing Transformers")
                model = loading.owned(loading.read(source, loading.read_config(folder), kind))
        else:
            stage("importing Transformers")
            model = loading.read(folder, loading.read_config(folder), kind)
            stage("adding the adapter")
            adapter = lora.wrap(model, chosen)
            if weights is not None:
                lora.load(adapter, weights)
        stage("reading the tokenizer")
        lm = cls(name, folder, model.to(place), loading.read_tokenizer(folder, transformers), place, adapter)
        from theta_tui.model.llama.block import recognised

        if not recognised(model):
            stage("trying the model on a few tokens")
            if lm.decoder.rereads:
                lm.notices.append(
                    "this model is read anew for every token of a reply, because it keeps no cache or its cached steps "
                    "differ from its own: replies are right, and slow"
                )
        return lm

    @property
    def lora_rank(self) -> int | None:
        """The rank of the adapter that learns; None where the whole model does."""
        return None if self.adapter is None else int(self.adapter.peft_config[lora.NAME].r)

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """The parameters that lessons may move, by name. A tied head is the embedding, and comes once."""
        own = self.model.named_parameters(remove_duplicate=True)
        if self.adapter is None:
            return dict(own)
        return {name: parameter for name, parameter in own if ".lora_" in name and f".{lora.NAME}." in name}

    @cached_property
    def decoder(self) -> Decoder:
        """The fastest exact decoder of this model; it keeps what was read last (`decoding.protocol`). Raises ModelError
        where the model is none that can write or be taught."""
        from theta_tui.model.decoding import fast

        found = fast.proven(self.model) if self.adapter is None else None
        if found is not None:
            return found
        # Imported only here: it takes Transformers, which the built-in model does without.
        from theta_tui.model.decoding import general

        ids = self.encode_prompt((), "hello, who are you?", room=1).ids
        return general.proven(self.model, self.last_logits, ids)

    def encode_prompt(
        self, turns: Turns, prompt: str, *, room: int, limit: int | None = None, at: float = UNDATED
    ) -> Encoded:
        """Token ids of the conversation, with room for a reply of `room` tokens: see `ChatTemplate.encode_prompt`."""
        return self.chat.encode_prompt(turns, prompt, room=room, limit=limit, at=at)

    def read_ahead(self, turns: Turns, *, room: int, limit: int | None = None, at: float = UNDATED) -> Iterator[None]:
        """Prefill the tokens in front of the next prompt, in slices of some 20 ms with a yield after each, so that
        replies to it begin at once. Yields nothing where they were read before, or where no turn would be kept."""
        from theta_tui.model.decoding.protocol import common_prefix

        if turns:
            one, other = (self.encode_prompt(turns, text, room=room, limit=limit, at=at).ids for text in ("a", "b"))
            yield from self.decoder.prefill_ahead(one[: common_prefix(one, other)])

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
        """Token ids of the conversation with its reply, and labels: see `ChatTemplate.encode_lesson`."""
        return self.chat.encode_lesson(turns, prompt, reply, limit=limit, loss=loss, at=at, ended=ended)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of reply tokens, without control tokens."""
        return self.chat.decode(ids)

    def load_weights(self, folder: Path | None = None) -> None:
        """Take the weights of `folder` (None: the base model's), in place. On an error nothing has changed.

        Where a Learner has this model, call its `load_weights` instead: it keeps what its snapshots hold.
        """
        import torch

        if self.adapter is not None:
            if folder is None:
                lora.reset(self.adapter)
            else:
                lora.load(self.adapter, folder)
            return
        from theta_tui.model.llama.model import LlamaForCausalLM

        source, own = loading.whole(folder or self.folder), isinstance(self.model, LlamaForCausalLM)
        fresh = loading.read_known(self.folder, source, self.dtype) if own else None
        if fresh is None:
            fresh = loading.read(source, loading.read_config(self.folder) if own else self.model.config, self.dtype)
        mine, theirs = (
            (_tensors(self.model), _tensors(fresh))
            if type(self.model) is type(fresh)
            else (list(self.model.parameters()), list(fresh.parameters()))
        )
        with torch.no_grad():
            for here, there in zip(mine, theirs, strict=True):
                here.copy_(there)

    def save(self, folder: Path) -> None:
        """Write what lessons may have moved into `folder`: the whole model with its tokenizer, or the adapter alone."""
        if self.adapter is not None:
            target = resolve(self.name)
            lora.save(self.adapter, folder, target if isinstance(target, str) else str(self.folder))
            return
        self.model.save_pretrained(folder)
        save_tokenizer(self.tokenizer, folder)

    def merged(self) -> Any:
        """The model without an adapter: itself, or a copy on the CPU that has the adapter added to its weights."""
        if self.adapter is None:
            return self.model
        fresh = loading.read(self.folder, self.model.config, self.dtype)
        lora.merge_into(self.adapter, fresh)
        return fresh

    @property
    def dtype(self) -> torch.dtype:
        return next(self.model.parameters()).dtype

    def machine(self) -> str:
        """The arithmetic in words: versions, device, threads, precision. With the same, the same lessons give the same
        bits."""
        import torch

        from theta_tui.model.llama.block import blocks_known, recognised
        from theta_tui.model.modules import blocks_of

        versions = f"torch {torch.__version__}, transformers {_transformers()}"
        large = blocks_known(self.model) and not recognised(self.model)
        deep = self.adapter is None and len(blocks_of(self.model)) > DEEP
        steps = REVISION_OF_DEEP if deep else REVISION_OF_LARGE if large else REVISION
        kind = f"{str(self.dtype).removeprefix('torch.')}, steps {steps}"
        if self.adapter is not None:
            import peft

            kind += f", lora rank {self.lora_rank} (peft {peft.__version__})"
        if self.device == "cuda":
            return f"{versions}, cuda {torch.version.cuda} {torch.cuda.get_device_name()}, {kind}"
        place = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
        return f"{versions}, {self.device} {place}, {torch.get_num_threads()} threads, {kind}"


@cache
def _transformers() -> str:
    """Its version. Every lesson asks, and each look into the package's files takes as long as a step."""
    from importlib.metadata import version

    return version("transformers")


def _can_keep_last(model: Any) -> bool:
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def _tensors(model: Any) -> list[torch.Tensor]:
    return [*model.parameters(), *model.buffers()]


def _window(model: Any, tokenizer: Any) -> int:
    """The most tokens that the model takes, by its files and its tables of positions."""
    learned = token_rows.positions(model)
    for source in (model.config, model.config.get_text_config()):
        for name in ("max_position_embeddings", "max_seq_len", "max_target_positions"):
            size = getattr(source, name, None)
            if isinstance(size, int) and size > 0:
                return size if learned is None else min(size, learned)
    return learned or (int(tokenizer.model_max_length) if tokenizer.model_max_length < 10**6 else 1024)


def _generation_ends(model: Any) -> list[int]:
    """The tokens that end a reply, by the model's files, without those that the model has no row for."""
    found = getattr(model.generation_config, "eos_token_id", None)
    if found is None:
        found = model.config.get_text_config().eos_token_id
    rows = min(token_rows.tables(model).values(), default=sys.maxsize)
    ends = [] if found is None else [found] if isinstance(found, int) else list(found)
    return [index for index in ends if 0 <= index < rows]
