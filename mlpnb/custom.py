"""The few Keras objects that scikit-learn's training needs and Keras has not.

Each is plain Keras and NumPy, and stands alone: `to_keras(..., as_code=True)` copies its source into the user's script.
keras is imported when this module is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlpnb.training  # noqa: F401 - first: it sets TensorFlow up, and refuses other backends of Keras

# isort: split
import keras
import numpy as np


@keras.saving.register_keras_serializable("mlpnb")
class DensePerRow(keras.layers.Dense):  # type: ignore[misc]  # Keras has no types
    """A `Dense` layer whose penalty is scikit-learn's: alpha / 2 · Σ kernel² / rows of the batch at hand."""

    def __init__(self, units: int, *args: Any, alpha: float, **options: Any) -> None:
        super().__init__(units, *args, **options)
        self.alpha = alpha

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The layer's outputs, of shape (rows, units); adds the penalty to the model's loss."""
        rows = keras.ops.cast(keras.ops.shape(inputs)[0], self.compute_dtype)
        factor = keras.ops.cast(np.float64(self.alpha / 2), self.compute_dtype)  # a Python float would be rounded
        self.add_loss(factor * keras.ops.sum(keras.ops.square(self.kernel)) / rows)
        return super().call(inputs, training=training)

    def get_config(self) -> dict[str, Any]:
        """What the layer is made from."""
        return {**super().get_config(), "alpha": self.alpha}


@keras.saving.register_keras_serializable("mlpnb")
class PoissonDeviance(keras.losses.Loss):  # type: ignore[misc]
    """Half the Poisson deviance, summed over outputs. Keras's own adds 1e-7 within the logarithm."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row, of shape (rows,)."""
        ratio = keras.ops.where(y_true == 0, keras.ops.ones_like(y_pred), y_true / y_pred)
        return keras.ops.sum(y_true * keras.ops.log(ratio) - y_true + y_pred, axis=-1)


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches in scikit-learn's order: a shuffle an epoch, each of the order before; the last batch may be short."""

    def __init__(self, X: Any, y: Any, batch_size: int, random: np.random.RandomState | None) -> None:
        super().__init__()
        self.X, self.y, self.batch_size, self.random = X, y, batch_size, random
        self.order = np.arange(len(X))

    def __len__(self) -> int:
        return -(-len(self.X) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return self.X[rows], self.y[rows]

    def on_epoch_begin(self) -> None:
        """Shuffle, which ``random=None`` leaves out."""
        if self.random is not None:
            self.order = self.order[self.random.permutation(len(self.order))]


class ScikitLearnStopping(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends training, and lowers the learning rate, when scikit-learn does.

    A loss that beats the best by less than `tol` counts as no improvement, yet is the new best: Keras's own
    `EarlyStopping` has another rule. With `validation`, rows and their targets, it is their `score` that is followed,
    and training ends with the best weights.
    """

    def __init__(
        self, tol: float, n_iter_no_change: float, schedule: str = "constant", power_t: float = 0.5,
        n_rows: int = 0, n_outputs: int = 1, validation: Any = None, score: Callable[..., float] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.tol, self.n_iter_no_change = tol, n_iter_no_change
        self.schedule, self.power_t = schedule, power_t
        self.n_rows, self.n_outputs = n_rows, n_outputs
        self.validation, self.score = validation, score
        self.best, self.stalled, self.seen = np.inf, 0, 0
        self.start = np.nan

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """The start is the best so far."""
        self.weights = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """After ``_update_no_improvement_count`` and ``SGDOptimizer`` of scikit-learn 1.9.1."""
        logs = logs or {}
        loss = logs["loss"]
        if self.n_outputs > 1:  # scikit-learn follows the gradient of the sum over outputs, and reports their mean
            loss -= (self.n_outputs - 1) / 2 * logs["mean_squared_error"]
        if self.validation is not None and self.score is not None:
            X, y = self.validation
            outputs = keras.ops.convert_to_numpy(self.model(X))
            loss = -self.score(y, outputs) if np.isfinite(outputs).all() else np.nan
            if loss < self.best:
                self.weights = self.model.get_weights()
        self.stalled = self.stalled + 1 if loss > self.best - self.tol else 0
        self.best = loss if loss < self.best else self.best
        optimizer = self.model.optimizer
        rate = float(optimizer.learning_rate)
        self.start = rate if np.isnan(self.start) else self.start
        self.seen += self.n_rows
        if self.schedule == "invscaling":
            optimizer.learning_rate = np.float64(self.start / (self.seen + 1) ** self.power_t)
        if self.stalled > self.n_iter_no_change:
            if self.schedule == "adaptive" and rate > 1e-6:
                optimizer.learning_rate = np.float64(rate / 5)
                self.stalled = 0
            else:
                self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Keep the best weights, if rows were set aside to judge them."""
        if self.validation is not None:
            self.model.set_weights(self.weights)


def share_of_classes(y_true: Any, outputs: Any) -> float:
    """scikit-learn's accuracy where one class in several is right."""
    return float(np.mean(np.argmax(outputs, axis=1) == np.argmax(y_true, axis=1)))


def share_of_labels(y_true: Any, outputs: Any) -> float:
    """scikit-learn's accuracy where each output is a yes or a no."""
    return float(np.mean(np.all((outputs > 0.5) == (y_true > 0.5), axis=1)))
