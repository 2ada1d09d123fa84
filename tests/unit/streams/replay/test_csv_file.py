from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from streams.publish.encode import encode_events
from streams.replay.csv_file import CsvShape
from streams.replay.errors import ReplayError
from streams.replay.mapping import parse_map, read_otherwise
from streams.replay.replay import Replay
from streams.replay.rows import FileColumns

HEADER = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD"
ROWS = ["t1,2018-04-01 08:07:11,007,m1,12.50,0", "t2,2018-04-01 09:00:00,13926.0,m1,3,Y"]


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_bytes((end.join(lines) + end).encode())
    return path


def published(path: Path, shape: CsvShape | None = None, decimal: str = "", specs: tuple[str, ...] = ()) -> list[bytes]:
    """What is published of a file, after the check of all of it."""
    replay = Replay(path, FileColumns(read_otherwise(parse_map(specs), decimal, "")), shape=shape)
    replay.check()
    return [line for batch in replay.batches() for line in encode_events(batch.transactions)]


WANTED = [
    b'{"transaction_id":"t1","event_time_ms":1522570031000,"card_id":"007","terminal_id":"m1","amount_minor":1250,"currency":"EUR"}',
    b'{"transaction_id":"t2","event_time_ms":1522573200000,"card_id":"13926","terminal_id":"m1","amount_minor":300,"currency":"EUR"}',
]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_seen_and_ids_keep_their_zeros(tmp_path: Path, separator: str) -> None:
    lines = [line.replace(",", separator) for line in (HEADER, *ROWS)]
    assert published(write(tmp_path / "f.csv", *lines)) == WANTED
    assert published(write(tmp_path / "f.tsv", *lines), CsvShape(separator)) == WANTED


def test_line_ends_a_byte_order_mark_quotes_and_gzip(tmp_path: Path) -> None:
    assert published(write(tmp_path / "crlf.csv", HEADER, *ROWS, end="\r\n")) == WANTED
    assert published(write(tmp_path / "bom.csv", "\ufeff" + HEADER, *ROWS)) == WANTED
    quoted = [",".join(f'"{field}"' for field in line.split(",")) for line in (HEADER, *ROWS)]
    assert published(write(tmp_path / "quoted.csv", *quoted)) == WANTED
    with gzip.open(tmp_path / "f.csv.gz", "wt") as file:
        file.write("\n".join([HEADER, *ROWS]))
    assert published(tmp_path / "f.csv.gz") == WANTED


def test_a_quoted_field_may_hold_separators_and_line_ends(tmp_path: Path) -> None:
    lines = (HEADER + ",kind", ROWS[0] + ',"shop, ""big""\nand small"', ROWS[1] + ",")
    values = published(write(tmp_path / "f.csv", *lines), specs=("merchant_category=kind",))
    assert rb'"merchant_category":"shop, \"big\"\nand small"' in values[0]
    assert values[1] == WANTED[1]


def test_without_a_header_the_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", *ROWS)
    assert published(path, CsvShape(columns=tuple(HEADER.split(",")))) == WANTED
    with pytest.raises(ReplayError, match="no column TRANSACTION_ID"):
        published(path)
    with pytest.raises(ReplayError, match="--columns has an empty name"):
        CsvShape(columns=("a", ""))


def test_a_decimal_comma(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", HEADER.replace(",", ";"), "t1;2018-04-01 08:07:11;007;m1;12,50;0")
    assert published(path, decimal=",") == WANTED[:1]
    with pytest.raises(ReplayError, match=r"column TX_AMOUNT, row 1: '12,50' is no number; say .*--decimal ,"):
        published(path)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("t3,2018-04-01 10:00:00,,m1,1.00,0", "column CUSTOMER_ID, row 3: the value is missing"),
        ("t3,2018-04-01 10:00:00,c,m1,-1.00,0", "column TX_AMOUNT, row 3: '-1.00' is below 0"),
        ("t3,2018-04-01 10:00:00,c,m1,1.00", "f.csv, row 3: it has 5 fields, and the others have 6"),
        ("t3,2018-04-01 10:00:00,c,m1,1.00,0,x", "f.csv, row 3: it has 7 fields, and the others have 6"),
        ("t3,2018-04-01 08:00:00,c,m1,1.00,0", "not in order of TX_DATETIME: row 3"),
        ("t1,2018-04-01 10:00:00,c,m1,1.00,0", "f.csv, row 3: the transaction_id 't1' stands in row 1 already"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, why: str) -> None:
    with pytest.raises(ReplayError, match=why):
        published(write(tmp_path / "f.csv", HEADER, *ROWS, row))


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "utf16.csv").write_bytes(HEADER.encode("utf-16"))
    (tmp_path / "latin.csv").write_bytes((HEADER + "\n" + ROWS[0].replace("m1", "café")).encode("latin-1"))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"\n".join([HEADER.encode(), *[ROWS[0].encode()] * 9000]))[:200])
    cases = {
        "empty.csv": "cannot be read as CSV",
        "utf16.csv": "UTF-16; write it in UTF-8",
        "latin.csv": "column TERMINAL_ID, row 1: these bytes are no text in UTF-8",
        "cut.csv.gz": "cut.csv.gz",
        "absent.csv": "cannot be read as CSV",
        ".": "is a folder",
    }
    for name, why in cases.items():
        with pytest.raises(ReplayError, match=why) as caught:
            published(tmp_path / name)
        assert "\n" not in str(caught.value)
    write(tmp_path / "header.csv", HEADER)
    with pytest.raises(ReplayError, match="holds no rows"):
        published(tmp_path / "header.csv")
    with pytest.raises(ReplayError, match="--separator is"):
        CsvShape("ab")
    write(tmp_path / "twice.csv", HEADER + ",TX_AMOUNT", ROWS[0] + ",9.00")
    with pytest.raises(ReplayError, match="has the column TX_AMOUNT 2 times"):
        published(tmp_path / "twice.csv")


def test_a_csv_file_by_another_name(tmp_path: Path) -> None:
    path = write(tmp_path / "export.dat", HEADER, *ROWS)
    assert published(path, CsvShape(",")) == WANTED
    with pytest.raises(ReplayError, match=r"the name of a CSV file ends in \.csv"):
        published(path)
