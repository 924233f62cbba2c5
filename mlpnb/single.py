"""The single trainer: one network of Keras `Dense` layers, trained an epoch a call by a Keras optimizer.

What training remembers (kernels, biases, the optimizer's slots) goes into a compiled program as arguments and comes
back as results, so that it can be kept as NumPy arrays. Compiled in are shapes, activations, dtypes and the kind of
optimizer; every number (penalty, rates, momentum, rows, weights of rows) is an argument. tensorflow is imported when
this module is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mlpnb.training import KERAS_ACTIVATION  # first: it sets TensorFlow up, and refuses other backends of Keras

# isort: split
import keras
import numpy as np
import tensorflow as tf
from scipy import sparse

from mlpnb.errors import InputError
from mlpnb.programs import alone, kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of inputs that are handed over once. Of more, an epoch copies a part at a time, which is faster (measured) than to
# pick rows out of what caches do not hold, and leaves little beside the data; parts are large, so that calls are few.
MAX_WHOLE_BYTES, PART_BYTES = 2**23, 2**22
_ACTIVATION = KERAS_ACTIVATION | {"softmax": "softmax", "exp": "exponential"}
_running = threading.Lock()  # programs work in variables: one caller at a time


@dataclass(frozen=True)
class Network:
    """What a network computes, and in which precision.

    Attributes
    ----------
    layer_units : tuple of int
        Inputs, hidden units, outputs.
    activation, out_activation, loss : str
        As scikit-learn names them.
    dtype : str
        Of weights and activations.
    loss_dtype : str
        Of the loss: wider than `dtype` where targets or sample weights are wider than the inputs.
    """

    layer_units: tuple[int, ...]
    activation: str
    out_activation: str
    loss: str
    dtype: str
    loss_dtype: str

    def __post_init__(self) -> None:
        unknown = {self.activation, self.out_activation} - set(_ACTIVATION) or {self.loss} - set(_LOSSES)
        if unknown:
            raise InputError(
                f"The installed scikit-learn knows {unknown.pop()!r}, which this mlpnb does not: use one of "
                f"{', '.join(_ACTIVATION)} and {', '.join(_LOSSES)}, or a newer mlpnb."
            )


@dataclass(frozen=True)
class Layout:
    """How rows are handed over: parts of `count` batches of `rows` rows, filled up with rows that weigh nothing."""

    rows: int
    count: int = 1

    @property
    def capacity(self) -> int:
        """Rows of a part."""
        return self.rows * self.count


class State(NamedTuple):
    """What training remembers.

    Attributes
    ----------
    packed : array of shape (n,)
        The weights: kernels (inputs, outputs) layer by layer, then biases (outputs,), each raveled. After them, in the
        same order, what the optimizer keeps for each: SGD's momentum, or Adam's two averages, the first before the
        second.
    step : int
        Updates done, which Adam's bias correction depends on.
    """

    packed: Any
    step: int


class Scalars(NamedTuple):
    """The numbers that a step works with; an optimizer reads its own."""

    alpha: Any
    learning_rate: Any
    momentum: Any = 0.0
    beta_1: Any = 0.0
    beta_2: Any = 0.0
    epsilon: Any = 0.0


def lay_out(n_rows: int, batch_rows: int, row_bytes: int) -> Layout:
    """The layout of `n_rows` rows in batches of `batch_rows`; near sizes get the same, and so the same program.

    Parameters
    ----------
    n_rows, batch_rows : int
    row_bytes : int
        Of a row of inputs, dense, in the network's dtype.
    """
    if batch_rows >= n_rows:
        return Layout(_rounded_up(n_rows))
    return Layout(batch_rows, _bounded(_rounded_up(-(-n_rows // batch_rows)), row_bytes * batch_rows))


def lay_out_whole(n_rows: int, row_bytes: int) -> Layout:
    """The layout of `n_rows` rows of which only sums are asked: their parts are cut anywhere."""
    return Layout(_bounded(_rounded_up(n_rows), row_bytes))


def _bounded(count: int, size: int) -> int:
    """`count` things of `size` bytes, or as many as are a part."""
    return count if count * size <= MAX_WHOLE_BYTES else max(1, PART_BYTES // size)


def _rounded_up(number: int) -> int:
    """The next number with at most four significant bits: at most an eighth more."""
    unit = 1 << max(0, number.bit_length() - 4)
    return -(-number // unit) * unit


class Table:
    """Rows to train on, laid out for a program.

    Rows that fit into one part are handed over once; more are copied, and sparse ones made dense, a part at a time in
    the order in which they are read.

    Parameters
    ----------
    X : ndarray or sparse matrix or array of shape (n_rows, n_features)
    y : ndarray of shape (n_rows, n_outputs)
    weights : ndarray of shape (n_rows,) or None
        Sample weights; ones if None.
    network : Network
    layout : Layout
    """

    def __init__(self, X: Any, y: Any, weights: Any, network: Network, layout: Layout) -> None:
        self.n_rows: int = X.shape[0]
        self._X = X.tocsr() if sparse.issparse(X) else X
        self._y = y
        self._weights = weights
        self._network = network
        self._capacity = layout.capacity
        self._whole = self._tensors(np.arange(self.n_rows)) if self.n_rows <= self._capacity else None

    def parts(self, order: NDArray[np.integer]) -> Iterator[tuple[tuple[Any, Any, Any], NDArray[np.int32], int]]:
        """The rows in `order`, a part at a time: tensors of X, y and weights; positions in them; number of rows."""
        positions = np.arange(self._capacity, dtype=np.int32)
        if self._whole is not None:
            positions[: self.n_rows] = order
            yield self._whole, positions, self.n_rows
            return
        for first in range(0, self.n_rows, self._capacity):
            rows = order[first : first + self._capacity]
            yield self._tensors(rows), positions, len(rows)

    def _tensors(self, rows: NDArray[np.integer]) -> tuple[Any, Any, Any]:
        X = self._X[rows].toarray() if sparse.issparse(self._X) else self._X.take(rows, axis=0)
        weights = np.ones(len(rows)) if self._weights is None else self._weights[rows]
        wide = self._network.loss_dtype
        # Filled up with copies of a row, which are finite where that is, and weigh nothing.
        return (
            tf.constant(self._filled_up(X, self._network.dtype, X[0])),
            tf.constant(self._filled_up(self._y[rows], wide, self._y[rows[0]])),
            tf.constant(self._filled_up(weights, wide, 0)),
        )

    def _filled_up(self, array: Any, dtype: str, filling: Any) -> NDArray[Any]:
        if len(array) == self._capacity:
            return np.asarray(array, dtype)
        full = np.empty((self._capacity, *array.shape[1:]), dtype)
        full[: len(array)] = array
        full[len(array) :] = filling
        return full


class Trainer:
    """A Keras model and optimizer, and the compiled program of an epoch.

    Parameters
    ----------
    network : Network
    optimizer : {"SGD", "Nesterov", "Adam"}
    layout : Layout
    jit_compile : bool
        Whether XLA compiles it.
    """

    def __init__(self, network: Network, optimizer: str, layout: Layout, jit_compile: bool) -> None:
        self.network = network
        self.layout = layout
        self._model = keras_model(network, "identity")
        self._variables = _kernels_then_biases(self._model)
        self._scalars: Any = None  # tensors, while the program is traced
        adam, nesterov = optimizer == "Adam", optimizer == "Nesterov"
        # With momentum, so that there are slots for it; how much, is an argument of the program.
        make = _Adam if adam else partial(keras.optimizers.SGD, momentum=0.9, nesterov=nesterov)
        self._optimizer: Any = alone(make(learning_rate=self._learning_rate))
        self._optimizer.build(self._variables)
        self._slots: list[Any] = (
            [*self._optimizer._momentums, *self._optimizer._velocities] if adam else [*self._optimizer.momentums]
        )
        n_inputs, *_, n_outputs = network.layer_units
        rows, dtype, wide = layout.capacity, network.dtype, network.loss_dtype
        self._compiled = _compiled(
            self._part,
            jit_compile,
            ([sum(_sizes([*self._variables, *self._slots]))], dtype),
            ([rows, n_inputs], dtype),
            ([rows, n_outputs], wide),
            ([rows], wide),
            ([rows], "int32"),
            ([2], "int32"),
            ([len(Scalars._fields)], "float64"),
        )

    def epoch(
        self, state: State, table: Table, order: NDArray[np.integer], **scalars: float
    ) -> tuple[State, np.float64]:
        """Train one epoch.

        Parameters
        ----------
        state : State
        table : Table
        order : ndarray of int, shape (n_rows,)
            The rows in the order in which they are put into batches.
        **scalars : float
            As `Scalars` names them.

        Returns
        -------
        state : State
        loss : float64
            The mean over rows of their batch's loss, before its update, the penalty included.
        """
        packed, step = state
        total = np.float64(0)
        numbers = np.array(Scalars(**scalars), np.float64)
        for (X, y, weights), positions, n_rows in table.parts(order):
            counts = np.array([step, n_rows], np.int32)
            packed, loss = self._compiled(packed, X, y, weights, positions, counts, numbers)
            step += -(-n_rows // self.layout.rows)
            total += loss.numpy()
        return State(packed, step), total / table.n_rows

    def _learning_rate(self) -> Any:
        return self._scalars.learning_rate

    def _part(self, packed: Any, X: Any, y: Any, weights: Any, positions: Any, counts: Any, numbers: Any) -> Any:
        """An update a batch."""
        remembered = [*self._variables, *self._slots]
        for variable, value in zip(remembered, _unpacked(packed, remembered), strict=True):
            variable.assign(value)
        step, n_rows = tf.unstack(counts)
        self._optimizer.iterations.assign(tf.cast(step, self._optimizer.iterations.dtype))
        scalars = self._scalars = Scalars(*tf.unstack(numbers))
        if isinstance(self._optimizer, _Adam):
            self._optimizer.beta_1, self._optimizer.beta_2 = scalars.beta_1, scalars.beta_2
            self._optimizer.epsilon = scalars.epsilon
        else:
            self._optimizer.momentum = _Momentum(scalars.momentum)

        def batch(index: Any, total: Any) -> Any:
            first = index * self.layout.rows
            rows = tf.slice(positions, [first], [self.layout.rows])
            row_weights = tf.gather(weights, rows)
            loss, gradients = _loss_and_gradients(
                self.network, self._model, tf.gather(X, rows), tf.gather(y, rows), row_weights,
                tf.reduce_sum(row_weights), scalars.alpha,
            )  # fmt: skip
            self._optimizer.apply(gradients, self._variables)
            n_batch = tf.minimum(n_rows - first, self.layout.rows)
            return index + 1, total + tf.cast(loss, tf.float64) * tf.cast(n_batch, tf.float64)

        n_batches = -(-n_rows // self.layout.rows)
        start = [tf.constant(0), tf.zeros([], tf.float64)]
        _, total = tf.while_loop(lambda index, _: index < n_batches, batch, start)
        return _packed([variable.value for variable in remembered]), total


class Objective:
    """A Keras model and the compiled program of its loss and gradient over all rows.

    Parameters
    ----------
    network : Network
    layout : Layout
        Of one batch a part.
    jit_compile : bool
        Whether XLA compiles it.
    """

    def __init__(self, network: Network, layout: Layout, jit_compile: bool) -> None:
        self.network = network
        self.layout = layout
        self._model = keras_model(network, "identity")
        self._variables = _kernels_then_biases(self._model)
        n_inputs, *_, n_outputs = network.layer_units
        rows, dtype, wide = layout.capacity, network.dtype, network.loss_dtype
        self._compiled = _compiled(
            self._part,
            jit_compile,
            ([sum(_sizes(self._variables))], dtype),
            ([rows, n_inputs], dtype),
            ([rows, n_outputs], wide),
            ([rows], wide),
            ([2], "float64"),
        )

    def __call__(
        self, packed: NDArray[np.floating], table: Table, total_weight: float, alpha: float
    ) -> tuple[np.floating[Any], NDArray[np.floating]]:
        """The loss, penalty included, and its gradient.

        Parameters
        ----------
        packed : ndarray of shape (n,)
            The weights, as in `State`.
        table : Table
        total_weight : float
            The sum of the sample weights.
        alpha : float

        Returns
        -------
        loss : floating
        gradient : ndarray of shape (n,)
        """
        loss: Any = 0
        gradient: Any = 0
        for part, (tensors, *_) in enumerate(table.parts(np.arange(table.n_rows))):
            numbers = np.array([total_weight, 0.0 if part else alpha], np.float64)  # one penalty, in the first part
            part_loss, part_gradient = self._compiled(packed.astype(self.network.dtype), *tensors, numbers)
            loss, gradient = loss + part_loss.numpy(), gradient + part_gradient.numpy()
        return loss, gradient

    def _part(self, packed: Any, X: Any, y: Any, weights: Any, numbers: Any) -> Any:
        for variable, value in zip(self._variables, _unpacked(packed, self._variables), strict=True):
            variable.assign(value)
        total_weight, alpha = tf.unstack(numbers)
        loss, gradients = _loss_and_gradients(self.network, self._model, X, y, weights, total_weight, alpha)
        return loss, _packed(gradients)


@kept
def trainer(network: Network, optimizer: str, layout: Layout, *, jit_compile: bool) -> Trainer:
    """The `Trainer`, built once."""
    with _running:
        return Trainer(network, optimizer, layout, jit_compile)


@kept
def objective(network: Network, layout: Layout, *, jit_compile: bool) -> Objective:
    """The `Objective`, built once."""
    with _running:
        return Objective(network, layout, jit_compile)


def keras_model(network: Network, out_activation: str) -> Any:
    """A `Sequential` of `Dense` layers, its weights zeros."""
    n_inputs, *units = network.layer_units
    activations = [network.activation] * (len(units) - 1) + [out_activation]
    layers = [
        keras.layers.Dense(n_units, _ACTIVATION[activation], kernel_initializer="zeros", dtype=network.dtype)
        for n_units, activation in zip(units, activations, strict=True)
    ]
    return keras.Sequential([keras.Input((n_inputs,), dtype=network.dtype), *layers])


def _compiled(function: Callable[..., Any], jit_compile: bool, *arguments: tuple[list[int], str]) -> Callable[..., Any]:
    """A program of `function`, which works in variables, for arguments of these shapes and dtypes.

    A concrete function spares the search for the right one, which is most of the cost of a small epoch.
    """
    specs = [tf.TensorSpec(shape, dtype) for shape, dtype in arguments]
    program = tf.function(function, jit_compile=jit_compile, autograph=False).get_concrete_function(*specs)

    def call(*values: Any) -> Any:
        with _running:
            return program(*(tf.convert_to_tensor(value) for value in values))

    return call


class _Momentum:
    """A tensor in place of `SGD.momentum`, a Python float that Keras rounds to float32 (``ops.cast``, Keras 3.15.1)."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Any:
        return self._value

    def __ne__(self, other: object) -> bool:
        return True  # `SGD.update_step` asks whether there is momentum at all; a zero gives the same step


