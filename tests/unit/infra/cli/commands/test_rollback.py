"""``driftloop rollback``: what it asks for, and what it refuses before it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.object_store  # noqa: F401 - registers strict://
from features.base.events import ModelEvent
from features.base.settings import Settings, load
from features.base.types import TEXT_LENGTH
from infra.cli import main
from infra.cli.commands import retrain
from infra.cli.commands.rollback import request, user
from infra.errors import PlatformError
from retrain.control.announced import Announced
from serving.store.document import ServingDocument
from serving.store.model_store import ModelStore
from tests.unit.serving.tiny_models import make_manifest, onnx_bytes, version_folder


@pytest.fixture(params=["folder", "object store"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A platform's folder with v1 and v2, of which v2 is served; its models there, or elsewhere."""
    settings = load(tmp_path / "platform")
    if request.param == "object store":
        storage = settings.storage.model_copy(update={"models": f"strict:/{tmp_path}"})
        settings = settings.model_copy(update={"storage": storage})
    store, data = ModelStore.of(settings), onnx_bytes()
    for version in ("v1", "v2"):
        store.add(version_folder(tmp_path / version, version, data, make_manifest(version, data)))
    store.write_serving(ServingDocument(generation=1, champion="v2"), 0)
    return settings


def log(*versions: str) -> Announced:
    announced = Announced("fraud")
    for version in versions:
        announced.take(ModelEvent("fraud", "promoted", 1, 1, version=version))
    return announced


@pytest.mark.parametrize(
    ("reason", "message"),
    [("", "--reason is empty"), (" \n ", "--reason is empty"), ("x" * (TEXT_LENGTH + 1), "10000 are taken at most")],
)
@pytest.mark.parametrize("command", ["rollback", "retrain"])
def test_a_bad_reason_is_one_line_and_exit_code_2(
    command: str, reason: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", str(tmp_path))
    assert main.run([command, "--reason", reason]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_without_a_platform_it_is_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", str(tmp_path))
    assert main.run(["rollback", "--reason", "misses"]) == 2
    assert "there is no platform" in capsys.readouterr().err


def test_it_asks_for_the_version_before_with_reason_and_user(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrain, "newest_event_time", lambda _: None)
    asked = request(settings, log("v1", "v2"), "", "misses", 77)
    assert (asked.state, asked.version, asked.previous) == ("rollback_requested", "v1", "v2")
    assert (asked.reason, asked.by, asked.event_time_ms) == ("misses", user(), 77)
    assert request(settings, log("v1", "v2"), "", "misses", 77).idempotency_key != asked.idempotency_key


@pytest.mark.parametrize(
    ("versions", "to", "why"),
    [
        (("v2",), "", r"no version was champion before v2, by the record in model-events; name one with --to"),
        ((), "", r"no version was champion before v2"),
        (("v1", "v2"), "v2", "v2 is champion already"),
        (("v1", "v2"), "v7", "'v7' is not in"),
        (("v1", "v2"), "seven", "'seven' is no version name"),
    ],
)
def test_what_cannot_be_rolled_back_to_is_told_before_anything_is_asked(
    settings: Settings, versions: tuple[str, ...], to: str, why: str
) -> None:
    with pytest.raises(PlatformError, match=why) as raised:
        request(settings, log(*versions), to, "misses", 77)
    assert raised.value.exit_code == 2


def test_without_a_champion_there_is_nothing_to_roll_back(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="nothing is served yet"):
        request(load(tmp_path), log(), "", "misses", 77)
