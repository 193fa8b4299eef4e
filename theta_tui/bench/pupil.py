"""The one who is taught: a Session and its model in a home of their own, which is thrown away afterwards.

A lesson takes the same path as a person's, journal and all. Only the asking differs: many prompts at once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from theta_tui.base.config import Settings
from theta_tui.base.errors import TeachError
from theta_tui.bench.held_out import Conversation, Perplexity, perplexity
from theta_tui.bench.metrics import Answer, Decided, Lesson
from theta_tui.learning.recipes import RECIPES
from theta_tui.session.session import Session
from theta_tui.store.store import Store


class SessionPupil:
    """What `run` teaches and asks. `batched`: prompts are answered many at a time."""

    def __init__(self, session: Session, max_tokens: int, conversations: Sequence[Conversation]) -> None:
        import torch

        self.session = session
        self.max_tokens = max_tokens
        self.batched = True
        self.machine = session.model.machine()
        self.threads = torch.get_num_threads()
        self._conversations = conversations
        self._taught: list[int] = []

    def teach(self, prompt: str, reply: str) -> int:
        """One lesson, outside of any conversation; the optimizer steps that it took."""
        outcome = self.session.teach(prompt, reply)
        lesson = self.session.store.story.numbered(outcome.lesson)
        assert lesson is not None
        self._taught.append(lesson.seq)
        return outcome.steps

    def undo(self) -> None:
        self.session.undo()
        self._taught.pop()

    def keep(self) -> None:
        """A checkpoint, as a home gets one every few lessons: what is undone beyond it is not learned again."""
        self.session.save()

    def ask(self, prompts: Sequence[str]) -> list[Answer]:
        """The greedy answers, with nothing but the prompt in front."""
        from theta_tui.bench.decoding import ask

        modules = [self.session.module_for(prompt) for prompt in prompts]
        return ask(self.session.model, prompts, self.max_tokens, batched=self.batched, modules=modules)

    def decide(self, prompts: Sequence[str]) -> list[Decided] | None:
        """Which lesson answers each of `prompts`; None where no lesson has a scope."""
        if not self.session.learner.modules:
            return None
        places = {seq: place for place, seq in enumerate(self._taught)}
        found = []
        for prompt in prompts:
            begun = time.perf_counter()
            decision = self.session.decide(prompt)
            seconds = time.perf_counter() - begun
            place = None if decision.lesson is None or not decision.sure else places[decision.lesson]
            found.append(Decided(place, decision.score, seconds))
        return found

    def perplexity(self) -> Perplexity | None:
        if not self._conversations:
            return None
        return perplexity(self.session.model, self._conversations, self.session.module_for)

    def digest(self) -> str:
        """sha256 over every bit of the weights."""
        import torch

        found = hashlib.sha256()
        model = self.session.model.model
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            found.update(memoryview(flat.view(torch.uint8).numpy()))
        for key, module in sorted(self.session.learner.modules.items()):
            for name, tensor in module.state().items():
                found.update(f"{key} {name} {tuple(tensor.shape)}\n".encode() + tensor.cpu().numpy().tobytes())
        return found.hexdigest()

    def room_for(self, lessons: Sequence[Lesson]) -> None:
        """Answers may be as long as the longest target. Raises TeachError for a lesson that the model cannot take."""
        for lesson in lessons:
            try:
                example = self.session.model.encode_lesson((), lesson.prompt, lesson.target)
            except TeachError as error:
                raise TeachError(f"lesson {lesson.id} of the suite cannot be taught: {error}") from None
            self.max_tokens = max(self.max_tokens, len(example.input_ids))

    def check_batches(self, prompts: Sequence[str]) -> bool:
        """Go back to one prompt at a time where a padded batch answers otherwise. Whether it does not."""
        from theta_tui.bench.decoding import agrees

        self.batched = agrees(self.session.model, prompts, self.max_tokens)
        return self.batched


@contextmanager
def fresh(
    settings: Settings,
    recipe: str,
    *,
    max_tokens: int,
    max_seconds: float | None = None,
    conversations: Sequence[Conversation] = (),
    on_stage: Callable[[str], None] = lambda _: None,
) -> Iterator[SessionPupil]:
    """A pupil who was never taught anything, and no trace of it afterwards. Raises ModelError (exit 4).

    Of `settings` the model and where it runs count; home and conversation file do not. `max_seconds`: instead of
    the recipe's.
    """
    with TemporaryDirectory(prefix="theta-bench-") as folder:
        own = replace(settings, home=Path(folder), context=None, recipe=recipe)
        store = Store.open(own)
        try:
            session = Session(store)
            if max_seconds is not None:
                session.own_recipe = replace(RECIPES[recipe], max_seconds=max_seconds)
            session.load(on_stage)
            yield SessionPupil(session, max_tokens, conversations)
        finally:
            store.close()
