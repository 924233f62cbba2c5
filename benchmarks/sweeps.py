"""Fits of the question's problem by one worker and by two: `mlpnb.sweep`, and the others by joblib."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from joblib import Parallel, delayed
from sklearn.neural_network import MLPRegressor
from trainers import EPOCHS, trainer

import mlpnb
from mlpnb.workers import ONE_THREAD

FITS = {"mlpnb": 10_000, "scikit-learn": 100, "Keras": 2, "PyTorch": 40}  # of the others a few show it
AXES = {"alpha": [0.0, 0.1, 1.0, 3.0, 10.0], "random_state": range(FITS["mlpnb"] // 10)}
RECIPES = (mlpnb.KERAS_1, mlpnb.KERAS_2)
WORKERS = (1, 2)


def watched(call: Callable[[], Any]) -> tuple[float, int]:
    """Seconds of a call, and the most bytes resident meanwhile in this process and those below it."""
    most, done = [0], threading.Event()

    def watch() -> None:
        this = psutil.Process()
        while not done.wait(0.5):
            below = [process.memory_info().rss for process in [this, *this.children(recursive=True)]]
            most[0] = max(most[0], sum(below))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        call()
        seconds = time.perf_counter() - started
    finally:
        done.set()
        watcher.join()
    return seconds, most[0]


def swept(n_jobs: int) -> tuple[float, int]:
    """The sweep from the call to the table, processes, imports and compiling included: `watched`."""

    def sweep() -> None:
        with tempfile.TemporaryDirectory() as folder:
            table = mlpnb.sweep(mlpnb.load_data(), AXES, RECIPES, out=folder, n_jobs=n_jobs)
        assert len(table) == FITS["mlpnb"]
        assert table["R²"].notna().all()

    return watched(sweep)


def by_joblib(library: str, n_jobs: int) -> tuple[float, int]:
    """Fits by joblib's processes, which are there already and have the library imported: `watched`."""
    data = mlpnb.load_data()
    with Parallel(n_jobs=n_jobs) as parallel:

        def fits(count: int, epochs: int) -> None:
            parallel(delayed(_fit)(library, data.X_train, data.y_train, epochs, seed) for seed in range(count))

        fits(2 * n_jobs, 1)
        return watched(lambda: fits(FITS[library], EPOCHS))


def _fit(library: str, X: Any, y: Any, epochs: int, seed: int) -> None:
    warnings.simplefilter("ignore")
    if library == "scikit-learn":
        MLPRegressor(
            hidden_layer_sizes=(10,), activation="logistic", solver="sgd", alpha=1.0, momentum=0.9, max_iter=epochs,
            random_state=seed,
        ).fit(X, y)  # fmt: skip
        return
    epoch, _ = trainer(library, X, y, 10)
    for _ in range(epochs):
        epoch()


def by_workers(rounds: int) -> list[dict[str, Any]]:
    """Every library by each of `WORKERS`, in turn, each run in a process of its own; every worker has one thread.

    Returns
    -------
    list of dict
        "library", "workers", "fits"; "later": seconds a fit, the median of the rounds; "beside": bytes of all
        processes, the most of the rounds, "data" among them.
    """
    runs: dict[tuple[str, int], list[tuple[float, int]]] = {(lib, n_jobs): [] for lib in FITS for n_jobs in WORKERS}
    for _ in range(rounds):
        for (library, n_jobs), found in runs.items():
            command = [sys.executable, str(Path(__file__)), library, str(n_jobs)]
            run = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **ONE_THREAD})
            found.append(json.loads(run.stdout.splitlines()[-1]))
            print(f"{FITS[library]:,} fits by {library}, {n_jobs} worker(s): {found[-1][0]:.4g} s", flush=True)
    points = []
    for (library, n_jobs), found in runs.items():
        seconds, memory = zip(*found, strict=True)
        points.append(
            {
                "library": library, "workers": n_jobs, "fits": FITS[library],
                "later": statistics.median(seconds) / FITS[library], "data": 0, "beside": max(memory),
            }
        )  # fmt: skip
    return points


if __name__ == "__main__":
    asked, n_jobs = sys.argv[1], int(sys.argv[2])
    print(json.dumps(swept(n_jobs) if asked == "mlpnb" else by_joblib(asked, n_jobs)))
