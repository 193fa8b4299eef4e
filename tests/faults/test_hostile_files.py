"""Whatever bytes lie where Theta reads: a typed error or a notice, never a traceback, never another meaning.

The checksum of a journal line proves that it was written so, not that a Theta wrote it: these lines all have the right
one.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.faults.lessons import OFFERED, fifty
from tests.support.profiles import examples
from theta_tui.base import config
from theta_tui.base.config import Settings
from theta_tui.base.errors import ThetaError
from theta_tui.bench.suite import read_suite
from theta_tui.facts.templates import load_dictionary
from theta_tui.learning import checkpoint
from theta_tui.model.files import read_config, tensor_shapes
from theta_tui.pretrain.documents import read as read_documents
from theta_tui.store import codec, context, pending, retention
from theta_tui.store.journal import Journal
from theta_tui.store.records import ConversationStarted, Exchange
from theta_tui.store.state import State
from theta_tui.store.store import Store

MANY = examples(50, suppress_health_check=[HealthCheck.function_scoped_fixture])

JSON_OF_NO_USE = {
    "depth": "[" * 100_000 + "]" * 100_000,
    "digits": "9" * 5000,
    "NaN": "NaN",
    "infinity": "-Infinity",
    "twice": '{"a":1,"a":2}',
    "cut": '{"a":',
    "nothing": "",
    "no object": "[1]",
    "surrogate": '{"a":"\\ud800"}',
    "line separator": '{"a":"\u2028\u2029\x85"}',
    "mark": '\ufeff{"a":1}',
}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**4000) | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def line(seq: int, rest: bytes) -> bytes:
    """A line whose checksum is right, whatever it says."""
    rest += b"\n"
    return b'{"seq":%d,"crc":"%08x",' % (seq, zlib.crc32(rest, zlib.crc32(b"%d:" % seq))) + rest


def use(home: Path) -> None:
    """All that is made of a journal without a model."""
    record = Store.read(Settings(home=home))
    state = record.state
    retention.rows(state, {}, 0.0)
    context.render(state.history)
    for thing in (state.active, state.last, state.undone, state.step, state.losses(9)):
        repr(thing)
    for lesson in state.lessons:
        repr((lesson.exchange.candidates, lesson.exchange.first_offered))
    writer = Store.open(Settings(home=home, lock_wait=0))
    if writer.read_only is None:
        writer.append(ConversationStarted())
    writer.close()


# --- the journal ---


@pytest.mark.parametrize("name", JSON_OF_NO_USE)
def test_a_line_with_a_right_checksum_that_is_no_record_is_damage(folder: Path, name: str) -> None:
    good = codec.encode(1, 1.0, ConversationStarted())
    for body in (
        JSON_OF_NO_USE[name],
        '"v":1,"at":"2026-01-01T00:00:00Z","type":"fresh","more":' + JSON_OF_NO_USE[name] + "}",
    ):
        (folder / "journal.jsonl").write_bytes(
            good + line(2, body.encode()) + codec.encode(3, 1.0, ConversationStarted())
        )
        journal = Journal.read(folder / "journal.jsonl")
        assert journal.last_seq == 1
        assert journal.damaged is not None
        assert f"byte {len(good)}" in journal.damaged
        use(folder)


@pytest.mark.parametrize("body", ['"type":"withdraw","of":1,"of":2}', '"type":"asked","results":[[1,NaN,true]]}'])
def test_a_record_that_would_be_one_but_for_what_json_does_not_allow_is_damage(folder: Path, body: str) -> None:
    """A key that stands twice says two things; NaN is none of JSON's numbers."""
    path = folder / "journal.jsonl"
    sound = body.replace('"of":1,', "").replace("NaN", "0.5")
    for text, records in ((sound, 1), (body, 0)):
        path.write_bytes(line(1, b'"v":1,"at":"2026-01-01T00:00:00Z",' + text.encode()))
        assert Journal.read(path).last_seq == records


