"""A small image of this machine's own programs, for tests of containers: no registry has to be reached."""

from __future__ import annotations

import io
import re
import subprocess  # noqa: TID251  for tests only, and nothing of others is run
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager


@contextmanager
def image_of_tools(name: str, tools: Sequence[str], environment: Mapping[str, str]) -> Iterator[str]:
    """An image with these programs in /bin and their libraries, gone at the end. `environment` is the client's."""
    real = {tool: subprocess.check_output(["sh", "-c", f"command -v {tool}"]).decode().strip() for tool in tools}
    listed = subprocess.check_output(["ldd", *real.values()]).decode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as tar:
        for tool, path in real.items():
            tar.add(path, f"bin/{tool}", recursive=False)
        for library in set(re.findall(r"(/\S+\.so\S*)", listed)):
            tar.add(library, library.lstrip("/"), recursive=False)
    ask = ["docker", "import", "-", name]
    subprocess.run(ask, input=buffer.getvalue(), env=dict(environment), check=True, capture_output=True)
    try:
        yield name
    finally:
        remove = ["docker", "image", "rm", "--force", name]
        subprocess.run(remove, env=dict(environment), check=False, capture_output=True)
