"""What is made from the catalogue is up to date, and a formula that cannot run is refused by name."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from features.base.feature import Feature
from features.catalogue import generate, ingredients
from features.catalogue.generate import TOPIC
from features.catalogue.vector import FEATURES, N_STREAM, NAMES
from features.catalogue.windows import WINDOWS


def test_the_files_are_up_to_date() -> None:
    assert generate.main(["--check"]) == 0


def test_names_are_unique_and_the_stream_comes_first() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(f.source in ("event", "history") for f in FEATURES[:N_STREAM])
    assert all(f.source in ("profile", "counterpart") for f in FEATURES[N_STREAM:])


def test_every_entry_says_everything() -> None:
    for feature in FEATURES:
        assert feature.unit
        assert feature.meaning
        assert feature.formula
        assert feature.source in TOPIC
        # A value that stands for missing outside the range of the others has to be explained.
        assert feature.missing >= 0 or feature.when_missing, feature.name
        suffix = re.search(r"_(\d+[mhd])$", feature.name)
        assert suffix is None or feature.window == suffix[1], feature.name


def test_all_windows_have_their_seven_features() -> None:
    families = ("count", "sum", "mean", "max", "std", "ratio_to_mean", "zscore")
    assert {f"{family}_{w}" for family in families for w in WINDOWS} <= set(NAMES)


def test_the_code_of_a_name_and_the_formula_of_a_feature_are_generated_as_they_stand() -> None:
    lines = generate.source().splitlines()
    used = {name for feature in FEATURES for name in generate._names(feature)}
    offered = {**ingredients.EVENT, **ingredients.HISTORY, **ingredients.OUTCOMES}
    assert {f"        {name} = {code}" for name, (code, _) in offered.items() if name in used} <= set(lines)
    assert {f"        out[i, {i}] = {feature.formula}  # {feature.name}" for i, feature in enumerate(FEATURES)} <= set(lines)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("count_1d +", "feature made_up: the formula 'count_1d +' is no expression"),
        ("count_1y", "feature made_up: the formula uses count_1y, which features/catalogue/ingredients.py does not offer"),
        ("positives_7d", "does not offer to a feature of source history"),
    ],
)
def test_a_formula_that_cannot_run_is_refused_by_name(formula: str, message: str) -> None:
    with pytest.raises(generate.FormulaError, match=re.escape(message)):
        generate.source((Feature("made_up", "history", "1", "nothing", formula),))


def test_a_feature_out_of_order_is_refused() -> None:
    read, stream = FEATURES[-1], FEATURES[0]
    with pytest.raises(generate.FormulaError, match="before those that are read"):
        generate.source((read, replace(stream, name="made_up")))
