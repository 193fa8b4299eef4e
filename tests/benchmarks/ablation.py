"""What each part of the default recipe buys, and what it costs: teach-bench rows of one recipe less its parts.

    python -m tests.benchmarks.ablation SUITE [what `theta bench` takes: --orders 3 --held-out FILE …]

The rows build up: one AdamW step over the whole pair, three larger ones, steps until the reply is said, past lessons
beside it; then weights and a scope of its own, other wordings, and prompts that it is not about, which is the default.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from theta_tui.cli.app import main
from theta_tui.learning.recipes import RECIPES, Recipe

_UNTIL_LEARNED = replace(RECIPES["adamw"], variants=0, rehearse=0, margin=4.0)
_OWN = replace(RECIPES["default"], variants=0, generic=0)

ROWS: dict[str, Recipe] = {
    "classic": RECIPES["classic"],
    "classic x3 at 1e-4": replace(RECIPES["classic"], lr=1e-4, max_steps=3, margin=1e9),
    "until learned": _UNTIL_LEARNED,
    "+ rehearsal": replace(_UNTIL_LEARNED, rehearse=4),
    "weights of its own": _OWN,
    "+ variants": replace(_OWN, variants=RECIPES["default"].variants),
    "default (+ generic)": RECIPES["default"],
}

if __name__ == "__main__":
    RECIPES.update({name: replace(recipe, name=name) for name, recipe in ROWS.items()})
    if "--recipe" not in sys.argv:
        sys.argv += [part for name in ROWS for part in ("--recipe", name)]
    sys.argv.insert(1, "bench")
    main()
