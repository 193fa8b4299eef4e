"""Stated facts: what is read as which question and answer, and what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.benchmarks import statements as measured
from theta_tui.base.text import is_blank, visible
from theta_tui.facts import grammar
from theta_tui.facts.statements import Dictionary, load_dictionary, read

OURS = load_dictionary()


@pytest.mark.parametrize(
    ("said", "prompt", "reply"),
    [
        ("Your creator is Dakota.", "Who is your creator?", "My creator is Dakota."),
        ("your creator is dakota", "Who is your creator?", "My creator is Dakota."),
        ("My dog is called Pixel.", "What is my dog called?", "Your dog is called Pixel."),
        ("My dog is called rex!", "What is my dog called?", "Your dog is called rex."),
        ("I live in Oslo.", "Where do I live?", "You live in Oslo."),
        ("i live in oslo", "Where do I live?", "You live in Oslo."),
        ("Paris is the capital of France.", "What is the capital of France?", "Paris is the capital of France."),
        ("You are called Sable.", "What is your name?", "I am called Sable."),
        ("You were made by Orla.", "Who made you?", "I was made by Orla."),
        ("Orla made you.", "Who made you?", "Orla made me."),
        ("I was born in 1987.", "When was I born?", "You were born in 1987."),
        ("my sister's a nurse", "What does my sister do for a living?", "Your sister is a nurse."),
        ("My name’s Theodora.", "What is my name?", "Your name is Theodora."),
        ("I'm 41 years old", "How old am I?", "You are 41 years old."),
        ("my birthday is may 4", "When is my birthday?", "Your birthday is May 4."),
        ("Our boss was Ms. Lee.", "Who was our boss?", "Your boss was Ms. Lee."),
        ("The train leaves at 8:15.", "When does the train leave?", "The train leaves at 8:15."),
        ("The war ended in 1945.", "When did the war end?", "The war ended in 1945."),
        ("We have two cats.", "How many cats do we have?", "You have two cats."),
        ("Remember that my door code is 4471.", "What is my door code?", "Your door code is 4471."),
        ("Water boils at 100 degrees.", "At what temperature does water boil?", "Water boils at 100 degrees."),
        ("Hamlet was written by Shakespeare.", "Who wrote Hamlet?", "Hamlet was written by Shakespeare."),
        ("hi, I'm Lena", "What is my name?", "Your name is Lena."),
        ("hey im bob", "What is my name?", "Your name is Bob."),
        ("You can call me Ishmael.", "What is my name?", "Your name is Ishmael."),
        ("I have a cat named Tom", "What is my cat called?", "Your cat is called Tom."),
        ("Alice is my sister.", "Who is my sister?", "Alice is your sister."),
    ],
)
def test_a_plain_fact_becomes_its_question_and_answer(said: str, prompt: str, reply: str) -> None:
    pair = read(said, OURS)
    assert pair is not None
    assert (pair.prompt, pair.reply) == (prompt, reply)
    assert pair.prompt not in pair.paraphrases
    assert len(set(pair.paraphrases)) == len(pair.paraphrases)


@pytest.mark.parametrize(
    "said",
    [
        "", " ", "hello", "Hello there, friend.", "What is your name?", "what is your name", "is your creator Dakota",
        "Tell me a joke.", "I am tired.", "I'm so happy today!", "My dog is cute.", "your boss is mean",
        "You are wrong.", "I think my dog is called Pixel.", "Maybe my name is Bob.", "I guess it is Friday",
        "My name isn't Carl.", "I don't live in Berlin.", "My birthday is not in May.", "My dog is never at the beach.",
        "If I lived in Rome I would learn Italian.", "He said \"my name is Luke\".", "“My name is Luke”",
        "I live in Bergen. My brother lives in Turin.", "My dog is called Rex, he is brown.", "I live in fear.",
        "My sister is on the phone.", "My dog is in trouble.", "Life is a journey.", "Honesty is the best policy.",
        "My password is hard to guess.", "I was born to run.", "I have two questions.",
        "I live in Paris and work in Lyon.",
        "My day was long and then the train was late and I lost my umbrella on the way to my home in Paris.",
        "My name is\nTheodora", "My name is \x1b[2JBob", "My name is B\u202eob", "The weather is nice.",
        "I wish my dog was called Rex.", "You should be called Max.", "She is in the kitchen.", "It is Friday.",
        "My code is 4471 (I think)", "My opinion is that cats are better.", "The answer is 42.", "My wife is a genius.",
        "I'm Spanish", "I'm frank", "call me anytime", "Call me back.", "I have a dream", "call me a taxi",
    ],
)  # fmt: skip
def test_what_is_no_sure_fact_is_left_alone(said: str) -> None:
    assert read(said, OURS) is None


@pytest.mark.parametrize(
    ("said", "previous", "reply"),
    [
        ("No, it's Friday.", "What day is it today?", "It is Friday."),
        ("no, it's friday", "what day is the party", "It is Friday."),
        ("Actually, it's 12 kilometres.", "How far is it to the lake?", "It is 12 kilometres."),
        ("No, it's Farid.", "Who's my boss?", "It is Farid."),
        ("No, her name is Astrid.", "What is my aunt's name?", "Her name is Astrid."),
        ("No, it is in the kitchen.", "Where is my phone?", "It is in the kitchen."),
    ],
)
def test_an_answer_put_right_belongs_to_the_question_before(said: str, previous: str, reply: str) -> None:
    pair = read(said, OURS, previous=previous)
    assert pair is not None
    assert (pair.prompt, pair.reply) == (previous, reply)


@pytest.mark.parametrize(
    ("said", "previous"),
    [
        ("No, it's Friday.", None),
        ("No, it's Friday.", "Hello!"),
        ("No, it's Friday.", "Who is my boss?"),
        ("No, it's fine.", "What day is it?"),
        ("It's Friday.", "What day is it?"),
        ("No, that is not it.", "What day is it?"),
    ],
)
def test_an_answer_put_right_without_a_fitting_question_is_left_alone(said: str, previous: str | None) -> None:
    assert read(said, OURS, previous=previous) is None


def test_a_fact_comes_with_other_ways_to_ask_for_it() -> None:
    pair = read("Your creator is Dakota.", OURS)
    assert pair is not None
    assert {"Who made you?", "Who created you?"} <= set(pair.paraphrases)
    for row in measured.rows("tuning"):
        found = read(row.sentence, OURS, previous=row.previous)
        if found is not None and not row.previous:
            assert 1 <= len(found.paraphrases) <= 6, row.sentence


@given(st.text(max_size=120), st.none() | st.text(max_size=60))
@example("My name is \ud800", None)
@example("'s 's 's", "What 's")
@example("No, No, No", "what")
def test_any_text_at_all_is_read_without_harm(said: str, previous: str | None) -> None:
    pair = read(said, OURS, previous=previous)
    if pair is not None:
        for text in (pair.prompt, pair.reply, *pair.paraphrases):
            assert not is_blank(text)
            assert visible(text, one_line=True) == text


WORDS = st.sampled_from(
    sorted(
        grammar.listed(
            "I you my your our the a is are was in of at on dog sister creator called named Oslo Paris May may 1987 "
            "two Friday capital France name name's it's lives live Dr. Lee born made by red not who"
        )
    )
)


@given(st.lists(WORDS, min_size=1, max_size=8), st.sampled_from(["", ".", "!"]))
def test_any_heap_of_words_is_read_without_harm(words: list[str], end: str) -> None:
    pair = read(" ".join(words) + end, OURS, previous="What is it?")
    if pair is not None:
        assert pair.prompt.endswith("?")
        assert pair.prompt[0].isupper()
        assert pair.reply[-1] in ".?"
        assert "not" not in words


def test_the_measured_sentences_are_read_as_well_as_reported() -> None:
    for half in ("tuning", "kept"):
        found = measured.score(measured.rows(half))
        assert found.facts == 50
        assert found.right / max(1, found.offered) >= 0.95, found.misses
        assert found.right / found.facts >= 0.85, found.misses


# --- a person's own dictionary ---


def own(path: Path, text: str) -> Dictionary:
    path.write_text(text, "utf-8")
    return load_dictionary(path)


BADGE = """
[[template]]
name = "badge"
statement = "my badge {be:is|was} {x:value}"
question = "What {be} my badge?"
paraphrases = ["Which badge {be} mine?"]

