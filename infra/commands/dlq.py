"""``driftloop dlq``"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Annotated

import typer

from infra import context

if TYPE_CHECKING:
    from features.events import DeadLetter
    from infra.inspect.tail import Seen

app = typer.Typer(
    help="Look at records that could not be processed.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

COLUMNS = ("place", "arrived", "processor", "error", "message", "from", ">attempt")


@app.command("list", help="The newest dead letters.")
def list_letters(
    n: Annotated[int, typer.Option("-n", min=0, help="How many.")] = 20,
    processor: Annotated[str, typer.Option(help="Only those of this processor.")] = "",
    error: Annotated[str, typer.Option(help="Only those with this error.")] = "",
    topic: Annotated[str, typer.Option(help="Only those that came from this topic.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array.")] = False,
) -> None:
    from features.events import DeadLetter
    from infra.inspect import show
    from infra.inspect.decode import newest_events
    from streams.topics import DLQ

    def wanted(letter: DeadLetter) -> bool:
        return processor in ("", letter.processor) and error in ("", letter.error) and topic in ("", letter.topic)

    found = newest_events(context.settings(), DLQ, DeadLetter, n, wanted).events
    if as_json:
        show.document([described(seen, letter) for seen, letter in found])
    else:
        show.table(COLUMNS, (row(seen, letter) for seen, letter in found), "no dead letters")


@app.command("show", help="One dead letter with its original record.")
def show_letter(
    place: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="As dlq list prints it.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    from features.events import DeadLetter
    from infra.errors import PlatformError
    from infra.inspect import show, tail
    from infra.inspect.decode import decoder
    from streams.topics import DLQ

    partition, offset = parsed(place)
    seen = tail.at(context.settings(), DLQ, partition, offset)
    letter = decoder(DeadLetter)(seen) if seen else None
    if seen is None or letter is None:
        raise PlatformError(f"there is no dead letter at {place}; driftloop dlq list shows where they are")
    if as_json:
        show.document(described(seen, letter))
        return
    lines = [f"{name.removeprefix('>') + ':':<11}{cell}" for name, cell in zip(COLUMNS, row(seen, letter), strict=True)]
    lines.append(f"{'key:':<11}{text(letter.key)}")
    lines += [f"{'header:':<11}{header} = {text(value)}" for header, value in letter.headers]
    lines.append(f"value:\n{text(letter.value)}")
    print(show.printable("\n".join(lines)))


def parsed(place: str) -> tuple[int, int]:
    """``0:17`` as numbers. Raises typer.BadParameter."""
    partition, _, offset = place.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise typer.BadParameter(f"{place!r} is no PARTITION:OFFSET such as 0:17")
    return int(partition), int(offset)


def text(data: bytes | None) -> str:
    """Bytes for people: indented JSON, else text, else base64; ``(none)`` for a missing value."""
    if data is None:
        return "(none)"
    try:
        readable = data.decode()
    except UnicodeDecodeError:
        return f"base64 {base64.b64encode(data).decode()}"
    try:
        return json.dumps(json.loads(readable), indent=2, ensure_ascii=False)
    except ValueError:
        return readable


def row(seen: Seen, letter: DeadLetter) -> tuple[str, ...]:
    """One dead letter as cells of ``COLUMNS``."""
    from infra.inspect import show

    return (
        f"{seen.partition}:{seen.offset}",
        show.when(seen.timestamp_ms),
        letter.processor,
        letter.error,
        letter.message,
        f"{letter.topic} {letter.partition}:{letter.offset}",
        str(letter.attempt),
    )


def described(seen: Seen, letter: DeadLetter) -> dict[str, object]:
    """One dead letter for programs: the event, where it lies, and its value as text where it is text."""
    import msgspec

    try:
        value_text = letter.value.decode() if letter.value is not None else None
    except UnicodeDecodeError:
        value_text = None
    fields: dict[str, object] = msgspec.to_builtins(letter)
    return {"place": f"{seen.partition}:{seen.offset}", "arrived_at_ms": seen.timestamp_ms, **fields, "value_text": value_text}
