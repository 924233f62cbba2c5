"""The stacked trainer: many networks trained at once by Keras layers and a Keras optimizer, in one compiled program.

The layers' kernels and biases carry a leading *cell* axis, a network a cell. What recipes and sliders change (penalty,
learning rate, momentum, epochs, start, batch order, stopping) are arguments of the program; only shapes, activation
and dtype are compiled in. This is the one module that imports tensorflow when it is imported.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

# No greeting about oneDNN on stderr, and the same rounding with and without it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from mlpnb.draws import DrawKey, Draws, draw, draw_key
from mlpnb.errors import InputError
from mlpnb.programs import alone, kept
from mlpnb.shape import CELLS_A_PROGRAM, Shape, shape_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlpnb.data import Data
    from mlpnb.recipe import Recipe
    from mlpnb.settings import Settings

Seen = TypeVar("Seen")

KERAS_ACTIVATION = {
    "logistic": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "identity": "linear",
    "softplus": "softplus",
}
EPOCHS_A_CALL = 50  # epochs are fed in such parts: their number is never compiled in, and a fit can be left
ORDER_NUMBERS = 1 << 22  # of the batch orders fed at once; with many rows a part is of fewer epochs
TOL, N_ITER_NO_CHANGE = 1e-4, 10  # scikit-learn's defaults, as in the question
_ADAM = {"beta_1": 0.9, "beta_2": 0.999}  # both libraries' defaults

# A program is compiled for each shape by design; TensorFlow would warn of "retracing" from the fifth on.
logging.getLogger("tensorflow").addFilter(lambda record: "triggered tf.function retracing" not in record.getMessage())

_running = threading.Lock()  # programs hold their weights in variables: one caller at a time

if keras.backend.backend() != "tensorflow":
    raise InputError(
        f"Keras runs on {keras.backend.backend()!r}, but mlpnb trains on TensorFlow: start again with the environment "
        "variable KERAS_BACKEND=tensorflow."
    )


@dataclass(frozen=True, eq=False)
class Trained:
    """What training left behind in one cell.

    Attributes
    ----------
    coefs, intercepts : tuple of ndarray, shapes (inputs, outputs) and (outputs,)
        Kernels and biases, as `MLPRegressor.coefs_` and `intercepts_` hold them; the dtype trained in.
    loss_curve : ndarray of shape (n_iter,)
        The training loss an epoch, penalty included, each batch before its update.
    prediction : ndarray of shape (n_test,)
    seconds : float
        This cell's share of the program's run time, in seconds.
    """

    coefs: tuple[NDArray[np.floating], ...]
    intercepts: tuple[NDArray[np.floating], ...]
    loss_curve: NDArray[np.floating]
    prediction: NDArray[np.floating]
    seconds: float


def train(
    data: Data,
    cells: Sequence[tuple[Settings, Recipe]],
    watch: Callable[[int], None] | None = None,
    done: Callable[[int], object] | None = None,
) -> list[Trained]:
    """Train a network a cell, up to `CELLS_A_PROGRAM` cells of equal `Shape` at once in one compiled program.

    Each equals an ordinary ``keras.Sequential`` of ``Dense`` layers trained by ``model.fit`` from the same start in
    the same order, to rounding. Cells that cannot differ, such as those of a penalty of 0 divided by
    rows or not, train once.

    Parameters
    ----------
    data : Data
    cells : sequence of (Settings, Recipe)
    watch : callable, optional
        Called with the number of epochs done, every few epochs; an exception that it raises ends the training.
    done : callable, optional
        Called with the number of cells that a program has just trained.

    Returns
    -------
    list of Trained
        In the order of `cells`.
    """
    alike: dict[Shape, dict[_Cell, list[int]]] = {}
    for index, (settings, recipe) in enumerate(cells):
        shape = shape_of(data, settings, recipe)
        alike.setdefault(shape, {}).setdefault(_cell(data, settings, recipe, shape), []).append(index)
    results: dict[int, Trained] = {}
    for shape, indices in alike.items():
        distinct = list(indices)
        for first in range(0, len(distinct), CELLS_A_PROGRAM):
            chunk = distinct[first : first + CELLS_A_PROGRAM]
            # Beyond a grid's few, whole powers of two, so that few programs are compiled; the last cell fills up.
            n_cells = len(chunk) if len(chunk) <= 4 else 1 << (len(chunk) - 1).bit_length()
            with _running:
                trained = _program(shape, n_cells).run(data, chunk + [chunk[-1]] * (n_cells - len(chunk)), watch)
            for cell, result in zip(chunk, trained, strict=False):
                results |= dict.fromkeys(indices[cell], result)
            if done is not None:
                done(sum(len(indices[cell]) for cell in chunk))
    return [results[index] for index in range(len(cells))]


class Snapshot(NamedTuple):
    """All cells of a program after an epoch, each array with a leading cell axis."""

    kernels: list[NDArray[np.floating]]
    biases: list[NDArray[np.floating]]
    predictions: NDArray[np.floating]


def record(
    data: Data, cells: Sequence[tuple[Settings, Recipe]], watch: Callable[[int], None] | None = None
) -> list[tuple[Trained, list[Snapshot]]]:
    """Train as `train` does, an epoch a call of the same compiled program, and keep what each epoch left.

    Parameters
    ----------
    data : Data
    cells : sequence of (Settings, Recipe)
    watch : callable, optional
        Called with the number of epochs done, every epoch; an exception that it raises ends the training.

    Returns
    -------
    list of (Trained, list of Snapshot)
        In the order of `cells`; the first snapshot is the start, then one an epoch trained. A snapshot's arrays are
        this cell's own, without the cell axis.
    """
    alike: dict[Shape, list[int]] = {}
    for index, (settings, recipe) in enumerate(cells):
        alike.setdefault(shape_of(data, settings, recipe), []).append(index)
    results: dict[int, tuple[Trained, list[Snapshot]]] = {}
    for shape, indices in alike.items():
        for first in range(0, len(indices), 4):
            chunk = indices[first : first + 4]
            seen: list[Snapshot] = []
            with _running:
                made = [_cell(data, *cells[index], shape) for index in chunk]
                trained = _program(shape, len(chunk)).run(data, made, watch, seen)
            for place, (index, one) in enumerate(zip(chunk, trained, strict=True)):
                own = [
                    Snapshot([k[place] for k in s.kernels], [b[place] for b in s.biases], s.predictions[place])
                    for s in seen[: len(one.loss_curve) + 1]
                ]
                results[index] = one, own
    return [results[index] for index in range(len(cells))]


@dataclass(frozen=True, eq=False)
class Step:
    """One update of a network, as it stands before it.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        The batch's loss, penalty included.
    gradients : list of ndarray
        Of that loss, a kernel's and a bias's a layer.
    kernels, biases : list of ndarray, shapes (inputs, outputs) and (outputs,)
    """

    epoch: int
    loss: float
    gradients: list[NDArray[np.floating]]
    kernels: list[NDArray[np.floating]]
    biases: list[NDArray[np.floating]]


def trace(data: Data, settings: Settings, recipe: Recipe, look: Callable[[Step], Seen]) -> list[Seen]:
    """Train a network step by step, as `train` does it, and gather what `look` sees of each step.

    All epochs are trained, whatever the recipe says of stopping, but for those after a loss that is not finite.
    """
    shape = shape_of(data, settings, recipe)
    seen = []
    with _running:
        for step in _program(shape, 1).trace(data, _cell(data, settings, recipe, shape)):
            seen.append(look(step))
            if not np.isfinite(step.loss):
                break
    return seen


def largest_curvature(
    data: Data, settings: Settings, recipe: Recipe,
    coefs: Sequence[NDArray[np.floating]], intercepts: Sequence[NDArray[np.floating]],
) -> float:  # fmt: skip
    """The largest eigenvalue of the Hessian of the recipe's loss over all training rows, penalty included.

    Parameters
    ----------
    coefs, intercepts : sequences of ndarray, shapes (inputs, outputs) and (outputs,)
        The weights at which it is taken.
    """
    shape = shape_of(data, settings, recipe)
    with _running:
        return _program(shape, 1).largest_curvature(data, _cell(data, settings, recipe, shape), coefs, intercepts)


class _Cell(NamedTuple):
    """All that one network's training depends on beside its data and `Shape`: equal cells train alike."""

    start: DrawKey
    constants: tuple[tuple[str, Any], ...]


