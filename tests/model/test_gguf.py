"""GGUF files as models: converted once and to the bit, refused by name where they cannot be used."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from gguf.quants import dequantize, quantize
from safetensors import safe_open

from tests.support import gguf_files
from theta_tui.base.errors import HomeError, ModelError
from theta_tui.model import catalogue, files, gguf_header, gguf_reading
from theta_tui.model.language_model import LanguageModel

TEXT = "hello, my creator is Dakota and I am 12"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's cache of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama in float16. Tests do not write to it."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    gguf_files.write(path)
    return path


def stored(folder: Path) -> set[torch.dtype]:
    found: set[torch.dtype] = set()
    for path in files.weight_files(folder):
        with safe_open(str(path), framework="pt") as held:
            found |= {held.get_tensor(name).dtype for name in held.keys()}  # noqa: SIM118
    return found


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
@pytest.mark.parametrize("kind", [Kind.F16, Kind.Q8_0, Kind.Q4_0])
def test_the_model_of_a_gguf_file_is_the_one_that_was_written(tmp_path: Path, architecture: str, kind: Kind) -> None:
    model, tokenizer = gguf_files.write(tmp_path / "tiny.gguf", architecture, kind, tied=kind != Kind.F16)
    with torch.no_grad():  # as the file holds it
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.copy_(torch.from_numpy(dequantize(quantize(parameter.numpy(), kind), kind)))
    lm = LanguageModel.load(str(tmp_path / "tiny.gguf"), device="cpu")
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    assert lm.tokenizer(TEXT, add_special_tokens=False)["input_ids"] == ids
    with torch.no_grad():
        torch.testing.assert_close(lm.model(torch.tensor([ids])).logits, model(torch.tensor([ids])).logits)
    assert lm.end_ids == {tokenizer.eos_token_id}
    assert lm.tokenizer.chat_template == tokenizer.chat_template
    assert lm.window == 256


@pytest.mark.parametrize(("kind", "narrow"), [(Kind.BF16, True), (Kind.F16, True), (Kind.Q8_0, False)])
def test_weights_are_kept_in_16_bits_where_those_hold_them(tmp_path: Path, kind: Kind, narrow: bool) -> None:
    gguf_files.write(tmp_path / "tiny.gguf", kind=kind)
    found = stored(gguf_reading.converted(tmp_path / "tiny.gguf"))
    assert (torch.float32 not in found) == narrow
    assert found & {torch.bfloat16, torch.float16}  # the norms of the others too


def test_it_is_converted_once_and_known_again_by_its_content(tiny: Path, tmp_path: Path) -> None:
    stages: list[str] = []
    folder = gguf_reading.converted(tiny, stages.append)
    assert stages[0].startswith("converting tiny.gguf")
    assert "converting tiny.gguf, once: 20 of 20 tensors" in stages
    copy = tmp_path / "sha256-0123"  # as Ollama calls them
    shutil.copyfile(tiny, copy)
    assert gguf_reading.converted(copy, lambda _: pytest.fail("converted again")) == folder
    assert files.fingerprint(str(copy)) == files.fingerprint(str(tiny))
    assert "quantization_config" not in files.read_config(folder)
    assert [path.name for path in folder.parent.iterdir() if path.name.endswith(".tmp")] == []
    assert catalogue.converted() == {str(tiny): folder}


def test_a_plain_llama_is_then_read_without_transformers(tiny: Path) -> None:
    from theta_tui.model.llama.model import LlamaForCausalLM
    from theta_tui.model.tokenizer import FastTokenizer

    lm = LanguageModel.load(str(tiny), device="cpu")
    assert isinstance(lm.model, LlamaForCausalLM)
    assert isinstance(lm.tokenizer, FastTokenizer)


def test_numbers_are_split_into_digits_where_the_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gguf.GGUFWriter.add_tokenizer_pre", lambda out, _: out.add_string("tokenizer.ggml.pre", "smollm")
    )
    gguf_files.write(tmp_path / "tiny.gguf")
    lm = LanguageModel.load(str(tmp_path / "tiny.gguf"), device="cpu")
    backend = lm.tokenizer.backend_tokenizer.pre_tokenizer
    assert [piece for piece, _ in backend.pre_tokenize_str("in 2024")] == ["in", "Ġ", "2", "0", "2", "4"]


# --- what cannot be used ---


def cut(data: bytes) -> bytes:
    return data[:-100]


def cut_in_the_header(data: bytes) -> bytes:
    return data[:2000]


def no_gguf(data: bytes) -> bytes:
    return b"PK\x03\x04" + data[4:]


def later_version(data: bytes) -> bytes:
    return data[:4] + struct.pack("<I", 9) + data[8:]


def big_endian(data: bytes) -> bytes:
    return data[:4] + struct.pack(">I", 3) + data[8:]


def many_tensors(data: bytes) -> bytes:
    return data[:8] + struct.pack("<Q", 2**60) + data[16:]


def many_keys(data: bytes) -> bytes:
    return data[:16] + struct.pack("<Q", 2**60) + data[24:]


def long_text(data: bytes) -> bytes:
    return data[:24] + struct.pack("<Q", 2**62) + data[32:]


def long_array(data: bytes) -> bytes:
    at = data.index(b"tokenizer.ggml.tokens") + len(b"tokenizer.ggml.tokens") + 8
    return data[:at] + struct.pack("<Q", 2**61) + data[at + 8 :]


def wide_tensor(data: bytes) -> bytes:
    at = data.index(b"token_embd.weight") + len(b"token_embd.weight") + 4
    return data[:at] + struct.pack("<Q", 2**61) + data[at + 8 :]


def unknown_type(data: bytes) -> bytes:
    at = data.index(b"token_embd.weight") + len(b"token_embd.weight") + 4 + 16
    return data[:at] + struct.pack("<I", 250) + data[at + 4 :]


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (cut, "it is cut short"),
        (cut_in_the_header, "it "),
        (no_gguf, "does not begin as one"),
        (later_version, "version 9"),
        (big_endian, "big-endian"),
        (many_tensors, "it says that it has 1,152,921,504,606,846,976 tensors"),
        (many_keys, "it says that it has 1,152,921,504,606,846,976 keys"),
        (long_text, "a text of 4,611,686,018,427,387,904 bytes"),
        (long_array, "an array of 2,305,843,009,213,693,952 items"),
        (wide_tensor, "cut short"),
        (unknown_type, "of a type (250)"),
        (lambda _: b"GGUF", "cut short"),
        (lambda _: b"", "does not begin as one"),
    ],
)
def test_a_file_that_is_damaged_or_lies_is_refused_before_anything_is_made_of_it(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[bytes], bytes], named: str
) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(harm(tiny.read_bytes()))
    monkeypatch.setattr("gguf.GGUFReader.__init__", lambda *_: pytest.fail("read without a look at its header"))
    with pytest.raises(ModelError, match=r"bad\.gguf") as raised:
        LanguageModel.load(str(path), device="cpu")
    assert named in str(raised.value)
    assert catalogue.converted() == {}


def test_no_byte_of_a_header_can_end_it_otherwise(tiny: Path, tmp_path: Path) -> None:
    data = tiny.read_bytes()
    head = data.index(b"token_embd.weight") + 60
    path = tmp_path / "bad.gguf"
    for at in [*range(0, 60), *range(60, head, 97)]:
        for value in (0, 255):
            path.write_bytes(data[:at] + bytes([value]) + data[at + 1 :])
            with suppress(ModelError):
                gguf_reading.read_header(path)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"block_count": 4_000_000_000}, "block_count 4,000,000,000"),
        ({"feed_forward_length": 2_000_000_000}, "describes a model of"),
        ({"embedding_length": 1_000_000_000}, "describes a model of"),
        ({"vocab_size": 2_000_000_000}, "describes a model of"),
        ({"attention.head_count": 0}, "architecture llama"),
    ],
)
def test_a_header_that_describes_another_model_than_the_weights_allocates_nothing(
    tmp_path: Path, said: dict[str, int], named: str
) -> None:
    import resource

    gguf_files.write(tmp_path / "lying.gguf", said=said)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=r"lying\.gguf") as raised:
        gguf_reading.converted(tmp_path / "lying.gguf")
    assert named in str(raised.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    gguf_files.write(tmp_path / "nan.gguf", harm=lambda values: values * float("nan"))
    with pytest.raises(ModelError, match="not numbers"):
        gguf_reading.converted(tmp_path / "nan.gguf")
    assert catalogue.converted() == {}


def test_an_architecture_that_is_not_known_is_named(tmp_path: Path) -> None:
    gguf_files.write(tmp_path / "odd.gguf", named="florence")
    with pytest.raises(ModelError, match="architecture florence"):
        gguf_reading.converted(tmp_path / "odd.gguf")


def test_a_tensor_that_is_missing_is_not_made_up(tmp_path: Path) -> None:
    gguf_files.write(tmp_path / "part.gguf", leave_out="blk.1.ffn_up.weight")
    with pytest.raises(ModelError, match=r"part\.gguf"):
        gguf_reading.converted(tmp_path / "part.gguf")


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match="there is no file"):
        files.fingerprint("nowhere.gguf")


def test_a_model_that_does_not_fit_into_memory_is_refused_with_the_numbers(
    tiny: Path, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_reading, "total_memory", lambda: 100_000)
    with pytest.raises(ModelError, match="machine has 0 MB"):
        gguf_reading.converted(tiny)
    monkeypatch.setattr("theta_tui.model.loading.total_memory", lambda: 50_000)
    with pytest.raises(ModelError, match="of memory as float32, and this machine has 0 MB"):
        LanguageModel.load(str(folders["theta"]), device="cpu")


def test_where_the_disk_refuses_nothing_is_left(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("theta_tui.model.files.save_tokenizer", full)
    with pytest.raises(HomeError, match="No space left on device"):
        gguf_reading.converted(tiny)
    assert [path.name for path in catalogue.conversions().iterdir() if not path.name.endswith(".lock")] == []


def test_what_a_killed_process_has_left_is_removed(tiny: Path) -> None:
    left = catalogue.conversions() / f".{gguf_header.fingerprint(tiny)}.4711.tmp"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    gguf_reading.converted(tiny)
    assert not left.exists()
