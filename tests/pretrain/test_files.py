"""Files and folders of data: plain text, packed and binary ones, weights; nothing but the told errors is raised."""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pretrain.reading import HI, fault, file
from theta_tui.base.errors import JournalError, ModelError, UsageError
from theta_tui.pretrain.documents import Document, Source, parse_source, read

# --- plain text ---


def test_plain_text_is_gathered_into_documents_of_whole_paragraphs(tmp_path: Path) -> None:
    paragraphs = [f"{number} " + "word " * 120 + "\nend" for number in range(9)]
    documents = list(read(file(tmp_path, "\n\n \r\n".join(paragraphs), "book.txt")))
    assert "\n\n".join(document.text for document in documents) == "\n\n".join(paragraphs)
    assert [document.line for document in documents] == [1, 13, 25]
    assert all(len(document.text) <= 2000 and not document.turns for document in documents)
    assert {document.source for document in documents} == {"book"}


def test_text_without_a_blank_line_is_cut_at_line_ends(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(1000)]
    documents = list(read(file(tmp_path, "\r\n".join(lines), "a.log")))
    assert "\n".join(document.text for document in documents).split("\n") == lines
    assert len(documents) > 3
    assert [lines[document.line - 1] for document in documents] == [d.text.split("\n")[0] for d in documents]


@pytest.mark.parametrize(
    "text", ["Hello, world.", "[Chorus] la la", "[[Wiki]] link", "{{Infobox}}", "Roses are red, violets\nare blue, too"]
)
def test_what_looks_a_little_like_another_format_is_text(tmp_path: Path, text: str) -> None:
    assert [document.text for document in read(file(tmp_path, text, "t"))] == [text]


def test_a_bad_byte_in_plain_text_is_told_with_its_line(tmp_path: Path) -> None:
    path = file(tmp_path, b"caf\xc3\xa9\ncaf\xe9\nend", "t.txt")
    assert fault(path).startswith("FILE:2: it is not UTF-8 (byte 0xe9)")
    assert [document.text for document in read(path, skip_bad=True)] == ["café\nend"]


# --- files and folders ---


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_told(tmp_path: Path, data: bytes) -> None:
    assert fault(file(tmp_path, data)).startswith("FILE: there is nothing in it to learn from; leave the file out")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert fault(tmp_path / "no").startswith("FILE: it cannot be read (No such file or directory); check the name")
    assert fault(file(tmp_path, "x") / "y").startswith("FILE: it cannot be read (Not a directory)")
    assert "it cannot be read" in fault(Path("a\0b"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = file(tmp_path, "x")
    path.chmod(0)
    assert "Permission denied" in fault(path)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PAR1\x15\x04", "Parquet"),
        (pickle.dumps({"a": 1}), "a pickle"),
        ((60).to_bytes(8, "little") + b'{"w":{"dtype":"F32"}}', "safetensors"),
        (b"PK\x03\x04", "a zip archive"),
        ("Hi".encode("utf-16"), "UTF-16 text"),
        (b"text \0 text", "binary"),
        (gzip.compress(gzip.compress(b"Hi", mtime=0), mtime=0), "gzip in gzip"),
    ],
)
def test_a_binary_file_is_named_with_the_formats_that_are_read(tmp_path: Path, data: bytes, kind: str) -> None:
    assert fault(file(tmp_path, data)).startswith(f"FILE: it is {kind}, not text; supported are JSON Lines or ")


def test_gzip_is_known_by_its_bytes(tmp_path: Path) -> None:
    data = gzip.compress(b'{"text":"a"}\n', mtime=0) + gzip.compress(b'{"text":"b"}\n')
    assert [document.text for document in read(file(tmp_path, data, "data"))] == ["a", "b"]
    assert {document.source for document in read(file(tmp_path, data, "talk.jsonl.gz"))} == {"talk"}


def rows(count: int) -> bytes:
    return b"".join(b'{"text":"row %d %s"}\n' % (row, os.urandom(20).hex().encode()) for row in range(count))


def test_a_gzip_file_that_is_cut_or_damaged_is_told(tmp_path: Path) -> None:
    packed = gzip.compress(rows(20_000), mtime=0)
    assert "the compressed file is damaged or cut short" in fault(file(tmp_path, packed[:-100]))
    assert "the compressed file is damaged or cut short" in fault(file(tmp_path, packed[:20]))
    middle = len(packed) // 2
    path = file(tmp_path, packed[:middle] + b"\xff" * 99 + packed[middle + 99 :])
    with pytest.raises(ModelError, match="the compressed file is damaged or cut short"):
        list(read(path, skip_bad=True))


