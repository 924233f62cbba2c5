"""The question's own script against `fit_grid` and the explorer, side by side in one run."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import warnings
from typing import Any

from measuring import REPEATS, median, report, seconds

import mlpnb
from mlpnb.grid import fit_row


def plain_sklearn(data: mlpnb.Data, alpha: float) -> None:
    """The question's `MLPRegressor`."""
    from sklearn.neural_network import MLPRegressor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MLPRegressor(
            hidden_layer_sizes=(10,), activation="logistic", solver="sgd", alpha=alpha, momentum=0.9, random_state=0
        ).fit(data.X_train, data.y_train)


def plain_keras(data: mlpnb.Data, alpha: float, both: bool) -> None:
    """The question's Keras network: `model.fit`, 200 epochs in batches of 200."""
    import keras

    def penalty(kernel: Any) -> Any:
        return alpha * 0.5 * keras.ops.sum(keras.ops.square(kernel))

    model = keras.Sequential(
        [
            keras.layers.Dense(10, activation="sigmoid", kernel_regularizer=penalty),
            keras.layers.Dense(1, activation="linear", kernel_regularizer=penalty if both else None),
        ]
    )
    model.compile(keras.optimizers.SGD(0.001, momentum=0.9, nesterov=True), loss="mean_squared_error")
    model.fit(data.X_train, data.y_train, batch_size=200, epochs=200, verbose=0)


async def alpha_moves(data: mlpnb.Data, n_moves: int) -> dict[str, float]:
    """Moves of the explorer's alpha to values not seen before: from the change to each new picture."""
    explorer = mlpnb.explore(data)
    while explorer.busy:
        await asyncio.sleep(0.05)
    keras_seconds, whole_seconds, drawing = [], [], []
    for move in range(n_moves):
        images: list[float] = []
        explorer.image.observe(lambda _, images=images: images.append(time.perf_counter()), "value")
        started = time.perf_counter()
        explorer.load(json.dumps({"settings": {"alpha": 0.0131 * (move + 1)}}))
        while explorer.busy or not images:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)  # the last picture is drawn after the last fit
        explorer.image.unobserve_all("value")
        keras_seconds.append(images[0] - started)
        whole_seconds.append(images[-1] - started)
        drawing.append(seconds(explorer.redraw))
    return {
        "explorer: alpha move, first new columns": statistics.median(keras_seconds),
        "explorer: alpha move, whole picture": statistics.median(whole_seconds),
        "explorer: drawing the picture": statistics.median(drawing),
    }


def main() -> None:
    """Measure, print, write."""
    data, settings = mlpnb.load_data(), mlpnb.Settings()
    keras_recipes = [mlpnb.KERAS_1, mlpnb.KERAS_2]
    seconds(lambda: plain_sklearn(data, 1.0))  # warm up imports
    results = {"fit_grid, cold (imports TensorFlow, compiles)": seconds(lambda: mlpnb.fit_grid(data, settings))}
    results["question: two MLPRegressor.fit"] = median(lambda: [plain_sklearn(data, alpha) for alpha in (0.0, 1.0)])
    results["question: four model.fit of 200 epochs"] = seconds(
        lambda: [plain_keras(data, alpha, both) for alpha in (0.0, 1.0) for both in (False, True)]
    )
    results["fit_grid, warm"] = median(lambda: mlpnb.fit_grid(data, settings))
    for _ in range(2):
        mlpnb.fit_grid(data, settings, n_jobs=2)  # starts the processes
    results["fit_grid, warm, n_jobs=2"] = median(lambda: mlpnb.fit_grid(data, settings, n_jobs=2))
    results["fit_grid's four Keras cells, warm"] = median(
        lambda: [fit_row(data, settings.replace(alpha=alpha), keras_recipes) for alpha in (0.0, 1.0)]
    )
    results |= asyncio.run(alpha_moves(data, REPEATS))
    script = results["question: two MLPRegressor.fit"] + results["question: four model.fit of 200 epochs"]
    ratios = {
        "question's script / fit_grid warm": script / results["fit_grid, warm"],
        "question's script / fit_grid warm, n_jobs=2": script / results["fit_grid, warm, n_jobs=2"],
        "question's four model.fit / the four Keras cells": results["question: four model.fit of 200 epochs"]
        / results["fit_grid's four Keras cells, warm"],
        "fit_grid warm / its floor, two MLPRegressor.fit": results["fit_grid, warm"]
        / results["question: two MLPRegressor.fit"],
        "alpha move, whole picture / its floor, one MLPRegressor.fit": results["explorer: alpha move, whole picture"]
        / (results["question: two MLPRegressor.fit"] / 2),
    }
    report("question", results, ratios)


if __name__ == "__main__":
    main()
