"""Work in the background of which only the newest request counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Request = TypeVar("Request")

GRACE_SECONDS = 0.15


class Superseded(Exception):
    """Raised inside work that a newer request has overtaken."""


class LatestWorker(Generic[Request]):
    """A background thread that works on the newest request; those between are dropped, never queued.

    Work under way when a newer request comes may still finish within `GRACE_SECONDS` of its start, so that a picture
    follows a long drag; after that its `watch` raises `Superseded`.

    Parameters
    ----------
    work : callable
        ``work(request, watch)``; it calls ``watch(anything)`` every now and then.
    failed : callable
        Called with the exception that work ended in, in the background thread; later requests are worked on.
    name : str
        The thread's name.
    """

    def __init__(
        self, work: Callable[[Request, Callable[[int], None]], None], failed: Callable[[Exception], None], name: str
    ) -> None:
        self._work = work
        self._failed = failed
        self._name = name
        self._changed = threading.Condition()
        self._pending: list[Request] = []
        self._thread: threading.Thread | None = None

    def submit(self, request: Request) -> None:
        """Ask for `request`; whatever is still waiting is dropped."""
        with self._changed:
            self._pending = [request]
            if self._thread is None:
                # Started by need and ended when idle: a forgotten worker holds no thread.
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is waiting or under way; whether that came within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, timeout)

    @property
    def busy(self) -> bool:
        """Whether a request is waiting or under way."""
        with self._changed:
            return self._thread is not None

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._pending:
                    self._thread = None
                    self._changed.notify_all()
                    return
                request = self._pending.pop()
            started = time.monotonic()

            def watch(_: int, started: float = started) -> None:
                if self._pending and time.monotonic() - started > GRACE_SECONDS:
                    raise Superseded

            try:
                self._work(request, watch)
            except Superseded:
                continue
            except Exception as error:
                self._failed(error)
