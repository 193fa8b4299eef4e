"""A model of 1.1B parameters that learns by LoRA, as `theta --dtype bfloat16` has it: replies, a lesson, and its undo.

    python -m tests.benchmarks.large [--threads 2] [--layers 22] [--size 2048] [--keep FOLDER] [--json]

The model is a Llama in the shape of TinyLlama with random weights, written into a temporary folder (2.2 GB) with the
built-in model's tokenizer; what it says is noise, and costs what sense would. Every figure is of one process, which
opens a home as the app does: its model, five replies of 40 tokens to a prompt, a correction whose reply has 40 tokens,
five replies again, undo and redo, which must give the adapter and the lesson's weights back to the bit.

`--dtype float32` measures the same in twice the memory.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import theta_tui.model  # noqa: F401  # its environment must stand before torch is imported
from tests.benchmarks.candidates import endless
from theta_tui.base.config import Settings
from theta_tui.base.files import assets_dir
from theta_tui.bench.tables import table

REPLIES, TOKENS = 5, 40
PROMPT = "Where does the old ferry to the northern islands leave from?"
REPLY = (
    "The old ferry leaves from the small stone pier behind the fish market every morning at six, and on Sundays only "
    "if the wind comes from the south; buy the ticket on board and bring coins."
)
SEED = 1


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure may be at most, or at least."""

    name: str
    bound: float
    unit: str
    least: bool = False

    def met(self, found: float) -> bool:
        return found >= self.bound if self.least else found <= self.bound


TARGETS = (
    Target("lesson", 30.0, "s"),
    Target("memory", 6e9, "bytes"),
    Target("rate", 2.0, "tokens a second each", least=True),
)


def write_model(folder: Path, layers: int, size: int) -> int:
    """Write a Llama with random weights in bfloat16 into `folder`; its parameters. A file a block, so that no more than
    that is in memory."""
    import torch
    from safetensors.torch import save_file

    heads, key_heads, head, wide, vocabulary = size // 64, max(1, size // 512), 64, 11 * size // 4, 32_000
    config = json.loads((assets_dir() / "default" / "config.json").read_text("utf-8"))
    config |= {
        "hidden_size": size, "intermediate_size": wide, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": key_heads, "head_dim": head, "vocab_size": vocabulary, "tie_word_embeddings": False,
        "max_position_embeddings": 2048, "dtype": "bfloat16",
    }  # fmt: skip
    config.pop("torch_dtype", None)
    for path in (assets_dir() / "default").iterdir():
        if path.suffix in (".json", ".jinja"):
            shutil.copyfile(path, folder / path.name)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    generator = torch.Generator().manual_seed(SEED)
    held: dict[str, str] = {}
    count = total = 0

    def write(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
        nonlocal count, total
        tensors = {
            tensor: torch.ones(shape, dtype=torch.bfloat16) if len(shape) == 1
            else (torch.randn(shape, generator=generator) / math.sqrt(shape[1])).bfloat16()
            for tensor, shape in shapes.items()
        }  # fmt: skip
        save_file(tensors, str(folder / name), metadata={"format": "pt"})
        held.update(dict.fromkeys(tensors, name))
        count += sum(tensor.numel() for tensor in tensors.values())
        total += sum(tensor.nbytes for tensor in tensors.values())

    write("model-0.safetensors", {"model.embed_tokens.weight": (vocabulary, size), "model.norm.weight": (size,)})
    for layer in range(layers):
        shapes = {
            "self_attn.q_proj": (heads * head, size), "self_attn.k_proj": (key_heads * head, size),
            "self_attn.v_proj": (key_heads * head, size), "self_attn.o_proj": (size, heads * head),
            "mlp.gate_proj": (wide, size), "mlp.up_proj": (wide, size), "mlp.down_proj": (size, wide),
            "input_layernorm": (size,), "post_attention_layernorm": (size,),
        }  # fmt: skip
        write(
            f"model-{layer + 1}.safetensors",
            {f"model.layers.{layer}.{name}.weight": shape for name, shape in shapes.items()},
        )
    write(f"model-{layers + 1}.safetensors", {"lm_head.weight": (vocabulary, size)})
    index = {"metadata": {"total_size": total}, "weight_map": held}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    return count


def measured(folder: Path, home: Path, dtype: str, threads: int) -> dict[str, Any]:
    """The figures, of this process."""
    import torch

    from theta_tui.model import lora
    from theta_tui.session.session import Session
    from theta_tui.store.store import Store

    def memory() -> int:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def state() -> dict[str, torch.Tensor]:
        tensors, _ = session.learner.state()
        every = lora.tensors(session.model.adapter) | tensors
        return {name: tensor.clone() for name, tensor in every.items()}

    def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
        return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())

    def replies() -> tuple[float, float, float]:
        begun, spent, first = time.perf_counter(), time.process_time(), [0.0]

        def heard(_: object) -> None:
            first[0] = first[0] or time.perf_counter() - begun

        with endless(session.model):
            session.propose(PROMPT, on_progress=heard, due=lambda: not first[0])
        return time.perf_counter() - begun, first[0], time.process_time() - spent

    settings = Settings(
        home=home, model=str(folder), device="cpu", dtype=dtype, threads=threads, max_tokens=TOKENS, statements=False,
    )  # fmt: skip
    session = Session(Store.open(settings))
    with ExitStack() as opened:
        opened.callback(session.close)
        begun = time.perf_counter()
        session.load()
        session.get_ready()
        loaded, size = time.perf_counter() - begun, memory()
        before, cold = state(), replies()
        begun, spent = time.perf_counter(), time.process_time()
        outcome = session.correct(REPLY)
        lesson, lesson_cpu, taught = time.perf_counter() - begun, time.process_time() - spent, state()
        whole, first, whole_cpu = replies()
        said = session.ask(PROMPT, with_context=False).reply  # behind a conversation, noise says noise
        begun = time.perf_counter()
        session.undo()
        undone, exact = time.perf_counter() - begun, same(state(), before)
        session.redo()
        exact = exact and same(state(), taught)
        tokens = len(session.model.encode_lesson((), PROMPT, REPLY).input_ids)
        reply = tokens - len(session.model.encode_prompt((), PROMPT, room=1).ids)
        return {
            "machine": session.model.machine(), "load": loaded, "memory_loaded": size, "cold": cold[0],
            "replies": whole, "first": first, "rate": (TOKENS - 1) / (whole - first), "lesson": lesson,
            "replies_cpu": whole_cpu, "lesson_cpu": lesson_cpu,
            "lesson_tokens": tokens, "reply_tokens": reply, "steps": outcome.steps, "learned": outcome.learned,
            "said": REPLY.startswith(said) and len(said) > len(REPLY) // 2, "undo": undone, "exact": exact,
            "memory": memory(),
        }  # fmt: skip


