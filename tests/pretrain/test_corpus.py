"""Encoded data sets on disk, the order of an epoch, packed rows, and the stream of batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.pretrain.tiny import data_set, exchanges, make_chat
from tests.support.tiny_models import THETA
from theta_tui.base.errors import ModelError
from theta_tui.model.chat_template import IGNORE
from theta_tui.pretrain.batches import Batch, StreamPosition, assemble, stream
from theta_tui.pretrain.corpus import Corpus, prepare
from theta_tui.pretrain.documents import Document, Source
from theta_tui.pretrain.encode import EncodedDocument, Encoder, Loss

LENGTH = 64


def make(folder: Path, *sources: Source, validation: float = 0.0, length: int = LENGTH, loss: Loss = "reply") -> Corpus:
    encoder = Encoder(make_chat("theta"), length=length, loss=loss)
    return prepare(sources, encoder, folder, tokenizer_key="tiny", validation=validation)


def arrays(corpus: Corpus) -> dict[str, list[Any]]:
    names = ("tokens", "learn", "starts", "source", "sets", "sizes", "held_out")
    return {name: getattr(corpus, name).tolist() for name in names}


def ids(corpus: Corpus, document: int) -> list[int]:
    return list(corpus.tokens[corpus.starts[document] : corpus.starts[document + 1]].tolist())


def of_lengths(lengths: Sequence[int]) -> Corpus:
    """A corpus that can be packed and holds nothing."""
    corpus = Corpus.__new__(Corpus)
    corpus.lengths = np.array(lengths, np.int64)
    return corpus


class NoEncoder(Encoder):
    """Says that it was asked."""

    def encode(self, documents: Sequence[Document]) -> Iterator[EncodedDocument]:
        raise AssertionError("encoded again")


# --- prepare ---


def test_preparing_twice_gives_the_same(tmp_path: Path) -> None:
    source = data_set(tmp_path / "talk.jsonl", exchanges(50))
    one, other = make(tmp_path / "one", source, validation=0.2), make(tmp_path / "other", source, validation=0.2)
    assert arrays(one) == arrays(other)
    assert one.summaries == other.summaries


def test_a_corpus_holds_the_documents_in_order(tmp_path: Path) -> None:
    rows = exchanges(30)
    corpus = make(tmp_path / "data", data_set(tmp_path / "talk.jsonl", rows))
    assert [ids(corpus, number) for number in range(len(corpus.lengths))] == [
        make_chat("theta").conversation_ids(row) for row in rows
    ]
    [summary] = corpus.summaries
    assert (summary.documents, summary.tokens) == (30, len(corpus.tokens))
    assert summary.learned == int(corpus.learn.sum())
    assert summary.size == sum(len(reply.encode()) for _, reply in rows) == int(corpus.sizes.sum())


def test_what_is_there_is_found_again_and_not_encoded_again(tmp_path: Path) -> None:
    source = data_set(tmp_path / "talk.jsonl", exchanges(20))
    made = make(tmp_path / "data", source)
    encoder = NoEncoder(make_chat("theta"), length=LENGTH, loss="reply")
    found = prepare([source], encoder, tmp_path / "data", tokenizer_key="tiny", validation=0.0)
    assert arrays(found) == arrays(made)


def test_documents_are_rendered_at_one_instant_and_going_on_another_day_finds_them_so(tmp_path: Path) -> None:
    source = data_set(tmp_path / "talk.jsonl", exchanges(30))
    chat = make_chat("theta", template="{{ strftime_now('%d %b %Y') }}" + THETA)

    def at(when: float, folder: str) -> Corpus:
        encoder = Encoder(chat, length=LENGTH, loss="reply", at=when)
        return prepare([source], encoder, tmp_path / folder, tokenizer_key="tiny", validation=0.0)

    begun, again, other = at(0.0, "data"), at(9e8, "data"), at(9e8, "other")
    assert arrays(begun) == arrays(again) != arrays(other)
    assert json.loads((tmp_path / "data" / "corpus.json").read_text())["rendered_at"] == 0.0
    assert {tuple(ids(other, number)[:4]) for number in range(30)} == {tuple(ids(other, 0)[:4])}


@pytest.mark.parametrize("change", ["data", "weight", "length", "loss", "validation", "tokenizer"])
def test_other_data_or_settings_are_told_with_the_way_out(tmp_path: Path, change: str) -> None:
    source = data_set(tmp_path / "talk.jsonl", exchanges(20))
    make(tmp_path / "data", source)
    if change == "data":
        data_set(source.path, exchanges(21))
    weighted = Source(source.path, 0.5 if change == "weight" else 1.0)
    encoder = NoEncoder(
        make_chat("theta"), length=32 if change == "length" else LENGTH, loss="all" if change == "loss" else "reply"
    )
    with pytest.raises(ModelError, match="--restart"):
        prepare(
            [weighted], encoder, tmp_path / "data",
            tokenizer_key="other" if change == "tokenizer" else "tiny",
            validation=0.5 if change == "validation" else 0.0,
        )  # fmt: skip


def test_a_folder_is_its_data_whatever_else_appears_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "sets"
    folder.mkdir()
    data_set(folder / "talk.jsonl", exchanges(20))
    source = Source(folder, 1.0)
    made = make(tmp_path / "data", source)
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    assert arrays(make(tmp_path / "data", source)) == arrays(made)
    data_set(folder / "more.jsonl", exchanges(5, seed=1))
    with pytest.raises(ModelError, match="--restart"):
        make(tmp_path / "data", source)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.jsonl"):
        make(tmp_path / "data", Source(tmp_path / "nowhere.jsonl", 1.0))


def test_data_that_is_held_out_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="--validation"):
        make(tmp_path / "data", data_set(tmp_path / "talk.jsonl", exchanges(3)), validation=0.999999)


def test_a_damaged_corpus_is_told(tmp_path: Path) -> None:
    source = data_set(tmp_path / "talk.jsonl", exchanges(3))
    make(tmp_path / "data", source)
    (tmp_path / "data" / "corpus.json").write_text('{"key": ')
    with pytest.raises(ModelError, match="--restart"):
        make(tmp_path / "data", source)


def test_a_kill_at_any_write_leaves_nothing_that_is_taken_for_a_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = data_set(tmp_path / "talk.jsonl", exchanges(20))
    whole = arrays(make(tmp_path / "whole", source, validation=0.2))
    for name, owner in (("save", np), ("rename", Path), ("write_text", Path)):
        kept = getattr(owner, name)
        for fatal in range(100):
            calls = iter(range(1000))

            def call(*args: Any, kept: Any = kept, calls: Iterator[int] = calls, fatal: int = fatal) -> Any:
                if next(calls) == fatal:
                    raise KeyboardInterrupt
                return kept(*args)

            folder = tmp_path / f"{name}-{fatal}" / "data"
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, call)
                try:
                    make(folder, source, validation=0.2)
                except KeyboardInterrupt:
                    killed = True
                else:
                    killed = False
            if not killed:
                break
            assert not folder.exists()
            assert arrays(make(folder, source, validation=0.2)) == whole
        assert 0 < fatal < 99


def test_sources_are_many(tmp_path: Path) -> None:
    """A data set whose every row names its own source (an address, a title) is more than 16 bits of names."""
    path = tmp_path / "pages.jsonl"
    path.write_text("".join(f'{{"text": "x", "source": "{n}"}}\n' for n in range(2**16 + 2)), "utf-8")
    corpus = make(tmp_path / "data", Source(path, 1.0))
    assert corpus.sources[int(corpus.source[-1])] == str(2**16 + 1)


def rows(path: Path, *values: dict[str, Any]) -> Source:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), "utf-8")
    return Source(path, 1.0)


def test_a_summary_says_what_was_not_used_and_keeps_it(tmp_path: Path) -> None:
    pair = {"prompt": "who are you", "completion": "my name is Theta"}
    source = rows(tmp_path / "kto.jsonl", pair | {"label": False}, pair | {"id": 1}, pair | {"system": "be kind"})
    [summary] = make(tmp_path / "data", source).summaries
    assert summary.documents == 2
    assert summary.left_out == {"row: label is false": 1, "system message: the chat template has no place for it": 1}
    assert summary.unused == {"id": 1}
    assert summary.notices == [
        "1 row left out: label is false",
        "1 system message left out: the chat template has no place for it",
        "not used: id (1 row)",
    ]
    assert make(tmp_path / "data", source).summaries == [summary]


@pytest.mark.parametrize("loss", ["all", "reply"])
def test_what_is_context_only_has_no_label_and_no_bytes(tmp_path: Path, loss: Loss) -> None:
    messages = [
        {"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(("a", "b", "c", "d"))
    ]
    messages[1]["weight"] = 0  # type: ignore[assignment]
    corpus = make(tmp_path / "data", rows(tmp_path / "talk.jsonl", {"messages": messages}), loss=loss)
    batch = assemble(corpus, corpus.pack(corpus.epoch(1, 0), LENGTH), LENGTH, 1)
    labels = [index for index in batch.labels[0].tolist() if index != IGNORE]
    spelled = make_chat("theta").spelled(labels)
    assert spelled == ("d<|end|>" if loss == "reply" else "a<|assistant|><|user|>c<|assistant|>d<|end|>")
    assert corpus.summaries[0].context_only == 1
    assert corpus.sizes.sum() == (1 if loss == "reply" else 3)


def test_data_without_a_reply_within_the_length_is_refused(tmp_path: Path) -> None:
    source = rows(tmp_path / "long.jsonl", {"prompt": "hello " * 200, "completion": "yes"})
    with pytest.raises(ModelError, match="--length 64"):
        make(tmp_path / "data", source)


def test_a_training_that_read_the_data_otherwise_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = data_set(tmp_path / "talk.jsonl", exchanges(3))
    monkeypatch.setattr("theta_tui.pretrain.corpus.READER_VERSION", 1)
    make(tmp_path / "data", source)
    monkeypatch.undo()
    with pytest.raises(
        ModelError, match=r"of a Theta that read the data differently; give another --out, or start over with --restart"
    ):
        make(tmp_path / "data", source)


# --- epochs ---


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Three sets: of weight 0.3 (100 documents), 2 (50) and 1.5 (31)."""
    root = tmp_path_factory.mktemp("mixed")
    return make(
        root / "data",
        data_set(root / "rare.jsonl", exchanges(100, seed=1), 0.3),
        data_set(root / "often.jsonl", exchanges(50, seed=2), 2),
        data_set(root / "half.jsonl", exchanges(31, seed=3), 1.5),
        validation=0.1,
    )


