"""What people say on any day: each line has replies, and none of the lines is judged with."""

from __future__ import annotations

import re

from tests.benchmarks import first_impressions as impressions
from tests.benchmarks import voice as judged
from theta_tui.builtin.everyday_words import GROUPS


def test_each_line_is_in_one_group_and_may_get_several_replies() -> None:
    said = [text for prompts, _ in GROUPS for text in prompts]
    assert len(set(said)) == len(said) > 350
    assert all(len(set(replies)) == len(replies) >= 4 for _, replies in GROUPS)
    assert all(text[-1] in ".?!" and len(text.split()) < 25 for _, replies in GROUPS for text in replies)


def test_none_of_the_lines_is_judged_with() -> None:
    prompts = (*judged.PROMPTS, *judged.OWN, *(prompt for _, prompt in impressions.everyday()))
    lines = {_plain(text) for said, _ in GROUPS for text in said} - {""}
    assert not lines & {_plain(prompt) for prompt in prompts}


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
