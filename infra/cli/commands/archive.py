"""``driftloop archive``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.archive import mirror
from infra.cli import context
from infra.cli.stopping import going_on
from infra.errors import PlatformError

if TYPE_CHECKING:
    from features.base.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, help="See how far the archive is complete; merge its small files.")

COLUMNS = ("topic", ">partition", ">complete below offset", "newest event", "written")


@app.command(help="Up to which offset each partition is archived, and which days are complete.")
def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    from infra.inspect import show

    report = described(context.settings())
    if as_json:
        show.document(report)
        return
    rows = (
        (topic, partition, f"{at['next_offset']:,}", show.when(at["newest_event_ms"]), show.when(at["written_at_ms"]))
        for topic, partitions in report["topics"].items()
        for partition, at in partitions.items()
    )
    show.table(COLUMNS, rows, f"nothing is archived in {report['archive']}")
    for topic, kept in report["files"].items():
        print(f"{topic}: {kept['days']} days, {kept['files']:,} files, {kept['megabytes']:,.1f} MB")
    print(f"complete days: up to {report['complete_through'] or '(none yet)'}")


@app.command(help="Merge small files now. Readers see each record once meanwhile; exit code 1 where one of ours holds them.")
def compact() -> None:
    from features.archive.compaction import CompactionFailed, ReadersThere, compact_all
    from features.archive.exchange import ExchangeUnsupported
    from features.archive.places import places

    settings = context.settings()

    def how() -> str:
        return f"Each day is merged whole or left as it was; go on with {context.called_with()}"

    try:
        with going_on(how):
            done = compact_all(places(settings))
    except ReadersThere as error:
        raise Busy(f"{error}; try again when it is done") from error
    except (ExchangeUnsupported, CompactionFailed) as error:
        raise Busy(str(error)) from error
    print(f"{done.before:,} files of {done.rows:,} rows are {done.after:,} now")


class Busy(PlatformError):
    """It cannot be done now, or here. The request was fine: exit code 1."""

    exit_code = 1


def described(settings: Settings) -> dict[str, Any]:
    """Return the manifest, the newest complete day of the scores, and the files of each topic."""
    import msgspec

    from features.archive.days import day_folders, day_name, newest_complete_day
    from features.archive.manifest import ManifestBroken, read

    try:
        archive = mirror.archive(settings)
        manifest = read(archive)
    except ManifestBroken as error:
        raise PlatformError(str(error)) from error
    complete = newest_complete_day(archive / "scores")
    files = {}
    for topic in ("scores", "outcomes"):
        days = day_folders(archive / topic)
        sizes = [path.stat().st_size for day in days for path in day.glob("[!._]*.parquet")]
        files[topic] = {"days": len(days), "files": len(sizes), "megabytes": round(sum(sizes) / 1e6, 3)}
    return {
        "archive": f"{settings.rows_root}/archive",
        "complete_through": None if complete is None else day_name(complete).removeprefix("day="),
        **msgspec.to_builtins(manifest, str_keys=True),
        "files": files,
    }
