"""Settings: flags > environment > the home's file > the person's file > default, and every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from theta_tui.base import config
from theta_tui.base.config import SETTINGS, Settings, load_settings
from theta_tui.base.errors import UsageError


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's config.toml, not yet written."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("sys.platform", "linux")
    path = tmp_path / "config" / "theta" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def test_each_source_wins_over_the_next(person: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    assert load_settings({"home": home}, {}).temperature == Settings().temperature
    person.write_text("temperature = 0.1\nseed = 1\nrecipe = 'classic'\ntop_k = 5")
    (home / "config.toml").write_text("temperature = 0.2\nseed = 2\nrecipe = 'default'")
    assert load_settings({"home": home}, {}).temperature == 0.2
    environ = {"THETA_TEMPERATURE": "0.3", "THETA_SEED": "3", "THETA_HOME": str(home)}
    assert load_settings({}, environ).temperature == 0.3
    found = load_settings({"temperature": 0.4, "seed": None}, environ)
    assert (found.temperature, found.seed, found.recipe, found.top_k) == (0.4, 3, "default", 5)
    assert found.home == home


def test_each_value_is_told_with_its_source(person: Path, tmp_path: Path) -> None:
    person.write_text("temperature = 0.1\ntop_k = 5\ndrift_budget = 1\n[keymap]\n'pick.edit' = 'f9'")
    (tmp_path / "config.toml").write_text("temperature = 0.2")
    found = config.sources({"home": tmp_path, "recipe": "classic", "seed": None}, {"THETA_SEED": "3"})
    assert config.config_files(tmp_path) == (person, tmp_path / "config.toml")
    assert {name: found[name] for name in ("home", "temperature", "top_k", "keymap", "recipe", "seed", "min_p")} == {
        "home": "--home",
        "temperature": str(tmp_path / "config.toml"),
        "top_k": str(person),
        "keymap": str(person),
        "recipe": "--recipe",
        "seed": "THETA_SEED",
        "min_p": "default",
    }
    assert found.keys() == SETTINGS.keys(), "no setting of a version before"


def test_the_home_is_absolute_and_has_a_default(person: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({"home": "here"}, {}).home == tmp_path / "here"
    assert load_settings({}, {}).home.name == "theta"
    assert load_settings({"home": "here"}, {}).context_path == tmp_path / "here" / "context.md"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "warm"), ("temperature", "nan"), ("temperature", "-1"), ("top_p", "0"), ("max_tokens", "0"),
        ("max_tokens", "1.5"), ("recipe", "slow"), ("device", "tpu"), ("seed", "x"), ("offline", "perhaps"),
        ("grace", "60"), ("lora", "maybe"), ("lora_rank", "0"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_names_where_it_came_from(person: Path, name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"THETA_{name.upper()}"):
        load_settings({}, {f"THETA_{name.upper()}": value})


def test_what_a_declaration_says_is_its_help_its_variable_and_its_flag() -> None:
    assert SETTINGS["lora"].help == "auto, on or off: whether a small adapter learns, or the whole model. [THETA_LORA]"
    assert SETTINGS["top_k"].help == "Sample from the k likeliest tokens; 0 is off. [0 to 1,000,000, THETA_TOP_K]"
    assert SETTINGS["keep_checkpoints"].flag == "--keep-checkpoints"


@pytest.mark.parametrize("name", SETTINGS)
def test_every_default_is_a_value_that_its_declaration_allows(name: str) -> None:
    default = getattr(Settings(), name)
    if default is not None:
        assert config.parse_value(name, default, "default") == (Path().absolute() if name == "home" else default)


def test_an_unknown_key_or_a_broken_file_is_named(person: Path) -> None:
    person.write_text("temprature = 1")
    with pytest.raises(UsageError, match=r"config\.toml.*temprature"):
        load_settings({}, {})
    person.write_text("temperature = ")
    with pytest.raises(UsageError, match="not valid TOML"):
        load_settings({}, {})
    person.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings({}, {})


def test_a_setting_of_a_version_before_is_passed_over_in_a_file_and_cannot_be_changed(person: Path) -> None:
    person.write_text("drift_budget = 0.1\ntop_k = 5")
    assert load_settings({}, {}).top_k == 5
    with pytest.raises(UsageError, match="drift_budget"):
        config.change(Settings(), "drift_budget", "0.1")


def test_keys_can_be_remapped_in_the_file(person: Path) -> None:
    person.write_text("[keymap]\n'candidates.edit' = 'f2'\n[keymap.app]\nsave = 'f5'")
    assert load_settings({}, {}).keymap == {"candidates.edit": "f2", "app.save": "f5"}


def test_some_settings_change_while_it_runs() -> None:
    assert config.change(Settings(), "top-p", "0.5").top_p == 0.5
    with pytest.raises(UsageError, match="cannot be changed"):
        config.change(Settings(), "model", "x")
    with pytest.raises(UsageError, match="number from 0 to 5"):
        config.change(Settings(), "temperature", "hot")


def test_what_is_persisted_is_read_again_and_comments_stay(person: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("# mine\ntop_k = 3\n")
    config.persist(tmp_path, "theme", "nord")
    config.persist(tmp_path, "theme", "dracula")
    assert "# mine" in (tmp_path / "config.toml").read_text()
    found = load_settings({"home": tmp_path}, {})
    assert (found.theme, found.top_k) == ("dracula", 3)


@pytest.mark.parametrize("name", ["home", "context"])
def test_an_empty_path_is_refused_and_is_not_the_folder_that_one_is_in(name: str) -> None:
    with pytest.raises(UsageError, match=f"^--{name}: '' is not a value for {name}"):
        load_settings({name: ""}, {})
