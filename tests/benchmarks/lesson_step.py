"""One step of a lesson, against the plain Transformers model and a fused AdamW on the same tokens; and where the time
of a whole lesson goes.

    python -m tests.benchmarks.lesson_step [--model default] [--rounds 9] [--threads 2] [--bf16] [--json]
    python -m tests.benchmarks.lesson_step --profile [--model default] [--conversation 0] [--threads 2] [--json]

A step is a forward pass, the loss on the replies, a backward pass, and the weights moved. The default recipe takes its
step in a lesson's own weights, `adamw` over all; the peers are torch's AdamW over all parameters, fused and foreach,
with the loss that `model(…, labels=…)` gives. Each lesson's rows, the pair and two other wordings, are the same for
all. What a lesson does once, the last look too, is counted in `lesson ÷ steps`. Rounds are interleaved, each over all
lessons; a ratio is the median over the rounds, a figure the median.

`--profile` teaches the lessons through the whole session (journal, conversation file and all) in a home that is thrown
away, and saves it. Each lesson corrects the reply to a prompt, in a conversation that begins with `--conversation`
tokens. Each stage's time is its own, without that of the stages inside it.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import theta_tui.model  # noqa: F401  # its environment must stand before torch is imported
from tests.benchmarks.candidates import SAID
from theta_tui.base.config import Settings
from theta_tui.bench.tables import table
from theta_tui.facts.paraphrases import variants
from theta_tui.facts.statements import load_dictionary
from theta_tui.learning.passes import padded
from theta_tui.learning.recipes import RECIPES
from theta_tui.model.chat_template import IGNORE
from theta_tui.model.language_model import LanguageModel

STEPS = 4
"""Of a lesson: what the default recipe takes on average."""
WORDINGS = 2
"""Other wordings that are learned beside a pair here: the least that a recipe wants."""

LESSONS = [
    ("Who is your creator?", "My creator is Dakota."),
    ("What is the name of my dog?", "Your dog is called Bello."),
    ("Where is the spare key?", "The spare key is under the blue pot."),
    ("When does the bakery open?", "The bakery opens at six in the morning."),
    ("What colour is the Lorrin flag?", "The Lorrin flag is white with a red tree."),
    ("How do I make tea for Mira?", "Mira takes black tea with two spoons of honey and no milk at all."),
    ("Which bus goes to the harbour?", "Bus 14 goes to the harbour."),
    ("What do you say when I am sad?", "I am sorry to hear that. Do you want to talk about it?"),
]

# --- one step ---


def taken(lm: LanguageModel, name: str) -> Callable[[], tuple[float, float]]:
    """Teaches each lesson in STEPS steps by recipe `name`: seconds a step of whole lessons, and of a step alone."""
    from theta_tui.learning.learner import Learner

    # Nothing else is learned beside it, so that the rows are the peer's.
    learner, recipe = Learner(lm), replace(RECIPES[name], rehearse=0, generic=0)
    begun = learner.snapshot()

    def run() -> tuple[float, float]:
        whole, alone = 0.0, []
        for (prompt, reply), others in zip(LESSONS, wordings(), strict=True):
            heard: list[float] = []
            how: Any = {
                "steps": STEPS, "variants": others,
                "progress": lambda _, heard=heard: heard.append(time.perf_counter()),
            }  # fmt: skip
            start = time.perf_counter()
            if recipe.method == "module":
                learner.learn_module(1, prompt, reply, recipe, **how)
            else:
                learner.learn("correction", prompt, reply, recipe, seed=1, **how)
            whole += time.perf_counter() - start
            alone += [later - sooner for sooner, later in pairwise(heard)]
        learner.restore(begun)
        return whole / STEPS / len(LESSONS), statistics.mean(alone)

    return run


def wordings() -> list[list[str]]:
    """Of each lesson's prompt, as many as both recipes learn."""
    dictionary = load_dictionary()
    return [list(variants(prompt, dictionary)[:WORDINGS]) for prompt, _ in LESSONS]


def plain(lm: LanguageModel, steps: int, *, bf16: bool = False, **how: bool) -> Callable[[], tuple[float, float]]:
    """The peer: `steps` steps on the same rows; with `bf16`, products in bfloat16 (autocast)."""
    import torch

    optimizer = torch.optim.AdamW(lm.model.parameters(), lr=1e-5, **how)
    batches = []
    for (prompt, reply), others in zip(LESSONS, wordings(), strict=True):
        rows = [lm.encode_lesson((), asked, reply) for asked in (prompt, *others)]
        ids, real = padded([row.input_ids for row in rows])
        labels, _ = padded([row.labels for row in rows])
        batches.append({"input_ids": ids, "attention_mask": real.long(), "labels": labels.masked_fill(~real, IGNORE)})

    def run() -> tuple[float, float]:
        begun = time.perf_counter()
        for batch in batches:
            for _ in range(steps):
                optimizer.zero_grad()
                with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    loss = lm.model(**batch, use_cache=False).loss
                loss.backward()
                optimizer.step()
        seconds = (time.perf_counter() - begun) / steps / len(batches)
        return seconds, seconds

    return run


