"""Settings: where each comes from and what it may be. flags > environment > home's file > person's file > default.

One frozen dataclass. A field declares all of its setting: default, help, choices or bounds, and whether the app may
change it; variable, flag and the words of an error are made of that. `config.toml` is read from the person's config
folder and then from the home, whose values win; what the app changes (`/set`, the theme) is written to the home's.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from theta_tui.base.errors import UsageError

CONFIG_NAME = "config.toml"
DEFAULT_MODEL = "default"
STATEMENTS_NAME = "statements.toml"
CANDIDATES = 5
"""Replies that are offered."""


@dataclass(frozen=True, slots=True)
class Setting:
    """All that is declared of one setting, but its default."""

    about: str
    """What it is. The first sentence is its line in `theta --help`."""
    choices: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    changeable: bool = False
    """Whether `/set` may change it while Theta runs."""
    name: str = ""
    kind: Any = str
    """The type of its values. This and the name come from the field."""

    @property
    def environment(self) -> str:
        """The variable that sets it; empty where a line of text cannot."""
        return "" if self.name == "keymap" else f"THETA_{self.name.upper()}"

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def brief(self) -> str:
        """The first sentence of what it is, without the point."""
        return self.about.split(". ")[0].rstrip(".")

    @property
    def help(self) -> str:
        """A line for a list of options: what it may be, what it is, and the variable."""
        kinds = f"{', '.join(self.choices[:-1])} or {self.choices[-1]}: " if self.choices else ""
        brief = self.brief[:1].lower() + self.brief[1:] if kinds else self.brief
        limits = "" if self.bounds is None else "{:,.9g} to {:,.9g}, ".format(*self.bounds)
        return f"{kinds}{brief}. [{limits}{self.environment}]"

    def describe(self) -> str:
        """What it may be, in words."""
        if self.choices:
            return f"it may be {', '.join(self.choices)}"
        if self.bounds is not None:
            return "it is a number from {:g} to {:g}".format(*self.bounds)
        words = {bool: "it is true or false", int: "it is a whole number", Path: "it is a folder"}
        return words.get(self.kind, "it is text")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Paths are absolute once loaded."""

    home: Annotated[Path, Setting("The folder in which Theta keeps everything. It belongs to one model.")] = Path()
    model: Annotated[
        str,
        Setting(
            "A name of `theta models`, a Hugging Face id, a folder, or a GGUF file. Empty: what the home was begun "
            "with, else default."
        ),
    ] = ""
    device: Annotated[str, Setting("Where the model runs.", choices=("auto", "cpu", "cuda", "mps"))] = "auto"
    dtype: Annotated[str, Setting("The number format of the weights.", choices=("auto", "float32", "bfloat16"))] = (
        "auto"
    )
    lora: Annotated[
        str,
        Setting(
            "Whether a small adapter learns, or the whole model. auto: an adapter above 300M parameters. A home keeps "
            "to what it was begun with.",
            choices=("auto", "on", "off"),
        ),
    ] = "auto"
    lora_rank: Annotated[
        int | None, Setting("Rank of the adapter. 16, or what the home was begun with.", bounds=(1, 1024))
    ] = None
    seed: Annotated[int | None, Setting("A number that makes the five replies repeatable.")] = None
    recipe: Annotated[
        str,
        Setting(
            "How a lesson is learned. default: in weights and a scope of its own. Always on: adamw, and classic (one "
            "AdamW step at 1e-5).",
            choices=("default", "adamw", "classic"),
            changeable=True,
        ),
    ] = "default"
    persona: Annotated[
        str,
        Setting(
            "The system turn that a fresh home begins with, of a model that has one. One that was begun keeps its own; "
            "`theta persona TEXT` changes it."
        ),
    ] = ""
    who: Annotated[
        str,
        Setting(
            "Your name, where others teach this home too. You then have a conversation of your own. Empty: the owner."
        ),
    ] = ""
    newcomers: Annotated[
        str,
        Setting(
            "What happens to what others teach, unless `theta people` says otherwise. teach: it is learned at once; "
            "propose: it waits until you accept it; hold: it is refused.",
            choices=("teach", "propose", "hold"),
            changeable=True,
        ),
    ] = "teach"
    context: Annotated[Path | None, Setting("The conversation file; context.md in the home.")] = None
    offline: Annotated[bool, Setting("Use no network.")] = False
    quiet: Annotated[bool, Setting("No notices on stderr.")] = False
    # Temperature and min-p on 40 everyday prompts with the built-in model (nats a token; how unlike two of five are;
    # share of replies that another prompt got too): .6/.05 -.46 .87 .21; .7/.05 -.48 .87 .17; .7/.1 -.45 .87 .21;
    # .8/.05 -.53 .88 .18; .9/.05 -.59 .89 .17; 1/.1 -.57 .87 .15. The five are kept apart anyway, so that heat buys
    # oddness more than variety.
    temperature: Annotated[
        float,
        Setting("Temperature of sampling: lower is safer and more alike; 0 is greedy.", bounds=(0, 5), changeable=True),
    ] = 0.7
    top_p: Annotated[
        float,
        Setting("Nucleus sampling: keep this much probability; 1 is off.", bounds=(0.01, 1), changeable=True),
    ] = 0.95
    top_k: Annotated[
        int, Setting("Sample from the k likeliest tokens; 0 is off.", bounds=(0, 1_000_000), changeable=True)
    ] = 0
    min_p: Annotated[
        float,
        Setting("Leave out tokens below this share of the likeliest; 0 is off.", bounds=(0, 1), changeable=True),
    ] = 0.1
    max_tokens: Annotated[int, Setting("Longest reply, in tokens.", bounds=(1, 4096), changeable=True)] = 48
    window: Annotated[
        int,
        Setting("Most tokens of conversation shown to the model. Never more than it takes.", bounds=(32, 1_000_000)),
    ] = 1024
    checkpoint_lessons: Annotated[
        int,
        Setting(
            "Save the weights after this many lessons; 0 is off. A command that taught saves each time while that "
            "is small: until something moves the shared weights.",
            bounds=(0, 1_000_000),
            changeable=True,
        ),
    ] = 10
    checkpoint_minutes: Annotated[
        float,
        Setting(
            "Save the weights this many minutes after the last time, if something changed; 0 is off.",
            bounds=(0, 1e6),
            changeable=True,
        ),
    ] = 15.0
    keep_checkpoints: Annotated[int, Setting("How many saved states are kept.", bounds=(1, 1000))] = 3
    threads: Annotated[int, Setting("CPU threads for the model; 0 lets PyTorch choose.", bounds=(0, 1024))] = 0
    lock: Annotated[
        str,
        Setting(
            "How a process keeps others out of the home; pid is for a file system without flock. A file then names it.",
            choices=("flock", "pid"),
        ),
    ] = "flock"
    engine: Annotated[
        str,
        Setting(
            "A background process that keeps the model loaded for commands. auto: use the one that runs, and start one "
            "for commands on a terminal; always: for those of programs too; off: none.",
            choices=("auto", "always", "off"),
        ),
    ] = "auto"
    lock_wait: Annotated[
        float, Setting("Seconds to wait for another process to let go of the home.", bounds=(0, 3600))
    ] = 2.0
    statements: Annotated[
        bool, Setting("Offer to learn a fact that a message states, beside the conversation.", changeable=True)
    ] = True
    grace: Annotated[
        float,
        Setting(
            "Seconds in which fresh replies ignore digits. So nothing is taught by accident.",
            bounds=(0, 5),
            changeable=True,
        ),
    ] = 0.4
    typing: Annotated[
        str,
        Setting(
            "What Enter does with typed text while five replies wait. say: the talk goes on, the first reply stands "
            "and nothing is learned. teach: the text is learned as the better reply.",
            choices=("say", "teach"),
            changeable=True,
        ),
    ] = "say"
    continuous: Annotated[
        bool,
        Setting(
            "In the app, whether a reply that stands because you go on talking is learned as a pick.", changeable=True
        ),
    ] = False
    idle: Annotated[
        bool, Setting("Check in idle time whether the lessons are still known; never on battery.", changeable=True)
    ] = True
    theme: Annotated[str, Setting("Colour theme of the app. Empty is Theta's own.", changeable=True)] = ""
    keymap: Annotated[
        Mapping[str, str], Setting('Other keys for the app\'s actions: binding id → key, as in pick.edit = "f2".')
    ] = field(default_factory=dict)

    @property
    def context_path(self) -> Path:
        return self.context if self.context is not None else self.home / "context.md"


