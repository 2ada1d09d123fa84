from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from features.base.settings import Settings, SettingsError, load
from features.catalogue.vector import SCHEMA
from features.domains.card_fraud.event import Payment
from features.jobs.kafka_source import decoded, options
from tests.unit.streams.records import T0, score


def settings(folder: Path, **kafka: str) -> Settings:
    settings = load(folder)
    settings.bootstrap_servers = "broker.example:9092"
    settings.kafka = {name.replace("_", "."): value for name, value in kafka.items()}
    return settings


def test_settings_under_their_java_names(tmp_path: Path) -> None:
    plain = {"kafka.bootstrap.servers": "broker.example:9092", "kafka.isolation.level": "read_committed"}
    assert options(settings(tmp_path)) == plain
    secret = {"security_protocol": "sasl_ssl", "sasl_mechanisms": "SCRAM-SHA-256", "ssl_ca_location": "/etc/ca.pem"}
    assert options(settings(tmp_path, **secret, sasl_username="{user}", sasl_password='a"\\b')) == {
        **plain,
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.mechanism": "SCRAM-SHA-256",
        "kafka.ssl.truststore.location": "/etc/ca.pem",
        "kafka.ssl.truststore.type": "PEM",
        "kafka.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required "
        r'username="jobs" password="a\"\\b";',
    }


@pytest.mark.parametrize(
    ("kafka", "message"),
    [
        ({"debug": "all"}, r"kafka\.debug: .*--source archive"),
        ({"sasl_mechanism": "GSSAPI", "sasl_username": "me"}, r"kafka\.sasl\.mechanism: the Spark jobs know PLAIN"),
    ],
)
def test_a_setting_without_a_java_name_is_named(tmp_path: Path, kafka: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        options(settings(tmp_path, **kafka))


def batch(*values: bytes) -> pa.RecordBatch:
    places = {"partition": pa.array([3] * len(values), pa.int32()), "offset": pa.array(range(7, 7 + len(values)), pa.int64())}
    return pa.RecordBatch.from_pydict({"value": pa.array(values, pa.binary()), **places})


def test_what_does_not_decode_is_left_out_and_the_place_stays() -> None:
    event = Payment("x", T0, "c", "t", 5, mode="chip", latitude=1.5)
    scored = msgspec.structs.replace(score("x", T0), event=event)
    far = msgspec.structs.replace(scored, event=msgspec.structs.replace(event, event_id="y", measure=-1))
    good, bad = msgspec.json.encode(scored), msgspec.json.encode(far)
    [table, nothing] = decoded(iter([batch(b"no json", good, bad), batch(bad)]))
    assert nothing.num_rows == 0
    [row] = table.to_pylist()
    assert (row["transaction_id"], row["kafka_partition"], row["kafka_offset"]) == ("x", 3, 8)
    assert (row["entry_mode"], row["pin_used"], row["longitude"], row["latitude"]) == ("chip", None, None, 1.5)


def test_scores_bring_their_vectors() -> None:
    scored = score("x", T0, first_feature=0.1)
    [table] = decoded(iter([batch(msgspec.json.encode(scored))]))
    [row] = table.to_pylist()
    assert (row["transaction_id"], row["schema"], row["features"][1]) == ("x", SCHEMA, 0.5)
    assert table.column("features").flatten()[0] == pa.scalar(0.1, pa.float32())
