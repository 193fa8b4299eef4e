"""Lessons from a file: what is found in it, and a batch that is taught, stopped, taken back and brought back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.session.conftest import Open
from tests.session.test_session import PAIRS, answer, same, state
from theta_tui.base.errors import ModelError
from theta_tui.session import importing
from theta_tui.session.importing import Found, find, teach, together
from theta_tui.session.session import Session

FACTS = "My facts\n- Your creator is Dakota.\n\n2) The capital of Ruria is Melbin.\n"


def written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def found_in(session: Session, path: Path, *, skip_bad: bool = True) -> Found:
    return find(session.store, session.statements.dictionary, path, skip_bad=skip_bad)


def pairs(found: Found) -> list[tuple[str, str]]:
    return [(pair.prompt, pair.reply) for pair in found.pairs]


def test_what_is_found(tmp_path: Path, start: Open) -> None:
    """One home for many files: nothing is taught in it but one pair."""
    session = start()
    answer(session, "is it known?", "It is.")
    rows = [
        {"prompt": "a?", "reply": "1"},
        {"prompt": "Is it known", "reply": "it is"},
        {"prompt": "A?", "reply": "2", "label": True},
        {"prompt": "bad?", "reply": "no", "label": False},
    ]
    found = found_in(session, written(tmp_path, "rows.jsonl", "\n".join(map(json.dumps, rows))))
    assert pairs(found) == [("A?", "2")]
    assert found.source == "rows.jsonl"
    assert sorted(found.notes) == [
        "1 pair answered again further down: the last answer counts", "1 pair taught already",
        "1 row left out: label is false",
    ]  # fmt: skip
    table = written(tmp_path, "faq.tsv", "question\tanswer\nwho?\tme\nwhere?\there\n")
    assert pairs(found_in(session, table)) == [("who?", "me"), ("where?", "here")]
    talk = {"messages": [{"role": role, "content": text} for role, text in
                         (("system", "Be kind."), ("user", "hi"), ("assistant", "hello"), ("user", "bye"),
                          ("assistant", "so long"))]}  # fmt: skip
    found = found_in(session, written(tmp_path, "talk.json", json.dumps(talk)))
    assert (pairs(found), found.notes) == ([("hi", "hello"), ("bye", "so long")], ("1 system message not used",))
    found = found_in(session, written(tmp_path, "facts.txt", FACTS))
    assert [(pair.prompt, pair.said, pair.place) for pair in found.pairs] == [
        ("Who is your creator?", "Your creator is Dakota.", "facts.txt:2"),
        ("What is the capital of Ruria?", "The capital of Ruria is Melbin.", "facts.txt:4"),
    ]
    assert found.bad == ("facts.txt:1: it states no fact that could be asked ('My facts')",)
    session.close()


def test_bad_files_are_named_by_file_and_line(tmp_path: Path, start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start()
    broken = written(tmp_path, "broken.jsonl", '{"prompt": "a", "reply": "b"}\n{"prompt": "c"\n')
    found = found_in(session, broken)
    assert pairs(found) == [("a", "b")]
    assert found.bad[0].startswith(f"{broken}:2: it is not JSON")
    for path, why in ((broken, "broken.jsonl:2: it is not JSON"), (written(tmp_path, "f.txt", FACTS), "f.txt:1: it st"),
                      (tmp_path / "none.csv", "none.csv: it cannot be read"),
                      (written(tmp_path, "cols.csv", "x,y\n1,2\n"), "cols.csv:1: its columns are x, y")):  # fmt: skip
        with pytest.raises(ModelError, match=why):
            found_in(session, path, skip_bad=False)
    many = written(tmp_path, "many.tsv", "".join(f"q{at}\ta\n" for at in range(12)))
    monkeypatch.setattr(importing, "MOST", 10)
    with pytest.raises(ModelError, match=r"many.tsv:11: there are more than 10 lessons"):
        found_in(session, many)
    session.close()


def test_a_batch_is_taught_and_one_undo_takes_all_of_it_back_bit_for_bit(tmp_path: Path, start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    before, seen = state(session), list[tuple[int, int]]()
    found = found_in(session, written(tmp_path, "facts.txt", FACTS))
    done = teach(session, found, lambda at, of: seen.append((at, of)))
    assert (done.lessons, done.failures, done.left, seen) == ((2, 3), 0, 0, [(1, 2), (2, 2)])
    assert done.words == "taught 2 lessons of facts.txt"
    assert [lesson.exchange.kind for lesson in session.store.state.active][1:] == ["statement", "statement"]
    assert session.ask("Who is your creator?").reply == found.pairs[0].reply
    taught = state(session)
    both = together(session.store, session.store.to_undo())
    assert (both.words, both.numbers) == ("2 lessons of facts.txt", [2, 3])
    session.undo()
    assert same(before, session)
    session.redo()
    assert same(taught, session)
    session.close()
    again = start()
    assert same(taught, again)
    again.undo()
    assert same(before, again)
    assert [lesson.number for lesson in again.store.state.active] == [1]
    again.close()
    last = start()
    assert same(before, last)
    last.redo()
    assert same(taught, last)
    last.close()


def test_a_stop_comes_between_two_lessons_and_importing_again_goes_on(tmp_path: Path, start: Open) -> None:
    session = start()
    path = written(tmp_path, "facts.txt", FACTS)
    stopping = iter([False, True])
    done = teach(session, found_in(session, path), cancelled=lambda: next(stopping))
    assert (len(done.lessons), done.left) == (1, 1)
    assert done.words.endswith("stopped with 1 left: importing it again goes on")
    rest = found_in(session, path)
    assert (len(rest.pairs), rest.notes) == (1, ("1 pair taught already",))
    session.close()


def test_a_pair_that_does_not_fit_is_named_and_the_rest_is_taught(tmp_path: Path, start: Open) -> None:
    session = start()
    rows = f'{{"prompt": "long?", "reply": "{"word " * 3000}"}}\n{{"prompt": "short?", "reply": "yes"}}\n'
    done = teach(session, found_in(session, written(tmp_path, "rows.jsonl", rows)))
    assert (len(done.lessons), done.failures, done.left) == (1, 1, 0)
    assert done.failed[0].startswith("rows.jsonl:1: ")
    assert "1 could not be learned (rows.jsonl:1" in done.words
    session.close()
