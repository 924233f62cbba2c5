"""The same training by mlpnb, scikit-learn, plain Keras and PyTorch, and what one case of it takes.

One hidden layer of logistic units, half the mean squared error, no penalty, SGD with Nesterov's momentum, batches of
200 rows in a new order every epoch, float64. The rates are numbers that float32 holds exactly, because Keras keeps
them so: from the same weights, in the same order of rows, the four end in the same weights to rounding
(`disagreement`).

``python benchmarks/trainers.py CASE`` measures a case, a JSON object, in this process and prints what it took.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BASE = {"rows": 10_000, "features": 20, "hidden": 100}  # each axis starts from here
BATCH_ROWS = 200
RATE, MOMENTUM = 2.0**-10, 0.875
LIBRARIES = ("mlpnb", "scikit-learn", "Keras", "PyTorch")
EPOCHS, CELL_EPOCHS = 200, 50  # of a fit of the question's problem; of its networks, where they are counted
_Epoch = Callable[[], Any]
_Weights = Callable[[], list[np.ndarray]]


def problem(rows: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and a target that they explain; no more memory on the way than they take."""
    random = np.random.default_rng(0)
    X = random.standard_normal((rows, features))
    return X, np.sin(X[:, 0]) + X[:, 1]


def estimator(library: str, hidden: int, activation: str, shuffle: bool) -> Any:
    """The estimator of scikit-learn, or mlpnb's in its place."""
    import mlpnb

    if library == "scikit-learn":
        from sklearn.neural_network import MLPRegressor as Regressor
    else:
        Regressor = mlpnb.KerasMLPRegressor
    return Regressor(
        hidden_layer_sizes=(hidden,), activation=activation, solver="sgd", alpha=0, learning_rate_init=RATE,
        momentum=MOMENTUM, shuffle=shuffle, random_state=0,
    )  # fmt: skip


def start(X: np.ndarray, y: np.ndarray, hidden: int) -> list[np.ndarray]:
    """The weights that both estimators draw: a step of 1e-30 leaves them as they are."""
    drawn = estimator("scikit-learn", hidden, "logistic", False).set_params(learning_rate_init=1e-30)
    drawn.partial_fit(X[:BATCH_ROWS], y[:BATCH_ROWS])
    return [*drawn.coefs_, *drawn.intercepts_]


def by_estimator(
    library: str, X: np.ndarray, y: np.ndarray, hidden: int, shuffle: bool, activation: str = "logistic"
) -> tuple[_Epoch, _Weights]:
    """`MLPRegressor.partial_fit` or `KerasMLPRegressor.partial_fit`: an epoch a call."""
    model = estimator(library, hidden, activation, shuffle)
    return lambda: model.partial_fit(X, y), lambda: [*model.coefs_, *model.intercepts_]


def by_keras(X: np.ndarray, y: np.ndarray, hidden: int, shuffle: bool) -> tuple[_Epoch, _Weights]:
    """``model.fit``."""
    import keras

    keras.config.set_floatx("float64")  # of the data and the loss
    keras.config.set_dtype_policy("float64")  # of the layers
    model = keras.Sequential([keras.Input((X.shape[1],)), keras.layers.Dense(hidden, "sigmoid"), keras.layers.Dense(1)])
    kernels, biases = np.array_split(np.array(start(X, y, hidden), object), 2)
    model.set_weights([array for layer in zip(kernels, biases, strict=True) for array in layer])
    model.compile(
        keras.optimizers.SGD(RATE, momentum=MOMENTUM, nesterov=True),
        loss=lambda y, output: keras.ops.mean(keras.ops.square(y - output)) / 2,
    )

    def weights() -> list[np.ndarray]:
        first, first_bias, last, last_bias = model.get_weights()
        return [first, last, first_bias, last_bias]

    return lambda: model.fit(X, y, batch_size=BATCH_ROWS, shuffle=shuffle, verbose=0), weights