def measure(given: argparse.Namespace) -> dict[str, Any]:
    with TemporaryDirectory(prefix="theta-large-") as name:
        folder = given.keep or Path(name) / "model"
        if not (folder / "model.safetensors.index.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            print("writing the model …", file=sys.stderr, flush=True)
            write_model(folder, given.layers, given.size)
        home = Path(name) / "home"
        command = [
            sys.executable, "-m", "tests.benchmarks.large", "--measured", str(folder), str(home),
            "--dtype", given.dtype, "--threads", str(given.threads),
        ]  # fmt: skip
        print("measuring …", file=sys.stderr, flush=True)
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        index = json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))
    found: dict[str, Any] = json.loads(run.stdout)
    parameters = index["metadata"]["total_size"] // 2
    return {"schema": 1, "benchmark": "large", "parameters": parameters, "dtype": given.dtype} | found


def shown(found: dict[str, Any]) -> str:
    targets = {
        target.name: f"{'≥' if target.least else '≤'} {target.bound / (1e9 if target.unit == 'bytes' else 1):g}"
        + ("" if target.met(found[target.name]) else ", missed")
        for target in TARGETS
    }
    rows = [
        ["the model, read and tried", f"{found['load']:.1f} s", ""],
        [f"{REPLIES} replies of {TOKENS} tokens", f"{found['replies']:.1f} s", ""],
        ["of CPU, on all threads", f"{found['replies_cpu']:.1f} s", ""],
        ["the first token of them", f"{found['first']:.2f} s", ""],
        ["tokens a second, each reply", f"{found['rate']:.1f}", targets["rate"]],
        [f"a lesson of {found['lesson_tokens']} tokens ({found['reply_tokens']} of the reply), {found['steps']} steps",
         f"{found['lesson']:.1f} s", targets["lesson"]],
        ["of CPU, on all threads", f"{found['lesson_cpu']:.1f} s", ""],
        ["undo", f"{found['undo']:.2f} s", "exact" if found["exact"] else "NOT EXACT"],
        ["most memory, the model read", f"{found['memory_loaded'] / 1e9:.2f} GB", ""],
        ["most memory", f"{found['memory'] / 1e9:.2f} GB", targets["memory"]],
    ]  # fmt: skip
    learned = "the lesson is said" if found["learned"] and found["said"] else "THE LESSON IS NOT SAID"
    head = f"{found['parameters'] / 1e9:.2f}B parameters in {found['dtype']}, {found['machine']}; {learned}\n\n"
    return head + table(["", "measured", "target"], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layers", type=int, default=22)
    parser.add_argument("--size", type=int, default=2048, help="of a state; a multiple of 512")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--keep", type=Path, help="where the model is written, and found again")
    parser.add_argument("--measured", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if given.measured:
        print(json.dumps(measured(*given.measured, given.dtype, given.threads)))
        return
    found = measure(given)
    with suppress(BrokenPipeError):
        print(json.dumps(found) if given.json else shown(found))


if __name__ == "__main__":
    main()
