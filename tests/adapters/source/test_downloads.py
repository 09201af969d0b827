"""An index that cannot be reached is a provider's failure, however it fails."""

from __future__ import annotations

import socket
from pathlib import Path

import anyio
import pytest

from assay.adapters.source.downloads import Connection, Downloads
from assay.errors import ProviderError


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/simple/"
        downloads = Downloads(tmp_path, Connection(attempts=3, backoff_seconds=0.0))
        with pytest.raises(ProviderError, match="cannot fetch"):
            anyio.run(downloads.page, url, "*/*")
        with pytest.raises(ProviderError, match="cannot fetch"):
            anyio.run(downloads.archive, url, None, 100)


def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    downloads = Downloads(tmp_path, Connection(attempts=2, backoff_seconds=0.0))
    with pytest.raises(ProviderError, match="cannot fetch"):
        anyio.run(downloads.page, "http://no-such-host.invalid/", "*/*")
