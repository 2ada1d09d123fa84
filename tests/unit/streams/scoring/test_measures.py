"""Events in several units through the scorer's core: what counts, what becomes a dead letter, and that a restart counts alike."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.base import kept_rates
from features.base.events import DeadLetter, Score
from features.base.settings import FILE_NAME, load
from features.catalogue.vector import INDEX, N_STREAM
from features.domains.card_fraud.event import Payment
from features.online.cached_reader import Reader
from features.transform.arrow import Recomputation, vectors
from streams import topics
from streams.engine.core import Output
from streams.engine.repartition_header import Copied
from streams.engine.settings_history import Since
from streams.kafka.records import Record
from streams.scoring.measures import DEAD_LETTER, OWN, Measures
from streams.scoring.scorer import Scorer
from streams.writers.archive import Archived, table
from tests.unit.streams.scoring.test_scorer import START, Model, Store, of, scores, value

MINUTE = 60_000
RATES = """unit,valid_from,rate
HUF,2020-01-01,0.0025
IDR,2020-01-01,0.0000566667
VND,2020-01-01,0.0000377778
JPY,2020-01-01,0.0060715
KWD,2020-01-01,3.0357
"""
#: The worth of 17 EUR, in smallest parts.
WORTH = {"EUR": 1700, "HUF": 680_000, "IDR": 30_000_000, "VND": 450_000, "JPY": 2_800, "KWD": 5_600}


def platform(folder: Path, rates: str = RATES, text: str = "") -> Path:
    (folder / FILE_NAME).write_text(text + '\n[units]\nrates = "rates.csv"\n')
    (folder / "rates.csv").write_text(rates)
    kept_rates.take(load(folder), new_platform=True)
    return folder


def scorer(folder: Path) -> Scorer:
    return Scorer(load(folder), Model(), Reader(Store()), wait=lambda seconds: None)


def payment(n: int, amount: int, currency: str = "EUR", subject: str = "c1") -> Payment:
    return Payment(f"t{n}", START + n * MINUTE, subject, "m1", amount, currency)


def log(*payments: Payment, appended_ms: int = 0) -> list[Record]:
    return [
        Record(topics.EVENTS, 0, i, p.subject.encode(), msgspec.json.encode(p), appended_ms=appended_ms)
        for i, p in enumerate(payments)
    ]


def letters(output: Output) -> list[DeadLetter]:
    return [msgspec.json.decode(letter, type=DeadLetter) for letter in of(output, topics.DLQ)]


def habits(subject: str) -> list[Payment]:
    return [payment(n, 2150 + 10 * n, subject=subject) for n in range(12)]


def test_the_worth_of_17_euros_is_alike_in_six_currencies(tmp_path: Path) -> None:
    """A card with 12 payments of about 22 EUR, then one more, in each currency."""
    by_currency: dict[str, Score] = {}
    for currency, amount in WORTH.items():
        output = scorer(platform(tmp_path)).process(log(*habits("c1"), payment(12, amount, currency)))
        *_, by_currency[currency] = scores(output)
    assert {currency for currency, score in by_currency.items() if score.unusual} == set()
    assert {score.reference_measure for score in by_currency.values()} == {1700}
    assert {value(score, "amount") for score in by_currency.values()} == {17.0}
    assert len({score.features for score in by_currency.values()}) == 1
    # What persons see is what was sent.
    assert {currency: score.event.measure for currency, score in by_currency.items()} == WORTH


def test_sums_are_of_one_unit(tmp_path: Path) -> None:
    output = scorer(platform(tmp_path)).process(log(*(payment(n, WORTH[unit], unit) for n, unit in enumerate(WORTH))))
    *_, last = scores(output)
    assert value(last, "sum_1d") == pytest.approx(6 * 17.0)
    assert value(last, "max_1d") == 17.0


def test_a_missing_rate_and_an_unknown_unit_are_dead_letters_that_leave_no_trace(tmp_path: Path) -> None:
    core = scorer(platform(tmp_path))
    output = core.process(log(payment(0, 100), payment(1, 100, "USD"), payment(2, 100, "ABC"), payment(3, 100)))
    assert [(letter.offset, letter.error) for letter in letters(output)] == [(1, "RateMissing"), (2, "UnknownUnit")]
    assert "currency is USD, and there is no rate for it at 2026-01-05T00:01:00Z (UTC)" in letters(output)[0].message
    _, last = scores(output)
    assert value(last, "count_1d") == 2
    # It was not taken, so it is no repetition when it is sent again, once there is a rate.
    (tmp_path / "more.csv").write_text("unit,valid_from,rate\nUSD,2020-01-01,0.9\n")
    kept_rates.add(load(tmp_path), tmp_path / "more.csv")
    [again] = scores(scorer(tmp_path).process(log(payment(1, 100, "USD"))))
    assert again.reference_measure == 90


def test_all_in_one_other_currency_is_told_to_set_the_reference(tmp_path: Path) -> None:
    [letter] = letters(Scorer(load(tmp_path), Model(), Reader(Store())).process(log(payment(0, 100, "USD"))))
    assert 'start a new folder with [units] reference = "USD" (units.reference)' in letter.message


def test_another_reference_counts_in_hundredths_of_itself(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[units]\nreference = "JPY"\n')
    [score] = scores(scorer(tmp_path).process(log(payment(0, 5000, "JPY"))))
    assert (score.reference_measure, value(score, "amount")) == (500_000, 5000.0)
    assert scorer(tmp_path).state_version.endswith("-JPY")


def test_a_restart_with_a_table_that_grew_counts_as_before(tmp_path: Path) -> None:
    """Some events were converted by the rate of then, and one had none: so it is after the table has better ones."""
    then = 1_767_600_000_000
    events = log(*(payment(n, 1000 * n, ("HUF", "EUR", "USD", "JPY")[n % 4]) for n in range(40)), appended_ms=then)
    unbroken = scorer(platform(tmp_path))
    unbroken.process(events)
    more = log(*(payment(n, 1000 * n, "HUF") for n in range(40, 50)), appended_ms=then + 1)
    wanted = scores(unbroken.process(more))

    (tmp_path / "more.csv").write_text("unit,valid_from,rate\nUSD,2020-01-01,0.9\nHUF,2025-06-01,0.5\nJPY,2026-01-05,1\n")
    kept_rates.add(load(tmp_path), tmp_path / "more.csv")
    restarted = scorer(tmp_path)
    restarted.restore(events)
    assert [score.features for score in scores(restarted.process(more))] == [score.features for score in wanted]


def test_new_rows_are_seen_without_a_restart_once_they_count(tmp_path: Path) -> None:
    seconds = 0.0
    settings = load(platform(tmp_path))
    measures = Measures(settings, clock=lambda: seconds)
    event = payment(0, 1000, "USD")

    def counted(appended_ms: int) -> int | None:
        numbers = (np.array([number], dtype=np.int64) for number in (event.measure, event.event_time_ms, appended_ms))
        converted = measures.of([event], *numbers)
        return None if converted.reasons else int(converted.measure[0])

    assert counted(0) is None
    (tmp_path / "more.csv").write_text("unit,valid_from,rate\nUSD,2020-01-01,0.9\n")
    [new] = kept_rates.add(settings, tmp_path / "more.csv")
    assert counted(new.known_ms) is None, "it has just looked"
    seconds = kept_rates.LOOK_S + 0.1
    assert counted(new.known_ms - 1) is None
    assert counted(new.known_ms) == 900
    assert kept_rates.LOOK_S * 1000 < kept_rates.LEAD_MS


def test_what_was_scored_before_there_were_rates_counts_as_it_stood(tmp_path: Path) -> None:
    """A log goes on behind an upgrade: its limits of then had no units."""
    core = scorer(platform(tmp_path))
    assert core.limits[-1] == DEAD_LETTER
    older = core.limits[:-1]
    core.decided((topics.EVENTS, 0), (Since(0, older), Since(2, core.limits)))
    core.restore(log(payment(0, 680_000, "HUF"), payment(1, 100, "USD"), payment(2, 680_000, "HUF")))
    [score] = scores(core.process(log(payment(3, 1700))))
    assert OWN == 0
    assert value(score, "sum_1d") == pytest.approx(6800.0 + 1.0 + 17.0 + 17.0)


def test_a_copy_counts_what_its_header_says(tmp_path: Path) -> None:
    """A repartition writes the log anew: the broker's times are others, the measures are not."""
    core = scorer(platform(tmp_path))
    core.decided((topics.EVENTS, 0), (Since(0, core.limits),))
    copies = log(payment(0, 680_000, "HUF"), payment(1, 1000), payment(2, 100, "USD"))
    marks = [Copied(None, None, 1234), Copied(), Copied(None, None, 90)]
    core.restore([msgspec.structs.replace(record, headers=[mark.header()]) for record, mark in zip(copies, marks, strict=True)])
    [score] = scores(core.process(log(payment(3, 1))))
    assert value(score, "sum_1d") == pytest.approx(12.34 + 10.0 + 0.9 + 0.01)


