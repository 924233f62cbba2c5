"""The background worker: only the newest request counts, and nothing is queued."""

import threading
import time

import pytest

from mlpnb.latest import GRACE_SECONDS, LatestWorker


def worker_of(work, failed=None):
    return LatestWorker(work, failed or (lambda error: pytest.fail(str(error))), "mlpnb test")


def test_the_requests_between_are_dropped_and_the_last_is_worked_on():
    started, release, done = threading.Event(), threading.Event(), []

    def work(request, watch):
        started.set()
        release.wait(5)
        done.append(request)

    worker = worker_of(work)
    worker.submit(0)
    assert started.wait(5)
    for request in range(1, 50):
        worker.submit(request)
    release.set()
    assert worker.wait(5)
    assert done == [0, 49]


def test_long_work_is_left_when_a_newer_request_comes():
    epochs, done = [], []

    def work(request, watch):
        for epoch in range(1000 if request == "old" else 1):
            watch(epoch)
            epochs.append(epoch)
            time.sleep(0.01)
        done.append(request)

    worker = worker_of(work)
    worker.submit("old")
    time.sleep(GRACE_SECONDS)
    worker.submit("new")
    assert worker.wait(5)
    assert done == ["new"]
    assert len(epochs) < 500


def test_an_idle_worker_holds_no_thread_and_works_again():
    done = []
    worker = worker_of(lambda request, watch: done.append((request, threading.active_count())))
    before = threading.active_count()
    for request in (1, 2):
        worker.submit(request)
        assert worker.wait(5)
        assert not worker.busy
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)  # the thread's last words come after `wait` returns
    assert threading.active_count() == before
    assert done == [(1, before + 1), (2, before + 1)]


def test_an_error_in_the_work_is_handed_over_and_later_requests_are_worked_on():
    errors, done = [], []

    def work(request, watch):
        if request == "bad":
            raise RuntimeError("broken")
        done.append(request)

    worker = worker_of(work, errors.append)
    for request in ("bad", "good"):
        worker.submit(request)
        assert worker.wait(5)
    assert [str(error) for error in errors] == ["broken"]
    assert done == ["good"]
