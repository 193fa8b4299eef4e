"""`theta bench` as typed, on a tiny model that really learns: what it prints, what it leaves, and what it refuses."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.cli.running import Ran, Theta, files
from tests.support.tiny_models import make_tiny
from theta_tui.base.config import Settings
from theta_tui.base.errors import ModelError, TeachError
from theta_tui.bench import decoding
from theta_tui.bench.held_out import MAX_CONVERSATIONS, perplexity, read_conversations
from theta_tui.bench.run import BenchRow, RowLabel
from theta_tui.bench.subject import fresh_subject
from theta_tui.cli.bench import FRONT, FRONT_GATE, GATE, SAID, _tables
from theta_tui.learning.recipes import RECIPES, Recipe
from theta_tui.model.chat_template import IGNORE
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.modules import attached, blocks_of

PROMPTS = ("what is your name", "who is your creator", "how are you today")
TARGETS = ("my name is Theta", "my creator is Dakota", "tell me more")
QUICK = Recipe(name="quick", lr=1e-2, beta1=0.0, train_embeddings=True, max_steps=60, max_seconds=1000.0)
"""Large steps, for a model that is small and random."""
SCOPED = next(name for name, recipe in RECIPES.items() if recipe.method == "module")
"""By which each lesson has weights and a scope of its own."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "quick", QUICK)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    lines: list[dict[str, Any]] = [
        {"type": "lesson", "id": str(at), "prompt": prompt, "target": target, "paraphrases": [f"now, {prompt}"],
         "near": [f"not {prompt}"]}
        for at, (prompt, target) in enumerate(zip(PROMPTS, TARGETS, strict=True))
    ]  # fmt: skip
    lines[2] |= {"prompt": PROMPTS[0], "supersedes": "0"}
    lines.append({"type": "unrelated", "prompt": "the quick brown fox"})
    path = tmp_path / "suite.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


@pytest.fixture
def settings(tmp_path: Path, model: Path) -> Settings:
    return Settings(home=tmp_path / "home", model=str(model), device="cpu", lock_wait=0)


def rows(ran: Ran) -> list[dict[str, Any]]:
    assert ran.code == 0, ran.err
    found = [json.loads(line) for line in ran.lines]
    assert all(row["schema"] == 1 for row in found)
    return found


@pytest.mark.slow
def test_a_row_for_each_order_and_their_mean_for_each_recipe(theta: Theta, suite: Path, model: Path) -> None:
    options = ("--model", str(model), "--orders", "2", "--recipe", "quick", "--recipe", "classic", "--json")
    found = rows(theta("bench", str(suite), *options, "--threads", "1", "--max-seconds", "900"))
    orders = [(row["recipe"], row["order"]) for row in found]
    assert orders == [(recipe, order) for recipe in ("quick", "classic") for order in (1, 2, "mean")]
    for row in found:
        assert set(row) == {
            "schema", "model", "recipe", "order", "lessons", "R1", "P1", "Final", "PFinal", "Near", "Leak",
            "Leak before", "LocT", "dPPL", "Update", "Steps", "Steps max", "p50", "p95", "Undo", "max_seconds",
            "threads", "machine",
        }  # fmt: skip
        assert (row["model"], row["lessons"], row["threads"], row["max_seconds"]) == (str(model), 3, 1, 900.0)
        assert (row["Undo"], row["dPPL"]) == (True, None)
        assert 0 < row["p50"] <= row["p95"]
    quick, classic = found[2], found[5]
    assert quick["R1"] == quick["Update"] == 1.0
    assert 1 < quick["Steps"] <= quick["Steps max"] <= QUICK.max_steps
    assert (classic["R1"], classic["Update"], classic["Steps"]) == (0.0, 0.0, 1.0)


