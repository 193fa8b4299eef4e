"""How hard the tests with Hypothesis try: `dev`, or `pytest --hypothesis-profile=ci` with twelve times the examples."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

DEV, CI = 100, 1200
settings.register_profile("dev", deadline=None, max_examples=DEV)
settings.register_profile("ci", deadline=None, max_examples=CI)


def examples(count: int, **more: Any) -> settings:
    """`count` of them, as many times more as the profile has."""
    return settings(max_examples=count * settings.default.max_examples // DEV, **more)
