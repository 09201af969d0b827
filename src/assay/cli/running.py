"""Running asynchronous work so that Ctrl-C and a polite kill end it cleanly."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

import anyio

T = TypeVar("T")


def run_async(work: Callable[[], Awaitable[T]]) -> T:
    """Run to the end. Ctrl-C and SIGTERM cancel the work, let it clean up, and raise KeyboardInterrupt."""
    if sys.version_info < (3, 12):
        # The default watcher of 3.11 starts a thread for every child; this one waits on a descriptor.
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
    with _terminate_like_interrupt():
        return anyio.run(work)


@contextmanager
def _terminate_like_interrupt() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