def _cell(data: Data, settings: Settings, recipe: Recipe, shape: Shape) -> _Cell:
    """A recipe and its settings as the numbers that the compiled loop works with, in the dtype that it works in."""

    def scalar(value: float) -> float:
        return float(np.float32(value)) if recipe.scalars == "float32" else value

    n_layers = len(shape.layer_sizes) - 1
    penalised = [recipe.penalised_kernels == "all" or index < n_layers - 1 for index in range(n_layers)]
    constants = {
        "learning_rate": settings.learning_rate_init,
        "momentum": scalar(settings.momentum),
        **{key: scalar(number) for key, number in _ADAM.items()},
        "epsilon": float(recipe.epsilon),
        "data_factor": recipe.data_factor,
        "penalty": tuple(scalar(settings.alpha / 2) if on else 0.0 for on in penalised),
        "per_row": float(recipe.penalty_scale == "per row" and settings.alpha > 0),
        "tol": TOL if recipe.stopping == "tol" else -np.inf,
        "max_iter": settings.max_iter,
    }
    as_trained = {key: np.asarray(value, shape.dtype).tolist() for key, value in constants.items()}
    hashable = {key: tuple(value) if isinstance(value, list) else value for key, value in as_trained.items()}
    return _Cell(draw_key(settings, recipe, *data.X_train.shape), tuple(hashable.items()))


