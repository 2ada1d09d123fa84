"""The transform's results, and their tables."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.common import Machine, Spread, describe, goal, read
from benchmarks.rolling.agreement import Agreement

#: What the transform is to reach: events a CPU second, and times the peers' rates.
GOAL_EVENTS, GOAL_RIVER, GOAL_PANDAS = 500_000.0, 50.0, 20.0
#: And the state of a card that pays 60 times in 30 days, in bytes: at most.
GOAL_STATE, STATE_EVENTS, STATE_DAYS = 2_000.0, 60, 30


class Ours(msgspec.Struct, frozen=True):
    """The transform over one stream, all its features; events a CPU second in batches with warm state."""

    stream: str
    subjects: int
    warm_events: int
    kept_a_card: float
    state_bytes_a_card: int
    features: int
    events_a_second: Spread


class Peer(msgspec.Struct, frozen=True):
    """Another way to the subset, over ``events`` events of the first stream; ``left_out``: what of the subset it cannot do.

    ``ours``: the transform over the same events and no others, warmed and measured in the same way, by turns with the peer.
    ``tuned``: not as its documentation shows it; the goals do not name it.
    """

    name: str
    how: str
    features: int
    left_out: str
    events: int
    events_a_second: Spread
    ours: Spread
    tuned: bool
    agreement: Agreement


class Result(msgspec.Struct, frozen=True):
    """``ours`` on several streams, the first of which the ``peers`` ran on; ``decoding``: making columns of decoded
    records; ``state_bytes_a_card``: of cards that all have paid STATE_EVENTS times in STATE_DAYS days.
    """

    machine: Machine
    batch: int
    ours: list[Ours]
    decoding: Spread
    peers: list[Peer]
    state_bytes_a_card: float


def section(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, Result)
    first = result.ours[0]
    base = first.events_a_second.median
    decoding = result.decoding.median
    lines = [
        describe(result.machine),
        "",
        "| `features.transform.update.update` over | cards | events before | kept a card | state a card | features "
        "| events / CPU s | lowest - highest |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *map(_ours, result.ours),
        "",
        f"Median of {first.events_a_second.n} pieces of the stream, batches of {result.batch:,}, warm state, one thread. With "
        f"the columns made from decoded records as the scorer does it ({decoding:,.0f} records / CPU s): "
        f"{1 / (1 / base + 1 / decoding):,.0f} events / CPU s.",
        "",
        f"Beside peers, on the events of some of the first stream's cards. The transform computes its {first.features} columns "
        "there, too.",
        "",
        "| peer | its columns | without | events | events / CPU s | lowest - highest | transform, the same events "
        "| lowest - highest | transform faster by |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *map(_peer, result.peers),
    ]
    lines += ["", *(f"- {peer.name}: {agreed(peer.agreement)}" for peer in result.peers), ""]
    lines.append(goal("events a CPU second with all features", base, GOAL_EVENTS, ""))
    lines.append(_state(result.state_bytes_a_card))
    lines += [_against(peer) for peer in sorted(result.peers, key=lambda peer: peer.tuned)]
    return "\n".join(lines)


def agreed(agreement: Agreement) -> str:
    """A line that says how well a peer's values agree with the transform's."""
    return (
        f"{agreement.columns} columns compared, {agreement.values:,} values, {agreement.differing:,} differ "
        f"(one card's payments of the same second); of the others the largest difference is {agreement.largest:.1e}, "
        f"in `{agreement.worst}`."
    )


def _ours(row: Ours) -> str:
    rate = row.events_a_second
    return (
        f"| {row.stream} | {row.subjects:,} | {row.warm_events:,} | {row.kept_a_card:,.0f} | {row.state_bytes_a_card / 1000:.1f} "
        f"kB "
        f"| {row.features} | {rate.median:,.0f} | {rate.low:,.0f} - {rate.high:,.0f} |"
    )


def _peer(peer: Peer) -> str:
    rate, ours = peer.events_a_second, peer.ours
    return (
        f"| {peer.name}: {peer.how} | {peer.features} | {peer.left_out} | {peer.events:,} | {rate.median:,.0f} "
        f"| {rate.low:,.0f} - {rate.high:,.0f} | {ours.median:,.0f} | {ours.low:,.0f} - {ours.high:,.0f} "
        f"| {_times(peer):.1f}x |"
    )


def _times(peer: Peer) -> float:
    return peer.ours.median / peer.events_a_second.median


def _against(peer: Peer) -> str:
    if peer.tuned:
        return f"- Tuned, which the goals do not name: against {peer.name}, {_times(peer):.2f}x."
    least = GOAL_RIVER if peer.name.startswith("river") else GOAL_PANDAS
    return goal(f"against {peer.name}, on the same events", _times(peer), least)


def _state(state_bytes: float) -> str:
    verdict = "reached" if state_bytes <= GOAL_STATE else "MISSED"
    what = f"state of a card with {STATE_EVENTS} transactions in {STATE_DAYS} days"
    return (
        f"- Goal, {what}, <= {GOAL_STATE:,.0f} bytes: {state_bytes:,.0f}, {verdict} ({state_bytes / GOAL_STATE:.2f} of the goal)."
    )
