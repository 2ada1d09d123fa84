"""Every object says what it is, whose, and in which unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.base.settings import load
from features.catalogue.vector import FEATURES, N_STREAM, SCHEMA, SERVICE
from features.domains.card_fraud.event import Payment
from features.feast_repo.store import import_feast
from features.online.store import VIEWS


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    import_feast()
    from features.feast_repo import definitions

    return list(definitions.build(load(tmp_path_factory.mktemp("repo"))))


def test_no_object_lacks_description_owner_and_tags(objects: list[Any]) -> None:
    views = [definition for definition in objects if hasattr(definition, "batch_source")]
    sources = [source for view in views for source in (view.batch_source, view.stream_source) if source is not None]
    for definition in [*objects, *sources]:
        assert definition.description, definition.name
        assert definition.owner == "driftloop", definition.name
        assert definition.tags, definition.name
    assert len(sources) == 5


def test_every_field_has_a_description_and_every_feature_a_unit(objects: list[Any]) -> None:
    from features.feast_repo.read_time import REQUEST

    for view in [*(definition for definition in objects if hasattr(definition, "batch_source")), REQUEST]:
        for field in view.schema:
            assert field.description, f"{view.name}:{field.name}"
        for field in getattr(view, "features", view.schema):
            assert field.tags["unit"], f"{view.name}:{field.name}"


def test_what_is_computed_at_read_has_its_units_in_the_views_tags(objects: list[Any]) -> None:
    """Feast's registry drops what the fields of such a view say."""
    [view] = [definition for definition in objects if hasattr(definition, "source_request_sources")]
    assert [field.name for field in view.features] == [feature.name for feature in FEATURES[N_STREAM:]]
    for feature in FEATURES[N_STREAM:]:
        assert view.tags[f"unit.{feature.name}"] == feature.unit


def test_views_name_their_writer_topic_and_clock(objects: list[Any]) -> None:
    for view in (definition for definition in objects if hasattr(definition, "batch_source")):
        assert view.tags.keys() >= {"writer", "topic", "clock"}, view.name


def test_services_carry_the_schema_of_the_vector(objects: list[Any]) -> None:
    services = {definition.name: definition for definition in objects if hasattr(definition, "feature_view_projections")}
    assert services.keys() == {SERVICE, f"{SERVICE}_by_card"}
    assert all(service.tags["schema"] == SCHEMA for service in services.values())


def test_a_customer_is_known_by_the_card(objects: list[Any]) -> None:
    keys = {definition.name: definition.join_key for definition in objects if hasattr(definition, "join_key")}
    assert keys == {"card": "card_id", "terminal": "terminal_id", "customer": "card_id"}


def test_ages_are_feasts_ttl(tmp_path: Path) -> None:
    from features.feast_repo import definitions

    settings = load(tmp_path)
    settings.feast.profile_max_age_days = 30
    ttl = {definition.name: definition.ttl.days for definition in definitions.build(settings) if hasattr(definition, "ttl")}
    assert ttl == {"card_activity": 0, "terminal_risk": 0, "customer_profile": 30}


def test_the_online_fields_that_are_written_and_read_without_feast_are_the_views(objects: list[Any]) -> None:
    views = {
        definition.name: {feature.name for feature in definition.features}
        for definition in objects
        if hasattr(definition, "batch_source")
    }
    assert views == {view: set(features) for view, features in VIEWS.items()}


def test_a_request_asks_for_what_an_event_has_by_its_names_on_the_wire(objects: list[Any]) -> None:
    from features.feast_repo.read_time import REQUEST

    asked = {field.name for field in REQUEST.schema}
    assert asked == {"event_time_ms", "amount_minor", "latitude", "longitude", "merchant_category"}
    assert asked < set(Payment.__struct_encode_fields__)