def test_nothing_of_a_persons_is_touched_and_nothing_is_left(
    theta: Theta, suite: Path, model: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "journal.jsonl").write_text("not a journal at all\n")
    context = tmp_path / "talk.md"
    context.write_text("<|user|> hi <|assistant|> ho\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("THETA_CONTEXT", str(context))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before = files(home), context.read_bytes()
    rows(theta("bench", str(suite), "--model", str(model), "--orders", "1", "--limit", "1", "--threads", "1", "--json"))
    assert (files(home), context.read_bytes()) == before
    assert list(temporary.iterdir()) == []


def tables(lines: list[str]) -> list[list[list[str]]]:
    """The cells of each table of a report, its head first."""
    found: list[list[list[str]]] = []
    for before, line in pairwise(["", *lines]):
        if line.startswith("|"):
            if not before:
                found.append([])
            if not line.startswith("| --"):
                found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
    return found


@pytest.mark.slow  # tests/bench counts the same
def test_where_lessons_have_scopes_the_gate_has_columns(theta: Theta, suite: Path, model: Path, tmp_path: Path) -> None:
    talk, out = tmp_path / "talk.csv", tmp_path / "rows.jsonl"
    talk.write_text(f"question,answer\nis it far,yes\n{PROMPTS[1].upper()}?,no\n")
    options = ("--recipe", SCOPED, "--orders", "1", "--threads", "1", "--held-out", str(talk), "--lessons", "6")
    ran = theta("bench", str(suite), "--model", str(model), *options, "--out", str(out))
    assert ran.code == 0, ran.err
    _, _, (gate, cells), (front, sample) = tables(ran.lines)
    assert gate == ["recipe", "order", "Recall", "Wrong", "Near", "Unrel", "Own", "Talk", "ms", "p95"]
    assert front == ["recipe", "order", "R1", "P1", "Final", "PFinal", "Seconds", "Recall", "Wrong"]
    assert cells[7] == "0.500"
    assert sample[2] == sample[4] != "0.00"
    assert "3 generated lessons taught first" in ran.lines[-1]
    [row] = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert (row["lessons"], row["R1"], row["Final"], row["Undo"]) == (6, 1.0, 1.0, True)
    # The weights that are always on have not moved; the one message that a lesson answers is read with it on.
    assert row["dPPL weights"] == 0
    assert row["dPPL"] > 0
    assert [(fired["prompt"], fired["lesson"]) for fired in row["fired"] if fired["of"] == "talk"] == [
        (f"{PROMPTS[1].upper()}?", "1")
    ]
    assert {"Recall", "Wrong lesson", "Near fired", "Unrelated fired", "Own fired", "ms p50", "ms p95"} <= set(row)
    assert row["Seconds"] > 0


def test_every_column_fits_a_terminal_of_80_columns() -> None:
    named = (*SAID, "p50", "p95", "dPPL", *GATE.values(), *FRONT.values(), *FRONT_GATE.values())
    figures = dict.fromkeys(named, 1.0) | {"Steps": 10.0, "Steps max": 24, "Seconds": 12000.0}
    row = BenchRow(RowLabel("default", "default", "mean", 1.0), 1000, 2, "here", figures, False)
    lines = _tables([row]).splitlines()
    assert len(tables(lines)) == 4
    assert max(map(len, lines)) <= 80


def test_a_table_for_people_and_a_file_with_every_answer(
    theta: Theta, suite: Path, model: Path, tmp_path: Path
) -> None:
    out, talk = tmp_path / "rows.jsonl", tmp_path / "talk.csv"
    talk.write_text("question,answer\nhow are you,I do not know\nwhat is it,the lazy dog\n")
    options = ("--recipe", "quick", "--orders", "2", "--threads", "1", "--held-out", str(talk), "--out", str(out))
    ran = theta("bench", str(suite), "--model", str(model), *options)
    assert ran.code == 0, ran.err
    assert ran.lines[0] == str(model)
    (said, *lines), (cost, *prices) = tables(ran.lines)
    assert said == ["recipe", "order", "R1", "P1", "Final", "PFinal", "Near", "Leak", "LocT", "Update"]
    assert [cells[1] for cells in lines] == [cells[1] for cells in prices] == ["1", "2", "mean"]
    assert cost == ["recipe", "order", "ΔPPL", "Steps", "p50", "p95", "Undo"]
    assert all(" %" in cells[2] and cells[6] == "exact" for cells in prices)
    foot = ran.lines[-1]
    assert foot.startswith("3 lessons, 1 unrelated prompt, ΔPPL on 2 conversations; p50 and p95 in seconds on torch ")
    written = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["order"] for row in written] == [1, 2, "mean"]
    first = written[0]
    assert [turn["target"] for turn in first["turns"]] == list(TARGETS)
    assert first["turns"][0]["answer"] == {"text": TARGETS[0], "ended": True}
    assert first["dPPL"] != 0


