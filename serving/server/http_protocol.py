"""uvicorn's HTTP/1.1, with two of its edges taken off."""

from __future__ import annotations

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Headers of one connection; a request that is read again goes without them.
_OFFER = frozenset({b"upgrade", b"connection", b"http2-settings"})


class Protocol(HttpToolsProtocol):
    """Takes requests that offer another protocol as what they are, and refuses in the form of all other refusals.

    Java's HttpClient and ``curl --http2`` offer HTTP/2 with each request (``Upgrade: h2c``). The parser takes the body of such a
    request for bytes of the other protocol, and the application would see none: the request is read again without the offer.
    """

    _offered = b""

    def on_headers_complete(self) -> None:
        """Begin the request, or note how it began where it offers another protocol."""
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            return
        method = self.parser.get_method()
        closes = any(name == b"connection" and b"close" in value.lower() for name, value in self.headers)
        kept = [(name, value) for name, value in self.headers if name not in _OFFER]
        kept += [(b"connection", b"close")] if closes else []
        lines = [method + b" " + self.url + b" HTTP/1.1", *(name + b": " + value for name, value in kept)]
        # CONNECT is an offer by its method: read again, it would be one for ever.
        self._offered = b"" if method == b"CONNECT" else b"\r\n".join(lines) + b"\r\n\r\n"

    def on_message_complete(self) -> None:
        """End the request; one that offers another protocol has not begun."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if not self._offered:
                self.send_400_response("")
                return
            head, self._offered = self._offered, b""
            # A parser that met an offer reads nothing more.
            self.parser = httptools.HttpRequestParser(self)
            self.data_received(head + data[offer.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP/1.1: HTTP/2 from its first byte, TLS on a plain port, a line that is no request."""
        body = b'{"error":"this is no HTTP/1.1 request; speak HTTP/1.1, and https where the server has a certificate"}'
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.close()
