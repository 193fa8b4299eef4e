"""Other programs that can sample from the weights of one of our models: for `candidates` to be measured against.

Each is imported where it is used, since none is needed for anything else, and gets the weights converted from the
model at hand.
"""

from __future__ import annotations

import ctypes
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from theta_tui.model.language_model import LanguageModel


@dataclass(frozen=True, slots=True)
class Sampled:
    """The work: `rows` samples of `tokens` tokens behind `ids`. `likeliest` is the model's own first token."""

    ids: list[int]
    rows: int
    tokens: int
    temperature: float
    top_p: float
    threads: int
    likeliest: int


@dataclass(frozen=True, slots=True)
class Peer:
    """`run` does the work once: seconds for all of it, and until the first token. `likeliest` is its first token."""

    run: Callable[[], tuple[float, float]]
    likeliest: Callable[[], int]
    close: Callable[[], object] = lambda: None
    logits: Callable[[], np.ndarray[Any, Any]] | None = None
    """Those of the first token, where it tells them."""
    name: str = ""


def generate_peer(lm: LanguageModel, asked: Sampled) -> Peer:
    """Transformers' own loop, five sequences of one prompt."""
    import torch

    model = lm.model
    ids = torch.tensor([asked.ids])
    plain = dict(attention_mask=torch.ones_like(ids), pad_token_id=0, eos_token_id=None)

    def run() -> tuple[float, float]:
        begun, first = time.perf_counter(), [0.0]

        def note(_: Any, scores: Any) -> Any:
            first[0] = first[0] or time.perf_counter() - begun
            return scores

        ends, model.generation_config.eos_token_id = model.generation_config.eos_token_id, None
        try:
            found = model.generate(
                ids, **plain, do_sample=True, temperature=asked.temperature, top_p=asked.top_p, top_k=0,
                num_return_sequences=asked.rows, max_new_tokens=asked.tokens, logits_processor=[note],
            )  # fmt: skip
        finally:
            model.generation_config.eos_token_id = ends
        assert found.shape == (asked.rows, len(asked.ids) + asked.tokens)
        return time.perf_counter() - begun, first[0]

    def likeliest() -> int:
        return int(model.generate(ids, **plain, do_sample=False, max_new_tokens=1)[0, -1])

    return Peer(run, likeliest)


def ctranslate2_peer(lm: LanguageModel, asked: Sampled, folder: Path, kind: str) -> Peer:
    """CTranslate2; it has no min-p, so it samples from its fastest sampler, the 40 likeliest."""
    import ctranslate2

    target = folder / f"ctranslate2-{kind}"
    source = folder / "source"
    if not source.exists():
        lm.save(source)
    converter = ctranslate2.converters.TransformersConverter(str(source))
    converter.convert(str(target), quantization=None if kind == "float32" else kind)
    # It wants a word for each of these; which one is the same to it, since no sample begins or ends with one here.
    described = json.loads((target / "config.json").read_text("utf-8"))
    described |= {key: lm.tokenizer.eos_token for key, value in described.items() if value is None}
    (target / "config.json").write_text(json.dumps(described), "utf-8")
    generator = ctranslate2.Generator(
        str(target), device="cpu", compute_type=kind, inter_threads=1, intra_threads=asked.threads
    )
    tokens = lm.tokenizer.convert_ids_to_tokens(asked.ids)
    plain = dict(include_prompt_in_result=False, beam_size=1)

    def run() -> tuple[float, float]:
        begun, first = time.perf_counter(), [0.0]

        def note(_: Any) -> bool:
            first[0] = first[0] or time.perf_counter() - begun
            return False

        [found] = generator.generate_batch(
            [tokens], **plain, num_hypotheses=asked.rows, sampling_topk=40, sampling_topp=asked.top_p,
            sampling_temperature=asked.temperature, max_length=asked.tokens, min_length=asked.tokens, callback=note,
        )  # fmt: skip
        taken = time.perf_counter() - begun
        assert [len(one) for one in found.sequences_ids] == [asked.tokens] * asked.rows
        return taken, first[0]

    def likeliest() -> int:
        return int(generator.generate_batch([tokens], **plain, max_length=1)[0].sequences_ids[0][0])

    return Peer(run, likeliest)


def llama_cpp_peer(asked: Sampled, path: Path) -> Peer:
    """llama.cpp as one would write it by hand, on a GGUF file: one prefill, copied to five sequences, decoded as one
    batch."""
    import llama_cpp as cpp

    silent = cpp.llama_log_callback(lambda level, text, data: None)
    cpp.llama_log_set(silent, ctypes.c_void_p(0))
    cpp.llama_backend_init()
    model = cpp.llama_model_load_from_file(str(path).encode(), cpp.llama_model_default_params())
    if not model:
        raise RuntimeError("llama.cpp does not load the GGUF")
    options = cpp.llama_context_default_params()
    options.n_ctx = len(asked.ids) + asked.rows * asked.tokens + 64
    options.n_batch = options.n_ubatch = 512
    options.n_seq_max = asked.rows
    options.n_threads = options.n_threads_batch = asked.threads
    if hasattr(options, "kv_unified"):
        options.kv_unified = True  # else each sequence has an own part, which copying the prompt would have to fill
    context = cpp.llama_init_from_model(model, options)
    memory = cpp.llama_get_memory(context)
    batch = cpp.llama_batch_init(512, 0, asked.rows)
    chain = cpp.llama_sampler_chain_init(cpp.llama_sampler_chain_default_params())
    for sampler in (
        cpp.llama_sampler_init_top_k(40),
        cpp.llama_sampler_init_top_p(asked.top_p, 1),
        cpp.llama_sampler_init_temp(asked.temperature),
        cpp.llama_sampler_init_dist(1),
    ):
        cpp.llama_sampler_chain_add(chain, sampler)
    size = cpp.llama_vocab_n_tokens(cpp.llama_model_get_vocab(model))

    def put(at: int, token: int, position: int, row: int, wanted: bool) -> None:
        batch.token[at], batch.pos[at], batch.logits[at] = token, position, wanted
        batch.n_seq_id[at], batch.seq_id[at][0] = 1, row

    def prefill() -> None:
        cpp.llama_memory_clear(memory, False)
        for at, token in enumerate(asked.ids):
            put(at, token, at, 0, at == len(asked.ids) - 1)
        batch.n_tokens = len(asked.ids)
        assert cpp.llama_decode(context, batch) == 0

    def run() -> tuple[float, float]:
        begun = time.perf_counter()
        prefill()
        for row in range(1, asked.rows):
            cpp.llama_memory_seq_cp(memory, 0, row, -1, -1)
        tokens = [cpp.llama_sampler_sample(chain, context, len(asked.ids) - 1) for _ in range(asked.rows)]
        first = time.perf_counter() - begun
        for step in range(asked.tokens - 1):
            for row, token in enumerate(tokens):
                put(row, token, len(asked.ids) + step, row, True)
            batch.n_tokens = asked.rows
            assert cpp.llama_decode(context, batch) == 0
            tokens = [cpp.llama_sampler_sample(chain, context, row) for row in range(asked.rows)]
        return time.perf_counter() - begun, first

    def logits() -> np.ndarray[Any, Any]:
        prefill()
        return np.ctypeslib.as_array(cpp.llama_get_logits_ith(context, -1), (size,)).copy()

    def close() -> None:
        cpp.llama_batch_free(batch)
        cpp.llama_sampler_free(chain)
        cpp.llama_free(context)
        cpp.llama_model_free(model)
        assert silent is not None  # llama.cpp calls it until here

    return Peer(run, lambda: int(logits().argmax()), close, logits)
