"""The subject of a benchmark: a Session and its model in a temporary home.

A lesson takes the same path as a person's, journal included. Only asking differs: many prompts are answered at once.
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
from theta_tui.bench.held_out import HeldOutConversation, Perplexity, perplexity
from theta_tui.bench.metrics import GateDecision, GreedyAnswer, SuiteLesson
from theta_tui.learning.recipes import RECIPES
from theta_tui.session.session import Session
from theta_tui.store.store import Store


class SessionSubject:
    """The Subject that `run` teaches and asks. `batched`: many prompts are answered at a time."""

    def __init__(self, session: Session, max_tokens: int, conversations: Sequence[HeldOutConversation]) -> None:
        import torch

        self.session = session
        self.max_tokens = max_tokens
        self.batched = True
        self.machine = session.model.machine()
        self.threads = torch.get_num_threads()
        self._conversations = conversations
        self._taught: list[int] = []

    def teach(self, prompt: str, reply: str) -> int:
        """Teach one lesson outside any conversation; the optimizer steps that it took."""
        outcome = self.session.teach(prompt, reply)
        lesson = self.session.store.state.numbered(outcome.lesson)
        assert lesson is not None
        self._taught.append(lesson.seq)
        return outcome.steps

    def undo(self) -> None:
        self.session.undo()
        self._taught.pop()

    def checkpoint(self) -> None:
        """Save a checkpoint, as a home does every few lessons, so that undo need not learn earlier lessons again."""
        self.session.save()

    def ask(self, prompts: Sequence[str]) -> list[GreedyAnswer]:
        """The greedy answers to `prompts`, without a conversation before them."""
        from theta_tui.bench.decoding import ask

        modules = [self.session.module_for(prompt) for prompt in prompts]
        return ask(self.session.model, prompts, self.max_tokens, batched=self.batched, modules=modules)

    def decide(self, prompts: Sequence[str]) -> list[GateDecision] | None:
        """The gate's decision for each of `prompts`; None if no lesson has a scope."""
        if not self.session.learner.modules:
            return None
        places = {seq: place for place, seq in enumerate(self._taught)}
        found = []
        for prompt in prompts:
            begun = time.perf_counter()
            decision = self.session.decide(prompt)
            seconds = time.perf_counter() - begun
            place = None if decision.lesson is None or not decision.sure else places[decision.lesson]
            found.append(GateDecision(place, decision.score, seconds))
        return found

    def perplexity(self) -> Perplexity | None:
        if not self._conversations:
            return None
        return perplexity(self.session.model, self._conversations, self.session.module_for)

    def digest(self) -> str:
        """sha256 over all bits of the weights."""
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

    def make_room_for(self, lessons: Sequence[SuiteLesson]) -> None:
        """Allow answers as long as the longest target. Raises TeachError for a lesson that the model cannot take."""
        for lesson in lessons:
            try:
                example = self.session.model.encode_lesson((), lesson.prompt, lesson.target)
            except TeachError as error:
                raise TeachError(f"lesson {lesson.id} of the suite cannot be taught: {error}") from None
            self.max_tokens = max(self.max_tokens, len(example.input_ids))

    def check_batches(self, prompts: Sequence[str]) -> bool:
        """Whether a padded batch gives the same answers; if not, prompts are answered one at a time from now on."""
        from theta_tui.bench.decoding import agrees

        self.batched = agrees(self.session.model, prompts, self.max_tokens)
        return self.batched


@contextmanager
def fresh_subject(
    settings: Settings,
    recipe: str,
    *,
    max_tokens: int,
    max_seconds: float | None = None,
    conversations: Sequence[HeldOutConversation] = (),
    on_stage: Callable[[str], None] = lambda _: None,
) -> Iterator[SessionSubject]:
    """Yield an untaught subject in a home that is deleted afterwards. Raises ModelError.

    Of `settings`, home and conversation file are not used. `max_seconds` replaces the recipe's.
    """
    with TemporaryDirectory(prefix="theta-bench-") as folder:
        own = replace(settings, home=Path(folder), context=None, recipe=recipe)
        store = Store.open(own)
        try:
            session = Session(store)
            if max_seconds is not None:
                session.own_recipe = replace(RECIPES[recipe], max_seconds=max_seconds)
            session.load(on_stage)
            yield SessionSubject(session, max_tokens, conversations)
        finally:
            store.close()
