"""Recipes as the journal keeps them."""

from __future__ import annotations

from typing import Any

import pytest

from theta_tui.base.errors import JournalError
from theta_tui.learning.recipes import FIXED, RECIPES, RETIRED, Recipe


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_from_the_journal_as_it_was(name: str) -> None:
    assert Recipe.from_dict(RECIPES[name].as_dict()) == RECIPES[name]
    assert RECIPES[name].as_dict().items() >= FIXED.items()


def test_a_recipe_of_an_earlier_version_is_read_without_the_numbers_that_nothing_reads_now() -> None:
    earlier = RECIPES["adamw"].as_dict() | dict.fromkeys(RETIRED, 0.5)
    assert Recipe.from_dict(earlier) == RECIPES["adamw"]
    assert Recipe.from_dict({"name": "adamw", "weight_decay": 0}) == Recipe("adamw")


@pytest.mark.parametrize("other", [{"context_tokens": 160}, {"pick_steps": 2}, {"clip": 2.0}, {"beta2": "0.999"}])
def test_another_value_of_what_is_fixed_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(JournalError, match=next(iter(other))):
        Recipe.from_dict(RECIPES["default"].as_dict() | other)