def test_a_weight_is_how_often_each_document_is_seen(mixed: Corpus) -> None:
    seen: Counter[int] = Counter()
    for epoch in range(10):
        documents = mixed.epoch(7, epoch).tolist()
        seen.update(documents)
        once = Counter(documents)
        for document in np.flatnonzero(~mixed.held_out):
            if mixed.sets[document] == 1:
                assert once[int(document)] == 2
            if mixed.sets[document] == 2:
                assert once[int(document)] in (1, 2)
    for document in np.flatnonzero(~mixed.held_out):
        expected = {0: 3, 1: 20, 2: 15}[int(mixed.sets[document])]
        assert abs(seen[int(document)] - expected) <= (mixed.sets[document] != 1)


def test_an_epochs_tokens_are_those_expected(mixed: Corpus) -> None:
    counts = [int(mixed.lengths[mixed.epoch(7, epoch)].sum()) for epoch in range(20)]
    assert np.mean(counts) == pytest.approx(mixed.tokens_an_epoch, rel=0.01)


def test_an_epoch_follows_from_its_number_alone(mixed: Corpus) -> None:
    late = mixed.epoch(7, 5)
    again = Corpus(mixed.folder)
    assert again.epoch(7, 5).tolist() == late.tolist()
    assert mixed.epoch(7, 6).tolist() != late.tolist()
    assert mixed.epoch(8, 5).tolist() != late.tolist()


