"""`theta train` as typed: what it shows before training, what it makes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Ran, Theta

SMALL = (
    "--size", "1m", "--vocabulary", "300", "--length", "64", "--batch-tokens", "256", "--device", "cpu",
    "--dtype", "float32", "--threads", "1",
)  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.csv"
    rows = [f'"What is number {n}?","It is [b]{n}[/b], or <|end|> so."' for n in range(80)]
    path.write_text("question,answer\n" + "\n".join(rows) + "\n", "utf-8")
    return path


def test_a_dry_run_shows_the_mask_and_the_counts_and_writes_nothing(theta: Theta, data: Path, tmp_path: Path) -> None:
    shown = theta("train", str(data), "--dry-run", "--loss", "reply", *SMALL)
    assert shown.code == 0
    assert "pairs.csv:2: " in shown.lines[0]
    assert shown.lines[1].startswith("<|user|>What is number 0?<|assistant|>⟦It is [b]0[/b], or <|end|> so.<|end|>⟧")
    assert shown.lines[-1].startswith("pairs.csv: 80 documents, ")
    assert sum("learned (between" in line for line in shown.lines) == 3
    assert {path.name for path in tmp_path.iterdir()} <= {"pairs.csv", "config", "home"}


def test_a_dry_run_in_json(theta: Theta, data: Path) -> None:
    shown = theta("train", f"{data}:0.5", "--dry-run", "--json", *SMALL).json
    [counted] = shown["data"]
    assert (counted["documents"], counted["weight"]) == (80, 0.5)
    assert counted["learned"] == counted["tokens"]
    assert len(shown["samples"]) == 3


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Rows with all that is not learned or not used, and one that is."""
    path = tmp_path / "mixed.jsonl"
    rows = [
        {"instruction": "Who wrote it?", "context": "Maria wrote it.", "response": "Maria.", "topic": "x"},
        {"prompt": "a", "completion": "b", "label": False},
        {"messages": [
            {"role": "user", "content": "c"}, {"role": "assistant", "content": "wrong", "weight": 0},
            {"role": "user", "content": "d"}, {"role": "assistant", "content": "right"},
        ]},
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


NOTICES = (
    "1 row left out: label is false",
    "1 message shown as context and not learned",
    "not used: topic (1 row)",
)


@pytest.mark.parametrize("loss", ["all", "reply"])
def test_a_dry_run_names_what_is_not_learned_and_not_used(theta: Theta, mixed: Path, loss: str) -> None:
    shown = theta("train", str(mixed), "--dry-run", "--loss", loss, *SMALL)
    assert shown.lines[-4].startswith("mixed.jsonl: 2 documents, ")
    assert shown.lines[-3:] == [f"mixed.jsonl: {notice}" for notice in NOTICES]
    assert "Who wrote it?␊Maria wrote it.<|assistant|>" in shown.lines[1]
    assert "wrong<|end|>" in shown.lines[4].replace("⟧", "|").split("⟦")[0 if loss == "reply" else 1]
    [data] = theta("train", str(mixed), "--dry-run", "--json", *SMALL).json["data"]
    assert data["left_out"] == {"row: label is false": 1}
    assert (data["context_only"], data["unused"], data["notices"]) == (1, {"topic": 1}, list(NOTICES))


def test_it_is_said_before_training_begins_and_when_it_goes_on(theta: Theta, mixed: Path, tmp_path: Path) -> None:
    command = ("train", str(mixed), "--out", str(tmp_path / "model"), "--validation", "0", *SMALL)
    for tokens in ("200", "400"):
        lines = theta(*command, "--tokens", tokens).err.splitlines()
        places = [lines.index(f"theta: mixed.jsonl: {notice}") for notice in NOTICES]
        assert places == sorted(places)
        assert places[-1] < next(number for number, line in enumerate(lines) if "GFLOP/s" in line)
        assert sum("topic" in line for line in lines) == 1


def test_one_of_a_thing_is_not_many(theta: Theta, tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("Only this.\n", "utf-8")
    shown = theta("train", str(path), "--dry-run", *SMALL)
    assert shown.lines[-1].startswith("one.txt: 1 document, ")


def test_a_model_comes_out_that_theta_talks_with(theta: Theta, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    made = theta("train", str(data), "--out", str(out), "--tokens", "2k", "--json", *SMALL).json
    assert made["finished"]
    assert made["tokens"] >= 2000
    assert theta("ask", "What is number 3?", "--model", str(out), "--json").code == 0


def refused(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran.err
    [line] = ran.err.strip().splitlines()
    for word in words:
        assert word in line
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), ("--out",)),
        (("--out", "OUT"), ("--epochs", "--minutes", "--tokens")),
        (("--out", "OUT", "--tokens", "many"), ("--tokens many",)),
        (("--out", "OUT", "--epochs", "-1"), ("--epochs",)),
        (("--out", "OUT", "--minutes", "nan"), ("--minutes",)),
        (("--out", "OUT", "--epochs", "1", "--optimizer", "sgd"), ("muon", "adamw")),
        (("--out", "OUT", "--epochs", "1", "--size", "7b"), ("25m",)),
        (("--out", "OUT", "--epochs", "1", "--validation", "1"), ("--validation",)),
        (("--out", "OUT", "--epochs", "1", "--length", "512", "--batch-tokens", "100"), ("--batch-tokens",)),
    ],
)
def test_what_is_asked_for_wrongly_is_said_in_one_line(
    theta: Theta, data: Path, tmp_path: Path, more: tuple[str, ...], words: tuple[str, ...]
) -> None:
    arguments = [str(tmp_path / "out") if word == "OUT" else word for word in more]
    refused(theta("train", str(data), *arguments), 2, *words)
    assert not (tmp_path / "out").exists()


def test_a_bad_line_is_named_and_can_be_skipped(theta: Theta, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    good = [json.dumps({"prompt": f"say {n}", "completion": f"{n}."}) for n in range(60)]
    path.write_text("\n".join([*good[:20], '{"prompt": "x"', *good[20:]]) + "\n", "utf-8")
    out = str(tmp_path / "out")
    refused(theta("train", str(path), "--out", out, "--epochs", "1", *SMALL, "-q"), 4, "rows.jsonl:21")
    made = theta("train", str(path), "--out", out, "--tokens", "500", "--skip-bad", "--restart", "--json", *SMALL)
    assert made.json["finished"]
    assert "rows.jsonl: 1 bad line skipped\n" in made.err


def test_a_missing_file_and_a_missing_model_are_named(theta: Theta, data: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    refused(theta("train", str(tmp_path / "none"), "--out", out, "--epochs", "1", "-q", *SMALL), 4, "none")
    gone = str(tmp_path / "gone")
    base = ("--model", gone, "--offline", "--dtype", "float32")
    refused(theta("train", str(data), "--out", out, "--epochs", "1", *base, "-q"), 4, "gone")


def test_the_model_does_not_go_into_its_own_data(theta: Theta, data: Path) -> None:
    inside = str(data.parent / "out")
    refused(theta("train", str(data.parent), "--out", inside, "--epochs", "1", *SMALL), 2, "lies in the data set")
