"""The questions about the model itself and about others: none of them asks for what is taught about the person."""

from __future__ import annotations

from tests.benchmarks.own_name import ABOUT_OTHERS, FACTS, Change, Found, facts, report
from theta_tui.facts.own_questions import ABOUT_ITSELF
from theta_tui.facts.paraphrases import variants
from theta_tui.facts.statements import load_dictionary
from theta_tui.learning.scope.words import normal_form


def test_thirty_facts_are_read_and_fifty_questions_ask_for_none_of_them() -> None:
    pairs, dictionary = facts(), load_dictionary()
    taught = {normal_form(wording) for pair in pairs for wording in (pair.prompt, *variants(pair.prompt, dictionary))}
    asked = {normal_form(question) for question in (*ABOUT_ITSELF, *ABOUT_OTHERS)}
    assert (len({pair.prompt for pair in pairs}), len(FACTS), len(ABOUT_ITSELF), len(asked)) == (30, 30, 30, 50)
    assert not taught & asked


def test_the_report_counts_what_is_unchanged_and_shows_what_is_not() -> None:
    change = Change("What is your name?", "I am Theta.", "Your name is Corwin.", "What is my name?")
    lines = report([Found("default", "classic", 29, (change,), ())]).splitlines()
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == ["classic", "29/30", "29/30", "20/20"]
    assert lines[3:] == [
        "classic: What is your name? (by: What is my name?)", "  I am Theta.", "  → Your name is Corwin.",
    ]  # fmt: skip
