"""Settings: from the environment, each under its own name."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import InvalidSetting
from core.settings import Settings, load_settings
from tests.conftest import ROOT

DEFAULTS = {
    "fencepost_home": Path(".fencepost"),
    "database_url": None,
    "source_database_url": None,
    "migrate_database_url": None,
    "fencepost_demo": False,
    "fencepost_sync_key": None,
    "fencepost_requests_per_minute": 60,
    "fencepost_exports_per_client": 2,
    "fencepost_exports_total": 4,
    "fencepost_send_timeout": 60.0,
    "fencepost_page_timeout": 5.0,
    "fencepost_first_byte_timeout": 50.0,
}
GIVEN = {
    "FENCEPOST_HOME": ("/srv/fencepost", Path("/srv/fencepost")),
    "DATABASE_URL": ("postgresql://a@b/c", SecretStr("postgresql://a@b/c")),
    "SOURCE_DATABASE_URL": ("postgresql://d@e/f", SecretStr("postgresql://d@e/f")),
    "MIGRATE_DATABASE_URL": ("postgresql://g@h/i", SecretStr("postgresql://g@h/i")),
    "FENCEPOST_DEMO": ("1", True),
    "FENCEPOST_SYNC_KEY": ("fp_x", SecretStr("fp_x")),
    "FENCEPOST_REQUESTS_PER_MINUTE": ("7", 7),
    "FENCEPOST_EXPORTS_PER_CLIENT": ("8", 8),
    "FENCEPOST_EXPORTS_TOTAL": ("9", 9),
    "FENCEPOST_SEND_TIMEOUT": ("0.5", 0.5),
    "FENCEPOST_PAGE_TIMEOUT": ("1.5", 1.5),
    "FENCEPOST_FIRST_BYTE_TIMEOUT": ("2", 2.0),
}


def test_without_environment_there_are_the_documented_defaults() -> None:
    """Every setting has the default of the contract, and the database is the embedded one."""
    settings = load_settings()

    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert settings.embedded


@pytest.mark.parametrize("name", GIVEN)
def test_each_setting_is_read_from_its_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable sets the setting of its name, and no other."""
    text, value = GIVEN[name]
    monkeypatch.setenv(name, text)

    settings = load_settings()

    assert {key: getattr(settings, key) for key in DEFAULTS} == DEFAULTS | {name.lower(): value}


@pytest.mark.parametrize("name", GIVEN)
def test_an_empty_variable_counts_as_unset(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`NAME=` in an environment file means the default."""
    monkeypatch.setenv(name, "")

    settings = load_settings()

    assert {key: getattr(settings, key) for key in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("FENCEPOST_DEMO", "perhaps", "Input should be a valid boolean, unable to interpret input"),
        ("FENCEPOST_EXPORTS_TOTAL", "0", "Input should be greater than or equal to 1"),
        (
            "FENCEPOST_REQUESTS_PER_MINUTE",
            "many",
            "Input should be a valid integer, unable to parse string as an integer",
        ),
        ("FENCEPOST_SEND_TIMEOUT", "0", "Input should be greater than 0"),
        ("FENCEPOST_PAGE_TIMEOUT", "inf", "Input should be a finite number"),
        ("FENCEPOST_FIRST_BYTE_TIMEOUT", "nan", "Input should be a finite number"),
    ],
)
def test_a_wrong_value_names_the_variable(name: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that makes no sense is refused by the variable's name; the value is not repeated."""
    monkeypatch.setenv(name, value)

    with pytest.raises(InvalidSetting) as caught:
        load_settings()

    assert str(caught.value) == f"{name} is not valid: {why}. Correct or unset it."


def test_the_docs_name_every_setting_with_its_default() -> None:
    """Nothing is missing in its table, nothing is there that is read nowhere, and numbers are those of the code."""
    table = (ROOT / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", table, re.MULTILINE))

    names = [name for cell in rows for name in re.findall(r"`(\w+)`", cell)]
    numbers = [float(text) for cell in rows.values() for text in re.findall(r"\b\d+\b(?!\.)", cell) if "`" not in cell]

    assert [name for name in names if name.lower() not in Settings.model_fields] == ["TEST_DATABASE_URL"]
    assert {name.upper() for name in Settings.model_fields} <= set(names)
    assert numbers == [
        float(field.default)
        for field in Settings.model_fields.values()
        if isinstance(field.default, int | float) and not isinstance(field.default, bool)
    ]


def test_settings_do_not_show_addresses_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing the settings shows no key, and no address of a database: it may hold a password."""
    monkeypatch.setenv("FENCEPOST_SYNC_KEY", "fp_hunter2")
    monkeypatch.setenv("DATABASE_URL", "postgresql://fencepost:hunter2@db/fencepost")

    settings = load_settings()

    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"
