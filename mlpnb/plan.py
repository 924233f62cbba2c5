"""The plan: all that decides how a network is trained, as a value.

It is read off a scikit-learn estimator or a Keras model, and a Keras model is built from it. So a translation is a
plan read here and built there, and a comparison is two plans, field by field.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

KERAS_ACTIVATION = {
    "identity": "linear",
    "logistic": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "softmax": "softmax",
    "exp": "exponential",
}
KERAS_LOSS = {
    "squared_error": "MeanSquaredError",
    "binary_log_loss": "BinaryCrossentropy",
    "log_loss": "CategoricalCrossentropy",
    "poisson": "PoissonDeviance",
}


@dataclass(frozen=True, eq=False)
class Plan:
    """How a network is trained. A frozen value; names are scikit-learn's.

    Attributes
    ----------
    units : tuple of int
        Inputs, hidden units, outputs.
    activation : tuple of str
        Of each layer, the output's last.
    loss : {"squared_error", "poisson", "log_loss", "binary_log_loss"}
        What is minimised, as scikit-learn means it: half the squared error, summed over outputs.
    data_scale : float
        How many times scikit-learn's the gradient of the data term is.
    penalty : tuple of float
        For each layer the factor c of its penalty c · Σ kernel².
    per_row : bool
        Whether the penalty is divided by the rows of the batch at hand.
    solver : {"sgd", "adam"}
    learning_rate_init, momentum, beta_1, beta_2, epsilon : float
    nesterovs_momentum : bool
    schedule : tuple of str and float
        scikit-learn's ``learning_rate`` and ``power_t``; the latter 0 unless "invscaling".
    batch_size : int
    epochs : int
        At the most.
    stopping : tuple of float, or None
        ``tol`` and ``n_iter_no_change``, or None for training every epoch.
    early_stopping : bool
        Whether stopping is judged by the score on rows that are set aside, and the best weights are kept.
    dtype : {"float32", "float64"}
    exact : bool
        Whether no scalar is rounded to float32 under float64.
    start : tuple of ndarray, or None
        Weights that training begins with, a kernel (inputs, outputs) and a bias (outputs,) a layer; None if unknown.
    order : str
        How rows are put into batches, in words: equal words, equal order.
    """

    units: tuple[int, ...]
    activation: tuple[str, ...]
    loss: str
    data_scale: float
    penalty: tuple[float, ...]
    per_row: bool
    solver: str
    learning_rate_init: float
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    schedule: tuple[str, float]
    batch_size: int
    epochs: int
    stopping: tuple[float, float] | None
    early_stopping: bool
    dtype: str
    exact: bool
    start: tuple[NDArray[Any], ...] | None
    order: str

    @property
    def n_outputs(self) -> int:
        """Units of the last layer."""
        return self.units[-1]

    def loss_weight(self) -> float:
        """The number that Keras's loss is to be multiplied by: Keras takes means over outputs, scikit-learn sums."""
        each = {"squared_error": self.n_outputs / 2, "binary_log_loss": float(self.n_outputs)}
        return self.data_scale * each.get(self.loss, 1.0)

    def plain_penalty(self, n_rows: int | None) -> bool:
        """Whether Keras's `L2` can express the penalty: batches are all of the same size, or it is not per row."""
        return not self.per_row or not any(self.penalty) or (n_rows is not None and n_rows % self.batch_size == 0)

    def replace(self, **changes: Any) -> Plan:
        """A copy with `changes`."""
        return dataclasses.replace(self, **changes)
