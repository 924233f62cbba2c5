"""Growth: time and memory against rows, features, hidden units, networks and workers; and the roofline.

``make bench-scaling`` writes ``benchmarks/results-scaling.json``, and the tables, sentences and picture of
``docs/scaling.md``. Each case is measured in a process of its own. With ``--quick``, the smallest sizes alone, and
nothing is written; with ``--page``, the page is made anew from the results there are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from measuring import write
from scaling_page import make_page
from sweeps import by_workers
from trainers import BASE, BATCH_ROWS, LIBRARIES, by_estimator, problem

HERE = Path(__file__).parent
SIZES: dict[str, tuple[int, ...]] = {
    "rows": (100, 1_000, 10_000, 100_000, 1_000_000),
    "features": (5, 20, 80, 320, 1280),
    "hidden": (6, 25, 100, 400, 1600),
    "cells": (1, 4, 16, 64, 256),
}
# Networks trained one after another take their number times as long: a few show it.
MOST_CELLS = {"mlpnb": 256, "scikit-learn": 64, "Keras": 16, "PyTorch": 16}
ROUNDS = 3  # of the workers' part: a machine that others share too is faster now and slower then
TIMEOUT = 600  # seconds a case


def in_a_process(case: Any) -> dict[str, float]:
    """What `trainers` measures of a case, in a process of its own."""
    run = subprocess.run(
        [sys.executable, str(HERE / "trainers.py"), json.dumps(case)],
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    if run.returncode:
        raise SystemExit(f"{case}: {run.stderr}")
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def cases(axis: str, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """The cases along an axis, the libraries in turn at each size."""
    if axis == "cells":
        return [{"library": lib, "cells": size} for size in sizes for lib in LIBRARIES if size <= MOST_CELLS[lib]]
    return [{"library": library, **BASE, axis: size} for size in sizes for library in LIBRARIES]


def best_seconds(call: Callable[[], Any], least: float = 0.3) -> float:
    """The shortest of the calls that fit into `least` seconds, after one to warm up."""
    call()
    times: list[float] = []
    while sum(times) < least or len(times) < 3:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def roofline() -> dict[str, float]:
    """What the machine reaches, and what the pieces of a batch of `BASE` take alone.

    Returns
    -------
    dict
        "flops": a second, of a product of large square matrices. "bandwidth": bytes a second, read and written by a
        copy of large arrays on all cores. In seconds a batch: "products", the network's matrix products by NumPy;
        "logistic", of its hidden units by SciPy; "gather", its rows out of a large table; "batch", all of it by
        `KerasMLPRegressor`; "identity", the same without the logistic function.
    """
    from scipy.special import expit

    random = np.random.default_rng(0)
    square = random.standard_normal((2000, 2000))
    cores = os.cpu_count() or 1
    source = [random.standard_normal(4_000_000) for _ in range(cores)]
    target = [np.zeros_like(array) for array in source]
    with ThreadPoolExecutor(cores) as pool:
        copied = best_seconds(lambda: list(pool.map(np.copyto, target, source)))
    X, y = problem(**{name: BASE[name] for name in ("rows", "features")})
    rows, kernel = X[:BATCH_ROWS].copy(), random.standard_normal((BASE["features"], BASE["hidden"]))
    hidden, delta = rows @ kernel, random.standard_normal((BATCH_ROWS, 1))
    last = random.standard_normal((BASE["hidden"], 1))
    table, _ = problem(500_000, BASE["features"])
    order = random.permutation(len(table))[:BATCH_ROWS]

    def products() -> None:
        rows @ kernel, hidden @ last, hidden.T @ delta, delta @ last.T, rows.T @ hidden

    def a_batch(activation: str) -> float:
        epoch, _ = by_estimator("mlpnb", X, y, BASE["hidden"], True, activation)
        return best_seconds(epoch, 1) * BATCH_ROWS / BASE["rows"]

    return {
        "flops": 2 * len(square) ** 3 / best_seconds(lambda: square @ square),
        "bandwidth": 2 * sum(array.nbytes for array in source) / copied,
        "products": best_seconds(products),
        "logistic": best_seconds(lambda: expit(hidden)),
        "gather": best_seconds(lambda: table[order]),
        "batch": a_batch("logistic"),
        "identity": a_batch("identity"),
        "cores": cores,
    }


def measured(sizes: dict[str, tuple[int, ...]], rounds: int) -> dict[str, Any]:
    """Every case, and the rest."""
    seen: dict[str, dict[str, float]] = {}
    axes: dict[str, list[dict[str, Any]]] = {}
    for axis, its_sizes in sizes.items():
        axes[axis] = []
        for case in cases(axis, its_sizes):
            key = json.dumps(case)
            if key not in seen:
                seen[key] = in_a_process(case)
                print(f"{key}: {seen[key]['later']:.4g} s", flush=True)
            axes[axis].append({**case, **seen[key]})
    axes["workers"] = by_workers(rounds)
    return {
        "axes": axes,
        "roofline": roofline(),
        "disagreement": in_a_process("disagreement"),
        "when": time.strftime("%Y-%m-%d"),
    }


def main() -> None:
    """Measure, print, write."""
    if "--page" in sys.argv:
        make_page(json.loads((HERE / "results-scaling.json").read_text()))
    elif "--quick" in sys.argv:
        measured({axis: sizes[:2] for axis, sizes in SIZES.items()}, 1)
    else:
        started = time.perf_counter()
        results = measured(SIZES, ROUNDS)
        write("scaling", results, "tensorflow-cpu", "torch")
        make_page(results)
        print(f"\n{(time.perf_counter() - started) / 60:.1f} minutes in all")


if __name__ == "__main__":
    main()
