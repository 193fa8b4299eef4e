"""The row of teach-bench: does one lesson stick, and at what price?

    python -m tests.benchmarks.teach_rows SUITE MODEL [MODEL…] [--recipe default classic] [--orders 3] [--limit 6]

Every lesson of the suite is taught in turn, outside of any conversation; everything is free greedy decoding to the
end token, compared after collapsing white space. Order 1 is the file's, order k is shuffled with seed k. What is not
said in the suite's README is decided here: Update is judged right after the turn, with "gone" asked by the old
lesson's own prompt; an answer that was cut at `--max-tokens` is never exact; ΔPPL is over all tokens of the
conversation (template included) after the first one, on at most HELD_OUT conversations. Leak counts a new word even
where it was there before the turn, as the README has it; "Leak before" in the JSON is that share.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from tests.benchmarks.decoding import Greedy
from tests.benchmarks.metrics import Lesson, Turn, in_order, mean, suite_row
from tests.benchmarks.tables import number, table
from theta_tui.errors import TeachError, ThetaError
from theta_tui.mind.language_model import LanguageModel
from theta_tui.mind.learner import Learner, Snapshot
from theta_tui.mind.recall import forward
from theta_tui.mind.recipes import RECIPES, Recipe

HELD_OUT = 200
"""Conversations that the perplexity is taken on: 6 s each time with the default model, if short."""

UNDONE = 5
"""Lessons that are undone at the end."""

Row = dict[str, Any]


def read_suite(path: Path, limit: int | None) -> tuple[list[Lesson], list[str]]:
    """The lessons (the first `limit`) and the unrelated prompts of a suite."""
    lessons: list[Lesson] = []
    unrelated: list[str] = []
    for line in path.read_text("utf-8").splitlines():
        if not line.strip():
            continue
        item = json.loads(line)
        if item["type"] == "unrelated":
            unrelated.append(item["prompt"])
        elif item["type"] == "lesson":
            lessons.append(
                Lesson(
                    item["id"],
                    item["prompt"],
                    item["target"],
                    tuple(item["paraphrases"]),
                    tuple(item["near"]),
                    item.get("supersedes"),
                )
            )
    return lessons[:limit], unrelated


def read_conversations(path: Path) -> list[list[str]]:
    """What is said in each of the first HELD_OUT conversations, beginning with the user, turns complete."""
    conversations: list[list[str]] = []
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            messages = json.loads(line).get("messages", []) if line.strip() else []
            said = [message["content"] for message in messages if message["role"] in ("user", "assistant")]
            if said and messages[0]["role"] == "assistant":
                said = said[1:]
            said = said[: len(said) // 2 * 2]
            if said:
                conversations.append(said)
            if len(conversations) == HELD_OUT:
                break
    return conversations


def perplexity(lm: LanguageModel, conversations: Sequence[Sequence[str]]) -> float:
    """exp of the mean nats a token."""
    nats, tokens = 0.0, 0
    for said in conversations:
        turns = list(zip(said[0:-2:2], said[1:-2:2], strict=True))
        try:
            example = lm.encode_lesson(turns, said[-2], said[-1], loss="all")
        except TeachError:  # a reply that is blank, or longer than the window
            continue
        with torch.no_grad():
            logits = forward(lm, example)[:-1].float()
        labels = torch.tensor(example.labels[1:], device=logits.device)
        nats += float(functional.cross_entropy(logits, labels, reduction="sum"))
        tokens += len(labels)
    return math.exp(nats / tokens)


def weights(lm: LanguageModel) -> list[torch.Tensor]:
    return [tensor.detach().clone() for tensor in (*lm.model.parameters(), *lm.model.buffers())]


def run(
    lm: LanguageModel,
    recipe: Recipe,
    lessons: Sequence[Lesson],
    unrelated: Sequence[str],
    conversations: Sequence[Sequence[str]],
    ask: Greedy,
) -> Row:
    """Teach `lessons` from the foundation on, and measure. Leaves the model as the undone lessons leave it."""
    lm.load_weights()
    learner = Learner(lm)
    old_prompts = {lesson.id: lesson.prompt for lesson in lessons}
    foundation = ask(unrelated)
    ppl_before = perplexity(lm, conversations) if conversations else None
    undo: deque[tuple[Snapshot, list[torch.Tensor]]] = deque(maxlen=UNDONE)
    turns: list[Turn] = []
    for count, lesson in enumerate(lessons, 1):
        before = ask(lesson.near)
        weights_before = weights(lm)
        started = time.perf_counter()
        snapshot = learner.snapshot()
        result = learner.learn("correction", (), lesson.prompt, lesson.target, recipe, seed=count)
        seconds = time.perf_counter() - started
        undo.append((snapshot, weights_before))
        old = [old_prompts[lesson.supersedes]] if lesson.supersedes in old_prompts else []
        said = ask([lesson.prompt, *lesson.paraphrases, *lesson.near, *old])
        near_at = 1 + len(lesson.paraphrases)
        old_at = near_at + len(lesson.near)
        turns.append(
            Turn(
                lesson=lesson,
                before=tuple(before),
                near=tuple(said[near_at:old_at]),
                answer=said[0],
                paraphrases=tuple(said[1:near_at]),
                old=said[old_at] if old else None,
                steps=result.steps,
                seconds=seconds,
            )
        )
        print(f"\r{recipe.name} {count}/{len(lessons)}", end="", file=sys.stderr, flush=True)
    asked = [prompt for lesson in lessons for prompt in (lesson.prompt, *lesson.paraphrases)]
    answers = iter(ask(asked))
    final = {lesson.id: [next(answers) for _ in (lesson.prompt, *lesson.paraphrases)] for lesson in lessons}
    row: Row = dict(suite_row(turns, final, list(zip(foundation, ask(unrelated), strict=True))))
    row["ΔPPL"] = perplexity(lm, conversations) / ppl_before - 1 if ppl_before else None
    row["Undo"] = undone(lm, learner, undo)
    row["turns"] = [
        {
            "id": turn.lesson.id,
            "target": turn.lesson.target,
            "answer": turn.answer.text,
            "paraphrases": [answer.text for answer in turn.paraphrases],
            "near before": [answer.text for answer in turn.before],
            "near": [answer.text for answer in turn.near],
            "final": [answer.text for answer in final[turn.lesson.id]],
            "steps": turn.steps,
            "seconds": round(turn.seconds, 3),
        }
        for turn in turns
    ]
    print("\r", end="", file=sys.stderr)
    return row


def undone(lm: LanguageModel, learner: Learner, undo: deque[tuple[Snapshot, list[torch.Tensor]]]) -> bool:
    """Undo the lessons one by one, newest first: is each time every weight bit-equal to before the lesson?"""
    held = True
    for snapshot, before in reversed(undo):
        learner.restore(snapshot)
        held = held and all(map(torch.equal, weights(lm), before))
    return held


def average(rows: Sequence[Row]) -> Row:
    """The mean of several orders; of Steps max the most, and Undo holds where it held in all."""
    figures: Row = {
        name: mean(row[name] for row in rows if row[name] is not None)
        for name, value in rows[0].items()
        if name not in ("Undo", "Steps max", "turns", "model", "recipe", "order")
    }
    most = max(row["Steps max"] for row in rows)
    return {**rows[0], **figures, "order": "mean", "Steps max": most, "Undo": all(row["Undo"] for row in rows)}


COLUMNS = ("R1", "P1", "Final", "PFinal", "Near", "Leak", "LocT", "ΔPPL", "Update", "Steps", "p50", "p95", "Undo")


def cells(row: Row) -> list[str]:
    shown = {name: number(row[name]) for name in COLUMNS if name not in ("Undo", "ΔPPL", "Steps")}
    shown["ΔPPL"] = "–" if row["ΔPPL"] is None else f"{100 * row['ΔPPL']:+.1f} %"
    shown["Steps"] = f"{row['Steps']:.1f} (max {row['Steps max']})"
    shown["Undo"] = "exact" if row["Undo"] else "NOT EXACT"
    return [row["model"], row["recipe"], str(row["order"]), *(shown[name] for name in COLUMNS)]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.teach_rows", description=__doc__.splitlines()[0])
    parser.add_argument("suite", type=Path, metavar="SUITE")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="default, a folder or a Hugging Face id")
    parser.add_argument("--recipe", nargs="+", default=["default"], choices=sorted(RECIPES), dest="recipes")
    parser.add_argument("--limit", type=int, help="only the first lessons of the suite")
    parser.add_argument("--orders", type=int, default=3, help="1: the file's only; k: and k − 1 shuffled ones")
    parser.add_argument("--held-out", type=Path, metavar="FILE", help="conversations (.jsonl or .jsonl.gz) for ΔPPL")
    parser.add_argument("--max-tokens", type=int, default=64, help="longest answer; never less than the longest target")
    parser.add_argument(
        "--max-seconds", type=float, help="of a lesson, instead of the recipe's: on a busy machine its clock decides"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all rows, with every answer")
    given = parser.parse_args(argv)
    if given.orders < 1 or (given.limit is not None and given.limit < 1):
        parser.error("--orders and --limit are at least 1")
    return given


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments(argv)
    lessons, unrelated = read_suite(given.suite, given.limit)
    if not lessons:
        print(f"{given.suite} has no lessons", file=sys.stderr)
        return 2
    conversations = read_conversations(given.held_out) if given.held_out else []
    rows: list[Row] = []
    for name in given.models:
        lm = LanguageModel.load(name, device=given.device, threads=given.threads)
        longest = max(len(lm.encode_lesson((), lesson.prompt, lesson.target).input_ids) for lesson in lessons)
        ask = Greedy(lm, max(given.max_tokens, longest))
        ask.check([*unrelated[:3], *(lesson.prompt for lesson in lessons[:2])])
        for recipe_name in given.recipes:
            recipe = RECIPES[recipe_name]
            if given.max_seconds is not None:
                recipe = replace(recipe, max_seconds=given.max_seconds)
            orders = [
                {"model": name, "recipe": recipe_name, "order": order}
                | run(lm, recipe, in_order(lessons, order), unrelated, conversations, ask)
                for order in range(1, given.orders + 1)
            ]
            rows += orders
            if len(orders) > 1:
                rows.append({key: value for key, value in average(orders).items() if key != "turns"})
    print(table(("model", "recipe", "order", *COLUMNS), [cells(row) for row in rows]))
    print(f"{len(lessons)} lessons, {len(unrelated)} unrelated prompts; p50 and p95 in seconds on {lm.machine()}")
    if given.json:
        given.json.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ThetaError as error:
        sys.exit(str(error))