SETTINGS: dict[str, Setting] = {
    name: replace(declared.__metadata__[0], name=name, kind=declared.__origin__)
    for name, declared in get_type_hints(Settings, include_extras=True).items()
}
CHANGEABLE = tuple(setting.name for setting in SETTINGS.values() if setting.changeable)
"""What `/set` may change while Theta runs."""
RETIRED = frozenset({"drift_budget"})
"""Settings of versions before, which may stand in a file still. They say nothing any more."""


def parse_value(name: str, value: Any, source: str) -> Any:
    """`value` (text, or what TOML gave) as the type of setting `name`. Raises UsageError naming `source`."""
    if name not in SETTINGS:
        raise UsageError(f"{source}: there is no setting '{name}'; these are: {', '.join(sorted(SETTINGS))}")
    setting = SETTINGS[name]
    kind = setting.kind
    problem = UsageError(f"{source}: '{value}' is not a value for {name}; {setting.describe()}")
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
            return _bounded(setting, number, problem)
        if kind is float:
            return _bounded(setting, float(value), problem)
        if not isinstance(value, (str, os.PathLike)):
            raise problem
    except (TypeError, ValueError, OverflowError):
        raise problem from None
    if kind is Path or kind == (Path | None):
        if not str(value).strip():
            raise problem
        return Path(value).expanduser().absolute()
    text = str(value).strip()
    if setting.choices and text not in setting.choices:
        raise problem
    return text


