"""One fit: what a column of the grid shows for one setting, trained by scikit-learn or by Keras."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpnb.errors import InputError
from mlpnb.recipe import MATCHED, SKLEARN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlpnb.data import Data
    from mlpnb.recipe import Recipe
    from mlpnb.settings import Settings

SKLEARN_ACTIVATIONS = ("logistic", "tanh", "relu", "identity")

Watch = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained network and how well it predicts the test part.

    Attributes
    ----------
    settings : Settings
    recipe : Recipe
    prediction : ndarray of shape (n_test,)
        In the unit of the target.
    r2, rmse : float
        Coefficient of determination, and root mean squared error in the unit of the target; NaN where diverged.
    n_iter : int
        Epochs trained.
    diverged_at : int or None
        The epoch, from 1, whose loss was the first not to be finite, if weights or predictions ended up not finite.
    coefs, intercepts : tuple of ndarray, shapes (inputs, outputs) and (outputs,)
        Kernels and biases.
    loss_curve : ndarray of shape (n_iter,)
        Training loss an epoch, as the recipe defines it, penalty included.
    seconds : float
        Training time in seconds; for a cell of the stacked trainer its share of the program's run, which compiles
        the first time.
    """

    settings: Settings
    recipe: Recipe
    prediction: NDArray[np.floating]
    r2: float
    rmse: float
    n_iter: int
    diverged_at: int | None
    coefs: tuple[NDArray[np.floating], ...]
    intercepts: tuple[NDArray[np.floating], ...]
    loss_curve: NDArray[np.floating]
    seconds: float

    @property
    def outcome(self) -> str:
        """The score, or the epoch at which it diverged, in words."""
        return f"R² {in_short(self.r2)}" if self.diverged_at is None else f"diverged at epoch {self.diverged_at}"

    def __repr__(self) -> str:
        return f"Fit of {self.recipe.name!r}, alpha {self.settings.alpha:g}: {self.outcome} after {self.n_iter} epochs"


@dataclass(frozen=True)
class NotFitted:
    """A panel without a fit, and why: scikit-learn lacks the activation, or the fit is still to come."""

    reason: str


def in_short(score: float) -> str:
    """A score in three significant places or so, also where it is astronomically bad."""
    if not np.isfinite(score) or abs(score) >= 1e4:
        return f"{score:.1e}".replace("-", "−", 1)
    return (f"{score:.3f}" if abs(score) < 100 else f"{score:.1f}").replace("-", "−")


def fit_sklearn(
    data: Data, settings: Settings, recipe: Recipe, watch: Watch | None = None, *, n_iter_no_change: int = 10,
    look: Callable[[Any], object] | None = None,
) -> Fit | NotFitted:  # fmt: skip
    """Train scikit-learn's `MLPRegressor`.

    Parameters
    ----------
    data : Data
    settings : Settings
    recipe : Recipe
        One whose `library` is "scikit-learn".
    watch : callable, optional
        Called with the number of epochs done, every epoch; an exception that it raises ends the training.
    n_iter_no_change : int, default=10
        As `MLPRegressor` takes it, and its default.
    look : callable, optional
        Called with the `MLPRegressor` at the start of every epoch; its weights go on changing in place.

    Returns
    -------
    Fit or NotFitted
        `NotFitted` if scikit-learn lacks the activation. A fit that ends in non-finite weights, for which
        ``MLPRegressor._fit`` raises ``ValueError`` (scikit-learn 1.9.1), is a `Fit` with `diverged_at`.
    """
    from sklearn import config_context
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    if settings.activation not in SKLEARN_ACTIVATIONS:
        return NotFitted(f"scikit-learn's MLPRegressor\nhas no {settings.activation}")

    def begins(epoch: int) -> None:
        if watch is not None:
            watch(epoch)
        if look is not None:
            look(regressor)

    watched = begins if watch is not None or look is not None else None
    regressor = MLPRegressor(
        hidden_layer_sizes=settings.hidden_layer_sizes,
        activation=settings.activation,
        solver=settings.solver,
        alpha=settings.alpha,
        batch_size=settings.batch_rows(len(data.y_train)),
        learning_rate_init=settings.learning_rate_init,
        max_iter=settings.max_iter,
        random_state=_watched_random_state(settings.random_state, watched),
        momentum=settings.momentum,
        nesterovs_momentum=settings.nesterovs_momentum,
        n_iter_no_change=n_iter_no_change,
    )
    started = time.perf_counter()
    with warnings.catch_warnings(), np.errstate(all="ignore"), config_context(assume_finite=True):
        # Training every epoch it was asked for, or diverging, is a result here and told in the Fit.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Training interrupted by user")
        try:
            regressor.fit(data.X_train, data.y_train)
        except ConvergenceWarning:
            pass  # filters are the whole process's, and another thread may undo these; training is over by then
        except ValueError as error:
            if "non-finite parameter weights" not in str(error):
                raise
        # MLPRegressor turns a Ctrl-C into a warning, and a network half trained into a fit.
        if regressor.n_iter_ < settings.max_iter and regressor._no_improvement_count <= n_iter_no_change:
            raise KeyboardInterrupt
        seconds = time.perf_counter() - started
        prediction = regressor.predict(data.X_test)
    return as_fit(
        data, settings, recipe, prediction, regressor.coefs_, regressor.intercepts_, regressor.loss_curve_, seconds
    )


