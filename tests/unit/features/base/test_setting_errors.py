"""A wrong setting is a sentence: which, its value, what is allowed, and where it was set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.base.settings import FILE_NAME, SettingsError, load


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("partitions = 0", "partitions is 0; write a number, at least 1 and at most 1,000"),
        ('partitions = "many"', "partitions is 'many'; write a whole number"),
        ("partitions = 1.5", "partitions is 1.5; write a whole number"),
        ('[labels]\ndelay_days = "7,5"', "labels.delay_days is '7,5'; write a number, with a point for decimals"),
        ("[training]\nholdout_share = 1", "training.holdout_share is 1; write a number, above 0 and below 1"),
        ("[policy]\ncooldown_hours = inf", "policy.cooldown_hours is inf; write a finite number"),
        ('[scoring]\nfallback = "hope"', "scoring.fallback is 'hope'; write wait or rules"),
        ('secure = "perhaps"', "secure is 'perhaps'; write true or false"),
        ("model = 3", "model is 3; write a text, in quotes"),
        ('model = "a b"', "model is 'a b'; write 1 to 64 letters, digits, _ and -"),
        ("labels = 3", "labels is 3; write a table, [section] in the file"),
        ("[ports]\nkafka = 70000", "ports.kafka is 70000; write a number, at least 0 and at most 65,535"),
        ("[ports.metrics]\nscorer = -1", "ports.metrics.scorer is -1; write a number, at least 0 and at most 65,535"),
        ("[features]\nmeasure_limit = true", "features.measure_limit is True; write a whole number of units"),
        ("[labels]\ndelya = 3", "there is no setting labels.delya; features/base/settings.py and sections.py list all of them"),
    ],
)
def test_what_the_file_holds(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(text + "\n")
    with pytest.raises(SettingsError) as raised:
        load(tmp_path)
    assert str(raised.value) == f"{path}: {sentence}"


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("DRIFTLOOP_LABELS__DELAY_DAYS", "7,5", "labels.delay_days is '7,5'; write a number, with a point for decimals"),
        ("driftloop_partitions", "0", "partitions is '0'; write a number, at least 1 and at most 1,000"),
        (
            "DRIFTLOOP_LABELS",
            '{"delay_days": 700}',
            "labels.delay_days is 700; write a number, at least 0.0416667 and at most 60",
        ),
        ("DRIFTLOOP_LABELS__DELYA", "3", "there is no setting labels.delya; "),
        ("DRIFTLOOP_KAFKA", "{hunter2", 'kafka is no JSON; write a list as ["value"], a table as {"name": "value"}'),
        ("DRIFTLOOP_NETWORK__ALLOW_UNPROTECTED", "redis", "network is no JSON; write a list as "),
    ],
)
def test_what_the_environment_holds(
    variable: str, value: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The file says something else, and the environment wins.
    (tmp_path / FILE_NAME).write_text("partitions = 4\n[labels]\ndelay_days = 7\n")
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=re.escape(f"the environment variable {variable}: {sentence}")) as raised:
        load(tmp_path)
    assert "hunter2" not in str(raised.value)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE_NAME).write_text('partitions = 0\nsecure = "no way"\n')
    monkeypatch.setenv("DRIFTLOOP_DRIFT__MIN_ROWS", "x")
    with pytest.raises(SettingsError) as raised:
        load(tmp_path)
    parts = str(raised.value).split("; ")
    assert sum("the environment variable DRIFTLOOP_DRIFT__MIN_ROWS: drift.min_rows is 'x'" in part for part in parts) == 1
    assert all(word in str(raised.value) for word in ("partitions is 0", "secure is 'no way'"))


def test_the_mark_that_some_editors_put_first_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("partitions = 3\n", encoding="utf-8-sig")
    assert load(tmp_path).partitions == 3


def test_what_a_folder_was_made_for_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "identity.json").write_text("{")
    with pytest.raises(SettingsError, match=r"identity\.json cannot be read .*; restore it"):
        load(tmp_path)
