"""``driftloop features``"""

from __future__ import annotations

import difflib
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from features.base.active import DOMAIN, ROLES, WORDS
from features.catalogue.vector import vector_schema
from infra.cli import context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.base.settings import Settings
    from features.catalogue.vector import Feature
    from infra.inspect.archive import Past
    from infra.inspect.online import Counterpart, Profile, Subject

app = typer.Typer(
    help="Look at features: what they mean, and their values.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

LIST_COLUMNS = (">#", "name", "unit", "window", "source", "meaning")
HISTORY_COLUMNS = (
    *("event time", WORDS.event, WORDS.counterpart, f">{WORDS.measure}"),
    *(() if ROLES.kind is None else ("kind",)),
    *("decision", ">score"),
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


class Kind(StrEnum):
    """What can be shown."""

    subject = WORDS.subject
    counterpart = WORDS.counterpart


class SubjectOnly(StrEnum):
    """What has a history."""

    subject = WORDS.subject


@app.command("list", help="Every feature of the vector, in its order.")
def list_features(as_json: AsJson = False) -> None:
    from dataclasses import asdict

    from features.catalogue.vector import FEATURES
    from infra.inspect import show

    context.check_named()
    schema = vector_schema(context.settings(made=False).features)
    if as_json:
        show.document({"schema": schema, "features": [{"position": i} | asdict(f) for i, f in enumerate(FEATURES)]})
    else:
        show.table(LIST_COLUMNS, (listed(i, feature) for i, feature in enumerate(FEATURES)), "")
        if DOMAIN.unit_field:
            print(f"{WORDS.unit}: {show.reference(context.settings())}")
        print(f"schema {schema}")


def listed(position: int, feature: Feature) -> tuple[str, ...]:
    """Return one feature as cells of ``LIST_COLUMNS``."""
    return (
        str(position),
        feature.name,
        feature.unit,
        feature.window or "-",
        feature.source,
        feature.meaning,
    )


@app.command(
    "show",
    help=f"What is online of {WORDS.a('subject')} (its latest vector and profile) or of {WORDS.a('counterpart')}.",
)
def show_entity(
    kind: Annotated[Kind, typer.Argument()],
    entity: Annotated[str, typer.Argument(metavar="ID")],
    as_json: AsJson = False,
) -> None:
    from infra.inspect import online, show

    settings = context.settings()
    if kind is Kind.subject:
        subject = online.subject(settings, entity)
        show.document(subject) if as_json else _tell_subject(subject, settings)
    else:
        counterpart = online.counterpart(settings, entity)
        show.document(counterpart) if as_json else _tell_counterpart(counterpart)


@app.command("history", help=f"The archived {WORDS.events} of {WORDS.a('subject')}, with the values of features.")
def history(
    kind: Annotated[SubjectOnly, typer.Argument()],
    subject: Annotated[str, typer.Argument(metavar="ID")],
    last: Annotated[int, typer.Option("--last", min=1, max=1_000_000, help="How many, the newest.")] = 20,
    feature: Annotated[list[str] | None, typer.Option("--feature", help="Show this feature; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array, with all features unless some are named.")] = False,
) -> None:
    from features.base.redaction import hashed
    from features.catalogue.vector import NAMES
    from infra.inspect import show
    from infra.inspect.archive import history as archived
    from infra.inspect.online import UnknownEntity

    names = known(feature or (list(NAMES) if as_json else []), NAMES)
    settings = context.settings()
    past = archived(settings, subject, last, names)
    if not past:
        name = hashed(settings, subject)
        raise UnknownEntity(
            f"the archive in {settings.rows_root}/archive holds no {WORDS.event} of {WORDS.subject} {name}; it is seconds behind"
        )
    if as_json:
        show.document(past)
        return
    columns = (*HISTORY_COLUMNS, *(f">{name}" for name in names))
    show.table(columns, (remembered(row, names) for row in past), "")


def known(names: Sequence[str], choice: Sequence[str]) -> list[str]:
    """Return ``names``, each once. Raises typer.BadParameter for one that is no feature."""
    for name in names:
        if name not in choice:
            near = difflib.get_close_matches(name, choice, 3)
            hint = f"did you mean {', '.join(near)}?" if near else "driftloop features list names them"
            raise typer.BadParameter(f"there is no feature {name!r}; {hint}")
    return list(dict.fromkeys(names))


def remembered(row: Past, names: Sequence[str]) -> tuple[str, ...]:
    """Return one archived transaction as cells; a feature of another schema is a dash."""
    from infra.inspect import show

    return (
        show.when(row.event_time_ms),
        row.event_id,
        row.counterpart,
        show.measure(row.measure, row.unit),
        *(() if ROLES.kind is None else (row.kind or ROLES.kinds[0],)),
        row.decision,
        show.figure(row.score),
        *("-" if row.features is None else number(row.features[name]) for name in names),
    )


def number(value: float) -> str:
    """Return a feature's value as short as it is exact enough to read."""
    return f"{value:.6g}"


def age(seconds: float) -> str:
    """Return the wall time since then, in the unit that suits it."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.0f} s"


def _tell_subject(subject: Subject, settings: Settings) -> None:
    from features.catalogue.vector import FEATURES
    from infra.inspect import show

    schema, reference = vector_schema(settings.features), show.reference(settings)

    print(show.printable(f"{WORDS.subject} {subject.subject}"))
    if subject.event_time_ms is None or subject.age_s is None:
        print("vector:       none yet")
    else:
        judged = "today's" if subject.schema_is_current else f"not today's, which is {schema}: its values are numbered"
        print(f"as of:        {show.when(subject.event_time_ms)} UTC, {age(subject.age_s)} ago")
        print(show.printable(f"{WORDS.event + ':':<14}{subject.event_id}"))
        print(f"score:        {show.figure(subject.score)}")
        print(show.printable(f"schema:       {subject.schema} ({judged})"))
    _tell_profile(subject.profile, reference)
    units = {feature.name: reference if feature.unit == WORDS.unit else feature.unit for feature in FEATURES}
    if subject.features:
        print()
        rows = ((name, number(value), units.get(name, "-")) for name, value in subject.features.items())
        show.table(("feature", ">value", "unit"), rows, "")


def _tell_profile(profile: Profile | None, reference: str) -> None:
    from infra.inspect import show

    if profile is None:
        print("profile:      none yet")
        return
    home = "unknown" if profile.home is None else f"{profile.home[0]:.4f}, {profile.home[1]:.4f}"
    busiest = sorted(range(len(profile.hours)), key=lambda hour: -profile.hours[hour])[:3]
    hours = ", ".join(f"{hour:02d}:00 {profile.hours[hour]:.0%}" for hour in busiest if profile.hours[hour] > 0)
    print(f"profile:      as of {show.when(profile.as_of_ms)} UTC, from {profile.events:,} {WORDS.events}")
    print(f"  home:       {home}")
    print(f"  usually:    {profile.mean_measure:,.2f} {reference}; most often at {hours or 'no hour'} UTC")
    print(f"  known:      {len(profile.categories)} categories, {len(profile.counterparts)} {WORDS.counterparts}")


def _tell_counterpart(counterpart: Counterpart) -> None:
    from infra.inspect import show

    outcomes, positives = sum(day.outcomes for day in counterpart.days), sum(day.positives for day in counterpart.days)
    print(show.printable(f"{WORDS.counterpart} {counterpart.counterpart}"))
    print(f"as of:        {show.when(counterpart.as_of_ms)} UTC, {age(counterpart.age_s)} ago")
    print(f"known:        {outcomes:,} outcomes in {counterpart.hours} hours, {positives:,} of them {WORDS.positives}\n")
    rows = ((show.when(day.day_ms)[:10], str(day.outcomes), str(day.positives), str(day.unexplained)) for day in counterpart.days)
    show.table(("day", ">outcomes", f">{WORDS.positives}", ">unexplained"), rows, "no outcomes are kept")