def test_batch_computes_what_the_stream_served(tmp_path: Path) -> None:
    units = list(WORTH)
    events = [payment(n, WORTH[units[n % 6]] + 37 * n, units[n % 6], f"c{n % 5}") for n in range(300)]
    served = scores(scorer(platform(tmp_path)).process(log(*events)))
    archived = table("scores", [Archived("scores", 0, i, score) for i, score in enumerate(served)])
    again = Recomputation(load(tmp_path).features).vectors(archived)
    np.testing.assert_array_equal(again[:, :N_STREAM], vectors(archived.column("features"))[:, :N_STREAM])
    own = archived.drop_columns(["reference_measure"])
    assert (Recomputation(load(tmp_path).features).vectors(own)[:, INDEX["amount"]] != again[:, INDEX["amount"]]).any()


def test_by_setting_an_event_without_a_rate_is_scored_without_its_measure(tmp_path: Path) -> None:
    """It takes part in no sum, in stream and batch alike, and its score says so."""
    platform(tmp_path)
    (tmp_path / FILE_NAME).write_text('[units]\nmissing = "mark"\n')
    events = [payment(n, 1000 + n, ("EUR", "USD", "HUF", "ABC")[n % 4], f"c{n % 3}") for n in range(120)]
    output = scorer(tmp_path).process(log(*events))
    assert not letters(output)
    served = scores(output)
    marked = [score for score in served if score.measure_unknown]
    assert {score.event.currency for score in marked} == {"USD", "ABC"}  # type: ignore[attr-defined]
    assert {score.reference_measure for score in marked} == {None}
    assert len(marked) == 60
    counted = [(score.event.measure, score.event.currency) for score in served[:-1] if score.event.subject == "c1"]  # type: ignore[attr-defined]
    worth = sum({"EUR": amount, "HUF": round(amount * 0.0025)}.get(currency, 0) for amount, currency in counted)
    last = [score for score in served if score.event.subject == "c1" and not score.measure_unknown][-1]
    assert value(last, "sum_1d") == pytest.approx(worth / 100)
    archived = table("scores", [Archived("scores", 0, i, score) for i, score in enumerate(served)])
    again = Recomputation(load(tmp_path).features).vectors(archived)
    np.testing.assert_array_equal(again[:, :N_STREAM], vectors(archived.column("features"))[:, :N_STREAM])
    there_and_back = archived.from_pandas(archived.to_pandas(), schema=archived.schema, preserve_index=False)
    np.testing.assert_array_equal(Recomputation(load(tmp_path).features).vectors(there_and_back), again)


def test_what_was_refused_stays_refused_when_the_setting_changes(tmp_path: Path) -> None:
    refusing = scorer(platform(tmp_path)).limits
    (tmp_path / FILE_NAME).write_text('[units]\nmissing = "mark"\n')
    core = scorer(tmp_path)
    core.decided((topics.EVENTS, 0), (Since(0, refusing), Since(2, core.limits)))
    core.restore(log(payment(0, 100, "USD"), payment(1, 1000), payment(2, 100, "USD")))
    # The first was not taken then, and is new; the third was, marked, and is a repetition.
    again = scores(core.process(log(payment(0, 100, "USD"), payment(2, 100, "USD"), payment(3, 1000))))
    assert [(score.event.event_id, score.measure_unknown) for score in again] == [("t0", True), ("t3", False)]
