"""`theta doctor`: versions, settings, home, model, a sample as the model sees and learns it, and any problems."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import time
from pathlib import Path
from typing import Any

from theta_tui import __version__
from theta_tui.base import config
from theta_tui.base.errors import HomeBusyError, ThetaError
from theta_tui.base.text import plural
from theta_tui.cli.console import Invocation
from theta_tui.model import catalogue
from theta_tui.store.adaptation import adaptation
from theta_tui.store.home import Home, WriterLock
from theta_tui.store.store import Store

SAMPLE = (("hello", "Hi how are you?"), "what is your name?", "My name is Theta.")


def examine(call: Invocation) -> bool:
    """Print the report; return whether there are no problems."""
    problems: list[str] = []
    found: dict[str, Any] = {"versions": _versions(), "settings": config.as_dict(call.settings)}
    found |= _configuration(call, problems)
    found["home"] = _home(call, problems)
    found["model"] = _model(call, problems)
    found["problems"] = problems
    if call.json:
        call.emit(**found)
    else:
        came_from = found.pop("sources")
        for title, values in found.items():
            call.out(title.replace("_", " "))
            match title:
                case "settings":
                    lines = _with_sources(values, came_from)
                case "config_files":
                    lines = _files(values, call.settings.home)
                case "keymap":
                    lines = [f"{name}  {key}" for name, key in values.items()] or ["no other keys"]
                case _:
                    lines = _listed(values)
            for line in lines:
                call.out(f"  {line}")
        if not problems:
            call.out("  none found")
    return not problems


def _versions() -> dict[str, str]:
    names = (
        "torch", "transformers", "tokenizers", "safetensors", "peft", "textual", "typer", "filelock", "platformdirs",
    )  # fmt: skip
    versions = {"theta": __version__, "python": sys.version.split()[0], "system": platform.platform()}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _configuration(call: Invocation, problems: list[str]) -> dict[str, Any]:
    """The files of settings, where each setting has its value from, and the keys that are not the usual ones."""
    from textual.theme import BUILTIN_THEMES

    from theta_tui.ui import bindings
    from theta_tui.ui.themes import OWN

    settings = call.settings
    sources = config.sources(call.given)
    problems += [f"{text}; the ids are: {bindings.listed()}" for text in bindings.unknown(settings.keymap)]
    if settings.theme not in {"", *BUILTIN_THEMES, *(theme.name for theme in OWN)}:
        problems.append(f"there is no theme {settings.theme}; in the app, /theme lists them")
    files = {str(path): list(config.read_toml(path)) for path in config.config_files(settings.home) if path.exists()}
    return {"sources": sources, "config_files": files, "keymap": dict(settings.keymap)}


def _files(values: dict[str, list[str]], home: Path) -> list[str]:
    """The config files, and what each sets; one that is not there too, as that is where it would be."""
    lines = []
    for path in map(str, config.config_files(home)):
        sets = "is not there" if path not in values else f"sets {', '.join(values[path]) or 'nothing'}"
        lines.append(f"{path}  {sets}")
    return lines


def _with_sources(values: dict[str, Any], sources: dict[str, str]) -> list[str]:
    """The settings under the names that a file has for them, each with its source. The keymap has a part of its own."""
    shown = {name: _shown(value) for name, value in values.items() if name != "keymap"}
    name_width, width = max(map(len, shown)), min(40, max(map(len, shown.values())))
    return [f"{name:{name_width}}  {value:{width}}  {sources[name]}" for name, value in shown.items()]


def _home(call: Invocation, problems: list[str]) -> dict[str, Any]:
    home = Home(call.settings.home)
    values: dict[str, Any] = {"path": str(home.path), "context": str(call.settings.context_path)}
    if not home.path.exists():
        return values | {"state": "not begun yet"}
    try:
        store = Store.read(call.settings)
        values |= {"records": store.journal.last_seq, "lessons": len(store.state.active)}
        if store.journal.damaged:
            problems.append(f"the journal is read-only because {store.journal.damaged}")
        problems.extend(store.take_notices())
    except ThetaError as error:
        problems.append(str(error))
    if home.lock.exists():
        lock = WriterLock(home, wait=0, kind=call.settings.lock)
        try:
            with lock:
                values["writer"] = "none"
        except HomeBusyError:
            values["writer"] = lock.holder()
        except ThetaError as error:
            problems.append(str(error))
    return values


def _model(call: Invocation, problems: list[str]) -> dict[str, Any]:
    """Facts about the model, and the sample as rendered, masked and learned."""
    store = Store.read(call.settings)
    settings = store.settings
    try:
        from theta_tui.model.language_model import LanguageModel

        adapt, rank = adaptation(store)
        model = LanguageModel.load(
            settings.model, device=settings.device, dtype=settings.dtype, offline=settings.offline,
            threads=settings.threads, adapt=adapt, rank=rank,
        )  # fmt: skip
    except ThetaError as error:
        problems.append(str(error))
        return {"name": settings.model}
    import torch

    persona = store.state.persona
    if not model.chat.speak_as(persona):
        problems.append("the home has a persona, and the model's chat template has no system turn")
    turn, prompt, reply = SAMPLE
    now = time.time()
    encoded = model.encode_prompt([turn], prompt, room=settings.max_tokens, limit=settings.window, at=now)
    example = model.encode_lesson([turn], prompt, reply, at=now)
    tokens = model.tokenizer.convert_ids_to_tokens(example.input_ids)
    learned = [token for token, label in zip(tokens, example.labels, strict=True) if label != -100]
    return {
        "name": settings.model,
        "parameters": model.parameters,
        "learns": (
            "whole"
            if model.lora_rank is None
            else f"by LoRA, rank {model.lora_rank}: {plural(model.adapter_parameters, 'parameter')}"
        ),
        "device": model.device,
        "cuda": torch.cuda.is_available(),
        "threads": torch.get_num_threads(),
        "window": model.window,
        "machine": model.machine(),
        **_voice(settings.model),
        **({} if persona is None else {"persona": persona}),
        "rendered_prompt": model.tokenizer.decode(encoded.ids),
        "masked": plural(len(tokens) - len(learned), "token"),
        "learned": " ".join(learned),
        "notices": model.notices,
    }


def _voice(name: str) -> dict[str, str]:
    """Whether a model that can have Theta's voice has it."""
    entry = catalogue.find(name)
    if entry is None or not entry.voice:
        return {}
    found = catalogue.source(catalogue.folder(name)).get("voice")
    again = f"`theta models remove {name}`, `theta models get {name}` and `theta rebuild` bring it"
    return {"voice": f"Theta's ({found})" if found else f"none: it was got before it had one; {again}"}


def _listed(values: Any) -> list[str]:
    if isinstance(values, dict):
        width = max(len(name) for name in values)
        return [f"{name.replace('_', ' '):{width}}  {_shown(value)}" for name, value in values.items()]
    return [str(value) for value in values]


def _shown(value: Any) -> str:
    """A value in words: yes or no, and a dash for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "-"
    return "-" if value is None or value in ("", {}) else str(value)
