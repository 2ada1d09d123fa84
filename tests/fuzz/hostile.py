"""Hostile records, seeded and fast: what a broken, old, careless or malicious producer may publish to ``transactions``, as JSON
and by the schemas of a registry, in currencies and of kinds that there are and that there are not.

About a third is valid, some of it in odd ways, so that good and bad records share batches. Memory that grows is the reader's own:
cards come from a fixed set, and event time passes the 90 days that a card's history holds within the first tenth of a million.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from features.domains.card_fraud.event import Payment
from streams import topics
from streams.wire.encode import encoder
from streams.wire.ours import FORMATS

T0 = 1_520_000_000_000
_STEP_MS = 260_000
_ODD_IDS = (
    "\u202ecard",
    "café",
    "cafe\u0301",
    "💳" * 32,
    "\x00",
    "a\nb",
    "%s{}",
    "../../x",
    "'; drop table",
    "\ufeff1",
    "c" * 64,
)
_CARDS = [f"c{i}" for i in range(500)] + list(_ODD_IDS)
_UNKNOWN = [f"new-{i}" for i in range(2000)]
_WRONG: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    -(10**400),
    "",
    "x" * 65,
    "12",
    [],
    {},
    [1, 2],
    {"a": {}},
    "\x00",
    "EUR\n",
)
_TIMES = (
    -1,
    0,
    1,
    946_684_799_999,
    4_102_444_800_000,
    253_402_300_799_999,
    315_569_432_000_000_000,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63),
)
_FIELDS = (
    "transaction_id", "event_time_ms", "card_id", "terminal_id", "amount_minor", "currency", "latitude", "longitude", "country",
    "merchant_category", "entry_mode", "pin_used", "kind",
)  # fmt: skip

Fields = dict[str, object]
Made = tuple[bytes | None, bytes | None]
_payment = msgspec.json.Decoder(Payment).decode
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Hostile:
    """An endless iterator of (key, value); the same seed gives the same records."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._n = 0
        self._last: deque[Made] = deque([(b"k", b"{}")], maxlen=50)
        kinds: list[tuple[int, Callable[[], Made]]] = [
            (30, self._valid), (4, self._odd_but_valid), (3, self._unknown_card), (4, self._other_key), (6, self._truncated),
            (6, self._flipped), (4, self._binary), (6, self._wrong_type), (4, self._missing), (4, self._time),
            (4, self._not_finite), (3, self._utf8), (3, self._escape), (3, self._nested), (3, self._duplicate), (3, self._shape),
            (3, self._currency), (3, self._kind), (5, self._registered),
            (2, self._number), (2, self._encoding), (2, self._nothing), (1, self._many_fields), (2, self._repeated),
        ]  # fmt: skip
        self._writers = [encoder(form, topics.EVENTS, schema) for schema, form in enumerate(FORMATS, start=1)]
        self._kinds = [make for weight, make in kinds for _ in range(weight)]

    def __iter__(self) -> Iterator[Made]:
        while True:
            self._n += 1
            # One in five thousand is large: half a megabyte of it goes a long way.
            made = self._large() if self._n % 5000 == 0 else self._rng.choice(self._kinds)()
            self._last.append(made)
            yield made

    def _fields(self) -> Fields:
        rng = self._rng
        return {
            "transaction_id": f"t{self._n}",
            "event_time_ms": T0 + self._n // 3 * _STEP_MS + rng.randrange(3_600_000),
            "card_id": rng.choice(_CARDS),
            "terminal_id": f"m{rng.randrange(300)}",
            "amount_minor": rng.randrange(1, 50_000),
            "currency": "EUR",
            "latitude": 48.1,
            "longitude": 11.6,
            "entry_mode": rng.choice(("chip", "online", "swipe")),
            "pin_used": True,
        }

    def _made(self, fields: Fields) -> Made:
        return str(fields.get("card_id", "")).encode("utf-8", "replace"), _dumps(fields).encode("utf-8", "surrogatepass")

    def _text(self) -> bytes:
        return _dumps(self._fields()).encode()

    def _valid(self) -> Made:
        return self._made(self._fields())

    def _odd_but_valid(self) -> Made:
        fields = self._fields()
        which = self._rng.randrange(8)
        if which == 0:  # cards of their own: others must not lose their history to a clock that is wrong by a century
            fields |= {"card_id": f"clock-{self._n % 7}", "event_time_ms": self._rng.choice((946_684_800_000, 4_102_444_799_999))}
        elif which == 1:
            fields |= {"amount_minor": self._rng.choice((0, 100_000_000_000))}
        elif which == 2:
            fields |= {"latitude": self._rng.choice((-90, 90, 5e-324, -0.0)), "longitude": self._rng.choice((-180.0, 180))}
        elif which == 3:
            fields |= {"country": None, "merchant_category": "\U0001f4b3" * 64, "extra": [1, {"a": None}], "pin_used": None}
        elif which == 4:
            fields = {name: fields[name] for name in _FIELDS[:5]}
        elif which >= 6:  # refunds and declined payments, also of cards that never bought anything
            fields |= {"kind": self._rng.choice(("refund", "reversal", "declined", "purchase", None))}
            fields |= {"card_id": f"back-{self._n % 5}"} if which == 7 else {}
        key, value = self._made(fields)
        return key, b" \n\t" + (value or b"") + b"\n" if which == 5 else value

    def _unknown_card(self) -> Made:
        return self._made(self._fields() | {"card_id": self._rng.choice(_UNKNOWN)})

    def _other_key(self) -> Made:
        _, value = self._valid()
        return self._rng.choice((None, b"", b"another card", b"\xff\x00", b"k" * 20_000)), value

    def _currency(self) -> Made:
        return self._made(
            self._fields() | {"currency": self._rng.choice(("HUF", "JPY", "KWD", "XXX", "ABC", "eur", "EU", "€", 978))}
        )

    def _kind(self) -> Made:
        kinds = ("purchase", "refund", "reversal", "declined", "Refund", "chargeback", "", "k" * 5000, 1, ["refund"])
        amount = self._rng.choice((self._rng.randrange(50_000), -1, -1999))
        return self._made(self._fields() | {"kind": self._rng.choice(kinds), "amount_minor": amount})

    def _registered(self) -> Made:
        """By one of our schemas, half of them changed or cut, or by an id that nobody has."""
        key, text = self._valid()
        value = bytearray(self._rng.choice(self._writers)(_payment(text or b"")))
        which = self._rng.randrange(6)
        if which == 0:
            value[self._rng.randrange(len(value))] = self._rng.randrange(256)
        elif which == 1:
            del value[self._rng.randrange(len(value)) :]
        elif which == 2:
            value[1:5] = self._rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\3\xe7"))
        return key, bytes(value)

    def _truncated(self) -> Made:
        text = self._text()
        return b"k", text[: self._rng.randrange(len(text))]

    def _flipped(self) -> Made:
        text = bytearray(self._text())
        for _ in range(self._rng.randrange(1, 4)):
            text[self._rng.randrange(len(text))] = self._rng.randrange(256)
        return b"k", bytes(text)

    def _binary(self) -> Made:
        return b"\x00", self._rng.randbytes(self._rng.randrange(1, 400))

    def _wrong_type(self) -> Made:
        return self._made(self._fields() | {self._rng.choice(_FIELDS): self._rng.choice(_WRONG)})

    def _missing(self) -> Made:
        fields = self._fields()
        del fields[self._rng.choice(_FIELDS[:5])]
        return self._made(fields)

    def _time(self) -> Made:
        return self._made(self._fields() | {"event_time_ms": self._rng.choice(_TIMES)})

    def _not_finite(self) -> Made:
        field = self._rng.choice(("latitude", "longitude", "amount_minor", "event_time_ms")).encode()
        literal = self._rng.choice((b"NaN", b"Infinity", b"-Infinity", b"nan", b"1e999", b"-1e400", b'"NaN"'))
        return b"k", self._text()[:-1] + b',"' + field + b'":' + literal + b"}"

    def _utf8(self) -> Made:
        bad = self._rng.choice((b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf", b"\xe2\x82"))
        return b"k", self._text()[:-1] + b',"' + self._rng.choice((b"card_id", b"x")) + b'":"a' + bad + b'"}'

    def _escape(self) -> Made:
        bad = self._rng.choice((rb"\ud800", rb"\udfff\ud800", rb"\u0000", rb"\u12", rb"\x41", rb"\ud83d\ude00", b"\n", b"\x01"))
        field = self._rng.choice((b"card_id", b"terminal_id", b"merchant_category", b"country", b"x"))
        return b"k", self._text()[:-1] + b',"' + field + b'":"' + bad + b'"}'

    def _nested(self) -> Made:
        depth = self._rng.choice((10, 500, 1_000, 5_000, 50_000))
        opening, closing = self._rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
        inner = opening * depth + b"1" + (closing * depth if self._rng.random() < 0.7 else b"")
        if self._rng.random() < 0.5:
            return b"k", inner
        return b"k", self._text()[:-1] + b',"' + self._rng.choice((b"x", b"card_id")) + b'":' + inner + b"}"

    def _duplicate(self) -> Made:
        field = self._rng.choice(_FIELDS)
        again = _dumps({field: self._rng.choice((*_WRONG, self._fields().get(field)))})[1:]
        return b"k", self._text()[:-1] + b"," + again.encode()

    def _shape(self) -> Made:
        text = self._text()
        shapes = (
            b"[" + text + b"]",
            text + text,
            text + b",",
            text[:-1] + b",}",
            b"null",
            b"1",
            b'"x"',
            b"{}",
            b"[]",
            b"//\n" + text,
            text.replace(b'"', b"'"),
        )
        return b"k", self._rng.choice(shapes)

    def _number(self) -> Made:
        literal = self._rng.choice(
            (b"01", b"+1", b"1.", b".5", b"1e2", b"100.0", b"0x10", b"1_000", b"-0", b"9" * 5000, b"1e99999999999")
        )
        field = self._rng.choice((b"amount_minor", b"event_time_ms", b"latitude"))
        return b"k", self._text()[:-1] + b',"' + field + b'":' + literal + b"}"

    def _encoding(self) -> Made:
        text = self._text().decode()
        return b"k", self._rng.choice(
            (b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16"), text.encode("utf-32-le"), b"\x1f\x8b" + text.encode())
        )

    def _nothing(self) -> Made:
        return self._rng.choice((None, b"", b"k")), self._rng.choice((None, b"", b" ", b"\n"))

    def _many_fields(self) -> Made:
        return self._made(self._fields() | {f"f{i}": i for i in range(self._rng.randrange(2000))})

    def _repeated(self) -> Made:
        return self._rng.choice(self._last)

    def _large(self) -> Made:
        size = self._rng.randrange(100_000, 900_000)
        return self._rng.choice((
            (b"k", self._text()[:-1] + b',"x":"' + b"a" * size + b'"}'),
            (b"k", self._text()[:-1] + b',"card_id":"' + b"a" * size + b'"}'),
            (b"k" * 5000, self._rng.randbytes(size)),
            (b"k", b"9" * size),
            (b"k", b" " * size),
        ))  # fmt: skip