def fit_keras(
    data: Data,
    settings: Sequence[Settings],
    recipes: Sequence[Recipe],
    watch: Watch | None = None,
    done: Callable[[int], object] | None = None,
) -> list[Fit]:
    """Train networks by Keras, a cell for each pair of settings and recipe, stacked where their shapes allow it.

    Parameters
    ----------
    data : Data
    settings, recipes : sequences of Settings and of Recipe, of equal length
    watch : callable, optional
        Called with the number of epochs done, every few epochs; an exception that it raises ends the training.
    done : callable, optional
        Called with the number of networks just trained, a program at a time.

    Raises
    ------
    InputError
        If TensorFlow is not there, or Keras runs on another backend.
    """
    cells = list(zip(settings, recipes, strict=True))
    return [
        as_fit(data, *cell, trained.prediction, trained.coefs, trained.intercepts, trained.loss_curve, trained.seconds)
        for cell, trained in zip(cells, load_training().train(data, cells, watch, done), strict=True)
    ]


def fit_reference(data: Data, settings: Settings, watch: Watch | None = None) -> Fit:
    """Train what others are measured against: scikit-learn's network.

    `MLPRegressor` itself, or Keras by scikit-learn's recipe (`MATCHED`) where scikit-learn lacks the activation.
    """
    fit = fit_sklearn(data, settings, SKLEARN, watch)
    return fit if isinstance(fit, Fit) else fit_keras(data, [settings], [MATCHED], watch)[0]


def load_training() -> ModuleType:
    """Import the stacked trainer, and with it TensorFlow, which takes seconds.

    Raises
    ------
    InputError
        If TensorFlow is not there, or Keras runs on another backend.
    """
    try:
        from mlpnb import training
    except ImportError as error:
        if error.name in ("jax", "torch", "openvino"):  # Keras imports the package of the backend it is set to
            raise InputError(
                f"Keras is set to a backend that needs {error.name!r}, which is not installed, and mlpnb trains on "
                "TensorFlow: start again with the environment variable KERAS_BACKEND=tensorflow."
            ) from error
        raise InputError(
            f"TensorFlow can't be imported ({error}): the Keras columns need it, so run `mlpnb doctor` or "
            "`pip install tensorflow-cpu`."
        ) from error
    return training


def training_is_loaded() -> bool:
    """Whether `load_training` would return at once."""
    return hasattr(sys.modules.get("mlpnb.training"), "train")  # the module is listed before it is imported whole


def as_fit(
    data: Data, settings: Settings, recipe: Recipe, prediction: NDArray[np.floating], coefs: Sequence[Any],
    intercepts: Sequence[Any], loss_curve: Sequence[float] | NDArray[np.floating], seconds: float,
) -> Fit:  # fmt: skip
    """A network's predictions on the test part, scored."""
    from sklearn import config_context
    from sklearn.metrics import r2_score, root_mean_squared_error

    loss_curve = np.asarray(loss_curve)
    r2 = rmse = float("nan")
    diverged_at = None
    if all(np.isfinite(array).all() for array in (prediction, *coefs, *intercepts)):
        # The arrays are finite, yet a square or a sum may not be; checking them takes longer than the scores do.
        with (
            np.errstate(over="ignore", invalid="ignore"),
            config_context(assume_finite=True, skip_parameter_validation=True),
        ):
            r2 = float(r2_score(data.y_test, prediction.astype(np.float64)))
            rmse = float(root_mean_squared_error(data.y_test, prediction.astype(np.float64)))
    else:
        not_finite = np.flatnonzero(~np.isfinite(loss_curve))
        diverged_at = int(not_finite[0]) + 1 if len(not_finite) else len(loss_curve)
    return Fit(
        settings, recipe, prediction, r2, rmse, len(loss_curve), diverged_at,
        tuple(coefs), tuple(intercepts), loss_curve, seconds,
    )  # fmt: skip


def _watched_random_state(seed: int, watch: Watch | None) -> Any:
    """The generator of `seed`; it calls `watch` at every shuffle, which `MLPRegressor` asks for once an epoch."""

    class WatchedRandomState(np.random.RandomState):
        epoch = 0

        def shuffle(self, x: Any) -> None:
            if watch is not None:
                watch(self.epoch)
            self.epoch += 1
            super().shuffle(x)

    return seed if watch is None else WatchedRandomState(seed)