def test_held_out_documents_are_never_trained_on(mixed: Corpus) -> None:
    held_out = set(mixed.validation().tolist())
    assert 5 < len(held_out) < 40
    for epoch in range(10):
        assert held_out.isdisjoint(mixed.epoch(7, epoch).tolist())


def test_the_same_document_is_on_one_side_of_the_split(tmp_path: Path) -> None:
    rows = exchanges(60)
    corpus = make(
        tmp_path / "data",
        data_set(tmp_path / "one.jsonl", rows + rows[::-1]),
        data_set(tmp_path / "other.jsonl", rows[::2], 0.5),
        validation=0.3,
    )
    trained = {tuple(ids(corpus, int(number))) for number in np.flatnonzero(~corpus.held_out)}
    held_out = {tuple(ids(corpus, int(number))) for number in corpus.validation()}
    assert trained.isdisjoint(held_out)
    assert len(trained) + len(held_out) == 60
    assert 6 < len(held_out) < 30


def test_the_parts_of_a_long_document_are_on_one_side_of_the_split(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("\n\n".join(f"{number} " + "the lazy dog " * 30 for number in range(40)), "utf-8")
    corpus = make(tmp_path / "data", Source(path, 1.0), validation=0.5)
    starts = [number for number in range(len(corpus.lengths)) if number == 0 or corpus.lengths[number - 1] < LENGTH]
    for start, stop in zip(starts, [*starts[1:], len(corpus.lengths)], strict=True):
        assert len(set(corpus.held_out[start:stop].tolist())) == 1
    assert set(corpus.held_out.tolist()) == {True, False}


# --- packing ---


@given(st.lists(st.integers(1, 40), max_size=200), st.integers(40, 80))
def test_every_document_is_packed_once_and_no_row_is_too_long(lengths: list[int], length: int) -> None:
    rows = of_lengths(lengths).pack(range(len(lengths)), length)
    assert sorted(document for row in rows for document in row) == list(range(len(lengths)))
    assert all(sum(lengths[document] for document in row) <= length for row in rows)
    assert all(rows)


def test_a_document_of_just_the_length_has_a_row_to_itself() -> None:
    rows = of_lengths([10, 64, 54, 64]).pack([0, 1, 2, 3], 64)
    assert rows == [[0, 2], [1], [3]]


@pytest.mark.parametrize("open_rows", [512, 64])
def test_few_tokens_of_packed_rows_are_empty(open_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theta_tui.pretrain.corpus.OPEN_ROWS", open_rows)
    lengths = np.random.default_rng(1).integers(5, 200, 2000)
    rows = of_lengths(lengths.tolist()).pack(range(2000), 512)
    assert sorted(document for row in rows for document in row) == list(range(2000))
    assert 1 - lengths.sum() / (512 * len(rows)) < 0.03


def test_only_so_many_rows_are_open_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theta_tui.pretrain.corpus.OPEN_ROWS", 2)
    # The third row closes the fullest, the second: the last document no longer finds room there.
    assert of_lengths([50, 60, 55, 4]).pack(range(4), 64) == [[0], [1], [2, 3]]
    monkeypatch.setattr("theta_tui.pretrain.corpus.OPEN_ROWS", 3)
    assert of_lengths([50, 60, 55, 4]).pack(range(4), 64) == [[0], [1, 3], [2]]


def test_rows_are_the_same_in_every_process(tmp_path: Path) -> None:
    corpus = make(tmp_path / "data", data_set(tmp_path / "talk.jsonl", exchanges(40), 1.5), validation=0.1)
    program = (
        "import sys; from pathlib import Path; from theta_tui.pretrain.corpus import Corpus\n"
        "corpus = Corpus(Path(sys.argv[1])); print(corpus.pack(corpus.epoch(3, 4), 64))"
    )
    for hashing in ("1", "2"):
        found = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "data")],
            env=os.environ | {"PYTHONHASHSEED": hashing}, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert found.strip() == str(corpus.pack(corpus.epoch(3, 4), 64))