def zst(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.compress(data)
    packed: bytes = pytest.importorskip("zstandard").ZstdCompressor().compress(data)
    return packed


def test_zstandard_is_known_by_its_bytes(tmp_path: Path) -> None:
    data = rows(20_000)
    path = file(tmp_path, zst(data) + zst(b'{"text":"last"}\n'), "talk.jsonl.zst")
    documents = list(read(path))
    assert (len(documents), documents[-1]) == (20_001, Document((), "last", "talk", 20_001))


def test_a_zstandard_file_that_is_cut_or_damaged_is_told(tmp_path: Path) -> None:
    packed = zst(rows(20_000))
    for data in (packed[:-1], packed[:-1000], packed[:10], packed + b"garbage", packed[:50] + b"\xff" * 50):
        assert "the compressed file is damaged or cut short" in fault(file(tmp_path, data))


def test_without_the_package_a_zst_file_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(tmp_path, b"\x28\xb5\x2f\xfd")
    monkeypatch.setitem(sys.modules, "zstandard" if sys.version_info < (3, 14) else "compression.zstd", None)
    assert "pip install zstandard" in fault(path)


def test_a_folder_is_read_with_all_its_data_files_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a/z.txt", "a/y.jsonl.gz", "c/context.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = "<|user|> Hi <|assistant|> Hello!" if name.endswith("md") else f'{{"text":"{name}"}}'
        file(tmp_path, gzip.compress(text.encode(), mtime=0) if name.endswith("gz") else text, name)
    for name in (
        "README.md", "LICENSE", "LICENSE.txt", "SOURCES.md", "kept.bin", ".hidden.jsonl", "x.py", "config.json",
        "dataset_info.json", "requirements.txt",
    ):  # fmt: skip
        file(tmp_path, "not data", name)
    (tmp_path / ".git").mkdir()
    file(tmp_path, "not data", ".git/x.txt")
    assert [document.text or document.turns for document in read(tmp_path)] == [
        "a/y.jsonl.gz",
        "a/z.txt",
        "b.jsonl",
        HI,
    ]


def test_a_folder_without_data_is_told(tmp_path: Path) -> None:
    file(tmp_path, "x", "README.md")
    assert fault(tmp_path).startswith("FILE: there are no data files in this folder; supported are JSON Lines")


def test_a_bad_file_of_a_folder_is_named(tmp_path: Path) -> None:
    file(tmp_path, '{"text":"a"}', "a.jsonl")
    file(tmp_path, '{"text":""}', "b.jsonl")
    assert fault(tmp_path).startswith("FILE/b.jsonl:1: text is blank")


def test_a_file_name_with_controls_is_shown_as_symbols(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        list(read(tmp_path / "a\x1b\nb"))
    assert "a␛␊b" in str(caught.value)


def test_a_file_is_read_as_it_is_asked_for(tmp_path: Path) -> None:
    path = file(tmp_path, b'{"text":"a"}\n' * 20_000 + b"broken\n")
    documents = read(path)
    assert next(documents).text == "a"
    with pytest.raises(ModelError, match=r":20001: it is not JSON"):
        list(documents)


# --- FILE:WEIGHT ---


@pytest.mark.parametrize(
    ("text", "path", "weight"),
    [
        ("a.jsonl", "a.jsonl", 1.0),
        ("a.jsonl:0.3", "a.jsonl", 0.3),
        ("a.jsonl:2", "a.jsonl", 2.0),
        ("a.jsonl:1e-2", "a.jsonl", 0.01),
        ("C:\\x", "C:\\x", 1.0),
        ("C:\\x:0.5", "C:\\x", 0.5),
        ("no such:thing", "no such:thing", 1.0),
        (":2", ":2", 1.0),
    ],
)
def test_a_data_set_is_named_with_its_weight(text: str, path: str, weight: float) -> None:
    assert parse_source(text) == Source(Path(path), weight)


def test_a_file_with_a_colon_in_its_name_is_that_file(tmp_path: Path) -> None:
    path = file(tmp_path, "x", "talk:2")
    assert parse_source(str(path)) == Source(path, 1.0)
    assert parse_source(f"{path}:0.5") == Source(path, 0.5)


@pytest.mark.parametrize("text", ["", " ", "a:0", "a:-1", "a:nan", "a:inf", "a:-0.0", "a:1e999"])
def test_a_weight_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_source(text)


@pytest.mark.parametrize("weight", ["", "x", "0,3", "٣", "1_0", "30%"])
def test_a_weight_that_is_no_number_is_refused(tmp_path: Path, weight: str) -> None:
    with pytest.raises(UsageError, match=r"is not a weight; say FILE:0\.3"):
        parse_source(f"{file(tmp_path, 'x')}:{weight}")


# --- whatever comes ---

_PIECES = [
    b"{", b"}", b"[", b"]", b'{"text":"a"}', b'{"messages":[{"role":"user","content":"a"}]}', b",", b"\n", b"\r", b'"',
    b"q,a\n", b"a\tb\n", b"<|user|>", b"<|assistant|>", b'{"seq":1,"crc":"00000000",', b"\xff", b"\xef\xbb\xbf", b"\0",
    b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\\ud800", b" ", b":", b"PAR1", b"null",
]  # fmt: skip


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(_PIECES), max_size=30).map(b"".join)), st.booleans())
def test_any_bytes_either_read_or_are_told(tmp_path_factory: pytest.TempPathFactory, data: bytes, skip: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    for content in (data, gzip.compress(data, mtime=0)):
        path.write_bytes(content)
        try:
            documents = list(read(path, skip_bad=skip))
        except (ModelError, JournalError):
            continue
        assert documents
        for document in documents:
            roles = [role for role, _ in document.turns]
            assert roles == ["user", "assistant"] * (len(roles) // 2)
            assert bool(roles) != bool(document.text)
            (document.text + "".join(text for _, text in document.turns)).encode()


def test_the_readers_load_nothing_heavy() -> None:
    script = "import sys, theta_tui.pretrain.documents; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "textual", "zstandard", "numpy"}.intersection(run.stdout.split())