def load_settings(flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. `flags` are those given on the command line (None: not given).

    Raises UsageError for an unknown key or a value that does not fit, naming where it came from.
    """
    home, given = _given(flags, environ)
    return Settings(**({name: parse_value(name, value, source) for name, value, source in given} | {"home": home}))


def sources(flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Where each setting has its value from: an option, a variable, a file, or `default`. Arguments and errors as
    those of `load_settings`."""
    return dict.fromkeys(SETTINGS, "default") | {name: source for name, _, source in _given(flags, environ)[1]}


def config_files(home: Path) -> tuple[Path, Path]:
    """The files that settings are read from: the person's, then the home's, whose values win."""
    from platformdirs import user_config_path

    return user_config_path("theta", appauthor=False) / CONFIG_NAME, home / CONFIG_NAME


def _given(flags: Mapping[str, Any], environ: Mapping[str, str] | None) -> tuple[Path, list[tuple[str, Any, str]]]:
    """The home, and (name, value, source) of all that was given, the weakest first."""
    environ = os.environ if environ is None else environ
    from platformdirs import user_data_path

    given = {name: value for name, value in flags.items() if value is not None}
    from_env = {name: value for name, setting in SETTINGS.items() if (value := environ.get(setting.environment))}
    person = read_toml(config_files(Path())[0])
    home_value = given.get("home", from_env.get("home", person.get("home", user_data_path("theta", appauthor=False))))
    home = parse_value(
        "home", home_value, "--home" if "home" in given else "THETA_HOME" if "home" in from_env else "home"
    )
    found = [
        (name, value, str(path))
        for path, table in zip(config_files(home), (person, read_toml(home / CONFIG_NAME)), strict=True)
        for name, value in table.items()
        if name not in RETIRED
    ]
    found += [(name, value, SETTINGS[name].environment) for name, value in from_env.items()]
    found += [(name, value, SETTINGS[name].flag) for name, value in given.items()]
    return home, found


def change(settings: Settings, name: str, value: str) -> Settings:
    """The settings with one of CHANGEABLE changed. Raises UsageError."""
    name = name.strip().replace("-", "_")
    if name not in CHANGEABLE:
        raise UsageError(f"'{name}' cannot be changed while Theta runs; these can: {', '.join(CHANGEABLE)}")
    return replace(settings, **{name: parse_value(name, value, "/set")})


def own_setting(home: Path, name: str) -> Any:
    """What the home's config.toml says of `name`; None where it says nothing."""
    return read_toml(home / CONFIG_NAME).get(name)


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
    return config_files(home)[0].with_name(STATEMENTS_NAME), home / STATEMENTS_NAME


def as_dict(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, for `doctor`."""
    values = {item.name: getattr(settings, item.name) for item in fields(settings)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def read_toml(path: Path) -> dict[str, Any]:
    """What a config.toml sets; nothing where there is no such file. Raises UsageError where it cannot be read."""
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
        raise UsageError(f"{path} cannot be read ({error}); fix it or move it away") from None


def _not_toml(path: Path, error: Exception) -> UsageError:
    return UsageError(f"{path} is not valid TOML ({error}); fix it or move it away")


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


def _bounded(setting: Setting, number: float, problem: UsageError) -> float:
    low, high = setting.bounds or (float("-inf"), float("inf"))
    if not low <= number <= high:  # NaN fails this too
        raise problem
    return number
