"""Settings: where each comes from and what it may be. flags > environment > home's file > person's file > default.

One frozen dataclass; a field's docstring is its help. `config.toml` is read from the person's config folder and then
from the home, whose values win; what the app changes (`/set`, the theme) is written to the home's.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from theta_tui.base.errors import UsageError

CONFIG_NAME = "config.toml"
DEFAULT_MODEL = "default"
STATEMENTS_NAME = "statements.toml"
CANDIDATES = 5
"""Replies that are offered."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Paths are absolute once loaded."""

    home: Path = Path()
    """Everything that Theta keeps for one model and one conversation."""
    model: str = ""
    """`default` (ships with Theta), a Hugging Face id, or a local folder; empty: what the home was begun with, else
    `default`."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    dtype: str = "auto"
    """auto, float32 or bfloat16: what the weights are held and trained in."""
    lora: str = "auto"
    """auto, on or off: whether a small adapter learns, or the whole model (auto: an adapter above 300M parameters). A
    home keeps to what it was begun with."""
    lora_rank: int | None = None
    """Rank of the adapter: 16, or what the home was begun with."""
    seed: int | None = None
    """Makes the five replies repeatable."""
    recipe: str = "default"
    """How a lesson is learned: `default` (in weights and a scope of its own), or always on: `adamw`, or `classic` (one
    AdamW step at 1e-5)."""
    context: Path | None = None
    """The conversation file; default `context.md` in the home."""
    offline: bool = False
    """Never ask the Hugging Face hub for anything."""
    quiet: bool = False
    """No notices on stderr."""
    # Temperature and min-p on 40 everyday prompts with the built-in model (nats a token; how unlike two of five are;
    # share of replies that another prompt got too): .6/.05 -.46 .87 .21; .7/.05 -.48 .87 .17; .7/.1 -.45 .87 .21;
    # .8/.05 -.53 .88 .18; .9/.05 -.59 .89 .17; 1/.1 -.57 .87 .15. The five are kept apart anyway, so that heat buys
    # oddness more than variety.
    temperature: float = 0.7
    """Of sampling; lower is safer and more alike."""
    top_p: float = 0.95
    """Nucleus: sample from the likeliest tokens that hold this much probability; 1 is off."""
    top_k: int = 0
    """Sample from the k likeliest tokens; 0 is off."""
    min_p: float = 0.1
    """Leave out tokens less likely than this share of the likeliest; 0 is off."""
    max_tokens: int = 48
    """Longest reply, in tokens."""
    window: int = 1024
    """Most tokens of conversation shown to the model (never more than it can take)."""
    checkpoint_lessons: int = 10
    """A checkpoint after this many lessons; 0 is off. A command that taught writes one each time while it is small:
    until something moves the shared weights."""
    checkpoint_minutes: float = 15.0
    """A checkpoint when this long has passed and something changed; 0 is off."""
    keep_checkpoints: int = 3
    """How many checkpoints stay."""
    threads: int = 0
    """CPU threads for the model; 0 lets PyTorch choose."""
    lock: str = "flock"
    """flock, or pid: how one process keeps the home. pid is for file systems that know no flock: a file names the
    process."""
    lock_wait: float = 2.0
    """Seconds to wait for another process to let go of the home."""
    statements: bool = True
    """Offer to learn a fact that a message states, beside the conversation."""
    grace: float = 0.4
    """Seconds in which fresh replies ignore digits, so that nothing is taught by accident."""
    idle: bool = True
    """Ask again what was taught while nothing else is to do; never on battery."""
    theme: str = ""
    """Colour theme of the app; empty is Theta's own."""
    keymap: Mapping[str, str] = field(default_factory=dict)
    """Other keys for the app's actions: binding id → key, as in `pick.edit = "f2"`."""

    @property
    def context_path(self) -> Path:
        return self.context if self.context is not None else self.home / "context.md"


_TYPES = get_type_hints(Settings)
_CHOICES = {
    "device": ("auto", "cpu", "cuda", "mps"),
    "dtype": ("auto", "float32", "bfloat16"),
    "lora": ("auto", "on", "off"),
    "recipe": ("default", "adamw", "classic"),
    "lock": ("flock", "pid"),
}
_BOUNDS: dict[str, tuple[float, float]] = {
    "lora_rank": (1, 1024),
    "temperature": (0.0, 5.0),
    "top_p": (0.01, 1.0),
    "top_k": (0, 1_000_000),
    "min_p": (0.0, 1.0),
    "max_tokens": (1, 4096),
    "window": (32, 1_000_000),
    "checkpoint_lessons": (0, 1_000_000),
    "checkpoint_minutes": (0.0, 1e6),
    "keep_checkpoints": (1, 1000),
    "threads": (0, 1024),
    "lock_wait": (0.0, 3600.0),
    "grace": (0.0, 5.0),
}
CHANGEABLE = (
    "temperature", "top_p", "top_k", "min_p", "max_tokens", "recipe", "grace", "checkpoint_lessons",
    "checkpoint_minutes", "statements", "idle", "theme",
)  # fmt: skip
"""What `/set` may change while Theta runs."""


RETIRED = frozenset({"drift_budget"})
"""Settings of versions before, which may stand in a file still. They say nothing any more."""