def test_a_record_with_one_value_of_another_kind_is_damage_or_makes_sense(folder: Path) -> None:
    @given(at=st.integers(0, 49), key=st.integers(0, 20), value=values)
    @example(at=1, key=7, value="\ud800")
    @example(at=1, key=7, value=None)
    @example(at=2, key=2, value=[])
    @examples(50)
    def anything(at: int, key: int, value: Any) -> None:
        use_changed(folder, at, key, value)

    anything()


def use_changed(home: Path, at: int, key: int, value: Any) -> None:
    """A home whose last record, one of the fifty, has `value` somewhere."""
    record = FIFTY[at]
    body = {"v": 1, "at": "2026-01-01T00:00:00.000Z"} | codec.plain_fields(record)
    body = json.loads(codec.dumps(body))
    changed = sorted(body)[key % len(body)]
    body[changed] = value
    lines = [codec.encode(seq, 1.0, item) for seq, item in enumerate(FIFTY[:at], 1)]
    lines.append(line(at + 1, json.dumps(body)[1:].encode()))
    for left in home.iterdir():
        left.unlink()
    (home / "journal.jsonl").write_bytes(b"".join(lines))
    use(home)


FIFTY = fifty()


@given(prompt=st.text(max_size=30), reply=st.text(max_size=30), offered=st.lists(st.text(max_size=20), max_size=5))
@example("\ud800", "\u2028\x85\ufeff", ["\r\n", "\0", "a\nb"])
@MANY
def test_any_text_comes_back_as_it_was_from_the_journal(prompt: str, reply: str, offered: list[str]) -> None:
    candidates = tuple(replace(OFFERED[0], index=number, text=text) for number, text in enumerate(offered, 1))
    record = Exchange("pick", prompt, reply, candidates, {"lr": 1e-4}, pick=1, variants=(reply,))
    encoded = codec.encode(7, 1.5, record)
    assert encoded.count(b"\n") == 1
    assert codec.decode(encoded) == (7, 1.5, record)


# --- context.md ---


@given(st.lists(st.tuples(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40)), max_size=4))
@example([("<|user|> \\<|assistant|>", "\\n\n\t\\|\\\\x1b\x1b\u202e")])
@example([("\u2028a\x85", "\x1cb\x0c")])
@MANY
def test_a_conversation_comes_back_as_it_was_from_its_file(turns: list[tuple[str, str]]) -> None:
    said = tuple((prompt.strip(), reply.strip()) for prompt, reply in turns)
    said = tuple((prompt, reply) for prompt, reply in said if prompt and reply)
    data = context.render(said)
    assert data.count(b"\n") == len(said)
    assert context.parse(data) == (said, [])


@given(
    st.lists(
        st.sampled_from(["<|user|>", "<|assistant|>", "a", "\\", "n", "x1b", "ud800", "<", "|", "\n", "\r\n", "\ufeff"])
    )
)
@MANY
def test_a_conversation_file_of_any_bytes_is_read_and_then_stable(parts: list[str]) -> None:
    turns, _ = context.parse("".join(parts).encode())
    assert context.parse(context.render(turns)) == (turns, [])


@given(st.binary(max_size=300))
@MANY
def test_no_bytes_break_the_conversation_file(data: bytes) -> None:
    turns, _ = context.parse(data)
    assert all(prompt.strip() and reply.strip() for prompt, reply in turns)


# --- everything else that is read ---


def _pending(path: Path) -> object:
    found, notice = pending.load(path)
    assert found is not None or notice
    return found


def _suite(path: Path) -> object:
    return read_suite(path)


