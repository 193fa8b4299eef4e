"""Which room may import which: proven in a fresh process, by what it then has loaded."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "transformers", "textual", "tokenizers", "numpy")


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after `code`."""
    script = f"{code}\nimport sys\nprint(*sorted({{name for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


LIGHT = (
    "theta_tui.cli.start", "theta_tui.base.exit", "theta_tui.base.signals", "theta_tui.base.streams",
    "theta_tui", "theta_tui.cli.app", "theta_tui.base.config", "theta_tui.session.protocol",
    "theta_tui.session.service", "theta_tui.store.store", "theta_tui.cli.reports", "theta_tui.cli.plain",
    "theta_tui.session.session", "theta_tui.store.state", "theta_tui.session.replay",
    "theta_tui.session.snapshots", "theta_tui.session.rebuild", "theta_tui.store.retention",
    "theta_tui.session.review", "theta_tui.session.idle", "theta_tui.facts.statements",
    "theta_tui.facts.paraphrases", "theta_tui.model.files", "theta_tui.learning.recipes", "theta_tui.model.lora",
    "theta_tui.session.export", "theta_tui.cli.train", "theta_tui.pretrain.documents",
    "theta_tui.pretrain.command", "theta_tui.builtin.teachable", "theta_tui.builtin.small_talk",
    "theta_tui.cli.bench", "theta_tui.bench.held_out", "theta_tui.bench.subject", "theta_tui.cli.models",
    "theta_tui.model.catalogue", "theta_tui.model.getting", "theta_tui.model.gguf_header",
)  # fmt: skip


def test_the_commands_and_the_record_load_nothing_heavy() -> None:
    """In one process, one after the other: what one has loaded stays, so that none can hide behind another."""
    loaded = loaded_after(
        f"import importlib, sys\nfor name in {LIGHT!r}:\n    importlib.import_module(name)\n"
        f"    if found := set(sys.modules).intersection({HEAVY!r}): sys.exit(f'{{name}} loads {{found}}')"
    )
    assert loaded.issuperset(LIGHT)


def test_collecting_the_tests_loads_no_transformers(loaded_at_collection: frozenset[str]) -> None:
    assert not loaded_at_collection.intersection({"transformers", "peft"})


def test_the_first_frame_waits_for_no_torch_no_command_line_parser_and_no_journal() -> None:
    loaded = loaded_after("import theta_tui.cli.start, theta_tui.base.exit, theta_tui.ui.app, theta_tui.ui.launch")
    assert "textual" in loaded
    assert "plotext" not in loaded, "the plots load it when they are opened"
    assert not loaded.intersection(HEAVY) - {"textual"}
    assert not loaded.intersection(
        {"typer", "pydantic", "tomlkit", "theta_tui.cli.app", "theta_tui.store.records", "msgspec"}
    )


def test_the_built_in_model_answers_and_learns_without_transformers_compilers_textual_and_the_record() -> None:
    loaded = loaded_after(
        "from theta_tui.model import generate, lora, export\nfrom theta_tui.learning import recall\n"
        "from theta_tui.model.language_model import LanguageModel\nfrom theta_tui.learning.learner import Learner\n"
        "from theta_tui.learning.recipes import RECIPES\nfrom theta_tui.learning import checkpoint\n"
        "lm = LanguageModel.load('default', device='cpu')\nlearner = Learner(lm)\n"
        "learner.learn_module(1, 'hello', 'Good day.', RECIPES['default'], steps=1)\n"
        "learner.learn('pick', 'hello', 'Good day.', RECIPES['default'], seed=1)\n"
        "import tempfile, pathlib\nwith tempfile.TemporaryDirectory() as name:\n"
        "    saved = checkpoint.save(pathlib.Path(name), lm, learner, position=1, extra={}, keep=1)\n"
        "    checkpoint.load_into(saved, learner)"
    )
    assert "torch" in loaded
    assert not loaded.intersection(
        {"transformers", "accelerate", "peft", "torch._dynamo", "sympy", "huggingface_hub", "textual"}
    )
    assert not {
        name for name in loaded if name.startswith(("theta_tui.store", "theta_tui.ui", "theta_tui.session.service"))
    }


def test_help_loads_neither_the_record_nor_what_other_commands_need() -> None:
    loaded = loaded_after(
        "import sys; sys.argv = ['theta', '--help']\nimport io, contextlib\nfrom theta_tui.cli.start import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    main()"
    )
    assert not loaded.intersection(
        {"theta_tui.store.store", "theta_tui.pretrain.command", "theta_tui.bench.run", "pydantic"}
    )


def test_batch_training_and_the_session_do_without_textual() -> None:
    names = "batches, command, corpus, encode, objective, preview, progress, shapes, state, trainer"
    loaded = loaded_after(
        f"import theta_tui.session.session, theta_tui.builtin.recipe\nfrom theta_tui.pretrain import {names}, tokenizer"
    )
    assert "accelerate" in loaded
    assert "textual" not in loaded


def test_the_record_knows_no_model() -> None:
    loaded = loaded_after(
        "from theta_tui.store import journal, context, pending, state, trl\n"
        "from theta_tui.facts import statements, paraphrases"
    )
    assert not {name for name in loaded if name.startswith(("theta_tui.model", "theta_tui.learning", "theta_tui.ui"))}


def test_help_history_and_the_export_of_lessons_load_no_torch() -> None:
    commands = (
        "--help", "history", "lessons", "stats", "undo -h", "withdraw -h", "redo -h", "train -h", "bench -h", "models",
        "models get -h", "export trl /nonexistent/out",
    )  # fmt: skip
    loaded = loaded_after(
        "import contextlib, io, sys\nfrom theta_tui.cli.app import main\n"
        f"for words in {commands!r}:\n"
        "    sys.argv = ['theta', *words.split(), *(['--home', '/nonexistent'] if words != '--help' else [])]\n"
        "    both = io.StringIO()\n"
        "    with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both), "
        "contextlib.suppress(SystemExit):\n        main()\n"
        f"    if found := set(sys.modules).intersection({HEAVY!r}): sys.exit(f'{{words}} loads {{found}}')"
    )
    assert loaded.issuperset({"theta_tui.cli.app", "theta_tui.session.export"})
