"""A model folder as a GGUF file for llama.cpp, with a Modelfile for Ollama beside it.

Written with gguf's own writer, for the architectures and the ways to split text that have the same meaning there.
Matrices are F16, or Q8_0 where their rows are made of whole blocks; vectors are F32.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from theta_tui.base.errors import ModelError
from theta_tui.model import files as model_files

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["F16", "Q8_0"]
KINDS: dict[str, Kind] = {"F16": "F16", "Q8_0": "Q8_0"}
MODELFILE = "Modelfile"
ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""`model_type` of config.json → what llama.cpp calls it."""
LARGEST = 65504.0
"""Of float16."""

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace("{1,3}", "")
_SPLITS = {_LLAMA3: "dbrx", _QWEN2: "qwen2"}
"""By which rule text is split into words: what llama.cpp calls it (`tokenizer.ggml.pre`). dbrx is Llama 3's rule, with
merges in their order whatever the vocabulary holds whole."""
_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5


def write(folder: Path, to: Path, name: str, kind: Kind = "F16", *, system: str | None = None) -> Path:
    """Write the model of `folder` as `to`/model-KIND.gguf, and `to`/Modelfile; `to` is there. Returns the GGUF file.
    `system`: the system turn that the Modelfile names, where the chat template has a place for one.

    Raises ModelError where llama.cpp has no such model, or none that says the same; OSError where the disk refuses.
    """
    import gguf

    config = model_files.read_config(folder)
    architecture = ARCHITECTURES.get(str(config.get("model_type")))
    rope: Any = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if architecture is None or rope.get("rope_type", "default") != "default" or config.get("sliding_window"):
        raise ModelError(
            f"a model of type {config.get('model_type')} cannot be written as a GGUF file with what it is made of; "
            f"these can: {', '.join(ARCHITECTURES)}, with plain positions"
        )
    path = to / f"model-{kind}.gguf"
    out = gguf.GGUFWriter(str(path), architecture)
    try:
        out.add_name(name)
        _write_sizes(out, config, rope)
        tokens = _write_tokenizer(out, folder, config)
        out.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if kind == "F16" else gguf.LlamaFileType.MOSTLY_Q8_0)
        names = gguf.get_tensor_name_map(_architecture(gguf, architecture), int(str(config["num_hidden_layers"])))
        for tensor, values in _tensors(folder, config, permuted=architecture == "llama"):
            called = names.get_name(tensor, try_suffixes=(".weight", ".bias"))
            if called is None:
                raise ModelError(f"the weights {tensor} have no place in a GGUF file of architecture {architecture}")
            held = _held(gguf, values, kind)
            out.add_tensor(called, gguf.quants.quantize(values, held), raw_dtype=held)
        out.write_header_to_file()
        out.write_kv_data_to_file()
        out.write_tensors_to_file()
    finally:
        out.close()
    (to / MODELFILE).write_text(_modelfile(folder, path.name, tokens, _ends(folder, config), system), "utf-8")
    return path


def _architecture(gguf: Any, name: str) -> Any:
    return next(kind for kind, called in gguf.MODEL_ARCH_NAMES.items() if called == name)


def _held(gguf: Any, values: np.ndarray[Any, Any], kind: Kind) -> Any:
    """How a tensor is written. Raises ModelError where float16 does not reach."""
    kinds = gguf.GGMLQuantizationType
    if values.ndim < 2:
        return kinds.F32
    if kind == "Q8_0" and values.shape[-1] % 32 == 0:
        return kinds.Q8_0
    if abs(values).max() > LARGEST:
        raise ModelError("its weights are larger than float16 holds; write it with --type q8_0")
    return kinds.F16


