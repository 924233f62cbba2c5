"""Where a sweep's tasks are computed: in this process, in processes of its own, or on a Dask cluster.

All three are `concurrent.futures` executors, or none: loky's processes, and Dask's own executor over its client.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, wait
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from mlpnb.errors import InputError, SweepError

Task = TypeVar("Task")
Result = TypeVar("Result")

LOCAL = "local"  # as a scheduler's address: a Dask cluster of this machine's, started for the sweep
# loky ends a process that has grown by 300 MB since its first task, and starts another: so what TensorFlow's compiled
# programs hold, which it never frees, is bounded, and nobody need know.
warnings.filterwarnings("ignore", "A worker was restarted while some jobs", UserWarning)
MOST_LOSSES = 3  # times in a row that processes are killed before a result comes; Dask allows as many a task
# A task is one program, and as many run at once as there are workers: more threads would only be in each other's way.
TENSORFLOW_THREADS = "TF_NUM_INTRAOP_THREADS"
ONE_THREAD = dict.fromkeys(
    (TENSORFLOW_THREADS, "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)


def compute(
    function: Callable[[Task], Result], tasks: Iterable[Task], n_jobs: int = 1, scheduler: str | None = None,
    *, begin: Callable[[], object] | None = None,
) -> Iterator[tuple[Task, Result]]:  # fmt: skip
    """Call `function` with each task, and give its results as they come.

    Parameters
    ----------
    function : callable
        To be pickled, unless it is called here.
    tasks : iterable
    n_jobs : int, default=1
        Processes of this machine; 1 computes in this one.
    scheduler : str, optional
        The address of a Dask scheduler, or "local" for a Dask cluster of `n_jobs` processes on this machine.
    begin : callable, optional
        What a process of this machine does first, to have in memory what all tasks need.

    Yields
    ------
    task, result

    Raises
    ------
    InputError
        If `n_jobs` is not a number of processes, Dask is not installed, or the scheduler can't be reached.
    SweepError
        If processes are killed again and again, or the cluster is lost.
    """
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1:
        raise InputError(f"the number of workers is {n_jobs!r}, but it must be a whole number, 1 or more: give one.")
    if scheduler is None and n_jobs == 1:
        return ((task, function(task)) for task in tasks)
    return _compute_elsewhere(function, deque(tasks), n_jobs, scheduler, begin)


def _compute_elsewhere(
    function: Callable[[Task], Result], waiting: deque[Task], n_jobs: int, scheduler: str | None,
    begin: Callable[[], object] | None,
) -> Iterator[tuple[Task, Result]]:  # fmt: skip
    losses = 0
    while waiting:
        under_way: dict[Any, Task] = {}
        try:
            with _dask(n_jobs, scheduler) if scheduler else _processes(n_jobs, begin) as (executor, n_workers):
                while waiting or under_way:
                    # Two tasks a worker: one to work on, and one to go on with; so no queue fills anybody's memory.
                    while waiting and len(under_way) < 2 * n_workers:
                        task = waiting.popleft()
                        under_way[executor.submit(function, task)] = task
                    done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                    # what has come, before an error ends it
                    for future in sorted(done, key=lambda future: future.exception() is not None):
                        result = future.result()
                        losses = 0
                        yield under_way.pop(future), result
        except BrokenExecutor:
            waiting.extendleft(under_way.values())
            losses += 1
            if losses == MOST_LOSSES:
                raise SweepError(
                    f"worker processes were killed {MOST_LOSSES} times in a row, as the system does when memory is "
                    "short: all fits that had come are kept; run the same sweep again with fewer workers."
                ) from None
            warnings.warn(
                f"a worker process was killed: the {len(under_way)} task(s) under way are computed again by new ones.",
                stacklevel=3,
            )


@contextmanager
def _processes(n_jobs: int, begin: Callable[[], object] | None) -> Iterator[tuple[Executor, int]]:
    from loky import ProcessPoolExecutor

    # What all tasks need is there before the first, or loky would take it for a leak.
    executor = ProcessPoolExecutor(n_jobs, env=ONE_THREAD, initializer=_begin, initargs=(os.getpid(), begin))
    try:
        yield executor, n_jobs
    finally:
        executor.shutdown(kill_workers=True)


def call_beside(function: Callable[[Task], Result], task: Task, begin: Callable[[], object]) -> Result:
    """Call `function` in one process beside this one, which is kept for the next such call, and ends when idle."""
    from loky import get_reusable_executor

    executor = get_reusable_executor(1, timeout=60, env=ONE_THREAD, initializer=_begin, initargs=(os.getpid(), begin))
    try:
        result: Result = executor.submit(function, task).result()
    except BrokenExecutor as error:
        raise SweepError(
            "the process that trains Keras's networks was killed, as the system does when memory is short: all fits "
            "that had come are kept; run the same sweep again, and it goes on from them."
        ) from error
    return result


def _begin(parent: int, begin: Callable[[], object] | None) -> None:
    """Start a process: it ends when its parent is gone, killed perhaps, which loky's own never notice."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, name="mlpnb parent", daemon=True).start()
    if begin is not None:
        begin()


@contextmanager
def _dask(n_jobs: int, scheduler: str) -> Iterator[tuple[Executor, int]]:
    try:
        from distributed import CancelledError, Client, KilledWorker, LocalCluster
        from distributed.comm import CommClosedError
        from distributed.utils import silence_logging_cmgr
    except ImportError as error:
        raise InputError(f'Dask is not installed ({error}): run pip install "mlpnb[distributed]".') from error
    with ExitStack() as stack:
        # What it logs of a cluster that is lost is told in a sentence. These have a handler each: `config.py` of
        # distributed 2026.8.0.
        for name in ("distributed", "distributed.client"):
            stack.enter_context(silence_logging_cmgr(logging.CRITICAL, name))
        try:
            cluster = None
            if scheduler == LOCAL:
                cluster = LocalCluster(
                    n_workers=n_jobs,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    env=ONE_THREAD,
                    silence_logs=logging.CRITICAL,
                )
                stack.callback(cluster.close)
            client = Client(cluster or scheduler, timeout=10, set_as_default=False)
            stack.callback(client.close)
        except (OSError, ValueError) as error:  # a time-out is an OSError
            raise InputError(
                f"scheduler {scheduler!r} can't be reached ({error}): give the address that `dask scheduler` printed, "
                f"such as tcp://10.0.0.1:8786, or {LOCAL!r} for a cluster on this machine."
            ) from error
        try:
            n_workers = sum(client.nthreads().values()) or 1
            yield client.get_executor(pure=False), n_workers
        except KilledWorker as error:
            raise SweepError(
                f"Dask's workers were killed again and again over one task ({error}): all fits that had come are kept; "
                "run the same sweep again, with more memory a worker."
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise SweepError(
                f"the Dask scheduler {scheduler!r} is lost: all fits that had come are kept; start it again and run "
                "the same sweep again, and it goes on from them."
            ) from error
