"""The voice's conversations: the same again, short, right, and none that measures it."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from pathlib import Path

import pytest

from tests.benchmarks import knowledge
from tests.benchmarks import voice as judged
from theta_tui.base.errors import ModelError
from theta_tui.builtin import voice
from theta_tui.builtin import voice_words as words


@pytest.fixture(scope="module")
def made() -> list[list[tuple[str, str]]]:
    """The exchanges of all that is made without shards."""
    rows = voice.conversations(None, share=0.3)
    return [voice._exchanges({"messages": [m for m in row["messages"] if m["role"] != "system"]}) for row in rows]


def test_the_same_conversations_are_made_again() -> None:
    first, again = (list(voice.conversations(None, share=0.02)) for _ in range(2))
    assert first == again
    system = [row["messages"][0] for row in first if row["messages"][0]["role"] == "system"]
    assert 0.7 < len(system) / len(first) < 0.95
    assert {message["content"] for message in system} == {words.SYSTEM}


def test_replies_are_short_and_whole(made: list[list[tuple[str, str]]]) -> None:
    replies = [reply for turns in made for _, reply in turns]
    assert len(replies) > 2000
    assert all(len(reply.split()) <= voice.MOST_WORDS and "{" not in reply for reply in replies)
    assert all(reply[-1] in ".?!'\"" for reply in replies)


def test_what_was_told_is_said_again_and_nothing_else() -> None:
    asked, maker = 0, voice.Voice(1)
    for turns in (maker.names() for _ in range(200)):
        for thing in words.NAMED:
            questions = {question.format(t=thing) for question in words.ASK_NAME}
            told = [x for said, _ in turns for t in words.TELL_NAME if (x := _slot(t, thing, said))]
            for said, reply in turns:
                if said in questions:
                    asked += 1
                    unknown = {text.format(t=thing) for text in words.NOT_TOLD_NAME}
                    assert told[0] in reply if told else reply in unknown
    assert asked > 200


def _slot(template: str, thing: str, said: str) -> str | None:
    found = _telling(template, thing).fullmatch(said)
    return found[1] if found else None


@cache
def _telling(template: str, thing: str) -> re.Pattern[str]:
    return re.compile(re.escape(template.replace("{t}", thing)).replace(r"\{x\}", r"(\w+(?: \w+)?)"))


def test_nothing_is_learned_that_knowledge_or_the_voice_is_measured_by(made: list[list[tuple[str, str]]]) -> None:
    users = {_plain(said) for turns in made for said, _ in turns}
    assert not users & {_plain(question.text) for question in knowledge.questions()}
    assert not users & {_plain(prompt) for prompt in (*judged.PROMPTS, *judged.OWN)}
    names = {name for _, name in judged.THINGS} | set(judged.PEOPLE)
    every = " ".join(text for turns in made for exchange in turns for text in exchange)
    assert not [name for name in names if re.search(rf"\b{name}\b", every)]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9+]+", text.lower()))


def test_known_facts_have_an_answer_each() -> None:
    facts = list(voice.known())
    assert len({said for said, _ in facts}) == len(facts) > 300
    assert all(said.endswith("?") and answer.endswith(".") for said, answer in facts)
    assert ("What is 23 plus 7?", "23 plus 7 is 30.") in facts
    assert ("What is the capital of Nepal?", "The capital of Nepal is Kathmandu.") in facts


def test_of_a_shard_short_conversations_are_taken_and_none_that_ask_for_what_is_measured(tmp_path: Path) -> None:
    talks = [
        ("I like tea", "Tea is nice."), ("What is the capital of France?", "Paris."), ("Tell me", "word " * 40 + "."),
        ("Hi", "I'm your chat assistant."), ("Bye", "Until next time"), ("And you?", "I'm Assistant."),
    ]  # fmt: skip
    path = tmp_path / "talk.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as out:
        for said, reply in talks:
            messages = [{"role": "user", "content": said}, {"role": "assistant", "content": reply}]
            out.write(json.dumps({"messages": messages}) + "\n")
    found = voice.shard(path, 10, voice.Voice(1).rng)
    assert sorted(found) == [[("And you?", "I'm Theta.")], [("I like tea", "Tea is nice.")]]


def test_the_template_beside_the_adapter_begins_with_theta(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text('{"r": 12, "base_model_name_or_path": "here"}')
    begin = "{% if loop.first %}{{ '<|im_start|>system\nYou are SmolLM<|im_end|>\n' }}{% endif %}"
    (tmp_path / "chat_template.jinja").write_text(begin)
    found = voice.finish(tmp_path) / "chat_template.jinja"
    assert found.read_text() == begin.replace("You are SmolLM", words.SYSTEM)
    assert json.loads(found.with_name("adapter_config.json").read_text())["base_model_name_or_path"] == voice.BASE
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    with pytest.raises(ModelError, match="no SmolLM2"):
        voice.finish(tmp_path)