def _write_sizes(out: Any, config: dict[str, Any], rope: Any) -> None:
    heads = config["num_attention_heads"]
    head = config.get("head_dim") or config["hidden_size"] // heads
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(config["hidden_size"])
    out.add_block_count(config["num_hidden_layers"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_head_count(heads)
    out.add_head_count_kv(config.get("num_key_value_heads") or heads)
    out.add_key_length(head)
    out.add_value_length(head)
    out.add_rope_dimension_count(head)
    out.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0))
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    out.add_vocab_size(config["vocab_size"])


def _tensors(folder: Path, config: dict[str, Any], *, permuted: bool) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Each tensor of a model folder in float32, as llama.cpp has it; a head that is tied is left to it."""
    from safetensors import safe_open

    heads = config["num_attention_heads"]
    held = {"q_proj": heads, "k_proj": config.get("num_key_value_heads") or heads}
    for path in model_files.weight_files(folder):
        with safe_open(str(path), framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118 (not a dict)
                if name == "lm_head.weight" and config.get("tie_word_embeddings"):
                    continue
                values = stored.get_tensor(name).float()
                part = name.split(".")[-2]
                if permuted and part in held:
                    # Transformers turns the two halves of a head, llama.cpp neighbouring pairs.
                    split = values.reshape(held[part], 2, values.shape[0] // held[part] // 2, *values.shape[1:])
                    values = split.swapaxes(1, 2).reshape(values.shape)
                yield name, values.contiguous().numpy()


# --- the tokenizer ---


def _write_tokenizer(out: Any, folder: Path, config: dict[str, Any]) -> list[str]:
    """Vocabulary, merges, special tokens and chat template; returns the tokens by their ids."""
    from tokenizers import Tokenizer

    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    description = json.loads(backend.to_str())
    pre = _pre(description)
    if pre is None or description["model"]["type"] != "BPE":
        raise ModelError("its tokenizer splits text in a way that llama.cpp has no name for")
    added = {token["id"]: token for token in description["added_tokens"]}
    tokens, kinds = [], []
    for index in range(config["vocab_size"]):
        token = backend.id_to_token(index)
        tokens.append(f"[PAD{index}]" if token is None else token)
        if token is None:
            kinds.append(_UNUSED)
        else:
            kinds.append(_NORMAL if index not in added else _CONTROL if added[index]["special"] else _USER_DEFINED)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre(pre)
    out.add_token_list(tokens)
    out.add_token_types(kinds)
    merges = description["model"]["merges"]
    out.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    out.add_add_bos_token(False)
    for key, add in (("bos_token_id", out.add_bos_token_id), ("pad_token_id", out.add_pad_token_id)):
        if isinstance(token_id := config.get(key), int):
            add(token_id)
    ends = _ends(folder, config)
    out.add_eos_token_id(ends[0])
    if len(ends) > 1:
        out.add_eot_token_id(ends[1])
    if template := _template(folder):
        out.add_chat_template(template)
    return tokens


def _pre(description: dict[str, Any]) -> str | None:
    """What llama.cpp calls the way in which a tokenizer splits text; None where it has no name."""
    found = description["pre_tokenizer"] or {}
    parts = found.get("pretokenizers", [found])
    if description["normalizer"] not in (None, {"type": "NFC"}) or not parts or parts[-1].get("type") != "ByteLevel":
        return None
    if parts[-1].get("add_prefix_space") or len(parts) > 2:
        return None
    if len(parts) == 1:
        return "gpt-2" if parts[0].get("use_regex") else None
    first, by_gpt2 = parts[0], parts[-1].get("use_regex")
    if first.get("type") == "Digits":
        return "smollm" if first.get("individual_digits") and by_gpt2 else None
    if first.get("type") == "Split" and first.get("behavior") == "Isolated" and not by_gpt2:
        return _SPLITS.get(first.get("pattern", {}).get("Regex", ""))
    return None


def _ends(folder: Path, config: dict[str, Any]) -> list[int]:
    """The tokens that end a reply."""
    path = folder / "generation_config.json"
    said = json.loads(path.read_text("utf-8")).get("eos_token_id") if path.is_file() else None
    found = config.get("eos_token_id") if said is None else said
    ends = [found] if isinstance(found, int) else list(found or ())
    if not ends:
        raise ModelError("it has no token that ends a reply")
    return ends


def _template(folder: Path) -> str:
    """The chat template, without the marks of what a model wrote, which only Transformers knows."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        text = path.read_text("utf-8")
    else:
        text = str(json.loads((folder / "tokenizer_config.json").read_text("utf-8")).get("chat_template") or "")
    for mark in ("generation", "endgeneration"):
        for left, right in (("{% ", " %}"), ("{%- ", " %}"), ("{% ", " -%}"), ("{%- ", " -%}")):
            text = text.replace(f"{left}{mark}{right}", "")
    return text


