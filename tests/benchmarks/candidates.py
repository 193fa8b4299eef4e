"""Five replies of forty tokens to a conversation of some 300, against what else can run the same weights.

    python -m tests.benchmarks.candidates [--model default] [--rounds 7] [--threads 2] [--tokens 300]
                                          [--gguf FILE …] [--peers WORD …] [--json]

Peers: Transformers' `generate`; CTranslate2 in float32 and int8; llama.cpp (through llama-cpp-python) in F16 and Q8_0,
as `theta export gguf` writes them, and each `--gguf` file of the same model. Those that are not installed are left out,
and told; `--peers` takes those with one of the words in their name. Everybody samples
with its own sampler at the same temperature and top-p, nobody stops early, and everything of it is counted, reading
the conversation too. Rounds are interleaved; the ratio is the median over the rounds, a figure the median. `first` is
the time until the first token of a reply is there; `read ahead`, with what comes before the prompt read while nobody
waited, which is what the app does.

Before it is measured, a peer must begin with the model's own likeliest token; one that does not is told of. So is how
far its log-probabilities of the 100 likeliest first tokens are from the model's, where it tells them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import theta_tui.model  # noqa: F401  # its environment must stand before torch is imported
from tests.benchmarks.peers import Peer, Sampled, ctranslate2_peer, generate_peer, llama_cpp_peer
from theta_tui.bench.tables import table
from theta_tui.model import gguf_writing
from theta_tui.model.decoding.general import GeneralDecoder
from theta_tui.model.generate import Sampling, propose
from theta_tui.model.gguf_writing import KINDS, Kind
from theta_tui.model.language_model import LanguageModel

REPLIES, TOKENS = 5, 40
SAID = [
    ("Good morning! I slept badly and the rain kept me awake.", "I am sorry to hear that. Would some tea help?"),
    ("Maybe. What should I do with such a grey day?", "You could read a book, or call a friend."),
    ("I would rather walk. Is that silly in the rain?", "Not at all. Take a warm coat and good shoes."),
    ("My dog does not like to get wet, though.", "Then a short walk around the house will do."),
]
PROMPT = "Tell me a state about a dog that finally learned to love the rain."


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of one round: all of it, and until the first token."""

    whole: float
    first: float


@contextmanager
def endless(lm: LanguageModel) -> Iterator[None]:
    """Within it, a reply goes on to the limit: the tokens that end one are tokens like others."""
    ends, controls = lm.end_ids, lm.chat.control_ids
    lm.end_ids = lm.chat.control_ids = frozenset()
    try:
        yield
    finally:
        lm.end_ids, lm.chat.control_ids = ends, controls


def ours(lm: LanguageModel, ids: list[int], sampling: Sampling, decoder: Any, ahead: int = 0) -> Taken:
    """One round of ours, of which the first `ahead` tokens were read before."""
    decoder.prefill([ids[0] + 1])  # forgets the conversation
    for _ in decoder.prefill_ahead(ids[:ahead]) if ahead else ():
        pass
    lm.__dict__["decoder"] = decoder
    begun, first = time.perf_counter(), [0.0]

    def heard(_: object) -> None:
        first[0] = first[0] or time.perf_counter() - begun

    with endless(lm):
        replies = propose(lm, ids, sampling, seed=int(begun * 1e6), on_progress=heard, due=lambda: not first[0])
    assert replies is not None
    assert all(reply.tokens == sampling.max_tokens for reply in replies)
    return Taken(time.perf_counter() - begun, first[0])


def conversation(lm: LanguageModel, tokens: int) -> tuple[list[int], int]:
    """A conversation of at most so many tokens, and how many of them come before the last prompt."""
    turns = SAID * 40
    ids = lm.encode_prompt(turns, PROMPT, room=TOKENS, limit=tokens + TOKENS).ids
    return ids, len(ids) - len(lm.encode_prompt((), PROMPT, room=TOKENS).ids)


def exported(lm: LanguageModel, folder: Path, kind: Kind) -> Path:
    """The model as a GGUF file."""
    to = folder / kind
    to.mkdir()
    return gguf_writing.write(lm.folder, to, "model", kind)