class _Adam(keras.optimizers.Adam):  # type: ignore[misc]  # Keras has no types
    """Keras's Adam, its betas and epsilon tensors of float64, in the arithmetic of scikit-learn's `AdamOptimizer`.

    Two things of Keras's own `update_step` (``optimizers/adam.py``, Keras 3.15.1) are more than rounding off: with a
    small beta ``v + (g² − v)·(1 − beta)`` cancels, and in float32 ``1 − beta ** step`` starts 1e-5 off.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]

        def average(slot: Any, value: Any, beta: Any) -> Any:
            return tf.cast(beta, slot.dtype) * slot + tf.cast(1 - beta, slot.dtype) * value

        self.assign(m, average(m, gradient, self.beta_1))
        self.assign(v, average(v, tf.square(gradient), self.beta_2))
        step = tf.cast(self.iterations + 1, tf.float64)
        rate = learning_rate * tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        self.assign_sub(variable, tf.cast(rate, m.dtype) * m / (tf.sqrt(v) + tf.cast(self.epsilon, v.dtype)))


def _kernels_then_biases(model: Any) -> list[Any]:
    """In the order in which scikit-learn's optimizers keep them."""
    return [layer.kernel for layer in model.layers] + [layer.bias for layer in model.layers]


def _sizes(variables: Sequence[Any]) -> list[int]:
    return [int(np.prod(variable.shape)) for variable in variables]