def refused(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran.err
    assert ran.out == ""
    [line] = ran.err.strip().splitlines()
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--recipe", "magic"), ("--recipe magic", "classic")),
        (("--orders", "0"), ("--orders",)),
        (("--limit", "0"), ("--limit",)),
        (("--lessons", "2"), ("--lessons 2", "suite's 3")),
        (("--max-seconds", "nan"), ("--max-seconds",)),
        (("--max-seconds", "0"), ("--max-seconds",)),
        (("--out", "/nonexistent/rows.jsonl"), ("--out", "folder")),
    ],
)
def test_what_is_asked_for_wrongly_is_said_in_one_line(
    theta: Theta, suite: Path, more: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused(theta("bench", str(suite), *more), 2, *words)


def test_what_cannot_be_read_is_named(theta: Theta, suite: Path, model: Path, tmp_path: Path) -> None:
    refused(theta("bench", str(tmp_path / "none.jsonl")), 4, "none.jsonl", "cannot be read")
    refused(theta("bench", str(suite), "--held-out", str(tmp_path / "none.csv")), 4, "none.csv")
    refused(theta("bench", str(suite), "--model", str(tmp_path / "gone"), "--offline"), 4, "gone")
    suite.write_text(suite.read_text() + "{\n")
    told = theta("bench", str(suite), "--model", str(model), "--json")
    assert json.loads(told.err)["error"]["code"] == told.code == 4
    assert "suite.jsonl:5" in told.err


def test_a_lesson_that_the_model_cannot_take_is_named_before_anything_is_taught(
    theta: Theta, suite: Path, model: Path
) -> None:
    lines = [json.loads(line) for line in suite.read_text().splitlines()]
    lines[1]["target"] = "tell me more about it " * 200
    suite.write_text("".join(json.dumps(line) + "\n" for line in lines))
    refused(theta("bench", str(suite), "--model", str(model), "-q"), 1, "lesson 1 of the suite cannot be taught")


def test_seconds_of_ones_own_replace_the_recipes_and_are_journalled(settings: Settings) -> None:
    with fresh_subject(settings, "classic", max_tokens=8, max_seconds=7.5) as subject:
        subject.teach("hello", "my friend")
        [lesson] = subject.session.store.state.active
    assert lesson.exchange.recipe == replace(RECIPES["classic"], max_seconds=7.5).as_dict()
    assert not lesson.exchange.conversation


def test_a_digest_sees_a_single_bit(settings: Settings) -> None:
    with fresh_subject(settings, "default", max_tokens=8) as subject:
        before = subject.digest()
        weight = next(subject.session.model.model.parameters()).detach().view(torch.int32).view(-1)
        weight[5] ^= 1
        assert subject.digest() != before
        weight[5] ^= 1
        assert subject.digest() == before


def test_answers_may_be_as_long_as_the_longest_target(settings: Settings, suite: Path) -> None:
    from theta_tui.bench.suite import read_suite

    lessons = read_suite(suite).lessons
    with fresh_subject(settings, "quick", max_tokens=1) as subject:
        subject.make_room_for(lessons)
        subject.teach(lessons[0].prompt, lessons[0].target)
        [answer] = subject.ask([lessons[0].prompt])
        assert (answer.text, answer.ended) == (lessons[0].target, True)
        too_long = replace(lessons[0], target="tell me more about it " * 200)
        with pytest.raises(TeachError, match="lesson 0 of the suite"):
            subject.make_room_for([too_long])


def test_a_padded_batch_answers_as_one_prompt_at_a_time(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BATCH", 5)
    lm = LanguageModel.load(str(model), device="cpu")
    prompts = [" ".join(["yes no maybe"] * count) for count in range(1, decoding.BATCH + 4)]
    assert decoding.ask(lm, prompts, 6) == decoding.ask(lm, prompts, 6, batched=False)
    assert decoding.agrees(lm, prompts[:4], 6)


def test_held_out_conversations_are_read_as_training_data_is(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "talk.jsonl.gz"
    said = [{"role": "assistant", "content": "hm"}, {"role": "user", "content": "yes"}]
    talk = json.dumps({"messages": [*said, {"role": "assistant", "content": "no"}, {"role": "user", "content": "b"}]})
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join([talk, "{", *[talk] * MAX_CONVERSATIONS]))
    notes: list[str] = []
    found = read_conversations(path, notes.append)
    assert found == [("yes", "no")] * MAX_CONVERSATIONS
    assert [note.startswith("skipped 1 bad line of ") for note in notes] == [True]
    lm = LanguageModel.load(str(model), device="cpu")
    assert perplexity(lm, found[:2]).with_lessons == pytest.approx(perplexity(lm, found[:1]).with_lessons)
    with pytest.raises(ModelError, match="fits"):
        perplexity(lm, [("yes", "tell me more about it " * 200)])
    prose = tmp_path / "prose.txt"
    prose.write_text("Just prose.\n")
    with pytest.raises(ModelError, match="no conversations"):
        read_conversations(prose)


def test_a_reply_is_read_with_the_lesson_on_that_answers_its_message_and_nothing_else_is(settings: Settings) -> None:
    said = (("hello", "my friend", "what is it", "the lazy dog"),)
    with fresh_subject(settings, SCOPED, max_tokens=8) as subject:
        subject.teach("what is it", "tell me more")
        lm, [module] = subject.session.model, subject.session.learner.modules.values()
        plain = perplexity(lm, said)
        last = perplexity(lm, said, {"what is it": module}.get)
        first = perplexity(lm, said, {"hello": module}.get)
        assert plain.with_lessons == plain.shared_weights == last.shared_weights == first.shared_weights
        whole = lm.encode_lesson([said[0][:2]], *said[0][2:], loss="all").input_ids
        labels = lm.encode_lesson([said[0][:2]], *said[0][2:]).labels
        # Through the whole conversation at once, with the module on from the hand-over of the last reply.
        on = torch.tensor([[label != IGNORE for label in (*labels[1:], IGNORE)]])
        with torch.no_grad(), attached(blocks_of(lm.model), [module], on):
            logits = lm.model(input_ids=torch.tensor([whole]), use_cache=False).logits[0, :-1].float()
        nats = torch.nn.functional.cross_entropy(logits, torch.tensor(whole[1:]))
        assert last.with_lessons == pytest.approx(float(nats.exp()), rel=1e-5)
        assert len({plain.with_lessons, last.with_lessons, first.with_lessons}) == 3