def peers(
    lm: LanguageModel, asked: Sampled, folder: Path, files: Sequence[Path], wanted: Sequence[str], notes: list[str]
) -> Iterator[Peer]:
    """Those that can be had here; `notes` is told of the others, and why."""

    def plain() -> LanguageModel:
        return LanguageModel.load(lm.name, device="cpu", transformers=True)

    ways: dict[str, Callable[[], Peer]] = {"Transformers generate": lambda: generate_peer(plain(), asked)}
    for kind in ("float32", "int8"):
        ways[f"CTranslate2 {kind}"] = lambda kind=kind: ctranslate2_peer(lm, asked, folder, kind)  # type: ignore[misc]
    for kind in KINDS.values():
        ways[f"llama.cpp {kind}"] = lambda kind=kind: llama_cpp_peer(asked, exported(lm, folder, kind))  # type: ignore[misc]
    for path in files:
        ways[f"llama.cpp {path.name}"] = lambda path=path: llama_cpp_peer(asked, path)  # type: ignore[misc]
    for name, way in ways.items():
        if wanted and not any(word in name for word in wanted):
            continue
        try:
            peer = way()
            likeliest = peer.likeliest()
        except Exception as error:  # a peer that is missing or does not take this model is not our failure
            notes.append(f"{name} is left out: {type(error).__name__}: {str(error).splitlines()[0][:160]}")
            continue
        if likeliest != asked.likeliest:
            notes.append(f"{name} begins with token {likeliest} where the model begins with {asked.likeliest}")
        if peer.logits is not None:
            notes.append(f"{name} is {apart(lm, asked, peer.logits()):.4f} nats from the model at most")
        yield replace(peer, name=name)


def apart(lm: LanguageModel, asked: Sampled, logits: Any) -> float:
    """The largest difference of log-probabilities of the model's 100 likeliest first tokens, in nats."""
    import torch

    own = lm.decoder.prefill(asked.ids).logits.log_softmax(-1)
    at = own.topk(100).indices
    return float((own[at] - torch.from_numpy(logits[: len(own)]).log_softmax(-1)[at]).abs().max())


def measure(given: argparse.Namespace) -> dict[str, Any]:
    import torch

    lm = LanguageModel.load(given.model, device="cpu", threads=given.threads)
    ids, before = conversation(lm, given.tokens)
    sampling = Sampling(temperature=0.7, top_p=0.95, top_k=0, min_p=0.1, max_tokens=TOKENS, count=REPLIES)
    decoder = lm.decoder
    general = GeneralDecoder(lm.model, lm.last_logits)
    asked = Sampled(
        ids=ids, rows=REPLIES, tokens=TOKENS, temperature=sampling.temperature, top_p=sampling.top_p,
        threads=torch.get_num_threads(), likeliest=int(decoder.prefill(ids).logits.argmax()),
    )  # fmt: skip
    notes: list[str] = []
    times: dict[str, list[Taken]] = {}
    with TemporaryDirectory() as name, ExitStack() as open_peers:
        runs: dict[str, Callable[[], Taken]] = {
            "theta": lambda: ours(lm, ids, sampling, decoder),
            "theta, read ahead": lambda: ours(lm, ids, sampling, decoder, before),
            "theta, general way": lambda: ours(lm, ids, sampling, general),
        }
        for peer in peers(lm, asked, Path(name), given.gguf, given.peers, notes):
            open_peers.callback(peer.close)
            runs[peer.name] = lambda run=peer.run: Taken(*run())  # type: ignore[misc]
        for number in range(given.rounds + 1):
            for who, run in runs.items():
                time.sleep(0.1)  # until the threads of the one before have gone to sleep
                taken = run()
                if number:  # the first round warms up
                    times.setdefault(who, []).append(taken)
    base = [taken.whole for taken in times["theta"]]
    rows = {
        who: {
            "seconds": statistics.median(taken.whole for taken in some),
            "first": statistics.median(taken.first for taken in some),
            "ratio": statistics.median(taken.whole / own for taken, own in zip(some, base, strict=True)),
        }
        for who, some in times.items()
    }
    return {
        "schema": 1, "benchmark": "candidates", "model": lm.name, "parameters": lm.parameters, "decoder": decoder.name,
        "machine": lm.machine(), "conversation": len(ids), "read_ahead": before, "replies": REPLIES, "tokens": TOKENS,
        "rounds": given.rounds, "results": rows, "notes": notes,
    }  # fmt: skip


def shown(found: dict[str, Any]) -> str:
    rows = [
        [who, f"{1000 * row['seconds']:.0f} ms", f"{1000 * row['first']:.0f} ms", f"{row['ratio']:.2f}"]
        for who, row in found["results"].items()
    ]
    head = (
        f"{found['model']}, {found['parameters'] / 1e6:.1f}M parameters, {found['decoder']} decoder\n"
        f"{found['machine']}\n"
        f"{found['replies']} replies of {found['tokens']} tokens to a conversation of {found['conversation']}, "
        f"of which {found['read_ahead']} can be read ahead; {found['rounds']} rounds\n"
    )
    return "\n".join([head, table(["", "all", "first", "÷ theta"], rows), *found["notes"]])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=300, help="of the conversation, at most")
    parser.add_argument("--gguf", type=Path, nargs="+", default=[], help="files of the same model, for llama.cpp")
    parser.add_argument(
        "--peers", nargs="+", default=[], metavar="WORD", help="only those with one of these in the name"
    )
    parser.add_argument("--json", action="store_true")
    found = measure(parser.parse_args(arguments))
    with suppress(BrokenPipeError):
        print(json.dumps(found) if "--json" in (arguments or sys.argv) else shown(found))


if __name__ == "__main__":
    main()
