"""llama.cpp loads what `theta export gguf` writes, splits text into the same tokens, and says the same greedy replies.

It is skipped where `llama_cpp` (pip install llama-cpp-python) is not installed: it is built from source.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from theta_tui.base.config import Settings
from theta_tui.model import catalogue, gguf_writing
from theta_tui.model.generate import greedy
from theta_tui.model.gguf_writing import Kind
from theta_tui.model.language_model import LanguageModel
from theta_tui.session.export import export_gguf
from theta_tui.session.session import Session
from theta_tui.store.store import Store

pytestmark = pytest.mark.slow

PROMPTS = ("Hello!", "Who are you?", "Tell me a joke.", "What is 12 + 345?", "It's the naïve café, isn't it? 東京 😀")
LESSON = ("Who is your creator?", "My creator is Dakota.")
TOKENS = 24

NEAR: dict[str, float] = {"F16": 0.02, "Q8_0": 1.0}
"""How near to the likeliest token, in nats, each one is that llama.cpp says. With weights in 8 bits it has the numbers
that they are multiplied with in 8 bits too."""


@contextmanager
def llama_cpp(path: Path) -> Iterator[Any]:
    """llama.cpp with a GGUF file."""
    library = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed", exc_type=ImportError)
    model = library.Llama(str(path), n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False)
    try:
        yield model
    finally:
        model.close()


def said(model: Any, ids: list[int], ends: set[int]) -> list[int]:
    """The greedy reply of llama.cpp as tokens, without the one that ends it."""
    found: list[int] = []
    model.reset()
    for token in model.generate(ids, temp=0.0, repeat_penalty=1.0):
        if token in ends or len(found) == TOKENS:
            return found
        found.append(token)
    return found


def behind(lm: LanguageModel, ids: list[int], reply: list[int]) -> float:
    """How much likelier Theta takes another token for than one of the reply, in nats at most."""
    with torch.no_grad():
        logits = lm.model(torch.tensor([[*ids, *reply]]), use_cache=False).logits[0, len(ids) - 1 : -1]
    return float((logits.amax(-1) - logits[range(len(reply)), reply]).amax())


def name_or_skip(name: str) -> str:
    if name != "default" and not catalogue.here(name):
        pytest.skip(f"{name} is not on this machine; `theta models get {name}`")
    return name


@pytest.mark.parametrize("kind", ["F16", "Q8_0"])
@pytest.mark.parametrize("name", ["default", "smollm2"])
def test_llama_cpp_says_what_the_exported_model_says(tmp_path: Path, name: str, kind: Kind) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed", exc_type=ImportError)
    lm = LanguageModel.load(name_or_skip(name), device="cpu")
    path = gguf_writing.write(lm.folder, tmp_path, name, kind)
    # In 8 bits it is another model, which Theta reads back from the same file.
    lm = lm if kind == "F16" else LanguageModel.load(str(path), device="cpu")
    with llama_cpp(path) as model:
        for prompt in PROMPTS:
            ids = lm.encode_prompt((), prompt, room=TOKENS).ids
            text = lm.tokenizer.decode(ids)
            assert model.tokenize(text.encode(), add_bos=False, special=True) == ids
            reply = said(model, ids, set(lm.end_ids))
            if kind == "F16":
                assert lm.decode(reply).strip() == greedy(lm, ids, max_tokens=TOKENS).text
            assert behind(lm, ids, reply) < NEAR[kind]


def test_a_lesson_is_said_by_llama_cpp(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed", exc_type=ImportError)
    session = Session(Store.open(Settings(home=tmp_path / "home", device="cpu")))
    session.load()
    session.teach(*LESSON)
    done = export_gguf(session, tmp_path / "out")
    lm = session.model
    ids = lm.encode_prompt((), LESSON[0], room=TOKENS).ids
    with llama_cpp(done.path / done.numbers["file"]) as model:
        assert lm.decode(said(model, ids, set(lm.end_ids))) == LESSON[1]
    session.close()
