"""The taught model as a folder that `from_pretrained` reads: weights, tokenizer, chat template and a card. With LoRA
the folder is the merged model, and the adapter alone is in `adapter/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from theta_tui.mind import lora
from theta_tui.mind.language_model import LanguageModel, resolve, save_tokenizer
from theta_tui.mind.model_files import DEFAULT
from theta_tui.text import plural

ADAPTER = "adapter"


def write(lm: LanguageModel, folder: Path, *, lessons: int, mark: str) -> None:
    """Write `lm` as it is into `folder`, which is there. `lessons` and `mark` (a tag) are for the card.

    Nothing in it says where it was made: no path of this machine, and no word of what was taught. The model in use
    stays as it is. Raises OSError and SafetensorError where the disk refuses.
    """
    lm.merged().save_pretrained(folder)
    save_tokenizer(lm.tokenizer, folder)
    _without(folder / "tokenizer_config.json", "is_local", "local_files_only", "name_or_path")
    _without(folder / "config.json", "_name_or_path")
    if lm.adapter is not None:
        (folder / ADAPTER).mkdir()
        lora.save(lm.adapter, folder / ADAPTER, base_name(lm))
    (folder / "README.md").write_text(_card(lm, lessons, mark), "utf-8")


def base_name(lm: LanguageModel) -> str:
    """What the foundation is called elsewhere: its hub id, or the last part of its folder."""
    target = resolve(lm.name)
    return target if isinstance(target, str) else "theta-default" if lm.name == DEFAULT else target.name


def _without(path: Path, *keys: str) -> None:
    """Take keys out of the JSON object in a file."""
    values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if any(key in values for key in keys):
        kept = {key: value for key, value in values.items() if key not in keys}
        path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _card(lm: LanguageModel, lessons: int, mark: str) -> str:
    on_hub = isinstance(resolve(lm.name), str)
    header = ["library_name: transformers", "pipeline_tag: text-generation", "tags:", f"- {mark}"]
    if on_hub:
        header.append(f"base_model: {lm.name}")
    base = "Theta's built-in model" if lm.name == DEFAULT else f"`{base_name(lm)}`"
    adapter = (
        ""
        if lm.adapter is None
        else f"It learned by LoRA (rank {lm.lora_rank}). This folder is the merged model; `{ADAPTER}/` holds the "
        "adapter alone, which peft puts on the base model.\n\n"
    )
    return (
        "---\n" + "\n".join(header) + "\n---\n\n"
        "# A taught model\n\n"
        f"{base}, taught {plural(lessons, 'lesson')} by talking to it in Theta.\n\n{adapter}"
        "It knows what its teacher told it, and says so to anyone who asks: look at what it says before you share it. "
        "The base model's licence and limits hold.\n\n"
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'model = AutoModelForCausalLM.from_pretrained(".")\ntokenizer = AutoTokenizer.from_pretrained(".")\n```\n'
    )
