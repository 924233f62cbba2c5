"""`KerasMLPRegressor` against `MLPRegressor`, fit by fit in turn, warm; and what the first fit costs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
from measuring import REPEATS, report, seconds
from sklearn.neural_network import MLPRegressor

import mlpnb

QUESTION = {
    "hidden_layer_sizes": (10,), "activation": "logistic", "solver": "sgd", "alpha": 1.0, "momentum": 0.9,
    "batch_size": 200, "max_iter": 200, "tol": 0.0, "n_iter_no_change": 1000, "random_state": 0,
}  # fmt: skip
LARGE = {"hidden_layer_sizes": (100,), "batch_size": 200, "max_iter": 20, "tol": 0.0, "random_state": 0}
COLD = """
import time, numpy as np, warnings
from mlpnb import estimators
import mlpnb
warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(750, 10))
started = time.perf_counter()
estimators._load_single()
imported = time.perf_counter()
mlpnb.KerasMLPRegressor(hidden_layer_sizes=(10,), activation="logistic", solver="sgd", max_iter=1).fit(X, X[:, 0])
compiled = time.perf_counter()
mlpnb.KerasMLPRegressor(hidden_layer_sizes=(11,), activation="logistic", solver="sgd", max_iter=1).fit(X, X[:, 0])
print(imported - started, compiled - imported, time.perf_counter() - compiled)
"""


def in_turn(X: Any, y: Any, params: dict[str, Any]) -> tuple[float, float]:
    """Medians of `REPEATS` fits by Keras and by scikit-learn; in turn, so that the machine's other work meets both."""
    fits = [lambda e=e: e(**params).fit(X, y) for e in (mlpnb.KerasMLPRegressor, MLPRegressor)]
    fits[0]()
    times = [[seconds(fit) for fit in fits] for _ in range(REPEATS)]
    keras, sklearn = (statistics.median(column) for column in zip(*times, strict=True))
    return keras, sklearn


def main() -> None:
    """Measure, print, write."""
    warnings.simplefilter("ignore")
    data = mlpnb.load_data()
    random = np.random.default_rng(0)
    X = random.normal(size=(20_000, 50))
    y = X[:, 0] + np.sin(X[:, 1])
    problems = {"question, 200 epochs": (data.X_train, data.y_train, QUESTION)}
    for solver in ("adam", "sgd"):
        for activation in ("relu", "logistic", "tanh"):
            params = {**LARGE, "solver": solver, "activation": activation}
            problems[f"20,000 x 50, (100,), {solver}, {activation}, 20 epochs"] = (X, y, params)
    float32 = (X.astype("float32"), y.astype("float32"), LARGE)
    problems["20,000 x 50, (100,), adam, relu, 20 epochs, float32"] = float32
    run = subprocess.run([sys.executable, "-c", COLD], capture_output=True, text=True, check=True)
    cold = [float(word) for word in run.stdout.split()]
    names = ("importing TensorFlow and Keras", "the first fit, beyond that", "a fit of another shape: compiling")
    results = dict(zip(names, cold, strict=True))
    ratios = {}
    for name, problem in problems.items():
        keras, sklearn = in_turn(*problem)
        results |= {f"{name}: KerasMLPRegressor": keras, f"{name}: MLPRegressor": sklearn}
        ratios[f"{name}: Keras / scikit-learn"] = keras / sklearn
    report("estimators", results, ratios)


if __name__ == "__main__":
    main()
