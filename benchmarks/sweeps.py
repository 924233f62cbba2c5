"""10,000 fits of the question's problem by `mlpnb.sweep`, by one worker and by two, beside joblib's `MLPRegressor`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import psutil
from joblib import Parallel, delayed
from sklearn.neural_network import MLPRegressor

import mlpnb
from mlpnb.workers import ONE_THREAD

FITS = 10_000
AXES = {"alpha": [0.0, 0.1, 1.0, 3.0, 10.0], "random_state": range(FITS // 10)}
RECIPES = (mlpnb.KERAS_1, mlpnb.KERAS_2)
WORKERS = (1, 2)
SKLEARN_FITS = 200


def swept(n_jobs: int) -> dict[str, float]:
    """Seconds and peak memory of the sweep, from the call to the table: processes, imports and compiling included."""
    most, done = [0], threading.Event()

    def watch() -> None:
        this = psutil.Process()
        while not done.wait(0.5):
            below = [process.memory_info().rss for process in [this, *this.children(recursive=True)]]
            most[0] = max(most[0], sum(below))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        table = mlpnb.sweep(mlpnb.load_data(), AXES, RECIPES, out=folder, n_jobs=n_jobs)
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    assert len(table) == FITS
    assert table["R²"].notna().all()
    return {"workers": n_jobs, "fits": FITS, "seconds": seconds, "rate": FITS / seconds, "memory": most[0]}


def by_workers() -> list[dict[str, float]]:
    """`swept` by each of `WORKERS`, each run in a process of its own; one worker has one thread, as each of two has."""
    found = []
    for n_jobs in WORKERS:
        command = [sys.executable, str(Path(__file__)), str(n_jobs)]
        run = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **ONE_THREAD})
        found.append(json.loads(run.stdout.splitlines()[-1]))
        print(f"sweep of {FITS:,} fits, {n_jobs} worker(s): {found[-1]['seconds']:.4g} s", flush=True)
    return found


def by_sklearn() -> float:
    """Fits a second of `MLPRegressor` by joblib on two processes that are there already."""
    data = mlpnb.load_data()
    with Parallel(n_jobs=2) as parallel:
        parallel(delayed(_fit)(data.X_train, data.y_train, seed) for seed in range(4))
        started = time.perf_counter()
        parallel(delayed(_fit)(data.X_train, data.y_train, seed) for seed in range(SKLEARN_FITS))
        return SKLEARN_FITS / (time.perf_counter() - started)


def _fit(X: Any, y: Any, seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MLPRegressor(
            hidden_layer_sizes=(10,), activation="logistic", solver="sgd", alpha=1.0, momentum=0.9, random_state=seed
        ).fit(X, y)


if __name__ == "__main__":
    print(json.dumps(swept(int(sys.argv[1]))))