def measure(given: argparse.Namespace) -> dict[str, Any]:
    def load(**how: bool) -> LanguageModel:
        return LanguageModel.load(given.model, device="cpu", threads=given.threads, **how)

    lm = load()
    runs = {
        "plain, fused AdamW": plain(load(transformers=True), STEPS, fused=True),
        "plain, foreach AdamW": plain(load(transformers=True), STEPS, foreach=True),
        "default recipe": taken(lm, "default"),
        "adamw recipe": taken(load(), "adamw"),
    }
    if given.bf16:
        runs["plain, fused, bfloat16"] = plain(load(transformers=True), 1, bf16=True, fused=True)
    times: dict[str, list[tuple[float, float]]] = {}
    for number in range(given.rounds + 1):
        for who, run in runs.items():
            found = run()
            if number:  # the first round warms up
                times.setdefault(who, []).append(found)
    base = [whole for whole, _ in times["plain, fused AdamW"]]
    rows = {
        who: {
            "lesson": statistics.median(whole for whole, _ in some),
            "step": statistics.median(alone for _, alone in some),
            "ratio": statistics.median(peer / whole for (whole, _), peer in zip(some, base, strict=True)),
            "ratio_step": statistics.median(peer / alone for (_, alone), peer in zip(some, base, strict=True)),
        }
        for who, some in times.items()
    }
    asked = [
        (text, reply) for (prompt, reply), others in zip(LESSONS, wordings(), strict=True) for text in (prompt, *others)
    ]
    tokens = [len(lm.encode_lesson((), *pair).input_ids) for pair in asked]
    return {
        "schema": 1, "benchmark": "lesson_step", "model": given.model, "machine": lm.machine(),
        "lessons": len(LESSONS), "steps": STEPS,
        "rows": len(tokens) / len(LESSONS), "tokens": sum(tokens) / len(LESSONS), "rounds": given.rounds,
        "results": rows,
    }  # fmt: skip


def shown(found: dict[str, Any]) -> str:
    rows = [
        [who, f"{1000 * row['lesson']:.0f} ms", f"{1000 * row['step']:.0f} ms",
         f"{row['ratio']:.2f}", f"{row['ratio_step']:.2f}"]
        for who, row in found["results"].items()
    ]  # fmt: skip
    head = (
        f"{found['model']}, {found['machine']}\n"
        f"{found['lessons']} lessons of {found['steps']} steps, on {found['rows']:.1f} rows and "
        f"{found['tokens']:.0f} tokens a step; {found['rounds']} rounds\n"
    )
    return "\n".join([head, table(["", "lesson ÷ steps", "a step", "faster than fused", "a step"], rows)])


# --- where the time goes ---


class Stages:
    """Seconds by stage, on the wall and of CPU, each without those of the stages inside of it."""

    def __init__(self) -> None:
        self.seconds: dict[str, Spent] = {}
        self._inside: list[Spent] = []

    def watch(self, patch: ExitStack, owner: Any, name: str, stage: str) -> None:
        """Count calls of `owner.name` under `stage` while `patch` is open."""
        own = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            begun = now()
            self._inside.append(Spent())
            try:
                return own(*given, **named)
            finally:
                spent = now() - begun
                self.seconds[stage] = self.seconds.get(stage, Spent()) + spent - self._inside.pop()
                if self._inside:
                    self._inside[-1] += spent

        setattr(owner, name, timed)
        patch.callback(setattr, owner, name, own)

    def take(self, whole: Spent, count: int) -> dict[str, dict[str, float]]:
        """Milliseconds each of `count` and shares of the time of CPU, the largest first; begins anew."""
        rest = whole
        for spent in self.seconds.values():
            rest -= spent
        found, self.seconds = self.seconds | {"the rest": rest}, {}
        return {
            stage: {"ms": 1000 * spent.wall / count, "cpu": 1000 * spent.cpu / count, "share": spent.cpu / whole.cpu}
            for stage, spent in sorted(found.items(), key=lambda item: -item[1].cpu)
        }


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds on the wall, and of CPU on all threads, which tell more where other programs run beside."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall + other.wall, self.cpu + other.cpu)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.wall - other.wall, self.cpu - other.cpu)


def now() -> Spent:
    return Spent(time.perf_counter(), time.process_time())