def _packed(tensors: Sequence[Any]) -> Any:
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)


def _unpacked(packed: Any, variables: Sequence[Any]) -> list[Any]:
    parts = tf.split(packed, _sizes(variables))
    return [tf.reshape(part, variable.shape) for part, variable in zip(parts, variables, strict=True)]


def _loss_and_gradients(
    network: Network, model: Any, X: Any, y: Any, weights: Any, total_weight: Any, alpha: Any
) -> tuple[Any, list[Any]]:
    """``BaseMultilayerPerceptron._backprop`` (``_multilayer_perceptron.py``, scikit-learn 1.9.1), by Keras's model.

    loss = (Σ_rows weight · loss(y, ŷ) + alpha/2 · Σ_kernels W²) / total_weight

    Each loss is canonical for its output activation: its derivative by the last layer's value is ŷ − y, whatever is
    clipped in the loss itself. From there the gradient is the tape's.
    """
    kernels = [layer.kernel for layer in model.layers]
    variables = _kernels_then_biases(model)
    with tf.GradientTape() as tape:
        outputs = model(X, training=True)
    prediction = keras.activations.get(_ACTIVATION[network.out_activation])(outputs)
    losses = _LOSSES[network.loss](y, prediction)
    alpha, total = tf.cast(alpha, network.dtype), tf.cast(total_weight, network.dtype)
    penalty = 0.5 * alpha * tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels])
    loss = (tf.reduce_sum(weights * losses) + tf.cast(penalty, y.dtype)) / tf.cast(total_weight, y.dtype)
    delta = weights[:, None] * (tf.cast(prediction, y.dtype) - y)
    gradients = tape.gradient(outputs, variables, output_gradients=tf.cast(delta, network.dtype))
    gradients = [g + alpha * kernel for g, kernel in zip(gradients, kernels, strict=False)] + gradients[len(kernels) :]
    return loss, [gradient / total for gradient in gradients]


