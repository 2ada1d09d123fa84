"""A domain: what the events of one business mean, as data. The engine knows roles, not the things of one business.

One process serves one domain (``features.base.active``). A new one is a package with an object ``DOMAIN``; every domain passes
the contract suite in tests/contracts/domains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

from features.base.durations import DAY_MS
from features.base.event import Event
from features.base.feature import Feature, Source
from features.base.roles import DomainError, Roles, roles_of

#: Topics that every platform has (``streams.topics``).
_OURS = frozenset(
    {"scores", "alerts", "labels", "outcomes", "drift-reports", "retrain-requests", "model-events", "dlq", "dlq-handled"}
)


@dataclass(frozen=True)
class RowFlag:
    """One bit that is kept of each event in a subject's history, and counted by window.

    ``code``: a Python expression over ``time`` (ms, UTC), ``mode`` and ``flag`` of the event, DAY_MS and HOUR_MS. Three at most.
    """

    name: str
    code: str
    meaning: str


@dataclass(frozen=True)
class Kind:
    """A kind of event, by its text on the wire.

    Events of the first kind, and those that name none, are what a subject does: they make its history, they are scored, learned
    from and watched for drift. Those of the others leave no row in it. They are counted apart, by kind and window, and get a
    vector (what the history says of them) and no score. ``plural``: what several are called.
    """

    name: str
    plural: str


@dataclass(frozen=True)
class Labels:
    """What a label says. ``positive``: the name on the wire of the field that says yes or no; ``sources``: who may say it, the
    first one by default. Silence for the label delay means no."""

    positive: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Parameters:
    """Numbers behind the formulas. ``unit``: measures in a unit that persons read. ``shortest_s``: two events in the same second
    still need a speed. ``high``: measures above this many medians are left out of the robust mean, and above this many robust
    means count as high. ``prior_measure``: what a subject without history is presumed to have, in the smallest unit, counting for
    ``prior_count`` events. ``prior_share``: the share of positives that an unknown counterpart is presumed to have, counting for
    ``prior_outcomes`` outcomes."""

    unit: float
    shortest_s: float
    high: float
    prior_measure: float
    prior_count: float
    prior_share: float
    prior_outcomes: float


@dataclass(frozen=True)
class VectorRoles:
    """Columns of the vector that the drift monitor reads by their part. ``modes``: one 0/1 column a mode, in their order."""

    measure: str
    hour: str
    weekend: str
    modes: tuple[str, ...] = ()
    flag: str | None = None
    located: str | None = None


@dataclass(frozen=True)
class Reach:
    """A column and the value that it must reach."""

    column: str
    value: float


@dataclass(frozen=True)
class Reason:
    """A code that an analyst can read, and the columns with the values that they must all reach for it."""

    code: str
    reach: tuple[Reach, ...]


@dataclass(frozen=True)
class FallbackRule:
    """A column is at least ``value``: ``weight`` is how much of the chance of a negative that takes away."""

    column: str
    value: float
    weight: float


@dataclass(frozen=True)
class Fallback:
    """Scores by rules, while there is no model server."""

    version: str
    threshold: float
    rules: tuple[FallbackRule, ...]


@dataclass(frozen=True)
class Gate:
    """``min_lift``: a model whose AP is below this many times the share of positives has learned next to nothing.
    ``cost_of_missed``: what a missed positive costs: its measure in units, or one. ``review_cost``: the default of
    ``training.review_cost``, what it costs to look at one alert, in the same."""

    min_lift: float
    cost_of_missed: Literal["measure", "one"]
    review_cost: float


@dataclass(frozen=True)
class Published:
    """A schema that was published before its sources were written anew: the text that was hashed then stands for ``meaning``.

    ``meaning``: ``features.catalogue.vector.meaning_hash()`` of sources that mean just what ``text`` means; ``limit``: what the
    setting ``features.measure_limit`` was called in it."""

    meaning: str
    text: str
    limit: str


@dataclass(frozen=True)
class Words:
    """How persons name the roles. ``unit``: of the measure. ``owner``: whose profile it is."""

    event: str
    events: str
    subject: str
    subjects: str
    subject_is: str
    counterpart: str
    counterparts: str
    counterpart_is: str
    owner: str
    owner_is: str
    positive: str
    positives: str
    negative: str
    measure: str
    unit: str
    alert: str
    alerts: str

    def a(self, role: str) -> str:
        """Return the word of ``role`` with its article: a user, an item."""
        word: str = getattr(self, role)
        return f"{'an' if word[0] in 'aeio' else 'a'} {word}"


@dataclass(frozen=True)
class Domain:
    """See the module. ``topic``: where producers publish events. ``service``: the name of the vector in Feast and in its schema.
    ``model``: what the model is called at the model server. ``measure_limit``: default of ``features.measure_limit``, units.
    ``windows``: lengths in ms by the suffix in a feature's name, shortest first, seven at most; ``counterpart_days``: windows of
    known outcomes, days. ``present``: modes in which the subject itself is at the place (all, where empty). ``watched``: columns
    whose drift is measured. ``unusual``: an event that reaches above any of these is unusual for any subject, or for this one.
    ``aftermath``: by wire name of a field, watched columns that remember faulty values of it, and for how many days. ``loops``:
    the module of the generated loops. ``simulator``: ``package.module:Class`` of a simulated world. ``unit_field``: the
    event's field that names the unit of its measure; empty where all have one. ``unit_places``: the units that it may name, with
    the decimal places of their smallest parts; ``reference_unit``: default of ``units.reference``, in ``1 / parameters.unit`` of
    which all measures are counted. ``kinds``: those of the event's field ``kind``, in its order; none where it has no such field.
    ``negative_hint``: what to send where somebody would send a measure below zero."""

    name: str
    version: int
    event: type[Event]
    topic: str
    service: str
    model: str
    measure_limit: int
    labels: Labels
    features: tuple[Feature, ...]
    parameters: Parameters
    windows: Mapping[str, int]
    counterpart_days: tuple[int, ...]
    row_flags: tuple[RowFlag, ...]
    columns: VectorRoles
    watched: tuple[str, ...]
    unusual: tuple[Reach, ...]
    reasons: tuple[Reason, ...]
    fallback: Fallback
    gate: Gate
    words: Words
    loops: str
    present: tuple[str, ...] = ()
    aftermath: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    simulator: str = ""
    unit_field: str = ""
    unit_places: Mapping[str, int] = field(default_factory=dict)
    reference_unit: str = ""
    kinds: tuple[Kind, ...] = ()
    negative_hint: str = ""

    @cached_property
    def roles(self) -> Roles:
        """Return the names on the wire, by the part that a field plays."""
        return roles_of(self.event)

    def check(self) -> None:
        """Raise DomainError where names do not fit together, or a number is none that its part can have."""
        if not (isinstance(self.event, type) and issubclass(self.event, Event)):
            raise DomainError(f"domain {self.name}: event is {self.event!r}; give a class made of features.base.event.Event")
        roles, names = self.roles, [feature.name for feature in self.features]
        self._check_words()
        self._check_numbers()
        if len(set(names)) != len(names):
            raise DomainError(f"domain {self.name}: two features have one name")
        if len(self.row_flags) > 3:
            raise DomainError(f"domain {self.name} has {len(self.row_flags)} row flags, and a row has room for three")
        self._check_windows()
        used = {
            "columns": (self.columns.measure, self.columns.hour, self.columns.weekend, *self.columns.modes),
            "columns.flag, columns.located": tuple(name for name in (self.columns.flag, self.columns.located) if name),
            "watched": self.watched,
            "unusual": tuple(reach.column for reach in self.unusual),
            "reasons": tuple(reach.column for reason in self.reasons for reach in reason.reach),
            "fallback": tuple(rule.column for rule in self.fallback.rules),
            "aftermath": tuple(column for columns in self.aftermath.values() for column in columns if column != "score"),
        }
        for table, columns in used.items():
            for column in columns:
                if column not in names:
                    raise DomainError(f"domain {self.name}: {table} names {column}, which is no feature")
        if lost := {column for columns in self.aftermath.values() for column in columns} - {"score", *self.watched}:
            raise DomainError(f"domain {self.name}: aftermath names {min(lost)}, which is not watched")
        if len(self.columns.modes) != len(roles.modes):
            raise DomainError(
                f"domain {self.name}: columns.modes has {len(self.columns.modes)} columns for {len(roles.modes)} modes"
            )
        if unknown := set(self.present) - set(roles.modes):
            raise DomainError(f"domain {self.name}: present names {min(unknown)}, which is no mode")
        if self.unit_field and self.unit_field not in self.event.__struct_fields__:
            raise DomainError(f"domain {self.name}: unit_field names {self.unit_field}, which is no field of the event")
        self._check_units()
        if tuple(kind.name for kind in self.kinds) != roles.kinds:
            raise DomainError(
                f"domain {self.name}: kinds are {', '.join(kind.name for kind in self.kinds) or 'none'}, and the event's field"
                f" kind has {', '.join(roles.kinds) or 'none'}; give the same in the same order"
            )
        fields = {roles.measure, roles.mode, roles.flag, roles.place[0] if roles.place else None} - {None}
        if set(self.aftermath) != fields:
            raise DomainError(f"domain {self.name}: aftermath must have an entry for each of {sorted(map(str, fields))}")

    def _check_words(self) -> None:
        """Raise DomainError for names that a file, a topic or a column cannot have."""
        plain = {"name": self.name, "topic": self.topic, "service": self.service, "model": self.model}
        for part, text in (*plain.items(), *(("a feature", feature.name) for feature in self.features)):
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", text):
                raise DomainError(f"domain {self.name}: {part} is called {text!r}; take a letter, then letters, digits, _ and -")
        if self.topic in _OURS:
            raise DomainError(f"domain {self.name}: topic is {self.topic!r}, which is one of driftloop's own; give another name")
        if not self.labels.sources:
            raise DomainError(f"domain {self.name}: labels.sources is empty; name who may say what an event was")
        if unknown := {feature.source for feature in self.features} - set(get_args(Source)):
            raise DomainError(
                f"domain {self.name}: a feature's source is {min(unknown)!r}; it is one of {', '.join(get_args(Source))}"
            )

    def _check_numbers(self) -> None:
        """Raise DomainError for numbers that mean nothing."""
        if not 0.0 <= self.fallback.threshold <= 1.0:
            raise DomainError(f"domain {self.name}: fallback.threshold is {self.fallback.threshold}; give 0 to 1")
        if self.gate.cost_of_missed not in ("measure", "one"):
            raise DomainError(f"domain {self.name}: gate.cost_of_missed is {self.gate.cost_of_missed!r}; write measure or one")
        above = {
            "measure_limit": self.measure_limit,
            "parameters.unit": self.parameters.unit,
            "parameters.shortest_s": self.parameters.shortest_s,
            "gate.min_lift": self.gate.min_lift,
        }
        for part, value in above.items():
            if not value > 0:
                raise DomainError(f"domain {self.name}: {part} is {value}; it must be above zero")

    def _check_units(self) -> None:
        """Raise DomainError where units and the field that names them do not fit together."""
        if not self.unit_field:
            if self.unit_places or self.reference_unit:
                raise DomainError(f"domain {self.name}: unit_places and reference_unit need unit_field, which names a unit")
            return
        if self.reference_unit not in self.unit_places:
            raise DomainError(
                f"domain {self.name}: reference_unit is {self.reference_unit!r}, which is not in unit_places;"
                " list every unit there with its decimal places"
            )
        for unit, places in self.unit_places.items():
            if not isinstance(places, int) or not 0 <= places <= 9:
                raise DomainError(f"domain {self.name}: unit_places gives {unit} {places!r} decimal places; give 0 to 9")

    def _check_windows(self) -> None:
        """Raise DomainError where the compiled history (``features.history``) cannot take these windows."""
        lengths = list(self.windows.values())
        if lengths != sorted(set(lengths)):
            raise DomainError(f"domain {self.name}: windows must be in order of their lengths, no two alike")
        longer = [length for length in lengths if length > DAY_MS]
        if len(longer) == len(lengths) or longer[:1] != [7 * DAY_MS] or len(longer) > 3 or not 14 <= lengths[-1] / DAY_MS <= 98:
            raise DomainError(
                f"domain {self.name}: windows are {', '.join(self.windows)}; give one at least of up to a day, then one of 7"
                " days, and one or two longer ones of up to 98 days, of which the last has 14 at least"
            )