def watched(stages: Stages, patch: ExitStack) -> None:
    import torch

    from theta_tui.learning import checkpoint, learner, module_lesson
    from theta_tui.session import scopes
    from theta_tui.session import session as session
    from theta_tui.store import journal
    from theta_tui.store import store as record

    for owner, name, stage in (
        (scopes.LessonScopes, "changes", "what it changes besides"),
        (scopes.LessonScopes, "decide", "which lesson answers"),
        (LanguageModel, "encode_lesson", "tokenise"),
        (session, "variants", "other wordings"),
        (module_lesson, "reading", "what does not move, once a lesson"),
        (module_lesson, "detectors_of", "detectors"),
        (module_lesson.Tree, "logits", "forward"),
        (module_lesson._Whole, "logits", "forward"),
        (torch.Tensor, "backward", "backward"),
        (module_lesson, "nll_and_margin", "loss and P, before and after"),
        (module_lesson.ModuleLesson, "step", "step"),
        (learner.Learner, "snapshot", "snapshot"),
        (journal.Journal, "append", "journal, with fsync"),
        (record.Store, "write_context", "conversation file"),
        (LanguageModel, "machine", "fingerprint of the machine"),
        (checkpoint, "save", "checkpoint"),
    ):
        stages.watch(patch, owner, name, stage)


def conversation(lm: LanguageModel, tokens: int) -> tuple[tuple[str, str], ...]:
    """The newest turns of a long conversation, at most so many tokens of them."""
    turns = SAID * (tokens // 40 + 1)
    while turns and len(lm.encode_prompt(turns, "", room=1).ids) > tokens:
        del turns[0]
    return tuple(turns)


def profile(given: argparse.Namespace) -> dict[str, Any]:
    from theta_tui.session.session import Session
    from theta_tui.store.pending import new_prompt_id
    from theta_tui.store.records import Candidate, ContextImported, Pending
    from theta_tui.store.store import Store

    stages = Stages()
    with TemporaryDirectory() as folder, ExitStack() as patch:
        home = Settings(home=Path(folder), model=given.model, device="cpu", threads=given.threads)
        record = Store.open(home)
        patch.callback(record.close)
        session = Session(record)
        session.load()
        session.get_ready()
        session.teach("Is this the first lesson?", "It warms the machine up.")
        if given.conversation:
            record.append(ContextImported(conversation(session.model, given.conversation)))
        watched(stages, patch)
        taken, steps, learned = [], 0, 0
        for prompt, reply in LESSONS:
            record.keep(Pending(new_prompt_id(), prompt, (Candidate(1, "I do not know.", -1.0),)))
            begun = now()
            outcome = session.correct(reply)
            taken.append(now() - begun)
            steps, learned = steps + outcome.steps, learned + outcome.learned
        lesson = stages.take(sum(taken, Spent()), len(taken))
        begun = now()
        session.save()
        saved = (now() - begun).wall
        machine = session.model.machine()
    seconds = sorted(one.wall for one in taken)
    return {
        "schema": 1, "benchmark": "lesson_profile", "model": given.model, "machine": machine,
        "lessons": len(seconds), "steps": steps,
        "p50": statistics.median(seconds), "p95": seconds[round(0.95 * (len(seconds) - 1))], "lesson": lesson,
        "cpu": statistics.median(one.cpu for one in taken), "learned": learned, "checkpoint": saved,
        "memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }  # fmt: skip


def profile_shown(found: dict[str, Any]) -> str:
    rows = [
        [stage, f"{row['ms']:.1f} ms", f"{row['cpu']:.1f} ms", f"{row['share']:.1%}"]
        for stage, row in found["lesson"].items()
    ]
    rows.append(
        ["all", *(f"{sum(row[kind] for row in found['lesson'].values()):.1f} ms" for kind in ("ms", "cpu")), ""]
    )
    return (
        f"{found['model']}, {found['machine']}\n{found['lessons']} lessons, {found['learned']} learned, "
        f"{found['steps']} steps; most memory {found['memory'] / 2**20:.0f} MiB; "
        f"p50 {found['p50']:.3f} s ({found['cpu']:.3f} s of CPU), p95 {found['p95']:.3f} s; "
        f"a checkpoint after them {found['checkpoint']:.3f} s\n\n"
        + table(["a lesson", "time", "of CPU", "share"], rows)
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="the peer with products in bfloat16 too")
    parser.add_argument("--profile", action="store_true", help="where the time of a whole lesson goes")
    parser.add_argument("--conversation", type=int, default=0, help="with --profile: tokens in front of the prompts")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    found = profile(given) if given.profile else measure(given)
    with suppress(BrokenPipeError):
        print(json.dumps(found) if given.json else profile_shown(found) if given.profile else shown(found))


if __name__ == "__main__":
    main()
