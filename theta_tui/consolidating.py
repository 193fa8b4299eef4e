"""Consolidation: what the model does with its lessons while nobody asks for anything. No torch here.

Each step is a slice, so that whoever drives it can stop between any two. What was done is journalled when it ends or is
left; until then the model is further than its journal, so nothing else may be done with it in between.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from theta_tui.folding import Fold
from theta_tui.lessons import ledger
from theta_tui.lessons.records import Consolidated
from theta_tui.lessons.story import Story

if TYPE_CHECKING:
    from theta_tui.mind.recipes import Recipe

STEPS = 8
"""Steps that a lesson is worth, and one that fades or is lost again."""
MOST = 240
"""Steps after one lesson, however many came before it: more have hardly changed anything."""


class Consolidator:
    """The consolidation of one home's model. `moved` is called when the model has moved and the journal says so."""

    def __init__(self, fold: Fold, moved: Callable[[], None]) -> None:
        self.fold = fold
        self.left = 0
        """Steps that the one under way has still to do."""
        self._moved = moved

    def slices(self, recipe: Recipe, weak: int) -> Generator[None]:
        """Take the steps that are due where `weak` answers do not hold, a yield after each. Ends at once where none
        are. It must be closed."""
        yield from self.steps(recipe, due(self.fold.record.story, weak))

    def steps(self, recipe: Recipe, count: int) -> Generator[None]:
        """Take `count` steps, a yield after each. It must be closed: then they are journalled.

        Raises HomeError where that fails; the model is as it was then.
        """
        record, learner = self.fold.record, self.fold.learner
        after = _newest(record.story)
        if not count or not after or record.read_only is not None or not learner.consolidates(recipe):
            return
        taught = self.fold.taught(record.story, record.journal.last_seq + 1)
        first = _done_since(record.story, after)
        before, done = learner.snapshot(), 0
        try:
            while done < count:
                self.left = count - done
                learner.consolidate(taught, recipe, seed=after, number=first + done)
                done += 1
                yield
        finally:
            self.left = 0
            if done:
                try:
                    record.append(Consolidated(after, first, done, recipe.as_dict(), self.fold.model.machine()))
                except BaseException:
                    learner.restore(before)
                    raise
                self.fold.memory.taught()
                self._moved()


def due(story: Story, weak: int) -> int:
    """How many steps are worth taking now: some for each answer that is new since the last ones, and for each of the
    `weak` ones that do not hold; less those that the newest one got already."""
    newest = _newest(story)
    if not newest:
        return 0
    since = next((move.seq for move in reversed(story.consolidations) if move.done.after != newest), 0)
    recent = takewhile(lambda lesson: lesson.seq > since, reversed(story.live))
    new = (lesson for lesson in recent if ledger.by_heart(lesson.exchange.kind) and ledger.answers(story, lesson))
    fresh = sum(1 for _ in islice(new, MOST // STEPS))
    return max(0, min(MOST, STEPS * (fresh + weak)) - _done_since(story, newest))


def _newest(story: Story) -> int:
    """The seq of the newest answer that the model is to know; 0 where there is none."""
    return next((lesson.seq for lesson in reversed(story.live) if ledger.by_heart(lesson.exchange.kind)), 0)


def _done_since(story: Story, newest: int) -> int:
    since = takewhile(lambda move: move.done.after == newest, reversed(story.consolidations))
    return sum(move.done.steps for move in since)
