"""TRL data sets from a journal, and a folder that appears whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeError, TeachError, UsageError
from theta_tui.base.publish import fresh_folder
from theta_tui.session.export import export_trl, kind_of
from theta_tui.store import trl as export
from theta_tui.store.records import Candidate, ConversationStarted, Exchange, Persona, Withdraw
from theta_tui.store.store import Store

FIVE = tuple(Candidate(index, f"reply {index}", -float(index)) for index in range(1, 6))


@pytest.fixture
def record(tmp_path: Path) -> Store:
    return Store.open(Settings(home=tmp_path / "home", lock_wait=0))


def pick(record: Store, prompt: str, index: int, candidates: tuple[Candidate, ...] = FIVE) -> int:
    reply = candidates[index - 1].text
    return record.append(Exchange("pick", prompt, reply, candidates, {}, pick=index)).seq


def correct(record: Store, prompt: str, reply: str, **more: Any) -> int:
    values: dict[str, Any] = {"candidates": FIVE, "recipe": {}} | more
    return record.append(Exchange("correction", prompt, reply, **values)).seq


def said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def pairs(record: Store) -> list[tuple[str, str]]:
    return [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in export.preferences(record.state)]


def taught(record: Store) -> list[tuple[str, str]]:
    return [(row["prompt"][-1]["content"], row["completion"][0]["content"]) for row in export.completions(record.state)]


def test_the_persona_that_a_lesson_was_taught_under_is_its_system_message(record: Store) -> None:
    correct(record, "hello", "Hi.")
    record.append(Persona("You are a pirate."))
    correct(record, "who?", "Arr.")
    first, second = (row["prompt"] for row in export.completions(record.state))
    assert first == [said("user", "hello")]
    assert second == [
        said("system", "You are a pirate."), said("user", "hello"), said("assistant", "Hi."), said("user", "who?"),
    ]  # fmt: skip


def test_a_pick_is_preferred_to_each_of_the_others(record: Store) -> None:
    pick(record, "hello", 2)
    [first, *_] = rows = list(export.preferences(record.state))
    assert first == {
        "prompt": [said("user", "hello")],
        "chosen": [said("assistant", "reply 2")],
        "rejected": [said("assistant", "reply 1")],
    }
    assert [row["rejected"][0]["content"] for row in rows] == ["reply 1", "reply 3", "reply 4", "reply 5"]
    assert taught(record) == [("hello", "reply 2")]


def test_replies_that_are_the_same_to_a_reader_are_no_pair(record: Store) -> None:
    texts = ("Reply 1.", "x", "x")
    pick(record, "hello", 1, (*FIVE[:1], *(Candidate(index, text, -1.0) for index, text in enumerate(texts, 2))))
    assert pairs(record) == [("reply 1", "x")]


def test_a_correction_is_preferred_to_what_it_began_as_or_replaced_or_the_likeliest(record: Store) -> None:
    correct(record, "a", "edited", edited=3)
    seq = correct(record, "b", "typed")
    correct(record, "b", "better", candidates=(), replaces=seq)
    correct(record, "c", "a pair", candidates=(), conversation=False)
    assert pairs(record) == [("edited", "reply 3"), ("typed", "reply 1"), ("better", "typed")]


def test_what_was_withdrawn_is_left_out_of_pairs_completions_and_context(record: Store, tmp_path: Path) -> None:
    kept = pick(record, "hello", 1)
    gone = correct(record, "my secret", "is this", edited=1)
    pick(record, "and now?", 3)
    record.append(Withdraw(gone))
    export_trl(record, tmp_path / "out")
    text = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    assert "secret" not in text
    assert "hello" in text
    record.append(Withdraw(kept))
    export_trl(record, tmp_path / "out", force=True)
    assert "hello" not in (tmp_path / "out" / "completion.jsonl").read_text()


def test_a_superseded_answer_is_no_completion_but_still_a_preference(record: Store) -> None:
    correct(record, "Who are you?", "Theta")
    correct(record, "who are you", "A cat", edited=2)
    correct(record, "Who are you?", "a cat.", candidates=())
    assert taught(record) == [("Who are you?", "a cat.")]
    assert pairs(record) == [("Theta", "reply 1"), ("A cat", "reply 2")]


def test_a_lesson_carries_the_conversation_before_it_up_to_a_bound(record: Store) -> None:
    pick(record, "hello", 1)
    pick(record, "how?", 2)
    correct(record, "alone", "outside", conversation=False)
    record.append(ConversationStarted())
    for number in range(export.CONTEXT_TURNS + 3):
        pick(record, f"again {number}", 1)
    rows = list(export.completions(record.state))
    assert rows[1]["prompt"] == [said("user", "hello"), said("assistant", "reply 1"), said("user", "how?")]
    assert rows[2]["prompt"] == [said("user", "alone")]
    assert rows[3]["prompt"] == [said("user", "again 0")]
    assert len(rows[-1]["prompt"]) == 2 * export.CONTEXT_TURNS + 1
    assert rows[-1]["prompt"][0] == said("user", "again 2")


HOSTILE = 'esc \x1b[2J nul \x00 bidi \u202e quote " newline \n tab \t \U0001f600 <|end|>'


def test_no_text_is_altered_and_nothing_in_the_file_is_a_control(record: Store, tmp_path: Path) -> None:
    correct(record, HOSTILE, f"reply {HOSTILE}", edited=1)
    export_trl(record, tmp_path / "out")
    for name in ("completion.jsonl", "preference.jsonl"):
        data = (tmp_path / "out" / name).read_text("utf-8")
        assert not {char for char in data if char < " " and char != "\n"} | ({"\u202e"} & set(data))
        [row] = [json.loads(line) for line in data.splitlines()]
        assert row["prompt"] == [said("user", HOSTILE)]
    assert HOSTILE not in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_the_datasets_library_loads_it_by_the_lines_in_the_readme(
    record: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    pick(record, "hello", 1)
    correct(record, HOSTILE, "yes", edited=2)
    export_trl(record, tmp_path / "out")
    code = (tmp_path / "out" / "README.md").read_text().split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path / "out")
    found: dict[str, Any] = {}
    exec(code, found)
    assert found["preference"].column_names == ["prompt", "chosen", "rejected"]
    assert found["preference"].num_rows == 5
    assert found["completion"][1]["prompt"][-1] == said("user", HOSTILE)
    assert found["completion"][1]["completion"] == [said("assistant", "yes")]


def test_a_kind_without_rows_has_no_file_and_no_line(record: Store, tmp_path: Path) -> None:
    with pytest.raises(TeachError, match="nothing was taught"):
        export_trl(record, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    correct(record, "a", "b", candidates=())
    done = export_trl(record, tmp_path / "out")
    assert done.line == f"0 preference pairs and 1 completion written to {tmp_path / 'out'}"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"completion.jsonl", "README.md"}
    assert "preference.jsonl" not in (tmp_path / "out" / "README.md").read_text()


def test_only_these_kinds_can_be_exported() -> None:
    assert [kind_of(word) for word in ("hf", "gguf", "peft", "trl")] == ["hf", "gguf", "peft", "trl"]
    with pytest.raises(UsageError, match=r"hf, gguf .* peft .* trl .* or plot"):
        kind_of("onnx")


# --- a folder whole or not at all ---


def write(path: Path, text: str = "---\ntags:\n- theta-tui\n---\n", **how: Any) -> None:
    with fresh_folder(path, **({"force": False} | how)) as folder:
        (folder / "README.md").write_text(text)
        (folder / "adapter").mkdir()
        (folder / "adapter" / "file").write_text(text)


def test_a_folder_that_is_there_is_refused_unless_it_is_empty_or_forced(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    out.mkdir(parents=True)
    write(out)
    with pytest.raises(UsageError, match="not empty"):
        write(out)
    (out / "more").write_text("x")
    write(out, force=True)
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "adapter"]
    assert list(out.parent.iterdir()) == [out]


def test_a_link_is_no_folder_whatever_it_leads_to(tmp_path: Path) -> None:
    write(tmp_path / "out")
    for number, target in enumerate((tmp_path / "out", tmp_path / "nowhere")):
        link = tmp_path / f"link{number}"
        link.symlink_to(target)
        with pytest.raises(UsageError, match="not a folder"):
            write(link, force=True)
        assert link.is_symlink()


def test_force_replaces_nothing_but_an_earlier_export(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("# my book")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name in ("mine", "file", "link"):
        with pytest.raises(UsageError, match="choose another"):
            write(tmp_path / name, force=True)
    assert (tmp_path / "mine" / "README.md").read_text() == "# my book"
    assert len(list(tmp_path.iterdir())) == 3


def test_the_base_model_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path / "model")
    for place in (tmp_path / "model", tmp_path / "model" / "out", tmp_path):
        with pytest.raises(UsageError, match="never overwritten"):
            write(place, force=True, spare=tmp_path / "model")


def test_a_body_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path / "out")
    with pytest.raises(UnicodeEncodeError):
        write(tmp_path / "out", text="\ud800", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "README.md").exists()


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_disk_that_refuses_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """The n-th call fails, for every n until it is not reached any more."""
    out = tmp_path / "out"
    write(out, text="---\ntags:\n- theta-tui\n---\nfirst")
    for nth in range(1, 20):
        owner: Any = os if call == "fsync" else Path
        real, count = getattr(owner, call), 0

        def failing(*args: Any, _real: Any = real, _nth: int = nth) -> Any:
            nonlocal count
            count += 1
            if count == _nth:
                raise OSError(28, "No space left on device")
            return _real(*args)

        with monkeypatch.context() as patch:
            patch.setattr(owner, call, failing)
            try:
                write(out, force=True)
                break
            except HomeError as error:
                message = str(error)
        assert "No space left" in message
        assert (out / "README.md").exists()
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert nth > 1
