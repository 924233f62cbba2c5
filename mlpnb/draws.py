"""Where training starts and in which order it sees the rows: the draws that a recipe and a seed lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlpnb.recipe import Recipe
    from mlpnb.settings import Settings


KEPT_NUMBERS = 1 << 20  # of a batch order in memory at once; a longer one is drawn again where it is needed again


@dataclass(frozen=True, eq=False)
class Draws:
    """Start weights and batch order of one fit.

    Attributes
    ----------
    kernels : tuple of ndarray of shape (inputs, outputs), float64
        A kernel a layer.
    biases : tuple of ndarray of shape (outputs,), float64
        A bias a layer.
    blocks : callable
        Gives the batch order from its start, some epochs at a time: arrays of shape (epochs, n_rows), int32.
    """

    kernels: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64], ...]
    blocks: Callable[[], Iterator[NDArray[np.int32]]]

    def orders(self) -> Iterator[NDArray[np.int32]]:
        """The rows in the order in which an epoch sees them, of shape (n_rows,), epoch by epoch."""
        return chain.from_iterable(self.blocks())


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
    state = random.get_state()

    def blocks() -> Iterator[NDArray[np.int32]]:
        shuffles = np.random.RandomState()
        shuffles.set_state(state)
        rows = np.arange(n_rows)
        for n_epochs in _block_epochs(n_rows, epochs):
            order = np.empty((n_epochs, n_rows), dtype=np.int32)
            for epoch in range(n_epochs):
                shuffled = np.arange(n_rows)
                shuffles.shuffle(shuffled)
                rows = rows[shuffled]  # the shuffles compound
                order[epoch] = rows
            yield order

    return _frozen(kernels, biases, blocks, n_rows * epochs)


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
    state = keras.ops.copy(generator.state)

    def blocks() -> Iterator[NDArray[np.int32]]:
        shuffles = keras.random.SeedGenerator(0)
        shuffles.state.assign(state)
        for n_epochs in _block_epochs(n_rows, epochs):
            # an independent permutation an epoch, as `fit(shuffle=True)` draws one; in float64, where none are alike
            keys = keras.random.uniform((n_epochs, n_rows), dtype="float64", seed=shuffles)
            yield np.argsort(keras.ops.convert_to_numpy(keys), axis=1).astype(np.int32)

    return _frozen(kernels, biases, blocks, n_rows * epochs)


def _block_epochs(n_rows: int, epochs: int) -> Iterator[int]:
    """The epochs of each block: the same first ones, however many are asked for."""
    most = max(1, KEPT_NUMBERS // n_rows)
    return (min(most, epochs - first) for first in range(0, epochs, most))


def _frozen(
    kernels: list[NDArray[np.float64]], biases: list[NDArray[np.float64]],
    blocks: Callable[[], Iterator[NDArray[np.int32]]], n_numbers: int,
) -> Draws:  # fmt: skip
    kept = list(blocks()) if n_numbers <= KEPT_NUMBERS else []
    arrays: list[NDArray[Any]] = [*kernels, *biases, *kept]
    for array in arrays:
        array.flags.writeable = False
    return Draws(tuple(kernels), tuple(biases), partial(iter, kept) if kept else blocks)