def by_torch(X: np.ndarray, y: np.ndarray, hidden: int, shuffle: bool) -> tuple[_Epoch, _Weights]:
    """A plain loop over rows of tensors, which share the arrays' memory."""
    import torch

    inputs, target = torch.from_numpy(X), torch.from_numpy(y)[:, None]
    model = torch.nn.Sequential(
        torch.nn.Linear(X.shape[1], hidden), torch.nn.Sigmoid(), torch.nn.Linear(hidden, 1)
    ).double()
    first, last, first_bias, last_bias = start(X, y, hidden)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), (first.T, first_bias, last.T, last_bias), strict=True):
            parameter.copy_(torch.from_numpy(value))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM, nesterov=True)

    def epoch() -> None:
        order = torch.randperm(len(X)) if shuffle else torch.arange(len(X))
        for rows in order.split(BATCH_ROWS):
            loss = torch.nn.functional.mse_loss(model(inputs[rows]), target[rows]) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def weights() -> list[np.ndarray]:
        first, first_bias, last, last_bias = (parameter.detach().numpy() for parameter in model.parameters())
        return [first.T, last.T, first_bias, last_bias]

    return epoch, weights


def trainer(library: str, X: np.ndarray, y: np.ndarray, hidden: int, shuffle: bool = True) -> tuple[_Epoch, _Weights]:
    """A call that trains an epoch, and one that tells the weights: kernels (inputs, outputs), then biases."""
    if library in ("mlpnb", "scikit-learn"):
        return by_estimator(library, X, y, hidden, shuffle)
    return (by_keras if library == "Keras" else by_torch)(X, y, hidden, shuffle)


def disagreement() -> dict[str, float]:
    """How far each library's weights are from scikit-learn's after three epochs in the order of the table.

    The largest difference in proportion to the largest weight.
    """
    X, y = problem(1000, 20)
    ends = {}
    for library in LIBRARIES:
        epoch, weights = trainer(library, X, y, 10, shuffle=False)
        for _ in range(3):
            epoch()
        ends[library] = np.concatenate([array.ravel() for array in weights()])
    reference = ends.pop("scikit-learn")
    return {name: float(np.abs(end - reference).max() / np.abs(reference).max()) for name, end in ends.items()}


def networks(library: str, count: int) -> tuple[_Epoch, int]:
    """A call that trains `count` networks of the question's problem, `CELL_EPOCHS` epochs each; and the data's bytes.

    mlpnb stacks them into one program; the others train one after the other.
    """
    import mlpnb
    from mlpnb.fit import fit_keras

    data = mlpnb.load_data()
    n_bytes = data.X_train.nbytes + data.y_train.nbytes
    if library == "mlpnb":
        settings = [mlpnb.Settings(max_iter=CELL_EPOCHS, dtype="float64", random_state=seed) for seed in range(count)]
        return lambda: fit_keras(data, settings, [mlpnb.KERAS_2] * count), n_bytes

    def one_after_the_other() -> None:
        for _ in range(count):
            epoch, _ = trainer(library, data.X_train, data.y_train, 10)
            for _ in range(CELL_EPOCHS):
                epoch()

    return one_after_the_other, n_bytes


def memory(name: str) -> int:
    """Bytes resident now (``VmRSS``) or at the peak (``VmHWM``), as Linux tells them."""
    with Path("/proc/self/status").open() as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith(name))


def measure(case: dict[str, Any]) -> dict[str, float]:
    """What a case takes.

    Returns
    -------
    dict
        "ready": seconds in which the library is imported and has trained on a few rows. "first": of the first epoch (of
        cells: of all of them, the first time), in which programs of its shape are compiled. "later": of the median
        of those after it. "data": bytes of X and y. "beside": the most that was resident beside what was before the
        first epoch, the data made and the library ready. "fixed": resident by then, without the data.
    """
    library, began = case["library"], time.perf_counter()
    cells = case.get("cells")
    hidden = case.get("hidden", 10)
    X, y = problem(2 * BATCH_ROWS, case.get("features", 10))
    (networks(library, 1) if cells else trainer(library, X, y, hidden))[0]()
    ready = time.perf_counter() - began
    fixed = memory("VmRSS")
    if cells:
        call, data = networks(library, cells)
    else:
        X, y = problem(case["rows"], case["features"])
        data = X.nbytes + y.nbytes
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back
    before = memory("VmRSS")
    started = time.perf_counter()
    if not cells:
        call, _ = trainer(library, X, y, hidden)
    call()
    times = [time.perf_counter() - started]
    while len(times) < 3 or (sum(times[1:]) < 0.5 and len(times) < 50):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
        if sum(times) > 15 and len(times) > 1:
            break
    beside = max(0, memory("VmHWM") - before)
    later = float(np.median(times[1:]))
    return {"ready": ready, "first": times[0], "later": later, "data": data, "beside": beside, "fixed": fixed}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asked = json.loads(sys.argv[1])
    print(json.dumps(disagreement() if asked == "disagreement" else measure(asked)))
