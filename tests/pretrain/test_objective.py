"""The loss of packed rows against plain cross-entropy of each document alone; Muon against its own definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.pretrain import tiny
from tests.support.later import transformers
from theta_tui.model.chat_template import IGNORE
from theta_tui.pretrain import objective as objective_module
from theta_tui.pretrain.muon import COEFFICIENTS, Muon, orthogonal
from theta_tui.pretrain.objective import Objective

VOCABULARY, LENGTH = 48, 24
assert tiny.MARKS  # Sets the number of threads.

SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": LENGTH, "initializer_range": 0.2,
    "bos_token_id": None, "eos_token_id": 1, "pad_token_id": None,
}  # fmt: skip


def llama(*, tied: bool = True) -> Any:
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL, tie_word_embeddings=tied))


def gemma2() -> Any:
    """Caps its logits, at an extent at which it hardly shows."""
    return transformers.Gemma2ForCausalLM(
        transformers.Gemma2Config(**SMALL | {"initializer_range": 0.02}, head_dim=8, sliding_window=8)
    )


def cohere() -> Any:
    """Scales its logits."""
    return transformers.CohereForCausalLM(transformers.CohereConfig(**SMALL, logit_scale=0.25))


def gpt2(*, dropout: float = 0.0) -> Any:
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=VOCABULARY, n_positions=LENGTH, n_embd=16, n_layer=2, n_head=2, initializer_range=0.2,
            attn_pdrop=dropout, resid_pdrop=dropout, embd_pdrop=dropout, bos_token_id=1, eos_token_id=1,
        )
    )  # fmt: skip


def hidden_scaled() -> Any:
    """Scales what goes into the head, as MiniCPM does."""

    class HiddenScaled(transformers.LlamaForCausalLM):
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            hook = self.lm_head.register_forward_pre_hook(lambda module, inputs: (inputs[0] / 2,))
            try:
                return super().forward(*args, **kwargs)
            finally:
                hook.remove()

    return HiddenScaled(transformers.LlamaConfig(**SMALL))


MODELS: dict[str, Callable[[], Any]] = {
    "tied": llama,
    "untied": lambda: llama(tied=False),
    "gpt2": gpt2,
    "capped": gemma2,
    "scaled": cohere,
    "scaled before the head": hidden_scaled,
}
PLAIN = {"tied", "untied", "gpt2"}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(1)
    return MODELS[request.param]().eval()


Packed = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def documents(seed: int = 0, sizes: Sequence[int] = (9, 1, 13, 20, 2, 5, 7)) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(VOCABULARY, (size,), generator=generator) for size in sizes]


def packed(texts: list[torch.Tensor], rows: Sequence[Sequence[int]] = ((0, 1, 2), (3,), (4, 5, 6))) -> Packed:
    """Rows of documents: ids, positions, and labels on every token that has one before it in its document."""
    ids = torch.zeros(len(rows), LENGTH, dtype=torch.long)
    positions = torch.arange(LENGTH).repeat(len(rows), 1)
    labels = torch.full_like(ids, IGNORE)
    for row, members in enumerate(rows):
        at = 0
        for member in members:
            end = at + len(texts[member])
            ids[row, at:end] = labels[row, at:end] = texts[member]
            positions[row, at:end] = torch.arange(end - at)
            labels[row, at] = IGNORE
            at = end
        positions[row, at:] = torch.arange(LENGTH - at)
    return ids, positions, labels


def alone(model: Any, texts: list[torch.Tensor]) -> torch.Tensor:
    """Plain cross-entropy of each document in a row of its own, summed."""
    total = torch.zeros(())
    for text in texts:
        logits = model(input_ids=text[None], use_cache=False).logits[0, :-1]
        total = total + functional.cross_entropy(logits.float(), text[1:], reduction="sum")
    return total


def gradients(model: Any) -> dict[str, torch.Tensor]:
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    return found


@pytest.mark.parametrize("size", [1024, 7])
def test_packed_documents_are_as_each_alone(model: Any, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objective_module, "SLICE", size)
    texts = documents()
    expected = alone(model, texts)
    (expected / 3).backward()
    wanted = gradients(model)
    found = Objective(model)(*packed(texts))
    (found / 3).backward()
    assert found.item() == pytest.approx(expected.item(), abs=1e-4, rel=1e-6)
    for name, gradient in gradients(model).items():
        assert torch.allclose(gradient, wanted[name], atol=2e-5, rtol=1e-4), name


def test_rows_do_not_see_what_else_is_in_them(model: Any) -> None:
    texts = documents()
    objective = Objective(model)
    before = objective.nats(*packed(texts))
    texts[1], texts[5] = texts[1] ^ 1, texts[5] ^ 3
    behind = objective.nats(*packed(texts))
    torch.testing.assert_close(behind[0], before[0])
    torch.testing.assert_close(behind[1], before[1], rtol=0, atol=0)
    torch.testing.assert_close(behind[2, 7:], before[2, 7:])
    assert not torch.equal(behind[2, 2:7], before[2, 2:7])


def test_nats_are_the_loss_token_by_token(model: Any) -> None:
    ids, positions, labels = packed(documents())
    labels[0, 3:6] = labels[2, :7] = IGNORE
    objective = Objective(model)
    nats = objective.nats(ids, positions, labels)
    assert nats.shape == ids.shape
    assert torch.equal(nats == 0, labels == IGNORE)
    assert float(nats.sum()) == pytest.approx(objective(ids, positions, labels).item(), rel=1e-5)
    logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits.detach()
    for row, place in ((0, 2), (1, 19), (2, 10)):
        assert float(nats[row, place]) == pytest.approx(
            float(functional.cross_entropy(logits[row, place - 1], labels[row, place])), rel=1e-4
        )


def test_rows_without_labels_move_nothing(model: Any) -> None:
    ids, positions, labels = packed(documents())
    objective = Objective(model)
    assert not objective.nats(ids, positions, torch.full_like(labels, IGNORE)).any()
    loss = objective(ids, positions, torch.full_like(labels, IGNORE))
    loss.backward()
    assert loss.item() == 0
    assert not any(gradient.any() for gradient in gradients(model).values())


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("training", [True, False])
def test_the_head_is_asked_whether_it_is_plain(kind: str, training: bool) -> None:
    torch.manual_seed(1)
    model = MODELS[kind]().train(training)
    assert Objective(model).head_is_linear == (kind in PLAIN)
    assert model.training is training


def test_dropout_does_not_make_a_head_look_other_than_plain() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    model = gpt2(dropout=0.5).train()
    torch.set_rng_state(state)
    assert Objective(model).head_is_linear
    assert torch.equal(torch.get_rng_state(), state)


def test_a_head_with_a_bias_is_not_plain() -> None:
    model = llama(tied=False)
    model.lm_head.bias = torch.nn.Parameter(torch.zeros(VOCABULARY))
    assert not Objective(model).head_is_linear


def test_the_loss_of_bfloat16_arithmetic_is_near() -> None:
    torch.manual_seed(1)
    model = llama()
    batch = packed(documents())
    exact = Objective(model)(*batch)
    exact.backward()
    wanted = gradients(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Objective(model)(*batch)
    found.backward()
    assert found.dtype == torch.float32
    assert float(found.detach()) == pytest.approx(float(exact.detach()), rel=0.01)
    for name, gradient in gradients(model).items():
        assert float((gradient - wanted[name]).norm() / wanted[name].norm()) < 0.05, name


# --- muon ---

SHAPES = [(16, 16), (24, 8), (8, 24), (40, 40), (1, 12), (12, 1)]


def one_by_one(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The iteration as it is written down, in float64."""
    a, b, c = COEFFICIENTS
    x: torch.Tensor = matrix.double() / (matrix.double().norm() + 1e-7)
    x = x.T if matrix.shape[0] > matrix.shape[1] else x
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + b * gram @ x + c * gram @ gram @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_become_about_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(3)
    # Square matrices of chance have singular values near 0, which five steps do not bring to 1.
    least = 0.6 if shape[0] != shape[1] else 0.05
    for made in orthogonal(torch.randn(4, *shape)):
        values = torch.linalg.svdvals(made)
        assert least < float(values.min()) <= float(values.max()) < 1.3
        assert float(values.median()) > 0.6


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_a_batch_is_as_each_matrix_alone(shape: tuple[int, int], scale: float) -> None:
    torch.manual_seed(3)
    matrices = scale * torch.randn(5, *shape) * torch.tensor([1.0, 10, 0.1, 3, 1])[:, None, None]
    for matrix, made in zip(matrices, orthogonal(matrices), strict=True):
        torch.testing.assert_close(made.double(), one_by_one(matrix), atol=3e-3, rtol=1e-3)


