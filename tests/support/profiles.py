"""How hard the tests with Hypothesis try: `dev`, or `pytest --hypothesis-profile=ci` with 24 times the examples."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

PLAIN = 100
"""Examples of a test that says no count of its own; `dev` has half of them."""
DEV, CI = PLAIN // 2, 12 * PLAIN
settings.register_profile("dev", deadline=None, max_examples=DEV)
settings.register_profile("ci", deadline=None, max_examples=CI)


def examples(count: int, **more: Any) -> settings:
    """`count` of them where others have PLAIN: half in `dev`, twelve times as many in `ci`."""
    return settings(max_examples=max(1, count * settings.default.max_examples // PLAIN), **more)
