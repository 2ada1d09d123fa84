"""The layouts that ship with the package, each with a small file of its shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.publish.encode import encode_events
from streams.replay.errors import ReplayError
from streams.replay.map_file import load, names
from streams.replay.mapping import parse_map
from streams.replay.replay import Replay
from streams.replay.rows import FileColumns

# The rows are as wide as the data sets have them.
# ruff: noqa: E501
SPARKOV = """\
,trans_date_trans_time,cc_num,merchant,category,amt,first,last,gender,street,city,state,zip,lat,long,city_pop,job,dob,trans_num,unix_time,merch_lat,merch_long,is_fraud
0,2020-06-21 12:14:25,2291163933867244,"fraud_Kirlin, Sons",personal_care,2.86,Jo,Ell,M,351 Way,Columbia,SC,29209,33.9659,-80.9355,333497,Engineer,1968-03-19,2da90c7d74bd46a0caf3777415b3ebd3,1371816865,33.986391,-81.200714,0
1,2020-06-21 12:14:33,0060416207185,fraud_Sporer,personal_care,29.84,Jo,Will,F,3638 Marsh,Altonah,UT,84002,40.3207,-110.436,302,Clerk,1990-01-17,324cc204407e99f51b0d6ca0055005e7,1371816873,39.450498,-109.960431,1
"""
PAYSIM = """step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,nameDest,oldbalanceDest,newbalanceDest,isFraud,isFlaggedFraud
1,PAYMENT,9839.64,C1231006815,170136.0,160296.36,M1979787155,0.0,0.0,0,0
2,TRANSFER,181.0,C1305486145,181.0,0.0,C553264065,0.0,0.0,1,0
"""
IEEE = """TransactionID,isFraud,TransactionDT,TransactionAmt,ProductCD,card1,card2,card3,card4,card5,card6,addr1,addr2,dist1
2987000,0,86400,68.5,W,13926,,150.0,discover,142.0,credit,315.0,87.0,19.0
2987001,1,86401,30.925,C,2755,404.0,150.0,mastercard,102.0,credit,,,
"""
KAGGLE = """"Time","V1","V2","Amount","Class"
0,-1.35,-0.07,149.62,"0"
"""
IBM = """User,Card,Year,Month,Day,Time,Amount,Use Chip,Merchant Name,Merchant City,Merchant State,Zip,MCC,Errors?,Is Fraud?
0,0,2002,9,1,06:21,$134.09,Swipe Transaction,3527213246127876953,La Verne,CA,91750.0,5300,,No
0,1,2002,9,1,06:42,$-38.48,Chip Transaction,-727612092139916043,Monterey Park,CA,91754.0,5411,,No
12,0,2002,9,2,17:45,$120.34,Online Transaction,-727612092139916043, ONLINE,,,5411,"Insufficient Balance,",Yes
12,0,2002,9,2,17:46,$20.34,Online Transaction,-727612092139916043, ONLINE,,,5411,,Yes
"""
TRANSDATA = """\
distance_from_home,distance_from_last_transaction,ratio_to_median_purchase_price,repeat_retailer,used_chip,used_pin_number,online_order,fraud
57.87,0.31,1.94,1.0,1.0,0.0,0.0,0.0
"""


def published(tmp_path: Path, layout: str, content: str, specs: tuple[str, ...] = ()) -> tuple[list[dict[str, Any]], Replay, int]:
    """Events of a CSV file of the layout, the replay, and how many rows were left out."""
    path = tmp_path / "f.csv"
    path.write_text(content)
    replay = Replay(path, FileColumns(parse_map(specs, layout)))
    skipped = replay.check().skipped
    lines = [json.loads(line) for batch in replay.batches() for line in encode_events(batch.transactions)]
    return lines, replay, skipped


def frauds(replay: Replay) -> list[str]:
    return [i for batch in replay.batches() for i in batch.labels.event_id.tolist()]


def test_every_layout_ships_is_described_and_is_tried_here() -> None:
    assert names() == ["card-transdata", "ibm", "ieee-cis", "kaggle-creditcard", "paysim", "sparkov"]
    for name in names():
        layout = load(name)
        assert layout.about
        assert layout.notes
        layout.rules(name)


def test_sparkov(tmp_path: Path) -> None:
    events, replay, _ = published(tmp_path, "sparkov", SPARKOV)
    assert events[0] == {
        "transaction_id": "2da90c7d74bd46a0caf3777415b3ebd3",
        "event_time_ms": 1592741665000,
        "card_id": "2291163933867244",
        "terminal_id": "fraud_Kirlin, Sons",
        "amount_minor": 286,
        "currency": "USD",
        "latitude": 33.98639,
        "longitude": -81.20071,
        "merchant_category": "personal_care",
    }
    assert events[1]["card_id"] == "0060416207185"
    assert frauds(replay) == ["324cc204407e99f51b0d6ca0055005e7"]


def test_paysim(tmp_path: Path) -> None:
    events, replay, _ = published(tmp_path, "paysim", PAYSIM)
    assert events[1] == {
        "transaction_id": "paysim-2",
        "event_time_ms": 1514764800000 + 2 * 3_600_000,
        "card_id": "C1305486145",
        "terminal_id": "C553264065",
        "amount_minor": 18_100,
        "currency": "EUR",
        "merchant_category": "TRANSFER",
    }
    assert frauds(replay) == ["paysim-2"]


def test_ieee_cis(tmp_path: Path) -> None:
    events, replay, _ = published(tmp_path, "ieee-cis", IEEE)
    assert [event["card_id"] for event in events] == ["13926--150-142-315", "2755-404-150-102-"]
    assert [event["amount_minor"] for event in events] == [6850, 3092], "30.925 is rounded half to even, as the layout says"
    assert events[0]["event_time_ms"] == 1512086400000 + 86_400_000
    assert frauds(replay) == ["2987001"]


def test_ibm(tmp_path: Path) -> None:
    events, replay, skipped = published(tmp_path, "ibm", IBM)
    assert skipped == 0
    kinds = [(event["transaction_id"], event["amount_minor"], event.get("kind")) for event in events]
    assert kinds == [("ibm-1", 13409, None), ("ibm-2", 3848, "refund"), ("ibm-3", 12034, "declined"), ("ibm-4", 2034, None)]
    assert events[2] == {
        "transaction_id": "ibm-3",
        "event_time_ms": 1030988700000,
        "card_id": "12-0",
        "terminal_id": "-727612092139916043",
        "amount_minor": 12_034,
        "currency": "USD",
        "merchant_category": "5411",
        "entry_mode": "online",
        "kind": "declined",
    }
    assert events[0]["entry_mode"] == "swipe"
    assert frauds(replay) == ["ibm-4"]


def test_a_layout_without_cards_or_times_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(
        ReplayError, match=r"layout kaggle-creditcard cannot be replayed: card_id: no column says whose card"
    ) as caught:
        published(tmp_path, "kaggle-creditcard", KAGGLE)
    assert "terminal_id: no column says where" in str(caught.value)
    with pytest.raises(
        ReplayError, match=r"event_time: no column says when it was; card_id: .*; terminal_id: .*; amount: .*ratio"
    ):
        published(tmp_path, "card-transdata", TRANSDATA)


def test_what_a_layout_lacks_may_be_named(tmp_path: Path) -> None:
    content = '"Time","V1","Amount","Class","who","where"\n0,-1.35,149.62,"0",7,m1\n'
    events, *_ = published(tmp_path, "kaggle-creditcard", content, ("card_id=who", "terminal_id=where"))
    assert events[0]["card_id"] == "7"
    assert events[0]["transaction_id"] == "creditcard-1"


def test_a_value_that_the_layout_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"column Use Chip, row 1: 'Wave' is none of Swipe Transaction"):
        published(tmp_path, "ibm", IBM.replace("Swipe Transaction", "Wave"))


def test_a_map_file_of_ones_own(tmp_path: Path) -> None:
    fields = {
        "transaction_id": "id",
        "event_time": {"column": "at", "layout": "%d/%m/%Y %H:%M"},
        "card_id": "who",
        "terminal_id": {"constant": "web"},
        "amount": {"column": "sum", "strip": "€ ", "decimal": ","},
    }
    (tmp_path / "own.json").write_text(json.dumps({"about": "mine", "fields": fields}))
    content = 'id;at;who;sum;bad\n1;01/04/2018 08:07;c1;"€ 1.234,50";no\n'
    events, *_ = published(tmp_path, str(tmp_path / "own.json"), content, ("is_fraud=bad",))
    assert events[0]["amount_minor"] == 123_450
    assert events[0]["event_time_ms"] == 1522570020000
    assert events[0]["terminal_id"] == "web"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("about = 1", "--map-file .*: Expected `str`"),
        ("about = ", "--map-file"),
        ('about = "x"\n[fields]\ncolour = "C"', "colour is one of transaction_id, event_time"),
        ('about = "x"\n[fields]\ncard_id = { row = "a", column = "b" }', "card_id: .*exactly one of column"),
        ('about = "x"\n[fields]\ncard_id = { colum = "b" }', "card_id: .*unknown field `colum`"),
        ('about = "x"\n[fields]\nevent_time = { parts = { year = "Y" } }', "event_time: parts are the columns of year, month"),
    ],
)
def test_map_files_that_are_none(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(content)
    with pytest.raises(ReplayError, match=why) as caught:
        parse_map([], str(path))
    assert "\n" not in str(caught.value)
    with pytest.raises(ReplayError, match=r"the layouts are card-transdata, ibm"):
        parse_map([], "sparkof")


def test_the_map_file_of_the_page_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "files.md").read_text()
    block = page.split("```toml\n")[1].split("```")[0]
    path = tmp_path / "own.toml"
    path.write_text(block)
    rules = parse_map([], str(path)).rules
    assert set(rules) == {"transaction_id", "card_id", "terminal_id", "event_time", "amount", "is_fraud"}
    # The other ways to make a time, which stand there as comments.
    for line in block.splitlines():
        if line.startswith("# event_time"):
            path.write_text(f'about = "x"\n[fields]\n{line[2:]}\n')
            assert list(parse_map([], str(path)).rules) == ["event_time"]


def test_the_page_lists_every_layout() -> None:
    page = (Path(__file__).parents[4] / "docs" / "files.md").read_text()
    assert all(f"| `{name}` |" in page for name in names())