def test_a_zero_gradient_stays_zero() -> None:
    assert not orthogonal(torch.zeros(2, 4, 6)).any()


@pytest.mark.parametrize("shape", SHAPES[:4])
def test_steps_are_those_of_torch(shape: tuple[int, int]) -> None:
    """torch.optim.Muon orthogonalises in bfloat16; momentum, Nesterov, decay and scale are the same."""
    torch.manual_seed(3)
    ours = torch.nn.Parameter(torch.randn(shape))
    theirs = torch.nn.Parameter(ours.detach().clone())
    mine = Muon([ours], 0.02, momentum=0.95, weight_decay=0.1, dtype=torch.bfloat16)
    other = torch.optim.Muon([theirs], lr=0.02, momentum=0.95, nesterov=True, weight_decay=0.1)
    for _ in range(5):
        start = ours.detach().clone()
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        mine.step()
        other.step()
        torch.testing.assert_close(mine.state[ours]["momentum"], other.state[theirs]["momentum_buffer"])
        assert ((ours - theirs).norm() / (ours - start).norm()).item() < 0.05
        theirs.data.copy_(ours.data)


def test_a_step_is_what_it_says() -> None:
    torch.manual_seed(3)
    parameter = torch.nn.Parameter(torch.randn(12, 3))
    expected, momentum = parameter.detach().clone(), torch.zeros(12, 3)
    optimizer = Muon([parameter], 0.02, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        gradient = torch.randn(12, 3)
        momentum = 0.9 * momentum + 0.1 * gradient
        expected -= 0.02 * 0.1 * expected
        expected -= 0.02 * 2 * one_by_one(0.1 * gradient + 0.9 * momentum).float()
        parameter.grad = gradient
        optimizer.step()
        torch.testing.assert_close(parameter.detach(), expected, atol=1e-4, rtol=1e-4)


def test_matrices_do_not_touch_each_other() -> None:
    """Those of one shape go through together; those without a gradient stay."""
    torch.manual_seed(3)
    start = [torch.randn(shape) for shape in [(8, 4), (4, 8), (8, 4), (8, 4), (4, 4)]]
    pushes = [torch.randn_like(matrix) for matrix in start]

    def stepped(numbers: Sequence[int]) -> list[torch.Tensor]:
        parameters = [torch.nn.Parameter(start[number].clone()) for number in range(5)]
        optimizer = Muon(parameters, 0.1, weight_decay=0.1)
        for number in numbers:
            parameters[number].grad = pushes[number].clone()
        optimizer.step()
        return [parameter.detach() for parameter in parameters]

    together = stepped([0, 1, 2, 4])
    for number in (0, 1, 2, 4):
        torch.testing.assert_close(together[number], stepped([number])[number])
    assert torch.equal(together[3], start[3])
    assert not torch.equal(together[0], start[0])


def test_muon_brings_a_loss_down() -> None:
    torch.manual_seed(3)
    goal, inputs = torch.randn(8, 16) / 4, torch.randn(64, 16)
    parameter = torch.nn.Parameter(torch.zeros(8, 16))
    optimizer = Muon([parameter], 0.05)
    losses = []
    for _ in range(60):
        loss = ((inputs @ (parameter - goal).T) ** 2).mean()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[1] < losses[0]
    assert losses[-1] < 0.05 * losses[0]
