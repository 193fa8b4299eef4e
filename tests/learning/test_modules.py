"""A lesson's own weights: on they say the reply, off nothing of them is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from theta_tui.base.errors import TeachError
from theta_tui.learning import recall
from theta_tui.learning.learner import Abandoned, Learner
from theta_tui.learning.module_lesson import GENERIC, RATE, ModuleLesson, Tree, _Whole, reading
from theta_tui.learning.recipes import RECIPES, Recipe
from theta_tui.model import lora
from theta_tui.model.decoding.general import GeneralDecoder
from theta_tui.model.generate import Row, Sampling, _Found, greedy, propose
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.modules import LessonModule

PROMPT, REPLY = "who is your creator", "my creator is Dakota"
SCOPED = RECIPES["default"]
Load = Callable[[str], LanguageModel]


def taught(lm: LanguageModel, prompt: str = PROMPT, reply: str = REPLY) -> tuple[Learner, LessonModule]:
    learner = Learner(lm)
    result = learner.learn_module(1, prompt, reply, SCOPED)
    assert result.learned
    return learner, learner.modules[1]


def said(lm: LanguageModel, prompt: str, module: LessonModule | None = None) -> str:
    return greedy(lm, lm.encode_prompt((), prompt, room=16).ids, max_tokens=16, module=module).text


def spoken(lm: LanguageModel) -> LanguageModel:
    """A random model whose logits reach far enough to prefer anything: GPT-2 begins with embeddings of .02."""
    if type(lm.model).__name__ == "GPT2LMHeadModel":
        with torch.no_grad():
            lm.model.get_input_embeddings().weight.mul_(20)
    return lm


def rows(lm: LanguageModel, *prompts: str) -> list[tuple[list[int], list[int]]]:
    found = []
    for prompt in prompts:
        example = lm.encode_lesson((), prompt, REPLY)
        begin = recall.label_positions(example.labels)[0][0] + 1
        found.append((example.input_ids[:begin], example.input_ids[begin:]))
    return found


def test_a_short_reply_is_learned_behind_itself_too_and_an_earlier_lesson_is_repeated_without(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm, learned = load("theta"), list[list[Any]]()
    beside = len(GENERIC[: SCOPED.generic])

    def noted(lm: LanguageModel, rows: list[Any], *how: float) -> Any:
        learned.append(rows)
        return ModuleLesson(lm, rows, *how)

    monkeypatch.setattr("theta_tui.learning.learner.ModuleLesson", noted)
    for recipe in (SCOPED, replace(SCOPED, repeated=0), replace(SCOPED, repeated=2)):
        Learner(lm).learn_module(1, PROMPT, REPLY, recipe, steps=0)
    again = lm.encode_lesson(((PROMPT, REPLY),), PROMPT, REPLY)
    assert [len(rows) for rows in learned] == [beside + 2, beside + 1, beside + 1]
    assert [*learned[0][-1][0], *learned[0][-1][1]] == again.input_ids


@pytest.mark.parametrize("kind", ["theta", "chatml", "brackets", "gpt2"])
def test_a_taught_reply_is_said_word_for_word_where_the_module_is_on(load: Load, kind: str) -> None:
    lm = spoken(load(kind))
    _, module = taught(lm)
    assert said(lm, PROMPT, module) == REPLY
    assert recall.score(lm, (), PROMPT, REPLY, module=module).says


@pytest.mark.parametrize("kind", ["theta", "gpt2"])
def test_where_it_is_off_every_weight_and_every_logit_is_as_before(load: Load, kind: str) -> None:
    lm = spoken(load(kind))
    weights = [parameter.detach().clone() for parameter in lm.model.parameters()]
    example = lm.encode_lesson((), "hello my friend", "hello")
    before = recall.forward(lm, example).detach().clone()
    _, module = taught(lm)
    said(lm, PROMPT, module)
    assert all(torch.equal(one, other) for one, other in zip(weights, lm.model.parameters(), strict=True))
    assert torch.equal(before, recall.forward(lm, example))
    assert all(parameter.requires_grad for parameter in lm.model.parameters())


def test_a_module_is_said_behind_a_conversation_too(lm: LanguageModel) -> None:
    _, module = taught(lm)
    ids = lm.encode_prompt([("hello", "yes no maybe"), ("the quick fox", "I do not know")], PROMPT, room=16).ids
    assert greedy(lm, ids, max_tokens=16, module=module).text == REPLY


@pytest.mark.parametrize("cached", [True, False])
def test_a_model_that_is_read_by_its_own_forward_pass_says_it_too(lm: LanguageModel, cached: bool) -> None:
    _, module = taught(lm)
    lm.__dict__["decoder"] = GeneralDecoder(lm.model, lm.last_logits, cached=cached)
    assert said(lm, PROMPT, module) == REPLY


def test_rows_of_one_batch_have_modules_of_their_own(lm: LanguageModel) -> None:
    _, module = taught(lm)
    ids = lm.encode_prompt((), PROMPT, room=16).ids
    sampling = Sampling(temperature=0.8, top_p=0.95, top_k=50, min_p=0.0, max_tokens=12, count=5)
    sure = propose(lm, ids, sampling, seed=1, module=module)
    unsure = propose(lm, ids, sampling, seed=1, module=module, sure=False)
    assert sure is not None
    assert unsure is not None
    assert [reply.taught for reply in sure] == [True, False, False, False, False]
    assert sure[0].text == REPLY
    assert [reply.taught for reply in unsure] == [False, False, False, False, True]
    assert unsure[-1].text == REPLY


def test_what_the_model_says_by_itself_is_nobodys_reply(lm: LanguageModel) -> None:
    _, module = taught(lm)
    same = [Row(lm, greedy=True, module=module, taught=True), Row(lm, greedy=True)]
    for row, logprob in zip(same, (-1.0, -2.0), strict=True):  # with the lesson it is likelier
        row.ids, row.tokens, row.logprob = lm.encode_lesson((), PROMPT, REPLY).input_ids[-3:-1], 3, logprob
    found = _Found(5, (), None, lambda: True, lambda _: True)
    found.take(same)
    assert [(reply.taught, reply.logprob) for reply in found.replies()] == [(False, -2.0)]


@pytest.mark.parametrize("kind", ["theta", "chatml", "adapted", "bfloat16"])
def test_reading_a_lesson_once_gives_what_the_model_itself_gives(folders: dict[str, Path], kind: str) -> None:
    folder, adapted = folders["chatml" if kind == "chatml" else "theta"], kind == "adapted"
    lm = LanguageModel.load(str(folder), device="cpu", adapt="on" if adapted else "off")
    near = 1e-4
    if adapted:
        with torch.no_grad():
            for tensor in lora.tensors(lm.adapter).values():
                tensor.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    if kind == "bfloat16":
        lm.model.bfloat16()
        near = 0.05
    some = rows(lm, PROMPT, "who made you", "hello")
    fast, plain = reading(lm, some), _Whole(lm, some)
    assert isinstance(fast, Tree)
    for one, other in zip(fast.states(), plain.states(), strict=True):
        assert one.dtype == other.dtype
        assert torch.allclose(one.float(), other.float(), rtol=near, atol=near)
    size, places = fast.states()[0].shape[1], 3
    generator = torch.Generator().manual_seed(0)
    module = LessonModule(
        torch.randn(2, places, size, generator=generator),
        torch.randn(2, size, places, generator=generator),
        torch.randn(2, size, generator=generator),
    )
    with torch.no_grad():
        mine, theirs = (found.logits(module).float() for found in (fast, plain))
    assert float((mine - theirs).norm()) <= near * float(theirs.norm())


def test_the_same_lesson_gives_the_same_bits(load: Load) -> None:
    (_, one), (_, other) = taught(load("theta")), taught(load("theta"))
    assert all(torch.equal(part, other.state()[name]) for name, part in one.state().items())


def test_a_lesson_repeated_in_its_recorded_steps_is_the_same(lm: LanguageModel) -> None:
    first, again = Learner(lm), Learner(lm)
    steps = first.learn_module(1, PROMPT, REPLY, SCOPED).steps
    assert steps > 0
    again.learn_module(1, PROMPT, REPLY, SCOPED, steps=steps)
    assert torch.equal(first.modules[1].values, again.modules[1].values)


def test_steps_shrink_when_the_loss_rises(lm: LanguageModel) -> None:
    lesson = ModuleLesson(lm, rows(lm, PROMPT), 2.0, back_off=0.5)
    for more, rate in ((0.0, RATE), (-1.0, RATE), (9.0, RATE / 2), (0.0, RATE / 4), (-9.0, RATE / 4)):
        lesson.step(lesson.look().loss * 0 + 10 + more)
        assert lesson.rate == rate


def test_a_lesson_of_an_earlier_version_does_not_back_off(lm: LanguageModel) -> None:
    journalled = {name: value for name, value in SCOPED.as_dict().items() if name != "back_off"}
    assert Recipe.from_dict(journalled) == replace(SCOPED, back_off=1.0)


def test_a_lesson_that_is_ended_keeps_the_steps_that_it_took(lm: LanguageModel) -> None:
    learner, again = Learner(lm), Learner(lm)
    result = learner.learn_module(1, PROMPT, REPLY, SCOPED, should_end=lambda: True)
    assert (result.steps, result.learned) == (1, False)
    again.learn_module(1, PROMPT, REPLY, SCOPED, steps=1)
    assert torch.equal(learner.modules[1].values, again.modules[1].values)


def test_a_lesson_that_is_stopped_leaves_nothing(lm: LanguageModel) -> None:
    learner = Learner(lm)
    with pytest.raises(Abandoned):
        learner.learn_module(1, PROMPT, REPLY, SCOPED, should_stop=lambda: True)
    assert learner.modules == {}
    assert learner.step == 0
    assert all(parameter.requires_grad for parameter in lm.model.parameters())


@pytest.mark.parametrize("steps", [None, 0])
def test_a_loss_that_is_no_number_teaches_nothing(lm: LanguageModel, steps: int | None) -> None:
    with torch.no_grad():
        next(iter(lm.model.parameters())).fill_(float("nan"))
    learner = Learner(lm)
    result = learner.learn_module(1, PROMPT, REPLY, SCOPED, steps=steps)
    assert result.skipped is not None
    assert learner.modules == {}


def test_a_gradient_that_is_no_number_teaches_nothing(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Tree.logits

    def spoiled(self: Tree, module: LessonModule) -> torch.Tensor:
        logits = own(self, module)
        logits.register_hook(lambda gradient: gradient * float("nan"))
        return logits

    monkeypatch.setattr(Tree, "logits", spoiled)
    learner = Learner(lm)
    result = learner.learn_module(1, PROMPT, REPLY, SCOPED)
    assert result.skipped == "the gradient was not finite"
    assert (learner.modules, learner.step) == ({}, 0)


def test_a_reply_that_does_not_fit_the_window_is_refused(lm: LanguageModel) -> None:
    learner = Learner(lm)
    with pytest.raises(TeachError, match="too long"):
        learner.learn_module(1, PROMPT, "no " * 400, SCOPED)
    assert learner.modules == {}


def test_modules_are_part_of_the_state_that_is_saved_and_gone_back_to(lm: LanguageModel) -> None:
    learner, module = taught(lm)
    before = learner.snapshot()
    learner.learn_module(2, "hello", "yes", SCOPED)
    tensors, values = learner.state()
    learner.restore(before)
    assert list(learner.modules) == [1]
    other = Learner(lm)
    other.load_state(tensors, values)
    assert sorted(other.modules) == [1, 2]
    assert torch.equal(other.modules[1].values, module.values)
    assert other.step == values["step"]


@pytest.mark.parametrize("name", ["values", "detectors"])
def test_a_module_of_another_model_is_not_loaded(lm: LanguageModel, name: str) -> None:
    learner, _ = taught(lm)
    tensors, values = learner.state()
    broken = tensors | {f"module.1.{name}": tensors[f"module.1.{name}"][:, :3]}
    with pytest.raises(ValueError, match="do not fit"):
        Learner(lm).load_state(broken, values)
