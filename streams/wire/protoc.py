"""The text of .proto files as descriptors, by protoc itself, which grpcio-tools carries."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from google.protobuf import descriptor_pb2

from streams.wire.errors import UnmappableSchema

#: The name under which the schema itself is compiled.
MAIN = "driftloop-registered.proto"
_TIMEOUT_S = 30.0


def compiled(text: str, imports: Mapping[str, str]) -> descriptor_pb2.FileDescriptorSet:
    """Compile a schema; ``imports``: the texts of the files that it imports, by the names by which it does.

    The files of the result are in order, each behind those that it needs, the schema last. Raises UnmappableSchema, and OSError
    or TimeoutExpired where no process can be started.
    """
    with TemporaryDirectory(prefix="driftloop-proto-") as folder:
        root = Path(folder)
        for name, content in {**imports, MAIN: text}.items():
            _place(root, name).write_text(content)
        out = root / "descriptors"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}", "--include_imports", f"--descriptor_set_out={out}"]
        done = subprocess.run(
            [*command, MAIN], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, cwd=root, stdin=subprocess.DEVNULL
        )
        if done.returncode or not out.exists():
            why = " / ".join(line.replace(f"{root}/", "").replace(f"{MAIN}:", "line ") for line in done.stderr.splitlines()[:3])
            raise UnmappableSchema(f"the schema cannot be compiled as Protobuf: {why[:500]}")
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


def _place(root: Path, name: str) -> Path:
    """Return where a file is written; a registry's name must not lead out of the folder."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise UnmappableSchema(f"the schema imports a file by the name {name[:200]!r}, which is no relative path")
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
