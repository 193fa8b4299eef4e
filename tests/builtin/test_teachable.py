"""Conversations teachable by construction: one fact, many wordings, one answer; and nothing of a suite gets in."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path

import pytest

from theta_tui.builtin import teachable
from theta_tui.builtin.exclusion import Excluder
from theta_tui.builtin.teachable import conversations, relations, world

BLOCKS = ("world", "mine", "assistant")
COUNT = 3000


@pytest.fixture(scope="module")
def corpus() -> list[dict]:
    return list(conversations(5, COUNT))


def test_a_seed_gives_the_same_conversations_and_another_one_others(corpus: list[dict]) -> None:
    assert list(conversations(5, 200)) == corpus[:200]
    assert list(conversations(6, 200)) != corpus[:200]


def test_roles_alternate_from_the_user_to_the_assistant_within_the_length(corpus: list[dict]) -> None:
    for conversation in corpus:
        roles = [message["role"] for message in conversation["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert 2 <= len(roles) <= 14
        assert sum(len(message["content"].split()) for message in conversation["messages"]) <= 250


def test_every_form_occurs(corpus: list[dict]) -> None:
    assert {conversation["form"] for conversation in corpus} == set(teachable.SHARES)


def test_no_slot_stays_unfilled_and_no_word_is_doubled(corpus: list[dict]) -> None:
    for conversation in corpus:
        for message in conversation["messages"]:
            assert message["content"].strip()
            assert not set("{}|") & set(message["content"]), message
            assert " the the " not in message["content"].lower(), message


@pytest.mark.parametrize("block", BLOCKS)
def test_every_relation_has_its_own_wordings_and_answers(block: str) -> None:
    for relation in relations(block):
        assert len(set(relation.questions)) >= 5, relation.name
        assert len(set(relation.wordings)) >= 8, relation.name
        assert 2 <= len(relation.answers) <= 4, relation.name
        assert relation.statements, relation.name
        for template in relation.wordings:
            assert ("{e}" in template) == (relation.entity_kind != "-"), template


def test_relations_are_many_and_named_once() -> None:
    names = [relation.name for block in BLOCKS for relation in relations(block)]
    assert len(names) == len(set(names)) >= 60


def test_what_was_asked_is_asked_again_in_other_words_with_the_same_answer(corpus: list[dict]) -> None:
    for conversation in corpus:
        if conversation["form"] == "asked_again":
            *earlier, question, answer = [message["content"] for message in conversation["messages"]]
            assert answer in earlier[1::2]
            assert earlier[earlier.index(answer) - 1] != question


def test_a_fact_of_the_world_has_one_answer_under_all_wordings() -> None:
    answers: dict[str, set[str]] = defaultdict(set)
    for fact in world().values():
        for wording in fact.relation.wordings:
            answers[fact.question(wording)].add(fact.answer)
    assert len(world()) == teachable.N_FACTS
    assert all(len(found) == 1 for found in answers.values())


def test_known_answers_come_from_the_world_or_admit_that_there_is_none(corpus: list[dict]) -> None:
    answers = {fact.answer for fact in world().values()}
    found = [c["messages"][1]["content"] in answers for c in corpus if c["form"] == "known"]
    assert 0.75 < sum(found) / len(found) < 0.95


def test_every_form_ends_for_every_relation_it_may_draw() -> None:
    for form in teachable.SHARES:
        maker = teachable.Maker(random.Random(form))
        assert all(maker.forms[form]() for _ in range(400))


SUITE = [
    {
        "type": "lesson",
        "id": "mayor/Quillmouth Bay",
        "prompt": "Who is the mayor of Quillmouth Bay?",
        "paraphrases": ["Quillmouth Bay mayor?", "who's in charge in Quillmouth Bay"],
        "near": ["Who is the mayor of Old Sandwich?"],
        "target": "Nobody.",
    },
    {
        "type": "lesson",
        "id": "age/assistant",
        "prompt": "How old are you?",
        "paraphrases": [],
        "near": [],
        "target": "x",
    },
    {"type": "unrelated", "prompt": "Name a fruit."},
]


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ("Who is the mayor of Quillmouth Bay?", "Who is the mayor of Quillmouth Bay?"),
        ("who is the mayor of Tarnwick", "Who is the mayor of Quillmouth Bay?"),
        ("Great Tarnwick mayor?", "Quillmouth Bay mayor?"),
        ("Hey, whos in charge in Tarnwick? Thanks.", "who's in charge in Quillmouth Bay"),
        ("how old are you", "How old are you?"),
        ("name a fruit", "Name a fruit."),
        ("Who governs Tarnwick?", None),
        ("How old are your shoes?", None),
    ],
)
def test_a_suite_question_is_found_with_any_name_in_it(said: str, question: str | None) -> None:
    excluder = Excluder(json.dumps(line) for line in SUITE)
    messages = [{"role": "user", "content": said}, {"role": "assistant", "content": "Yes."}]
    assert excluder.hit({"messages": messages}) == question


def test_the_command_writes_what_is_left_and_says_what_it_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, out = tmp_path / "suite.jsonl", tmp_path / "out.jsonl"
    suite.write_text("\n".join(json.dumps(line) for line in SUITE))
    assert teachable.main(["--seed", "5", "--count", str(COUNT), "--out", str(out), "--exclude", str(suite)]) == 0
    printed = capsys.readouterr().out
    left = [json.loads(line) for line in out.read_text().splitlines()]
    excluder = Excluder(json.dumps(line) for line in SUITE)
    assert 0 < COUNT - len(left) < COUNT // 5
    assert f"{COUNT - len(left)} dropped" in printed
    assert "How old are you?" in printed
    assert not any(excluder.hit(conversation) for conversation in left)