def _squared_error(y: Any, prediction: Any) -> Any:
    return 0.5 * tf.reduce_mean(tf.square(y - tf.cast(prediction, y.dtype)), axis=1)  # the gradient's is the sum


def _poisson(y: Any, prediction: Any) -> Any:
    prediction = tf.cast(prediction, y.dtype)
    return tf.reduce_sum(tf.math.xlogy(y, y / prediction) - y + prediction, axis=1)


def _log_loss(y: Any, prediction: Any) -> Any:
    return -tf.reduce_sum(tf.math.xlogy(y, _clipped(prediction, y.dtype)), axis=1)


def _binary_log_loss(y: Any, prediction: Any) -> Any:
    probability = _clipped(prediction, y.dtype)
    return -tf.reduce_sum(tf.math.xlogy(y, probability) + tf.math.xlogy(1 - y, 1 - probability), axis=1)


def _clipped(probability: Any, dtype: Any) -> Any:
    eps = np.finfo(probability.dtype.as_numpy_dtype).eps
    return tf.cast(tf.clip_by_value(probability, eps, 1 - eps), dtype)


# ``LOSS_FUNCTIONS``, a row (``_base.py``, scikit-learn 1.9.1).
_LOSSES = {
    "squared_error": _squared_error,
    "poisson": _poisson,
    "log_loss": _log_loss,
    "binary_log_loss": _binary_log_loss,
}