# --- Ollama ---


def _modelfile(folder: Path, weights: str, tokens: list[str], ends: list[int], system: str | None) -> str:
    lines = [f"FROM ./{weights}"]
    found = _go_template(folder)
    if found is None:
        lines.append("# Its chat template has no equivalent in Ollama's language; write TEMPLATE by hand.")
    else:
        lines.append(f'TEMPLATE """{found}"""')
        if system is not None and "{{ .System }}" in found:
            quoted = '"""' not in system and not system.endswith('"')
            lines.append(
                f'SYSTEM """{system}"""' if quoted else "# Its system turn has quotes that end a string; write SYSTEM."
            )
    lines += [f'PARAMETER stop "{tokens[end]}"' for end in ends]
    return "\n".join(lines) + "\n"


def _go_template(folder: Path) -> str | None:
    """The chat template in Ollama's language, found by what it makes of some conversations; None where it does not put
    turns behind one another, each in the same frame."""
    from theta_tui.model.loading import read_tokenizer

    tokenizer = read_tokenizer(folder, False)
    asked, said, more, told = "\u241bA\u241b", "\u241bB\u241b", "\u241bC\u241b", "\u241bS\u241b"

    def shown(*turns: tuple[str, str], reply: bool = False) -> str:
        messages = [{"role": role, "content": text} for role, text in turns]
        return str(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=reply, enable_thinking=False)
        )

    try:
        one = shown(("user", asked))
        two = shown(("user", asked), ("assistant", said))
        three = shown(("user", asked), ("assistant", said), ("user", more))
        whole = shown(("user", asked), ("assistant", said), ("user", more), reply=True)
    except Exception:  # whatever a template of a stranger does
        return None
    if not (two.startswith(one) and three.startswith(two) and whole.startswith(three)):
        return None
    head, _, after_user = one.partition(asked)
    before_reply, _, after_reply = two[len(one) :].partition(said)
    before_user, _, after_more = three[len(two) :].partition(more)
    opening = whole[len(three) :]
    if after_more != after_user or not head.endswith(before_user):
        return None
    preamble = head[: len(head) - len(before_user)]
    system = ""
    try:
        with_system = shown(("system", told), ("user", asked))
        before_system, met, rest = with_system.partition(told)
        if met and rest.endswith(one[len(preamble) :]):
            after_system = rest[: len(rest) - len(one) + len(preamble)]
            given = f"{before_system}{{{{ .System }}}}{after_system}"
            system = f"{{{{ if .System }}}}{given}{{{{ else }}}}{preamble}{{{{ end }}}}"
    except Exception:  # it takes no system turn
        pass
    parts = (before_user, after_user, before_reply, after_reply, opening, preamble)
    if any("{{" in part or '"""' in part for part in parts):
        return None
    return (
        (system or preamble) + '{{ range .Messages }}{{ if eq .Role "user" }}'
        f"{before_user}{{{{ .Content }}}}{after_user}"
        '{{ else if eq .Role "assistant" }}'
        f"{before_reply}{{{{ .Content }}}}{after_reply}{{{{ end }}}}{{{{ end }}}}{opening}"
    )
