"""Any damage to a GGUF file: it is refused by name, or makes a model that loads; and in bounded memory."""

from __future__ import annotations

import resource
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.gguf_files import tiny as tiny
from tests.support.profiles import examples
from theta_tui.base.errors import ModelError
from theta_tui.model import catalogue, gguf_reading
from theta_tui.model.language_model import LanguageModel

Damage = list[tuple[str, int, int]]

PLACES = st.one_of(st.integers(0, 1 << 14), st.integers(0, 1 << 20))  # the header is where most can be lied about
NUMBERS = st.sampled_from((0, 1, 2**31, 2**32 - 1, 2**60, 2**63, 2**64 - 1))
HARMS = st.one_of(
    st.tuples(st.just("bit"), PLACES, st.integers(0, 7)), st.tuples(st.sampled_from(("long", "int")), PLACES, NUMBERS)
)
CUTS = st.tuples(st.just("cut"), PLACES, st.just(0))


def damaged(tiny: Path, damage: Damage) -> Path:
    """A copy with bits turned, numbers written over, or its end cut off."""
    data = bytearray(tiny.read_bytes())
    for what, place, value in damage:
        at = place % max(1, len(data))
        if what == "cut":
            del data[at:]
        elif what == "bit" and data:
            data[at] ^= 1 << value
        else:
            number = struct.pack("<Q", value)[: 8 if what == "long" else 4]
            data[at : at + len(number)] = number
    path = tiny.with_name("bad.gguf")
    path.write_bytes(data)
    return path


@given(damage=st.lists(st.one_of(HARMS, CUTS), min_size=1, max_size=3))
@examples(200)
def test_a_header_is_read_or_refused_by_name_in_bounded_memory(tiny: Path, damage: Damage) -> None:
    path, told = damaged(tiny, damage), ""
    tracemalloc.start()
    try:
        gguf_reading.read_header(path)
    except ModelError as error:
        told = str(error)
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert not told or "bad.gguf" in told
    assert most < 2_000_000  # of a file of 181 kB


def converted_or_refused(tiny: Path, damage: Damage) -> None:
    path, told = damaged(tiny, damage), ""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tiny.parent / "cache"))
        try:
            gguf_reading.converted(path)
            LanguageModel.load(str(path), device="cpu")
        except ModelError as error:
            told = str(error)
        for made in catalogue.converted().values():
            catalogue.remove(made)
        assert [one.name for one in catalogue.conversions().glob("*") if not one.name.endswith(".lock")] == []
    # What a converted file lacks is told of the model: it is the one that was asked for.
    assert not told or "bad.gguf" in told or told.startswith("the model"), told
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


@given(damage=st.lists(HARMS, min_size=1, max_size=2))
@examples(25)
def test_what_a_damaged_file_makes_loads_or_is_refused(tiny: Path, damage: Damage) -> None:
    converted_or_refused(tiny, damage)


@pytest.mark.slow
@given(damage=st.lists(HARMS, min_size=1, max_size=2))
@settings(max_examples=400)
def test_what_many_damaged_files_make_loads_or_is_refused(tiny: Path, damage: Damage) -> None:
    converted_or_refused(tiny, damage)