# --- batches ---


def same(one: tuple[Batch, StreamPosition], other: tuple[Batch, StreamPosition]) -> bool:
    fields = ("input_ids", "position_ids", "labels")
    equal = all(torch.equal(getattr(one[0], name), getattr(other[0], name)) for name in fields)
    return equal and np.array_equal(one[0].document, other[0].document) and one[1] == other[1]


def test_a_stream_goes_on_from_any_place_as_if_it_had_not_stopped(mixed: Corpus) -> None:
    whole = list(islice(stream(mixed, seed=3, rows=4, length=LENGTH, start=StreamPosition()), 60))
    assert whole[-1][1].epoch >= 2
    for number, (_, position) in enumerate(whole[:-1]):
        [further] = islice(stream(mixed, seed=3, rows=4, length=LENGTH, start=position), 1)
        assert same(further, whole[number + 1])


def test_a_stream_shows_each_epoch_whole(mixed: Corpus) -> None:
    seen: dict[int, Counter[int]] = {}
    for batch, position in islice(stream(mixed, seed=3, rows=4, length=LENGTH, start=StreamPosition()), 60):
        members, firsts = batch.document, batch.position_ids.numpy() == 0
        seen.setdefault(position.epoch, Counter()).update(members[firsts & (members >= 0)].tolist())
    for epoch in range(max(seen)):
        assert seen[epoch] == Counter(mixed.epoch(3, epoch).tolist())


