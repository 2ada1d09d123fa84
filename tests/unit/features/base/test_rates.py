"""The file of rates: what is read, what is refused, and that rows are only added."""

from __future__ import annotations

import pytest

from features.base.rates import Rate, RatesError, added, alike, check_whole, moment, parse

UNITS = {"EUR": 2, "HUF": 2, "JPY": 0}
DAY = 86_400_000
JANUARY = 1_767_225_600_000


def read(text: str) -> list[Rate]:
    return parse(text, "rates.csv", "EUR", UNITS, "currency")


def test_rows_are_read_with_dates_and_times_in_utc() -> None:
    text = (
        "\ufeffunit,valid_from,rate\r\n# from the bank\nHUF, 2026-01-01 ,0.0026\n\n"
        "JPY,2026-01-01T10:00:00+01:00,6E-3\nHUF,2026-01-02T00:00:01,1\n"
    )
    assert read(text) == [
        Rate("HUF", JANUARY, "0.0026"),
        Rate("JPY", JANUARY + 9 * 3_600_000, "6E-3"),
        Rate("HUF", JANUARY + DAY + 1000, "1"),
    ]


def test_columns_may_stand_in_any_order_and_have_the_fields_name() -> None:
    assert read("rate,currency,valid_from\n0.0026,HUF,2026-01-01\n") == [Rate("HUF", JANUARY, "0.0026")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; begin it with unit,valid_from,rate"),
        ("HUF,2026-01-01,0.0026\n", "line 1: the columns are HUF, 2026-01-01, 0.0026; begin the file with"),
        ("unit,valid_from,rate\nHUF,2026-01-01\n", "line 2 has 2 values"),
        ("unit,valid_from,rate\nHUF,2026-01-01,0,0026\n", "line 2 has 4 values"),
        ("unit,valid_from,rate\nEUR,2026-01-01,1\n", "line 2: EUR is units.reference itself"),
        ("unit,valid_from,rate\nhuf,2026-01-01,1\n", "line 2: there is no unit 'huf'"),
        ("unit,valid_from,rate\nHUF,01.02.2026,1\n", "line 2: valid_from is '01.02.2026'; write a date or a time in UTC"),
        ("unit,valid_from,rate\nHUF,2026-01-01,0\n", "line 2: rate is '0'; write a number above zero"),
        ("unit,valid_from,rate\nHUF,2026-01-01,-1\n", "rate is '-1'"),
        ("unit,valid_from,rate\nHUF,2026-01-01,NaN\n", "rate is 'NaN'"),
        ("unit,valid_from,rate\nHUF,2026-01-01,Infinity\n", "rate is 'Infinity'"),
        ("unit,valid_from,rate\nHUF,2026-01-01,much\n", "rate is 'much'"),
        ("unit,valid_from,rate\nHUF,2026-01-01,1E+90\n", "write 18 digits at most"),
        ("unit,valid_from,rate\nHUF,2026-01-01,1.2345678901234567890\n", "write 18 digits at most"),
        (
            "unit,valid_from,rate\nHUF,2026-01-01,1\nHUF,2026-01-01,2\n",
            "line 3: HUF,2026-01-01,2 contradicts HUF,2026-01-01,1 above",
        ),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(RatesError) as refused:
        read(text)
    assert message in str(refused.value)
    assert str(refused.value).startswith("rates.csv")


def test_new_rows_count_from_when_they_are_known_and_old_ones_stay() -> None:
    kept = [Rate("HUF", JANUARY, "0.0026")]
    given = [Rate("HUF", JANUARY, "0.00260"), Rate("HUF", JANUARY + DAY, "0.0027")]
    assert added(kept, given, 99, "add") == [Rate("HUF", JANUARY + DAY, "0.0027", 99, "add")]
    assert alike(kept[0], given[0])


def test_a_changed_row_is_refused_by_name() -> None:
    with pytest.raises(RatesError, match=r"the row HUF,2026-01-01,0.003 was HUF,2026-01-01,0.0026, .* a later valid_from"):
        added([Rate("HUF", JANUARY, "0.0026")], [Rate("HUF", JANUARY, "0.003")], 99, "file")


def test_a_row_that_left_the_file_is_refused_by_name() -> None:
    check_whole([Rate("HUF", JANUARY, "0.0026", by="add")], [])
    with pytest.raises(RatesError, match=r"the row HUF,2026-01-01,0.0026 is gone, .* put it back"):
        check_whole([Rate("HUF", JANUARY, "0.0026")], [])


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T10:00:00Z", "2026-01-01T10:00:00.250Z"])
def test_a_moment_is_written_as_it_is_read(text: str) -> None:
    [rate] = read(f"unit,valid_from,rate\nHUF,{text},1\n")
    assert moment(rate.valid_from_ms) == text