def _settings(path: Path) -> object:
    return config.load_settings({"home": path.parent}, {})


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "pending.json": ("pending.json", _pending),
    "config.toml": ("config.toml", _settings),
    "statements.toml": ("statements.toml", load_dictionary),
    "a suite": ("suite.jsonl", _suite),
    "config.json": ("config.json", lambda path: read_config(path.parent)),
    "a checkpoint's manifest": ("manifest.json", lambda path: checkpoint.read_manifest(path.parent)),
    "weights": ("model.safetensors", tensor_shapes),
    "json lines": ("data.jsonl", lambda path: list(read_documents(path))),
    "a json array": ("data.json", lambda path: list(read_documents(path))),
    "a csv table": ("data.csv", lambda path: list(read_documents(path))),
    "a tsv table": ("data.tsv", lambda path: list(read_documents(path))),
    "text": ("data.txt", lambda path: list(read_documents(path))),
    "a conversation as data": ("context.md", lambda path: list(read_documents(path))),
}
HINTS = [
    b"", b"{", b"[", b'{"seq":1,"crc":"', b"[[", b'{"prompt":', b"prompt,completion\n", b'"', b"\xff\xfe", b"\x1f\x8b",
    b"<|user|> a <|assistant|> ", b"a\tb\n", b"\x80\x04", b'{"messages":[{"role":"user","content":',
]  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_no_bytes_break_a_reader(folder: Path, name: str) -> None:
    place, reader = READERS[name]
    path = folder / place

    def read(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(ThetaError):
            reader(path)

    @given(
        st.sampled_from(HINTS),
        st.binary(max_size=120) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")),
    )
    @examples(25)
    def anything(hint: bytes, rest: bytes) -> None:
        read(hint + rest)

    anything()
    for text in JSON_OF_NO_USE.values():
        for data in (
            text,
            f'{{"prompt":{text}}}',
            f"[{text}]",
            f"a = {text}",
            f'{{"prompt":"a","completion":{text}}}\n',
        ):
            read(data.encode())


@given(st.dictionaries(st.sampled_from(["schema", "prompt_id", "prompt", "candidates", "statement"]), values), values)
@MANY
def test_no_json_breaks_the_kept_prompt(in_memory: Path, body: dict[str, Any], candidate: Any) -> None:
    path = in_memory / "pending.json"
    for found in (body, body | {"schema": 1, "prompt_id": "a", "prompt": "b", "candidates": [candidate]}):
        path.write_text(json.dumps(found))
        kept, notice = pending.load(path)
        if kept is None:
            assert notice
        else:
            assert all(isinstance(item.text, str) for item in kept.candidates)


@given(st.sampled_from(sorted(config.SETTINGS)), values)
@MANY
def test_a_setting_of_any_kind_is_taken_or_refused_by_name(name: str, value: Any) -> None:
    taken = refused = None
    try:
        taken = config.parse_value(name, value, "config.toml")
    except ThetaError as error:
        refused = str(error)
    if refused is not None:
        assert refused.startswith("config.toml: ")
    else:
        assert config.parse_value(name, taken if not isinstance(taken, Path) else str(taken), "config.toml") == taken


@given(st.sampled_from(sorted(config.CHANGEABLE)), st.text(max_size=10) | st.floats().map(str) | st.integers().map(str))
@MANY
def test_a_setting_that_was_changed_is_read_back_as_it_is(in_memory: Path, name: str, value: str) -> None:
    home = in_memory / "settings"
    home.mkdir(exist_ok=True)
    try:
        changed = config.change(Settings(home=home), name, value)
    except ThetaError:
        return
    config.persist(home, name, getattr(changed, name))
    assert getattr(config.load_settings({"home": home}, {}), name) == getattr(changed, name)
    (home / "config.toml").unlink()


def test_a_story_of_no_use_is_still_told() -> None:
    """Records that name others which are not there, or that are of another kind."""
    from theta_tui.store.journal import Entry
    from theta_tui.store.records import Asked, Compared, Failure, Finding, Learned, Restore, Withdraw

    odd = [
        Withdraw(1),
        Restore(99),
        Learned(3, fifty()[2].outcome, "m"),
        Failure("x", -1),
        Compared(99, "a", "b"),
        Asked((Finding(10**30, 0.1, True),)),
    ]  # type: ignore[union-attr]
    state = State.of([Entry(seq, 0.0, record, 0, "") for seq, record in enumerate(odd, 1)])
    assert (state.active, state.undone, state.last) == ([], None, None)