class _CellValue:
    """A tensor in place of a Python float in a Keras optimizer: a hyperparameter with a value a cell.

    Keras rounds such a float where it casts it (``ops.cast(self.beta_1, ...)``, ``optimizers/adam.py``, Keras 3.15.1),
    and not where it calculates with it (``1 - self.beta_1``): the tensor is what a cast gives, `number` the float.
    """

    def __init__(self, tensor: Any, number: float = 0.0) -> None:
        self.tensor = tensor
        self.number = number

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Any:
        return self.tensor

    def __rsub__(self, other: float) -> float:
        return other - self.number

    def __ne__(self, other: object) -> bool:
        return True  # `SGD.update_step` asks whether there is momentum at all; a zero gives the same step


@kept
def _program(shape: Shape, n_cells: int, *, jit_compile: bool) -> _Program:
    return _Program(shape, n_cells, jit_compile)


class _Program:
    """A Keras model and optimizer whose variables carry a cell axis, with their compiled training loop."""

    def __init__(self, shape: Shape, n_cells: int, jit_compile: bool) -> None:
        self.shape = shape
        self.n_cells = n_cells
        self.part_epochs = min(EPOCHS_A_CALL, max(1, ORDER_NUMBERS // (n_cells * shape.n_rows)))
        self.model = _stacked_model(shape, n_cells)
        self.optimizer = alone(_optimizer(shape, lambda: self._learning_rate))
        self.optimizer.build(self.model.trainable_variables)
        self._learning_rate: Any = None
        self._train, self._look, self._move, self._curve = (
            tf.function(work, jit_compile=jit_compile, autograph=False)
            for work in (self._epochs, self._gradients, self._apply, self._hessian_product)
        )

    def run(
        self, data: Data, cells: Sequence[_Cell], watch: Callable[[int], None] | None,
        seen: list[Snapshot] | None = None,
    ) -> list[Trained]:  # fmt: skip
        """Train; if there is a list `seen`, an epoch a call, and put into it the start and what each epoch left."""
        dtype = self.shape.dtype
        draws = [draw(cell.start) for cell in cells]
        self._start(draws)
        X, y = tf.constant(data.X_train, dtype), tf.constant(data.y_train, dtype)
        constants = _stack([cell.constants for cell in cells], dtype)
        state = (
            tf.ones([self.n_cells], tf.bool),
            tf.fill([self.n_cells], tf.constant(np.inf, dtype)),
            tf.zeros([self.n_cells], tf.int32),
        )
        curves = []
        max_iter = max(cell.start.epochs for cell in cells)
        part_epochs = self.part_epochs if seen is None else 1
        orders = [d.orders() for d in draws]
        if seen is not None:
            seen.append(self._snapshot(data))
        started = time.perf_counter()
        for first in range(0, max_iter, part_epochs):
            if watch is not None:
                watch(first)
            if not state[0].numpy().any():
                break
            order = np.zeros((self.n_cells, self.part_epochs, self.shape.n_rows), np.int32)
            for cell, epochs in enumerate(orders):
                for place, epoch in enumerate(islice(epochs, part_epochs)):
                    order[cell, place] = epoch
            *state, curve = self._train(
                X, y, tf.constant(order), tf.constant(first), tf.constant(min(part_epochs, max_iter - first)),
                constants, *state,
            )  # fmt: skip
            curves.append(curve.numpy())
            if seen is not None:
                seen.append(self._snapshot(data))
        seconds = (time.perf_counter() - started) / self.n_cells
        return self._results(data, np.concatenate(curves), seconds)

    def _start(self, draws: Sequence[Draws]) -> None:
        for index, layer in enumerate(self.model.layers):
            layer.kernel.assign(np.stack([d.kernels[index] for d in draws]).astype(self.shape.dtype))
            layer.bias.assign(np.stack([d.biases[index][:, None] for d in draws]).astype(self.shape.dtype))
        for slot in self.optimizer.variables:  # momentum, Adam's averages and its count of steps
            slot.assign(tf.zeros(slot.shape, slot.dtype))

    def trace(self, data: Data, cell: _Cell) -> Iterator[Step]:
        """Train one network a step at a time, and tell each before its update; the same steps as `run`'s."""
        dtype, active = self.shape.dtype, tf.ones([1], tf.bool)
        drawn = draw(cell.start)
        self._start([drawn])
        constants = _stack([cell.constants], dtype)
        X, y = data.X_train.astype(dtype), data.y_train.astype(dtype)
        for epoch, order in enumerate(drawn.orders(), start=1):
            for first in range(0, len(order), self.shape.batch_rows):
                rows = order[first : first + self.shape.batch_rows]
                loss, gradients = self._look(tf.constant(X[rows][None]), tf.constant(y[rows][None]), constants)
                yield Step(
                    epoch,
                    float(loss[0]),
                    [gradient.numpy()[0] for gradient in gradients],
                    [layer.kernel.numpy()[0] for layer in self.model.layers],
                    [layer.bias.numpy()[0, :, 0] for layer in self.model.layers],
                )
                self._move(gradients, active, constants)

    def largest_curvature(self, data: Data, cell: _Cell, coefs: Any, intercepts: Any) -> float:
        """The largest eigenvalue of the Hessian of the loss over all training rows, at the given weights."""
        from scipy.sparse.linalg import LinearOperator, eigsh

        for layer, kernel, bias in zip(self.model.layers, coefs, intercepts, strict=True):
            layer.kernel.assign(kernel[None].astype(self.shape.dtype))
            layer.bias.assign(bias[None, :, None].astype(self.shape.dtype))
        constants = _stack([cell.constants], self.shape.dtype)
        X, y = (tf.constant(array[None], self.shape.dtype) for array in (data.X_train, data.y_train))
        shapes = [variable.shape for variable in self.model.trainable_variables]
        ends = np.cumsum([np.prod(shape) for shape in shapes])

        def product(vector: NDArray[np.floating]) -> NDArray[np.floating]:
            parts = np.split(vector.ravel().astype(self.shape.dtype), ends[:-1])
            vectors = [tf.constant(part.reshape(shape)) for part, shape in zip(parts, shapes, strict=True)]
            return np.concatenate([p.numpy().ravel() for p in self._curve(X, y, constants, vectors)])

        operator = LinearOperator((ends[-1], ends[-1]), matvec=product, dtype=self.shape.dtype)
        # from a fixed vector, for the same figure every time
        (largest,) = eigsh(operator, k=1, which="LA", v0=np.ones(ends[-1]), return_eigenvectors=False)
        return float(largest)

    def _snapshot(self, data: Data) -> Snapshot:
        X_test = np.broadcast_to(data.X_test.astype(self.shape.dtype), (self.n_cells, *data.X_test.shape))
        return Snapshot(
            [layer.kernel.numpy() for layer in self.model.layers],
            [layer.bias.numpy()[..., 0] for layer in self.model.layers],
            self.model(tf.constant(X_test)).numpy()[:, 0],
        )

    def _results(self, data: Data, curves: NDArray[np.floating], seconds: float) -> list[Trained]:
        kernels, biases, predictions = self._snapshot(data)
        # An epoch that a cell did not train is marked by -inf: a loss may overflow to inf or be NaN, never that.
        trained = ~np.isneginf(curves)
        return [
            Trained(
                coefs=tuple(kernel[cell] for kernel in kernels),
                intercepts=tuple(bias[cell] for bias in biases),
                loss_curve=curves[trained[:, cell], cell],
                prediction=predictions[cell],
                seconds=seconds,
            )
            for cell in range(self.n_cells)
        ]

    def _epochs(
        self, X: Any, y: Any, order: Any, first: Any, count: Any, constants: dict[str, Any],
        active: Any, best: Any, no_improvement: Any,
    ) -> Any:  # fmt: skip
        """Train `count` epochs; the loop that `tf.function` compiles.

        Follows ``MLPRegressor._fit_stochastic`` and ``_update_no_improvement_count``; a cell that has stopped keeps
        its weights while the others go on.
        """
        shape, n_cells = self.shape, self.n_cells
        n_full, n_last = divmod(shape.n_rows, shape.batch_rows)

        def batch(rows: Any, active: Any) -> Any:
            return self._step(tf.gather(X, rows), tf.gather(y, rows), active, constants)

        def epoch(e: Any, active: Any, best: Any, no_improvement: Any, curve: Any) -> Any:
            rows = order[:, e]
            total = tf.zeros([n_cells], shape.dtype)

            def full_batch(b: Any, total: Any) -> Any:
                part = tf.slice(rows, [0, b * shape.batch_rows], [n_cells, shape.batch_rows])
                return b + 1, total + batch(part, active) * shape.batch_rows

            _, total = tf.while_loop(lambda b, _: b < n_full, full_batch, [tf.constant(0), total])
            if n_last:
                total += batch(rows[:, n_full * shape.batch_rows :], active) * n_last
            loss = total / shape.n_rows
            curve = tf.tensor_scatter_nd_update(curve, [[e]], [tf.where(active, loss, -np.inf)])
            no_improvement = tf.where(loss > best - constants["tol"], no_improvement + 1, 0)
            best = tf.where(loss < best, loss, best)
            done = tf.cast(first + e + 1, shape.dtype)
            active &= (no_improvement <= N_ITER_NO_CHANGE) & (done < constants["max_iter"])
            return e + 1, active, best, no_improvement, curve

        untrained = tf.fill([self.part_epochs, n_cells], tf.constant(-np.inf, shape.dtype))
        _, *state = tf.while_loop(
            lambda e, active, *_: (e < count) & tf.reduce_any(active),
            epoch,
            [tf.constant(0), active, best, no_improvement, untrained],
        )
        return state

    def _step(self, X: Any, y: Any, active: Any, constants: dict[str, Any]) -> Any:
        """One update of every active cell by the Keras optimizer; the batch's loss a cell, before the update."""
        loss, gradients = self._gradients(X, y, constants)
        self._apply(gradients, active, constants)
        return loss

    def _loss(self, X: Any, y: Any, constants: dict[str, Any]) -> Any:
        """A batch's loss, one a cell.

        loss = data_factor · mean((y − ŷ)²) + Σ_layers penalty · Σ W² / (rows of this batch, where `per_row`)
        """
        rows = tf.cast(tf.shape(X)[1], self.shape.dtype)
        penalty = constants["penalty"] / tf.where(constants["per_row"] > 0, rows, 1)[:, None]
        error = y - self.model(X, training=True)[:, 0]
        loss = constants["data_factor"] * tf.reduce_mean(tf.square(error), axis=1)
        for index, layer in enumerate(self.model.layers):
            loss += penalty[:, index] * tf.reduce_sum(tf.square(layer.kernel), axis=(1, 2))
        return loss

    def _gradients(self, X: Any, y: Any, constants: dict[str, Any]) -> Any:
        with tf.GradientTape() as tape:
            loss = self._loss(X, y, constants)
            total = tf.reduce_sum(loss)  # cells share no weights: the gradient of the sum is each cell's own
        return loss, tape.gradient(total, self.model.trainable_variables)

    def _apply(self, gradients: list[Any], active: Any, constants: dict[str, Any]) -> None:
        values = {key: constants[key][:, None, None] for key in ("learning_rate", "momentum", *_ADAM, "epsilon")}
        # A cell that has stopped takes a step of nothing: no rate, no momentum.
        on = active[:, None, None]
        self._learning_rate = tf.where(on, values["learning_rate"], 0)
        if self.shape.optimizer == "Adam":
            for key, number in _ADAM.items():
                setattr(self.optimizer, key, _CellValue(values[key], number))
            self.optimizer.epsilon = values["epsilon"]
        else:
            self.optimizer.momentum = _CellValue(tf.where(on, values["momentum"], 0))
        gradients = [tf.where(on, gradient, 0) for gradient in gradients]
        self.optimizer.apply(gradients, self.model.trainable_variables)

    def _hessian_product(self, X: Any, y: Any, constants: dict[str, Any], vectors: list[Any]) -> list[Any]:
        """The product of the loss's Hessian with a vector, given and returned in the shapes of the variables."""
        with tf.GradientTape() as tape:
            _, gradients = self._gradients(X, y, constants)
            product = tf.add_n([tf.reduce_sum(g * v) for g, v in zip(gradients, vectors, strict=True)])
        variables = self.model.trainable_variables
        zero = tf.UnconnectedGradients.ZERO
        return list(tape.gradient(product, variables, unconnected_gradients=zero))


def _optimizer(shape: Shape, learning_rate: Callable[[], Any]) -> Any:
    """A Keras optimizer with all the slots it may need; each cell's own values are put in when it is traced."""
    if shape.optimizer == "Adam":
        return keras.optimizers.Adam(learning_rate)
    return keras.optimizers.SGD(learning_rate, momentum=0.9, nesterov=shape.optimizer == "Nesterov")


def _stack(cells: Sequence[tuple[tuple[str, Any], ...]], dtype: str) -> dict[str, Any]:
    """The cells' constants by name, each a tensor with a leading cell axis."""
    rows = [dict(cell) for cell in cells]
    return {key: tf.constant(np.array([row[key] for row in rows]), dtype) for key in rows[0]}


def _stacked_model(shape: Shape, n_cells: int) -> Any:
    """A `Sequential` of dense layers with a leading cell axis: kernels (cells, in, out), biases (cells, out, 1).

    Rows come last after the first layer: there are more of them than units, so that one vector instruction does more.
    """
    n_inputs, *units = shape.layer_sizes
    layers = [
        keras.layers.EinsumDense(
            "cib,cio->cob" if index else "cbi,cio->cob",
            output_shape=(n_units, None),
            bias_axes="co",
            activation=KERAS_ACTIVATION[shape.activation] if index < len(units) - 1 else None,
            dtype=shape.dtype,
        )
        for index, n_units in enumerate(units)
    ]
    return keras.Sequential([keras.Input((None, n_inputs), batch_size=n_cells, dtype=shape.dtype), *layers])
