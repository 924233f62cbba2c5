"""Where training starts and in which order it sees the rows: the draws that a recipe and a seed lead to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlpnb.recipe import Recipe
    from mlpnb.settings import Settings


@dataclass(frozen=True, eq=False)
class Draws:
    """Start weights and batch order of one fit.

    Attributes
    ----------
    kernels : tuple of ndarray of shape (inputs, outputs), float64
        A kernel a layer.
    biases : tuple of ndarray of shape (outputs,), float64
        A bias a layer.
    order : ndarray of shape (max_iter, n_rows), int32
        The rows in the order in which each epoch sees them.
    """

    kernels: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64], ...]
    order: NDArray[np.int32]


class DrawKey(NamedTuple):
    """All that draws depend on: equal keys, equal draws."""

    draws: str
    seed: int
    sizes: tuple[int, ...]
    factor: float
    uniform_bias: bool
    n_rows: int
    epochs: int


def draw_key(settings: Settings, recipe: Recipe, n_rows: int, n_features: int) -> DrawKey:
    """What the draws of one fit depend on."""
    return DrawKey(
        recipe.draws,
        settings.random_state,
        (n_features, *settings.hidden_layer_sizes, 1),
        _bound_factor(settings.activation, recipe.kernel_start),
        recipe.bias_start == "uniform",
        n_rows,
        settings.max_iter,
    )


def draw(key: DrawKey) -> Draws:
    """Draw the start weights and the batch order of one fit; equal keys give equal draws.

    With ``draws="sklearn"`` this replays ``MLPRegressor._initialize`` and ``_fit_stochastic`` (scikit-learn 1.9.1,
    ``neural_network/_multilayer_perceptron.py``): from ``RandomState(random_state)``, a layer's kernel, then its bias;
    then ``sklearn.utils.shuffle`` of the order so far, an epoch. With ``draws="keras"`` the kernels come from
    ``keras.initializers.VarianceScaling`` and the order from ``keras.random``, seeded by `random_state`.
    Both draw in float64, so that the dtype trained in does not change the start.
    """
    replay = _draw_sklearn if key.draws == "sklearn" else _draw_keras
    return replay(*key[1:])


def _bound_factor(activation: str, kernel_start: str) -> float:
    """The f of the bound sqrt(f / (inputs + outputs)): ``MLPRegressor._init_coef``, Keras's ``GlorotUniform``."""
    return 2.0 if kernel_start == "sklearn" and activation == "logistic" else 6.0


@lru_cache(maxsize=16)
def _draw_sklearn(
    seed: int, sizes: tuple[int, ...], factor: float, uniform_bias: bool, n_rows: int, epochs: int
) -> Draws:
    random = np.random.RandomState(seed)  # scikit-learn's own generator is replayed
    kernels, biases = [], []
    for fan_in, fan_out in pairwise(sizes):
        bound = np.sqrt(factor / (fan_in + fan_out))
        kernels.append(random.uniform(-bound, bound, (fan_in, fan_out)))
        bias = random.uniform(-bound, bound, fan_out)  # drawn also where it is not used, as the stream goes on
        biases.append(bias if uniform_bias else np.zeros(fan_out))
    order = np.empty((epochs, n_rows), dtype=np.int32)
    rows = np.arange(n_rows)
    for epoch in range(epochs):
        shuffled = np.arange(n_rows)
        random.shuffle(shuffled)
        rows = rows[shuffled]  # the shuffles compound
        order[epoch] = rows
    return _frozen(kernels, biases, order)


@lru_cache(maxsize=16)
def _draw_keras(
    seed: int, sizes: tuple[int, ...], factor: float, uniform_bias: bool, n_rows: int, epochs: int
) -> Draws:
    import keras

    generator = keras.random.SeedGenerator(seed)
    kernels, biases = [], []
    for fan_in, fan_out in pairwise(sizes):
        initializer = keras.initializers.VarianceScaling(factor / 6, "fan_avg", "uniform", seed=generator)
        kernels.append(keras.ops.convert_to_numpy(initializer((fan_in, fan_out), dtype="float64")))
        bound = np.sqrt(factor / (fan_in + fan_out))
        bias = keras.random.uniform((fan_out,), -bound, bound, dtype="float64", seed=generator)
        biases.append(keras.ops.convert_to_numpy(bias) if uniform_bias else np.zeros(fan_out))
    # an independent permutation an epoch, as `fit(shuffle=True)` draws one
    keys = keras.ops.convert_to_numpy(keras.random.uniform((epochs, n_rows), dtype="float64", seed=generator))
    return _frozen(kernels, biases, np.argsort(keys, axis=1, kind="stable").astype(np.int32))


def _frozen(kernels: list[NDArray[np.float64]], biases: list[NDArray[np.float64]], order: NDArray[np.int32]) -> Draws:
    arrays: list[NDArray[Any]] = [*kernels, *biases, order]
    for array in arrays:
        array.flags.writeable = False
    return Draws(tuple(kernels), tuple(biases), order)