def parse_value(name: str, value: Any, source: str) -> Any:
    """`value` (text, or what TOML gave) as the type of setting `name`. Raises UsageError naming `source`."""
    if name not in _TYPES:
        raise UsageError(f"{source}: there is no setting '{name}'; known are {', '.join(sorted(_TYPES))}")
    kind = _TYPES[name]
    problem = UsageError(f"{source}: '{value}' is not a value for {name}; {describe(name)}")
    try:
        if name == "keymap":
            if not isinstance(value, Mapping):
                raise problem
            return _flat(value)
        if kind is bool:
            return _boolean(value, problem)
        if isinstance(value, bool):
            raise problem
        if kind is int or kind == (int | None):
            number = int(str(value).strip()) if not isinstance(value, float) else _whole(value)
            return _bounded(name, number, problem)
        if kind is float:
            return _bounded(name, float(value), problem)
        if not isinstance(value, (str, os.PathLike)):
            raise problem
    except (TypeError, ValueError, OverflowError):
        raise problem from None
    if kind is Path or kind == (Path | None):
        if not str(value).strip():
            raise problem
        return Path(value).expanduser().absolute()
    text = str(value).strip()
    if name in _CHOICES and text not in _CHOICES[name]:
        raise problem
    return text


def describe(name: str) -> str:
    """What setting `name` may be, in words."""
    if name in _CHOICES:
        return f"it may be {', '.join(_CHOICES[name])}"
    if name in _BOUNDS:
        low, high = _BOUNDS[name]
        return f"it is a number from {low:g} to {high:g}"
    words = {bool: "it is true or false", int: "it is a whole number", Path: "it is a folder"}
    return words.get(_TYPES[name], "it is text")


def load_settings(flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. `flags` are those given on the command line (None: not given).

    Raises UsageError for an unknown key or a value that does not fit, naming where it came from.
    """
    environ = os.environ if environ is None else environ
    from platformdirs import user_config_path, user_data_path

    given = {name: value for name, value in flags.items() if value is not None}
    from_env = {
        name: environ[variable]
        for name in _TYPES
        if name != "keymap" and (variable := f"THETA_{name.upper()}") in environ and environ[variable] != ""
    }
    values: dict[str, Any] = {}
    person = _read_toml(user_config_path("theta", appauthor=False) / CONFIG_NAME)
    home_value = given.get("home", from_env.get("home", person.get("home", user_data_path("theta", appauthor=False))))
    home = parse_value(
        "home", home_value, "--home" if "home" in given else "THETA_HOME" if "home" in from_env else "home"
    )
    for table, source in (
        (person, str(user_config_path("theta", appauthor=False) / CONFIG_NAME)),
        (_read_toml(home / CONFIG_NAME), str(home / CONFIG_NAME)),
    ):
        values |= {name: parse_value(name, value, source) for name, value in table.items() if name not in RETIRED}
    values |= {name: parse_value(name, value, f"THETA_{name.upper()}") for name, value in from_env.items()}
    values |= {name: parse_value(name, value, f"--{name.replace('_', '-')}") for name, value in given.items()}
    return Settings(**(values | {"home": home}))


def change(settings: Settings, name: str, value: str) -> Settings:
    """The settings with one of CHANGEABLE changed. Raises UsageError."""
    name = name.strip().replace("-", "_")
    if name not in CHANGEABLE:
        raise UsageError(f"'{name}' cannot be changed while Theta runs; these can: {', '.join(CHANGEABLE)}")
    return replace(settings, **{name: parse_value(name, value, "/set")})


def own_setting(home: Path, name: str) -> Any:
    """What the home's config.toml says of `name`; None where it says nothing."""
    return _read_toml(home / CONFIG_NAME).get(name)


def persist(home: Path, name: str, value: Any) -> None:
    """Write one setting to the home's config.toml, keeping what else stands there, comments too.

    Raises UsageError where that file cannot be read or is not valid TOML, HomeError where it cannot be written.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    from theta_tui.base.files import write_atomically

    path = home / CONFIG_NAME
    text = _read_text(path)
    try:
        document = tomlkit.parse(text)
        document[name] = value
        text = tomlkit.dumps(document)
    except (ValueError, RecursionError, TOMLKitError) as error:
        raise _not_toml(path, error) from None
    write_atomically(path, text.encode())


def statement_files(home: Path) -> tuple[Path, Path]:
    """Where a person's own dictionary of statements may be: beside their config.toml, and in the home."""
    from platformdirs import user_config_path

    return user_config_path("theta", appauthor=False) / STATEMENTS_NAME, home / STATEMENTS_NAME


def as_dict(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, for `doctor`."""
    values = {item.name: getattr(settings, item.name) for item in fields(settings)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def _read_toml(path: Path) -> dict[str, Any]:
    text = _read_text(path)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise _not_toml(path, error) from None


def _read_text(path: Path) -> str:
    """Empty where there is no such file."""
    try:
        return path.read_text("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); mend it or move it away") from None


def _not_toml(path: Path, error: Exception) -> UsageError:
    return UsageError(f"{path} is not valid TOML ({error}); mend it or move it away")


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _boolean(value: Any, problem: UsageError) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise problem


def _whole(value: float) -> int:
    if value != int(value):
        raise ValueError(value)
    return int(value)


def _bounded(name: str, number: float, problem: UsageError) -> float:
    low, high = _BOUNDS.get(name, (float("-inf"), float("inf")))
    if not low <= number <= high:  # NaN fails this too
        raise problem
    return number
