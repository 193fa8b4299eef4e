"""The commands: what they print, what they exit with, and that bad input changes nothing."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path

import pytest

from tests.cli.running import Theta, files
from theta_tui.base.config import Settings
from theta_tui.store import codec
from theta_tui.store.records import Candidate, ConversationStarted, Pending
from theta_tui.store.store import Store


def test_a_prompt_is_answered_five_times_and_the_pick_is_taught(built_in_theta: Theta, home: Path) -> None:
    asked = built_in_theta("prompt", "hello")
    assert asked.code == 0
    assert [line[:3] for line in asked.lines] == ["1: ", "2: ", "3: ", "4: ", "5: "]
    assert len({line[3:] for line in asked.lines}) == 5
    taught = built_in_theta("teach", "3")
    assert taught.code == 0
    assert taught.out.startswith("trained. (loss ")
    assert taught.out.endswith(", step 1)\n")
    assert (home / "context.md").read_text() == f"<|user|> hello <|assistant|> {asked.lines[2][3:]}\n"


@pytest.mark.slow
def test_what_was_taught_in_words_is_said_afterwards(built_in_theta: Theta) -> None:
    built_in_theta("prompt", "Who is your creator?")
    taught = built_in_theta("teach", "--json", "My creator is Dakota.").json
    assert taught["kind"] == "correction"
    assert taught["loss_after"] < taught["loss_before"]
    assert taught["p_after"] > taught["p_before"]
    assert taught["learned"]
    assert 1 <= taught["steps"] <= 16
    assert built_in_theta("ask", "--no-context", "Who is your creator?").out == "My creator is Dakota.\n"
    assert built_in_theta("ask", "Who is your creator?", "--json").json["reply"] == "My creator is Dakota."


def test_json_has_the_promised_fields(theta: Theta) -> None:
    asked = theta("prompt", "hello", "--json").json
    assert set(asked) == {"schema", "prompt_id", "prompt", "candidates", "statement"}
    assert asked["statement"] is None
    assert [set(candidate) for candidate in asked["candidates"]] == [{"index", "text", "logprob", "cut"}] * 5
    taught = theta("--json", "teach", "1", "--prompt-id", asked["prompt_id"]).json
    assert set(taught) >= {
        "lesson", "kind", "prompt", "reply", "loss_before", "loss_after", "p_before", "p_after", "steps", "learned",
        "seconds",
    }  # fmt: skip
    assert set(theta("ask", "hello", "--json").json) == {"schema", "prompt", "reply", "cut", "logprob", "seconds"}
    assert len(theta("history", "--json").json["turns"]) == 1
    listed = theta("lessons", "--json").json
    assert (listed["lessons"][0]["kind"], listed["lessons"][0]["state"]) == ("pick", "kept")
    assert (listed["live"], listed["kept"], listed["lost"]) == (1, 1, 0)
    figures = theta("stats", "--json").json
    assert (figures["lessons"], figures["kept"]) == (1, 1)
    assert theta("undo", "--json").json["undone"] == 1
    assert theta("new", "--json").json["turns_before"] == 0


def test_the_first_systems_spelling_works(theta: Theta) -> None:
    asked = theta("--load", "--prompt", "hello")
    assert len(asked.lines) == 5
    assert theta("--load", "--teach", "2").code == 0
    assert theta("--prompt", "a", "--teach", "1").code == 2


def test_a_stale_or_missing_prompt_is_refused(theta: Theta, home: Path) -> None:
    assert theta("teach", "1").code == 3
    asked = theta("prompt", "hello", "--json").json
    before = files(home)
    assert theta("teach", "1", "--prompt-id", "other").code == 3
    assert files(home) == before
    assert theta("teach", "1", "--prompt-id", asked["prompt_id"]).code == 0
    again = theta("teach", "1", "--json")
    assert again.code == 3
    assert json.loads(again.err)["error"]["code"] == 3
    assert again.out == ""


@pytest.mark.parametrize("answer", ["0", "6", "-1", "+2", "٣", "１", "", "  ", "quit", "\u200b"])
def test_what_is_no_answer_is_refused_and_changes_nothing(theta: Theta, home: Path, answer: str) -> None:
    record = Store.open(Settings(home=home))
    record.keep(Pending("abcd", "hello", tuple(Candidate(index, f"reply {index}", -1.0) for index in range(1, 6))))
    record.close()
    before = files(home)
    refused = theta("teach", "--", answer)
    assert refused.code == 2
    assert len(refused.err.splitlines()) == 1
    assert files(home) == before


def test_a_number_can_be_taught_as_text(theta: Theta) -> None:
    theta("prompt", "how many?")
    assert theta("teach", "--text", "6", "--json").json["reply"] == "6"


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t", "quit"])
def test_a_blank_prompt_is_refused(theta: Theta, home: Path, prompt: str) -> None:
    refused = theta("prompt", prompt)
    assert refused.code == 2
    assert not (home / "pending.json").exists()


def test_a_prompt_can_come_through_a_pipe(theta: Theta) -> None:
    assert theta("prompt", "-", "--json", stdin="hello\n").json["prompt"] == "hello"
    assert theta("prompt", "--json", stdin="hello\n").json["prompt"] == "hello"
    assert theta("prompt", stdin="").code == 2


def test_a_pair_is_taught_without_a_prompt_and_outside_the_conversation(theta: Theta, home: Path) -> None:
    taught = theta("teach", "--for", "Where is Quill?", "Quill is at home.", "--json").json
    assert (taught["prompt"], taught["reply"]) == ("Where is Quill?", "Quill is at home.")
    assert theta("history", "--json").json["turns"] == []
    assert theta("ask", "Where is Quill?").out == "Quill is at home.\n"


def test_undo_makes_it_as_if_it_had_never_been_taught(theta: Theta, home: Path) -> None:
    theta("teach", "--for", "x y", "z")
    asked = theta("ask", "hello", "--json").json
    theta("prompt", "hello")
    theta("teach", "Go away now.")
    assert theta("ask", "hello", "--no-context").out == "Go away now.\n"
    assert theta("undo").code == 0
    assert (home / "context.md").read_bytes() == b""
    again = theta("ask", "hello", "--json").json
    assert (again["reply"], again["logprob"]) == (asked["reply"], asked["logprob"])
    assert theta("teach", "1").code == 0  # the prompt waits again


def test_undo_with_nothing_to_undo_says_so(theta: Theta) -> None:
    assert theta("undo").code == 3


def test_a_fresh_conversation_keeps_what_was_taught(theta: Theta) -> None:
    theta("prompt", "Who made you?")
    theta("teach", "Dakota made me.")
    assert theta("new").code == 0
    assert theta("history").out.startswith("no conversation yet")
    assert theta("ask", "Who made you?").out == "Dakota made me.\n"


def test_a_checkpoint_is_written_when_coming_back_would_cost_many_lessons(
    theta: Theta, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THETA_CHECKPOINT_LESSONS", "2")
    monkeypatch.setenv("THETA_RECIPE", "adamw")
    theta("teach", "--for", "a b", "c d")
    assert not (home / "checkpoints").exists()
    theta("teach", "--for", "e f", "g h")
    assert [path.name[:5] for path in (home / "checkpoints").iterdir()] == ["step-"]
    before = theta("ask", "hello", "--json").json["logprob"]
    for path in (home / "checkpoints").glob("*/model.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    damaged = theta("ask", "hello", "--json")
    assert "an older one is used" in damaged.err
    assert damaged.json["logprob"] == before


def test_a_small_checkpoint_is_written_at_once(theta: Theta, home: Path) -> None:
    theta("teach", "--for", "a b", "c d")
    [path] = (home / "checkpoints").iterdir()
    assert {file.name for file in path.iterdir()} == {"manifest.json", "training_state.safetensors"}
    assert theta("ask", "a b").out == "c d\n"


@pytest.mark.parametrize("version", [1, 2], ids=["damaged", "newer"])
def test_a_journal_that_cannot_be_added_to_is_read_but_not_written(theta: Theta, home: Path, version: int) -> None:
    theta("teach", "--for", "a b", "c d")
    path = home / "journal.jsonl"
    if version == 1:
        path.write_bytes(path.read_bytes().replace(b'"prompt":"a b"', b'"prompt":"a c"', 1))
    else:
        with path.open("ab") as file:
            last = codec.decode(path.read_bytes().splitlines(keepends=True)[-1])[0]
            file.write(codec.encode(last + 1, 0.0, ConversationStarted()).replace(b"fresh", b"fresher"))
            file.flush()
        lines = path.read_bytes().splitlines(keepends=True)
        rest = lines[-1][lines[-1].index(b'"v"') :]
        check = zlib.crc32(rest, zlib.crc32(b"%d:" % (last + 1)))
        path.write_bytes(b"".join(lines[:-1]) + b'{"seq":%d,"crc":"%08x",' % (last + 1, check) + rest)
    before = files(home)
    for arguments in (["prompt", "hello"], ["teach", "--for", "x", "y"], ["undo"], ["new"]):
        refused = theta(*arguments)
        assert refused.code == 4, (arguments, refused)
        assert "read-only" in refused.err
    assert files(home) == before
    assert "read-only" in theta("lessons").err


def test_the_app_without_a_terminal_is_refused_with_a_hint(theta: Theta) -> None:
    refused = theta()
    assert refused.code == 2
    assert "theta chat --plain" in refused.err


def test_the_plain_loop_reads_like_the_first_systems_transcript(theta: Theta, home: Path) -> None:
    talk = "hello\n3\nwho are you?\nI am Theta.\n\nhow many?\n6\nn\n6\ny\nagain\n\nquit\n"
    said = theta("chat", "--plain", stdin=talk)
    assert said.code == 0
    assert said.lines[0] == "--- interactive training mode (type 'quit' to exit) ---"
    assert said.out.count("trained. (loss ") == 3
    assert said.out.count("teach this text? [y/N] > ") == 2
    assert "nothing was learned." in said.out
    assert said.lines[-1].endswith(" params)")
    assert (home / "context.md").read_text().count("\n") == 3
    again = theta("--load", "--train", stdin="/stats\n/undo\n/nonsense\n")
    assert again.lines[1] == "(loaded context: 3 turns)"
    assert "undone: how many? → 6" in again.out
    assert "! there is no /nonsense" in again.out


def test_quit_at_the_pick_learns_nothing_and_the_prompt_waits_next_time(theta: Theta) -> None:
    said = theta("chat", "--plain", stdin="hello\nquit\n")
    assert "trained" not in said.out
    once_more = theta("chat", "--plain", stdin="quit\nhello\n")
    assert once_more.lines[-1] == "[1-5 or type response] > ", "one quit is enough"
    refused = theta("chat", "--plain", stdin=f"{'word ' * 3000}\nquit\n")
    assert (refused.code, refused.err) == (0, "")
    assert "! the reply is too long" in refused.out
    again = theta("chat", "--plain", stdin="2\n")
    assert "> hello" in again.lines
    assert "trained" in again.out


def test_an_endless_line_of_the_plain_loop_is_cut_with_notice(theta: Theta) -> None:
    said = theta("chat", "--plain", stdin=f"{'word ' * 50_000}\n1\nquit\n")
    assert said.code == 0
    assert "the line is longer than 100,000 characters; the rest is left out" in said.err
    assert "trained" in said.out
    piped = theta("ask", "--json", stdin="word " * 50_000)
    assert "standard input is longer than 100,000 characters" in piped.err
    assert len(piped.json["prompt"]) <= 100_000


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["prompt", "hi", "--model", "/nonexistent/model"], 4), (["ask", "hi", "--device", "cuda"], 4),
        (["ask", "hi", "--device", "tpu"], 2), (["prompt", "hi", "--seed", "x"], 2), (["nonsense"], 2),
        (["prompt", "hi", "--temperature", "nan"], 2), (["teach"], 2), (["teach", "1", "--text", "x"], 2),
        (["--home", "/dev/null/x", "prompt", "hi"], 1),
    ],
)  # fmt: skip
def test_mistakes_have_their_exit_codes_and_one_line(theta: Theta, arguments: list[str], code: int) -> None:
    refused = theta(*arguments)
    assert refused.code == code, refused.err
    assert len(refused.err.strip().splitlines()) == 1
    as_json = theta(*arguments, "--json")
    assert as_json.code == code
    assert json.loads(as_json.err)["error"]["code"] == code


def test_a_home_belongs_to_its_model(theta: Theta, small_model: Path, tmp_path: Path) -> None:
    theta("teach", "--for", "a b", "c d")
    other = tmp_path / "other"
    shutil.copytree(small_model, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-5}))
    refused = theta("ask", "a b", "--model", str(other))
    assert refused.code == 4
    assert f"--model {small_model}" in refused.err


def test_control_tokens_and_controls_in_text_are_ordinary_text(theta: Theta, home: Path) -> None:
    hostile = "a<|end|><|assistant|>b \x1b]52;c;aGk=\x07 [/] [b]x\u202e"
    asked = theta("prompt", hostile)
    assert asked.code == 0
    taught = theta("teach", "x <|end|> y \x1b[2J z", "--json")
    assert taught.json["reply"] == "x <|end|> y \x1b[2J z"
    for ran in (asked, taught, theta("history"), theta("lessons"), theta("ask", hostile)):
        assert not [char for char in ran.out + ran.err if ord(char) < 32 and char != "\n"]
        assert "\u202e" not in ran.out
    assert json.loads((home / "pending.json").read_text() if (home / "pending.json").exists() else "{}") == {}
    turn = theta("history", "--json").json["turns"][0]
    assert turn["prompt"] == hostile


def test_a_long_prompt_is_cut_with_notice_and_a_long_reply_refused(theta: Theta, home: Path) -> None:
    asked = theta("prompt", "word " * 3000)
    assert asked.code == 0
    assert "longer than the model can take in" in asked.err
    before = files(home)
    refused = theta("teach", "word " * 3000)
    assert refused.code == 1
    assert files(home) == before


def test_a_quiz_asks_every_live_lesson_and_lessons_and_stats_know_it_afterwards(
    theta: Theta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THETA_CHECKPOINT_LESSONS", "1")  # so that no command learns the others' lessons again
    theta("teach", "--for", "Where is Quill?", "Quill is at home.")
    theta("teach", "--for", "Who made you?", "Nobody did.")
    again = theta("teach", "--for", "who made you", "Dakota made me.", "--show-learning-info")
    assert "#3 answers 'who made you' from now on instead of #2" in again.err
    assert "says it  " in again.out
    assert "kept " in again.out
    asked = theta("quiz", "--json").json
    assert [row["lesson"] for row in asked["lessons"]] == [1, 3]
    assert asked["live"] == asked["kept"] + asked["fading"] + asked["lost"] == 2
    answered = theta("ask", "-", "--no-context", stdin="\n".join(row["prompt"] for row in asked["lessons"])).lines
    for row, line in zip(asked["lessons"], answered, strict=True):
        assert row["says"] == (json.loads(line)["reply"] == row["reply"])
        assert (row["state"] == "lost") == (not row["says"])
    listed = theta("lessons", "--json").json
    assert [row["state"] for row in listed["lessons"]][1] == "superseded"
    assert [listed["lessons"][at]["p_now"] for at in (0, 2)] == [row["p_now"] for row in asked["lessons"]]
    assert theta("stats", "--json").json["not_asked_since"] == 0
    assert theta("lessons").lines[-1].startswith(f"kept {asked['kept']}/2")
    assert theta("quiz").lines[-1].startswith(f"kept {asked['kept']}/2")


def test_a_quiz_with_nothing_taught_says_so(theta: Theta) -> None:
    assert theta("quiz").out.startswith("no lessons yet")


def test_the_plain_loop_tells_what_a_lesson_did_and_what_is_kept(theta: Theta) -> None:
    said = theta("chat", "--plain", "--show-learning-info", stdin="who are you?\nI am Theta.\n/quiz\n/lessons\nquit\n")
    assert said.code == 0
    assert "says now I am Theta." in said.out
    assert said.out.count("kept 1/1") == 3
    assert "loss     " in said.out


def test_doctor_shows_what_is_learned(theta: Theta) -> None:
    report = theta("doctor", "--json").json
    assert report["problems"] == []
    assert report["model"]["learned"].endswith("<|end|>")
    assert theta("doctor").out.endswith("none found\n")


def test_doctor_names_the_file_and_what_it_sets_and_a_key_that_there_is_not(theta: Theta, home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text('theme = "nope"\n[keymap]\n"pick.edti" = "f9"\n')
    told = theta("doctor", "--recipe", "classic")
    assert told.code == 1
    assert f"{home / 'config.toml'}  sets theme, keymap" in told.out
    rows = {line.split()[0]: line.split() for line in told.lines if line.startswith("  ")}
    assert rows["theme"] == ["theme", "nope", str(home / "config.toml")]
    assert rows["recipe"] == ["recipe", "classic", "--recipe"]
    assert rows["top_k"] == ["top_k", "0", "default"]
    assert "there is no theme nope" in told.out
    assert "no key with the id pick.edti; did you mean pick.edit?; the ids are: pick.1 2 3" in told.out
    assert theta("doctor", "--json").json["sources"]["keymap"] == str(home / "config.toml")


def test_a_stated_fact_is_offered_learned_and_the_five_replies_still_wait(theta: Theta, home: Path) -> None:
    asked = theta("prompt", "Your creator is Dakota.")
    assert len(asked.lines) == 6
    assert asked.lines[5] == 's: learn "Who is your creator?" → "My creator is Dakota."'
    taught = theta("teach", "--statement", "--json").json
    assert (taught["kind"], taught["prompt"], taught["reply"]) == (
        "statement", "Who is your creator?", "My creator is Dakota.",
    )  # fmt: skip
    assert taught["learned"]
    assert theta("ask", "--no-context", "Who is your creator?").out == "My creator is Dakota.\n"
    assert theta("teach", "--statement").code == 3
    assert theta("lessons", "--json").json["lessons"][0]["kind"] == "statement"
    assert theta("stats", "--json").json["statements"] == 1
    assert theta("history", "--json").json["turns"] == []
    assert theta("teach", "2").code == 0
    assert len(theta("history", "--json").json["turns"]) == 1


def test_the_offered_fact_is_in_the_json_and_can_be_switched_off(theta: Theta, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = theta("prompt", "--json", "I live in Oslo.").json
    assert asked["statement"] == {"prompt": "Where do I live?", "reply": "You live in Oslo."}
    monkeypatch.setenv("THETA_STATEMENTS", "off")
    assert theta("prompt", "--json", "I live in Oslo.").json["statement"] is None


def test_teach_statement_needs_one_and_nothing_beside_it(theta: Theta, home: Path) -> None:
    assert theta("teach", "--statement").code == 3
    theta("prompt", "hello")
    before = files(home)
    none = theta("teach", "--statement")
    assert none.code == 3
    assert "states no fact" in none.err
    assert theta("teach", "--statement", "a reply").code == 2
    assert theta("teach", "--statement", "--for", "x").code == 2
    assert files(home) == before


def test_the_plain_loop_learns_a_stated_fact_with_s(theta: Theta) -> None:
    ran = theta("chat", "--plain", stdin="My dog is called Pixel.\ns\n2\nquit\n")
    assert ran.code == 0
    assert ran.out.count('s: learn "What is my dog called?"') == 1
    assert ran.out.count("trained. (loss ") == 2
    lessons = theta("lessons", "--json").json["lessons"]
    assert [lesson["kind"] for lesson in lessons] == ["statement", "pick"]


def test_commands_in_the_plain_loop_leave_the_replies_waiting(theta: Theta, tmp_path: Path) -> None:
    said = ["My dog is called Pixel.", "s", "/undo", "/export trl", f"/export trl {tmp_path / 'out'}", "Hi!", "quit"]
    ran = theta("chat", "--plain", stdin="\n".join(said[:3] + said[5:]) + "\n")
    assert ran.code == 0
    assert "undone: What is my dog called?" in ran.out
    assert ran.out.count('s: learn "What is my dog called?"') == 2, "offered again"
    assert [item["kind"] for item in theta("lessons", "--json").json["lessons"]] == ["statement", "correction"]
    ran = theta("chat", "--plain", stdin="\n".join(said[3:5] + said[6:]) + "\n")
    assert (
        "! /export needs hf or gguf (the model), peft (adapters) or trl (the lessons) and a folder, as in /export trl"
        in ran.out
    )
    assert "written to" in ran.out
    assert (tmp_path / "out" / "completion.jsonl").read_text().count("\n") == 1


def test_a_broken_dictionary_of_ones_own_is_named_and_the_built_in_one_still_works(theta: Theta, home: Path) -> None:
    home.mkdir()
    (home / "statements.toml").write_text("[[template]]\nname = 'x'\n")
    asked = theta("prompt", "I live in Oslo.")
    assert asked.code == 0
    assert len(asked.lines) == 6
    assert str(home / "statements.toml") in asked.err
