"""``driftloop dlq``"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import context
from infra.cli.commands import dlq_handle

if TYPE_CHECKING:
    from features.base.events import DeadLetter
    from infra.dead_letters.handled import Done
    from infra.inspect.tail import Seen

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Records that could not be processed: see them, send them again, put them aside.",
)

COLUMNS = ("place", "arrived", "processor", "error", "message", "from", ">attempt")

app.command("replay")(dlq_handle.replay)
app.command("discard")(dlq_handle.discard)


@app.command("list", help="The newest dead letters that nothing was done about.")
def list_letters(
    n: Annotated[int, typer.Option("-n", min=0, help="How many.")] = 20,
    processor: dlq_handle.Processor = "",
    error: dlq_handle.Error = "",
    topic: dlq_handle.Topic = "",
    since: dlq_handle.Since = None,
    until: dlq_handle.Until = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were replayed or discarded, and when.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array.")] = False,
) -> None:
    from features.base.events import DeadLetter
    from infra.dead_letters import handled
    from infra.dead_letters.filters import chosen
    from infra.inspect import show, tail
    from infra.inspect.decode import decoder
    from streams.topics import DLQ

    settings = context.settings()
    wanted = chosen(processor, error, topic, since, until)
    done = handled.read(settings).by_place
    decode = decoder(DeadLetter)

    def keep(seen: Seen) -> bool:
        letter = decode(seen)
        shown = everything or (seen.partition, seen.offset) not in done
        return letter is not None and shown and wanted.wants(seen, letter)

    seen = tail.newest(settings, DLQ, n, keep).records
    letters = [
        (record, letter, done.get((record.partition, record.offset))) for record in seen if (letter := decode(record)) is not None
    ]
    if as_json:
        show.document([described(*entry) for entry in letters])
    elif everything:
        show.table(
            (*COLUMNS, "handled"), ((*row(record, letter), str(end or "-")) for record, letter, end in letters), "no dead letters"
        )
    else:
        show.table(COLUMNS, (row(record, letter) for record, letter, _ in letters), "no dead letters")


@app.command("show", help="One dead letter with its original record.")
def show_letter(
    place: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="As dlq list prints it.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    from features.base.events import DeadLetter
    from infra.dead_letters import handled
    from infra.dead_letters.filters import parsed
    from infra.errors import PlatformError
    from infra.inspect import show, tail
    from infra.inspect.decode import decoder
    from streams.kafka.records import Record
    from streams.topics import DLQ
    from streams.wire.framing import framed

    settings = context.settings()
    partition, offset = parsed(place)
    seen = tail.at(settings, DLQ, partition, offset)
    letter = decoder(DeadLetter)(seen) if seen else None
    if seen is None or letter is None:
        raise PlatformError(f"there is no dead letter at {place}; driftloop dlq list shows where they are")
    end = handled.read(settings).by_place.get((partition, offset))
    if as_json:
        show.document(described(seen, letter, end))
        return
    lines = [f"{name.removeprefix('>') + ':':<11}{cell}" for name, cell in zip(COLUMNS, row(seen, letter), strict=True)]
    lines.append(f"{'handled:':<11}{end or 'no'}")
    lines.append(f"{'key:':<11}{text(letter.key)}")
    lines += [f"{'header:':<11}{header} = {text(value)}" for header, value in letter.headers]
    if (
        value := framed(Record(letter.topic, letter.partition, letter.offset, letter.key, letter.value, letter.headers))
    ) is not None:
        lines.append(f"{'schema:':<11}{value.schema}")
    lines.append(f"value:\n{text(letter.value)}")
    print(show.printable("\n".join(lines)))


def text(data: bytes | None) -> str:
    """Return bytes as text for people: indented JSON, else text, else base64; ``(none)`` for a missing value."""
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
    """Return one dead letter as cells of ``COLUMNS``."""
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


def described(seen: Seen, letter: DeadLetter, end: Done | None = None) -> dict[str, object]:
    """Return one dead letter for programs: the event, where it lies, its value as text where it is text, and what was done
    about it."""
    import msgspec

    try:
        value_text = letter.value.decode() if letter.value is not None else None
    except UnicodeDecodeError:
        value_text = None
    fields: dict[str, object] = msgspec.to_builtins(letter)
    what = None if end is None else {"action": end.what.action, "at_ms": end.at_ms, "reason": end.what.reason}
    place = f"{seen.partition}:{seen.offset}"
    return {"place": place, "arrived_at_ms": seen.timestamp_ms, **fields, "value_text": value_text, "handled": what}