def test_an_epoch_without_documents_is_passed_over(tmp_path: Path) -> None:
    corpus = make(tmp_path / "data", data_set(tmp_path / "talk.jsonl", exchanges(1), 0.2))
    places = [place for _, place in islice(stream(corpus, seed=3, rows=2, length=LENGTH, start=StreamPosition()), 3)]
    assert [len(corpus.epoch(3, epoch)) for epoch in range(5)].count(1) == 1
    assert [place.epoch for place in places] == [places[0].epoch, places[0].epoch + 5, places[0].epoch + 10]


def test_a_row_is_its_documents_one_behind_the_other(mixed: Corpus) -> None:
    packed = mixed.pack(mixed.epoch(3, 0), LENGTH)[:5]
    batch = assemble(mixed, packed, LENGTH, 8)
    assert batch.input_ids.shape == batch.position_ids.shape == batch.labels.shape == (8, LENGTH)
    for number, members in enumerate(packed):
        expected = [index for member in members for index in ids(mixed, member)]
        assert batch.input_ids[number, : len(expected)].tolist() == expected
        positions = [place for member in members for place in range(int(mixed.lengths[member]))]
        assert batch.position_ids[number, : len(expected)].tolist() == positions
        assert batch.position_ids[number, len(expected) :].tolist() == list(range(LENGTH - len(expected)))
        assert batch.document[number].tolist() == [
            *[member for member in members for _ in range(int(mixed.lengths[member]))],
            *[-1] * (LENGTH - len(expected)),
        ]
    assert batch.tokens == sum(int(mixed.lengths[member]) for members in packed for member in members)


def test_labels_are_what_is_learned_and_never_cross_documents(tmp_path: Path) -> None:
    source = data_set(tmp_path / "talk.jsonl", exchanges(40))
    for loss in ("all", "reply"):
        corpus = make(tmp_path / loss, source, loss=loss)
        packed = corpus.pack(corpus.epoch(1, 0), LENGTH)
        batch = assemble(corpus, packed, LENGTH, len(packed) + 2)
        labelled = batch.labels != IGNORE
        assert torch.equal(batch.labels[labelled], batch.input_ids[labelled])
        assert not labelled[torch.from_numpy(batch.document < 0)].any()
        assert not labelled[batch.position_ids == 0].any()
        assert batch.learned == int(corpus.learn.sum()) - (len(corpus.lengths) if loss == "all" else 0)
