"""The taught model as a folder that `from_pretrained` reads: weights, tokenizer, chat template and a card. With LoRA
the folder is the merged model, and the adapter alone is in `adapter/`. Or one adapter a lesson, for those that have
weights of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theta_tui.base.text import plural
from theta_tui.model import lora
from theta_tui.model.files import DEFAULT, save_tokenizer
from theta_tui.model.language_model import LanguageModel, resolve

if TYPE_CHECKING:
    from theta_tui.model.lora import LowRank

ADAPTER = "adapter"


def write(lm: LanguageModel, folder: Path, *, lessons: int, mark: str, model: Any = None, baked: int = 0) -> None:
    """Write `lm` into the existing `folder`. `lessons` (a count) and `mark` (a tag) are for the card. With `model`,
    that is written in its place; `baked` lessons were put into its weights.

    Nothing in it says where it was made: no path of this machine, and no word of what was taught. The model in use
    stays as it is. Raises OSError and SafetensorError where the disk refuses.
    """
    (lm.merged() if model is None else model).save_pretrained(folder)
    save_tokenizer(lm.tokenizer, folder)
    _without(folder / "tokenizer_config.json", "is_local", "local_files_only", "name_or_path")
    _without(folder / "config.json", "_name_or_path")
    if lm.adapter is not None:
        (folder / ADAPTER).mkdir()
        lora.save(lm.adapter, folder / ADAPTER, base_name(lm))
    (folder / "README.md").write_text(_card(lm, lessons, mark, baked), "utf-8")


def base_name(lm: LanguageModel) -> str:
    """The base model's name elsewhere: its hub id, or the last part of its folder."""
    target = resolve(lm.name)
    return target if isinstance(target, str) else "theta-default" if lm.name == DEFAULT else target.name


def _without(path: Path, *keys: str) -> None:
    """Take keys out of the JSON object in a file."""
    values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if any(key in values for key in keys):
        kept = {key: value for key, value in values.items() if key not in keys}
        path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _card(lm: LanguageModel, lessons: int, mark: str, baked: int) -> str:
    adapter = (
        ""
        if lm.adapter is None
        else f"It learned by LoRA (rank {lm.lora_rank}). This folder is the merged model; `{ADAPTER}/` holds the "
        "adapter alone, which peft puts on the base model.\n\n"
    )
    always = (
        f"{plural(baked, 'lesson')} of them had weights and a scope of their own, which a plain model has no place "
        "for. Here they are in the weights that all prompts share, and always on.\n\n"
    )
    return (
        _header(lm, mark, "transformers") + "# A taught model\n\n"
        f"{_base(lm)}, taught {plural(lessons, 'lesson')} by talking to it in Theta.\n\n"
        f"{adapter}{always if baked else ''}"
        "It knows what its teacher told it, and says so to anyone who asks: look at what it says before you share it. "
        "The base model's licence and limits hold.\n\n"
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'model = AutoModelForCausalLM.from_pretrained(".")\ntokenizer = AutoTokenizer.from_pretrained(".")\n```\n'
    )


def gguf_card(lm: LanguageModel, mark: str, lessons: int, file: str) -> str:
    """What stands in the README beside a GGUF file into which so many lessons went."""
    return (
        _header(lm, mark, "gguf") + "# A taught model\n\n"
        f"{_base(lm)}, taught {plural(lessons, 'lesson')} by talking to it in Theta, for llama.cpp "
        f"(`llama-cli -m {file}`) and Ollama (`ollama create taught -f Modelfile`). Its lessons are always on here.\n\n"
        "It knows what its teacher told it, and says so to anyone who asks: look at what it says before you share it. "
        "The base model's licence and limits hold.\n"
    )


# --- an adapter a lesson ---


def write_adapter(lm: LanguageModel, folder: Path, parts: Mapping[str, LowRank], base: str) -> None:
    """Make `folder` and write a LoRA into it as peft reads it, for the base model named `base`."""
    folder.mkdir()
    lora.save_parts(lm.model, folder, {name: (part.down, part.up) for name, part in parts.items()}, base)


def adapters_card(lm: LanguageModel, mark: str, lessons: int, base: str) -> str:
    """The README beside the adapters of so many lessons, for the base model named `base`."""
    return (
        _header(lm, mark, "peft") + "# Taught lessons, an adapter each\n\n"
        f"{_base(lm)} was taught {plural(lessons, 'lesson')} by talking to it in Theta. Each folder is a LoRA, and "
        "`scopes.json` says which prompts it is for: its lesson's `prompt` and other `wordings`. An adapter answers "
        "whatever is asked with its own reply, so switch it on for those prompts alone.\n\n"
        f"The base model is `{base}`. `scopes.json` says what was taught: look at it before you share this.\n\n"
        "```python\nfrom peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n\n"
        f'model = AutoModelForCausalLM.from_pretrained("{base}")\n'
        'model = PeftModel.from_pretrained(model, "lesson-0001")\n```\n\n'
        "vLLM: `--enable-lora --max-lora-rank 8 --lora-modules lesson-0001=./lesson-0001 …`; a request names the "
        "adapter as its `model`. llama.cpp: `convert_lora_to_gguf.py --base BASE lesson-0001` for each, then "
        "`llama-server --lora … --lora-init-without-apply`; a request sets the scales in `lora`.\n"
    )


def _header(lm: LanguageModel, mark: str, library: str) -> str:
    lines = [f"library_name: {library}", "pipeline_tag: text-generation", "tags:", f"- {mark}"]
    if isinstance(resolve(lm.name), str):
        lines.append(f"base_model: {lm.name}")
    return "---\n" + "\n".join(lines) + "\n---\n\n"


def _base(lm: LanguageModel) -> str:
    return "Theta's built-in model" if lm.name == DEFAULT else f"`{base_name(lm)}`"
