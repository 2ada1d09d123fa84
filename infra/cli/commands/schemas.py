"""``driftloop schemas``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import context

if TYPE_CHECKING:
    from streams.wire.ours import Format

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Our schemas of events and labels: print them, register them at a schema registry.",
)

FORM_HELP = "avro, protobuf or json (JSON Schema)."


@app.command("show", help="Print our schemas of events and labels.")
def show_schemas(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help=FORM_HELP)],
    topic: Annotated[str, typer.Option(help="Only that of this topic.")] = "",
) -> None:
    from features.base.broker_names import plain
    from streams.schemas.registered import text
    from streams.wire.ours import PUBLISHED

    chosen = [name for name in PUBLISHED if topic in ("", name, plain(name))]
    if not chosen:
        raise typer.BadParameter(f"--topic is {topic!r}; producers write to {' and '.join(map(plain, PUBLISHED))}")
    print("\n".join(text(_form(form), name).rstrip("\n") for name in chosen))


@app.command("publish", help="Register our schemas as TOPIC-value, where they fit what is registered there.")
def publish_schemas(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help=FORM_HELP)],
    dry_run: Annotated[bool, typer.Option(help="Register nothing; say what would be.")] = False,
) -> None:
    from infra.errors import PlatformError
    from streams.schemas import registered
    from streams.wire.ours import PUBLISHED
    from streams.wire.registry import Registry, RegistryRefused

    wanted, settings = _form(form), context.settings()
    if not settings.schema_registry.url:
        raise PlatformError("schema_registry.url is empty; name the registry in driftloop.toml (docs/schema-registry.md)")
    registry = Registry(settings)
    try:
        # All are looked at before the first is registered.
        for topic in PUBLISHED:
            registered.publish(registry, wanted, topic, dry_run=True)
        for topic in PUBLISHED:
            done = registered.publish(registry, wanted, topic, dry_run=dry_run)
            where = f" as id {done.id}, version {done.version}" if done.id else ""
            print(f"{done.subject}: {'is ' if done.state == 'there' else ''}{done.state}{where}")
    except registered.Incompatible as error:
        raise PlatformError(str(error)) from error
    except RegistryRefused as error:
        raise PlatformError(f"the schema registry at {registry.url} says no: {error}") from error


def _form(text: str) -> Format:
    forms: dict[str, Format] = {"avro": "avro", "protobuf": "protobuf", "json": "json-schema"}
    if text not in forms:
        raise typer.BadParameter(f"FORMAT is {text!r}; it is one of {', '.join(forms)}")
    return forms[text]
