"""What a chat template reads from outside: the time that it is told, and nothing else."""

from __future__ import annotations

import locale
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.tiny_models import CHATML, make_llama, make_tokenizer
from theta_tui.model.instant import clock
from theta_tui.model.language_model import LanguageModel

AT = datetime(2025, 3, 9, 14, 5, 6, 789_000, UTC).timestamp()
EVERY = "%a %A %b %B %c %d %e %f %G %H %I %j %m %M %p %S %s %u %U %V %w %x %X %y %Y %Z %z %% %-d %^B %h %D %F %T %r %R"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another time zone and, where this machine has one, another language."""
    monkeypatch.setenv("TZ", "UTC-14")
    time.tzset()
    before = locale.setlocale(locale.LC_TIME)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "ja_JP.UTF-8", "C.UTF-8"):
        try:
            locale.setlocale(locale.LC_TIME, name)
            break
        except locale.Error:
            continue
    yield
    locale.setlocale(locale.LC_TIME, before)
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_the_time_is_told_in_utc_and_in_english_whatever_the_machine_says() -> None:
    assert clock(AT)("%A %d %B %Y %H:%M:%S %s") == f"Sunday 09 March 2025 14:05:06 {int(AT)}"


def test_every_directive_says_what_it_says_in_the_plain_locale_and_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    plain = datetime(2025, 3, 9, 14, 5, 6)
    for directive in EVERY.split():
        assert clock(AT)(directive) == plain.strftime(directive), directive
    monkeypatch.undo()
    time.tzset()


def make(folder: Path, before: str) -> LanguageModel:
    tokenizer = make_tokenizer(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], eos="<|endoftext|>", template=before + CHATML
    )
    return LanguageModel.load(str(make_llama(folder, tokenizer)), device="cpu")


@pytest.mark.parametrize(
    "outside",
    [
        "{{ strftime_now('%d %b %Y') }}",
        "{% if strftime_now is defined %}{% set day = strftime_now('%s') %}{{ day }}{% endif %}",
        "{% macro today() %}{{ strftime_now('%c') }}{% endmacro %}{{ today() }}",
        "{% if not day is defined %}{% set day = strftime_now('%d %b %Y') %}{% endif %}{{ day }}",
        "{% if not messages %}{{ raise_exception('no') }}{% endif %}{{ strftime_now('%s') }}{{ 'x'|tojson }}",
        "{{ ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']|random }}",
        "{{ lipsum(n=1, html=False, min=5, max=9) }}",
    ],
)
@pytest.mark.usefixtures("elsewhere")
def test_the_same_lesson_has_the_same_tokens_at_any_time(tmp_path: Path, outside: str) -> None:
    lm = make(tmp_path / "m", outside)
    found = []
    for seed in (1, 2, 3):
        random.seed(seed)
        expected = random.Random(seed).random()
        found.append((lm.encode_lesson((), "hello", "yes", at=AT), lm.encode_prompt((), "hello", room=4, at=AT)))
        assert random.random() == expected  # the random state of others is left alone
    assert found[0] == found[1] == found[2]
    dated = "strftime_now" in outside
    assert lm.chat.dated is dated
    later = lm.encode_lesson((), "hello", "yes", at=AT + 86_400 * 33)
    assert (later != found[0][0]) is dated


def test_what_a_lesson_learns_does_not_depend_on_the_day_it_is_rendered_at(tmp_path: Path) -> None:
    lm = make(tmp_path / "m", "{{ strftime_now('%d %b %Y') }}")
    for at in (0.0, AT, AT + 86_400 * 200):
        labels = [label for label in lm.encode_lesson((), "hello", "yes", at=at).labels if label != -100]
        assert lm.decode(labels[:-1]) == "yes"
