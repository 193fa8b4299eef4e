"""Products with the weights of linear layers, and which way they go."""

import pytest
import torch
from torch import nn

from theta_tui.model.decoding import packed_linear
from theta_tui.model.decoding.packed_linear import FEW, PackedLinear

ROWS = (1, 2, 5, FEW, FEW + 1, 70)
needs_halves = pytest.mark.skipif(
    not packed_linear._multiplies_16bit(), reason="torch computes with no 16-bit weights here"
)


def layer(*, stored: torch.dtype, bias: bool = False, seed: int = 0, size: int = 48) -> nn.Linear:
    """A layer of float32 with the weights of one that was stored in another precision."""
    torch.manual_seed(seed)
    made = nn.Linear(32, size, bias=bias)
    with torch.no_grad():
        made.weight.copy_((made.weight * 0.2).to(stored))
    return made


def ready(*layers: nn.Linear) -> PackedLinear:
    product = PackedLinear(layers)
    product.refresh()
    return product


@torch.no_grad()
def error(product: PackedLinear, layers: list[nn.Linear], rows: int) -> float:
    """The largest difference from the same in float64."""
    x = torch.randn(rows, 32)
    wanted = torch.cat([nn.functional.linear(x.double(), one.weight.double()) for one in layers], -1)
    if layers[0].bias is not None:
        wanted += torch.cat([one.bias for one in layers]).double()
    return float((product(x).double() - wanted).abs().max())


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16, torch.float16])
def test_a_product_is_what_the_layers_give_whatever_they_were_stored_in(stored: torch.dtype, bias: bool) -> None:
    layers = [layer(stored=stored, bias=bias, seed=seed, size=16 * (seed + 1)) for seed in range(3)]
    assert max(error(ready(*layers), layers, rows) for rows in ROWS) < 2e-6


@needs_halves
def test_weights_that_16_bits_hold_are_held_in_16_bits_and_others_are_not() -> None:
    found = {}
    for stored in (torch.bfloat16, torch.float16, torch.float32):
        product = ready(layer(stored=stored))
        product(torch.randn(5, 32))
        found[stored] = product._packed is not None
    assert found == {torch.bfloat16: True, torch.float16: True, torch.float32: False}


@needs_halves
@pytest.mark.parametrize("value", [1e5, float("inf"), float("nan"), 2.0**-14 + 2.0**-24 * 0.75])
def test_a_single_weight_that_16_bits_do_not_hold_is_enough(value: float) -> None:
    for row in (3, 299):
        one = layer(stored=torch.bfloat16, size=300)
        with torch.no_grad():
            one.weight[row, 4] = value
        assert packed_linear.fits_16bit(one.weight.detach()) == (abs(value) <= 1)


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_weights_that_were_written_to_are_taken_over(stored: torch.dtype) -> None:
    one = layer(stored=stored)
    product = ready(one)
    assert error(product, [one], 5) < 2e-6
    with torch.no_grad():
        one.weight.add_(0.01)
    product.refresh()
    assert error(product, [one], 5) < 2e-6
    with torch.no_grad():
        one.weight.copy_(layer(stored=stored, seed=1).weight)
    product.refresh()
    assert error(product, [one], 5) < 2e-6


def test_without_16_bit_products_it_goes_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_linear, "_multiplies_16bit", lambda: False)
    one = layer(stored=torch.bfloat16)
    product = ready(one)
    assert max(error(product, [one], rows) for rows in ROWS) < 2e-6
    assert product._packed is None
