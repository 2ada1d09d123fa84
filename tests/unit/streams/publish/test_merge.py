from __future__ import annotations

from features.base.durations import DAY_MS, HOUR_MS
from streams.publish.batch import no_labels
from streams.publish.merge import due, segments
from streams.simulate.card_fraud.options import Options
from streams.simulate.card_fraud.simulation import Simulation


def test_labels_wait_for_their_time_and_none_is_lost() -> None:
    simulation = Simulation(Options(cards=1000, terminals=200))
    pending = no_labels()
    published = 0
    for batch in simulation.days(0, 12):
        labels, pending = due(pending, batch)
        published += len(labels)
        assert labels.label_time_ms.max(initial=0) < batch.end_ms
        assert pending.label_time_ms.min(initial=batch.end_ms) >= batch.end_ms
    assert published + len(pending) == sum(len(batch.labels) for batch in simulation.days(0, 12))
    owed = simulation.pending_labels(12)
    assert sorted(owed.event_id.tolist()) == sorted(pending.event_id.tolist())


def test_segments_merge_in_event_time_and_end_at_the_boundaries() -> None:
    simulation = Simulation(Options(cards=1000, terminals=200))
    batch = simulation.day(8)
    labels, _ = due(simulation.pending_labels(8), batch)
    seen: list[tuple[int, bool]] = []
    ends = []
    for segment in segments(batch, labels, 6 * HOUR_MS, chunk_rows=97):
        ends.append(segment.end_ms - batch.start_ms)
        assert segment.boundary
        for chunk in segment.chunks:
            assert len(chunk.transactions) == (~chunk.is_label).sum()
            assert len(chunk.labels) == chunk.is_label.sum()
            assert (chunk.transactions.event_time_ms == chunk.times[~chunk.is_label]).all()
            assert (chunk.labels.label_time_ms == chunk.times[chunk.is_label]).all()
            assert chunk.times.max() < segment.end_ms
            seen += zip(chunk.times.tolist(), chunk.is_label.tolist(), strict=True)
    assert ends == [6 * HOUR_MS, 12 * HOUR_MS, 18 * HOUR_MS, DAY_MS]
    assert seen == sorted(seen)
    assert len(seen) == len(batch.transactions) + len(labels)
    assert sum(is_label for _, is_label in seen) == len(labels) > 0


def test_a_boundary_longer_than_the_batch_is_met_at_its_multiples_only() -> None:
    simulation = Simulation(Options(cards=100, terminals=60))
    met = []
    for batch in simulation.days(0, 14):
        parts = list(segments(batch, no_labels(), 7 * DAY_MS, 1000))
        assert len(parts) == 1
        if parts[0].boundary:
            met.append(parts[0].end_ms)
    assert len(met) == 2
    assert met[1] - met[0] == 7 * DAY_MS
