"""The transform's results, and their tables."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.common import Machine, Spread, describe, goal, read
from benchmarks.rolling.agreement import Agreement

#: What the transform is to reach: events a CPU second, and times the peers' rates.
GOAL_EVENTS, GOAL_RIVER, GOAL_PANDAS = 500_000.0, 50.0, 20.0


class Ours(msgspec.Struct, frozen=True):
    """The transform over one stream, all its features; events a CPU second in batches with warm state."""

    stream: str
    cards: int
    warm_events: int
    kept_a_card: float
    state_bytes_a_card: int
    features: int
    events_a_second: Spread


class Peer(msgspec.Struct, frozen=True):
    """Another way to the subset, over ``events`` events of the first stream; ``left_out``: what of the subset it cannot do."""

    name: str
    how: str
    features: int
    left_out: str
    events: int
    events_a_second: Spread
    agreement: Agreement


class Result(msgspec.Struct, frozen=True):
    """``ours`` on several streams, the first of which the ``peers`` ran on; ``decoding``: making columns of decoded records."""

    machine: Machine
    batch: int
    ours: list[Ours]
    decoding: Spread
    peers: list[Peer]


def section(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, Result)
    first = result.ours[0]
    base = first.events_a_second.median
    decoding = result.decoding.median
    lines = [
        describe(result.machine),
        "",
        "| `features.transform.update` over | cards | events before | kept a card | state a card | features | events / CPU s "
        "| lowest - highest |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *map(_ours, result.ours),
        "",
        f"Median of {first.events_a_second.n} pieces of the stream, batches of {result.batch:,}, warm state, one thread. With "
        f"the columns made from decoded records as the scorer does it ({decoding:,.0f} records / CPU s): "
        f"{1 / (1 / base + 1 / decoding):,.0f} events / CPU s.",
        "",
        "| peer, on the first stream | features | without | events | events / CPU s | lowest - highest | transform faster by |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
        *(_peer(peer, base) for peer in result.peers),
    ]
    lines += ["", *(f"- {peer.name}: {agreed(peer.agreement)}" for peer in result.peers), ""]
    lines.append(goal("events a CPU second with all features", base, GOAL_EVENTS, ""))
    lines += [_against(peer, base) for peer in result.peers]
    return "\n".join(lines)


def agreed(found: Agreement) -> str:
    """A line that says how well a peer's values agree with the transform's."""
    return (
        f"{found.columns} columns compared, {found.values:,} values, {found.differing:,} differ (one card's payments of the same "
        f"second); of the others the largest difference is {found.largest:.1e}, in `{found.worst}`."
    )


def _ours(row: Ours) -> str:
    rate = row.events_a_second
    return (
        f"| {row.stream} | {row.cards:,} | {row.warm_events:,} | {row.kept_a_card:,.0f} | {row.state_bytes_a_card / 1000:.1f} kB "
        f"| {row.features} | {rate.median:,.0f} | {rate.low:,.0f} - {rate.high:,.0f} |"
    )


def _peer(peer: Peer, base: float) -> str:
    rate = peer.events_a_second
    return (
        f"| {peer.name}: {peer.how} | {peer.features} | {peer.left_out} | {peer.events:,} | {rate.median:,.0f} "
        f"| {rate.low:,.0f} - {rate.high:,.0f} | {base / rate.median:.1f}x |"
    )


def _against(peer: Peer, base: float) -> str:
    least = GOAL_RIVER if peer.name.startswith("river") else GOAL_PANDAS
    return goal(f"against {peer.name}", base / peer.events_a_second.median, least)