[words]
roles = ["sensei"]
"""


def test_a_file_of_ones_own_adds_templates_and_words(tmp_path: Path) -> None:
    assert read("My badge was 4471.", OURS) is None
    assert read("My sensei is Kenji.", OURS) is None
    dictionary = own(tmp_path / "statements.toml", BADGE)
    assert dictionary.notices == ()
    pair = read("My badge was 4471.", dictionary)
    assert pair is not None
    assert (pair.prompt, pair.reply) == ("What was my badge?", "Your badge was 4471.")
    assert pair.paraphrases == ("Which badge was mine?",)
    taught = read("My sensei is Kenji.", dictionary)
    assert taught is not None
    assert taught.prompt == "Who is my sensei?"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[template", "Expected"),
        ("[words]\nroles = 3", "words.roles"),
        ("[wrods]\nroles = ['x']", "wrods"),
        ("[[template]]\nname = 'x'\nstatement = 'a {x:nothing}'\nquestion = 'What is {x}?'", "nothing"),
        ("[[template]]\nname = 'x'\nstatement = 'a {x:value}'\nquestion = 'What is {y}?'", "{y}"),
        ("[[template]]\nname = 'x'\nstatement = 'a {x:value}'", "question"),
        ("[[template]]\nname = 'x'\nstatement = 'a {x:value'\nquestion = 'What?'", "slot"),
        ("[[template]]\nname = 'x'\nstatement = 'a {x:value}'\nquestion = 'What?'\nanswer = 'b'", "answer"),
        ("[[template]]\nname = 'x'\nstatement = 'a {x:value}'\nquestion = \"W\\u001b[2J\"", "control"),
    ],
)
def test_a_broken_file_is_named_with_the_reason_and_the_others_still_work(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "statements.toml"
    dictionary = own(path, text)
    (notice,) = dictionary.notices
    assert str(path) in notice
    assert reason in notice
    assert "\n" not in notice
    assert read("I live in Oslo.", dictionary) is not None


def test_a_file_that_is_no_text_or_too_long_is_named(tmp_path: Path) -> None:
    path = tmp_path / "statements.toml"
    for data in (b"\xff\xfe\x00", b"#" * (2 << 20)):
        path.write_bytes(data)
        assert str(path) in load_dictionary(path).notices[0]
    path.unlink()
    path.mkdir()
    assert str(path) in load_dictionary(path).notices[0]
    assert load_dictionary(tmp_path / "none.toml").notices == ()
