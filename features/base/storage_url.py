"""Whether a store can be what a setting names, before anything is started on it."""

from __future__ import annotations

#: Kept by one process alone, or read-only: what is written there is lost, or refused once offsets are committed.
_LOST = {
    "memory": "is kept by each process for itself",
    "http": "takes no writes",
    "https": "takes no writes",
    "data": "takes no writes",
}


def refusal(root: str) -> str:
    """Tell why nothing can be kept at a folder or URL, with the way out; empty where it can, as far as the name tells."""
    protocol, divided, _ = root.partition("://")
    if not divided or protocol in ("file", "local"):
        return ""
    way_out = "name a folder, or a URL that fsspec knows, as in s3://bucket/prefix with s3fs beside driftloop (docs/apart.md)"
    if protocol in _LOST:
        return f"{protocol}:// {_LOST[protocol]}; {way_out}"
    if not protocol:
        return f"nothing:// cannot be used; {way_out}"
    import fsspec

    try:
        # Of chained protocols (simplecache::s3) the first one.
        fsspec.get_filesystem_class(protocol.partition("::")[0])
    except (ValueError, ImportError) as error:
        return f"{protocol}:// cannot be used ({error}); {way_out}"
    return ""
