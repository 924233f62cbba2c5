"""How a grid came about: every network after every epoch, recorded while it was trained, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlpnb.fit import Fit, NotFitted, Watch, as_fit, fit_sklearn, load_training
from mlpnb.grid import QUESTION, Grid, rows_of
from mlpnb.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlpnb.data import Data
    from mlpnb.recipe import Recipe

_GIF_FRAMES = 40
_GIF_FRAMES_A_SECOND = 8


@dataclass(frozen=True, eq=False)
class History:
    """One network, epoch by epoch.

    Attributes
    ----------
    data : Data
    fit : Fit
        What it ended as.
    predictions : ndarray of shape (n_iter + 1, n_test)
        In the unit of the target; the first is that of the start.
    coefs, intercepts : tuples of tuple of ndarray, shapes (inputs, outputs) and (outputs,)
        Kernels and biases, an entry an epoch, the start's first.
    """

    data: Data
    fit: Fit
    predictions: NDArray[np.floating]
    coefs: tuple[tuple[NDArray[np.floating], ...], ...]
    intercepts: tuple[tuple[NDArray[np.floating], ...], ...]

    @property
    def kernel_norms(self) -> NDArray[np.floating]:
        """The Frobenius norm of each kernel, an epoch a row; shape (n_iter + 1, n_layers)."""
        with np.errstate(all="ignore"):  # a diverged network's overflow
            return np.array([[float(np.linalg.norm(kernel)) for kernel in kernels] for kernels in self.coefs])

    def at(self, epoch: int) -> Fit:
        """The network after `epoch` epochs (0 is the start), or as it ended if it trained fewer."""
        epoch = min(epoch, self.fit.n_iter)
        if epoch == self.fit.n_iter:
            return self.fit
        return as_fit(
            self.data, self.fit.settings, self.fit.recipe, self.predictions[epoch], self.coefs[epoch],
            self.intercepts[epoch], self.fit.loss_curve[:epoch], self.fit.seconds,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class GridHistory:
    """A grid, epoch by epoch.

    Attributes
    ----------
    data : Data
    settings : Settings
        Those of the last row; the first row has ``alpha=0``.
    recipes : tuple of Recipe
        A column each.
    histories : tuple of tuple of History or NotFitted
        A row each.
    """

    data: Data
    settings: Settings
    recipes: tuple[Recipe, ...]
    histories: tuple[tuple[History | NotFitted, ...], ...]

    @property
    def epochs(self) -> int:
        """The epochs that the longest training took."""
        return max((h.fit.n_iter for row in self.histories for h in row if isinstance(h, History)), default=0)

    def at(self, epoch: int) -> Grid:
        """The grid after `epoch` epochs; 0 is the start."""
        fits = tuple(tuple(h.at(epoch) if isinstance(h, History) else h for h in row) for row in self.histories)
        return Grid(self.data, self.settings, self.recipes, fits)

    def describe(self) -> str:
        """The curves in words: the alt text of their picture."""
        words = []
        for row in self.histories:
            for history in row:
                if isinstance(history, NotFitted):
                    continue
                fit, norms = history.fit, history.kernel_norms
                name = f"{fit.recipe.name} at alpha {fit.settings.alpha:g}"
                if fit.diverged_at is not None:
                    words.append(f"{name}: diverged at epoch {fit.diverged_at}")
                    continue
                layers = ", ".join(f"{a:.2f} to {b:.2f}" for a, b in zip(norms[0], norms[-1], strict=True))
                words.append(f"{name}: loss {fit.loss_curve[0]:.3g} to {fit.loss_curve[-1]:.3g}, kernel norms {layers}")
        return "Training loss and kernel norms by epoch, from the first to the last. " + "; ".join(words) + "."


def record_grid(
    data: Data, settings: Settings | None = None, recipes: Sequence[Recipe] = QUESTION, watch: Watch | None = None
) -> GridHistory:
    """Fit the question's grid as `fit_grid` does, and keep every network after every epoch.

    Parameters
    ----------
    data : Data
    settings : Settings, optional
        The question's, if left out.
    recipes : sequence of Recipe, default=(SKLEARN, KERAS_1, KERAS_2)
        The columns.
    watch : callable, optional
        Called with the number of epochs done; an exception that it raises ends the training.

    Returns
    -------
    GridHistory
        Its last epoch is the grid of `fit_grid`.

    Raises
    ------
    InputError
        If the batch size is above the rows, or TensorFlow is not there.
    """
    settings, recipes = settings or Settings(), tuple(recipes)
    settings.batch_rows(len(data.y_train))
    rows = rows_of(settings)
    cells = [(row, recipe) for row in dict.fromkeys(rows) for recipe in recipes]
    made: dict[tuple[Settings, Recipe], History | NotFitted] = {
        cell: _record_sklearn(data, *cell, watch) for cell in cells if cell[1].library == "scikit-learn"
    }
    keras = [cell for cell in cells if cell[1].library == "keras"]
    if keras:
        for cell, (trained, seen) in zip(keras, load_training().record(data, keras, watch), strict=True):
            fit = as_fit(
                data, *cell, trained.prediction, trained.coefs, trained.intercepts, trained.loss_curve, trained.seconds
            )
            made[cell] = History(
                data, fit, np.array([s.predictions for s in seen]),
                tuple(tuple(s.kernels) for s in seen), tuple(tuple(s.biases) for s in seen),
            )  # fmt: skip
    return GridHistory(data, settings, recipes, tuple(tuple(made[row, r] for r in recipes) for row in rows))


def _record_sklearn(data: Data, settings: Settings, recipe: Recipe, watch: Watch | None) -> History | NotFitted:
    predictions, coefs, intercepts = [], [], []

    def look(regressor: object) -> None:
        kernels, biases = ([array.copy() for array in getattr(regressor, n)] for n in ("coefs_", "intercepts_"))
        coefs.append(tuple(kernels))
        intercepts.append(tuple(biases))
        predictions.append(regressor.predict(data.X_test))  # type: ignore[attr-defined]

    fit = fit_sklearn(data, settings, recipe, watch, look=look)
    if isinstance(fit, NotFitted):
        return fit
    n = fit.n_iter
    return History(
        data, fit, np.array([*predictions[:n], fit.prediction]), (*coefs[:n], fit.coefs),
        (*intercepts[:n], fit.intercepts),
    )  # fmt: skip


def animation(history: GridHistory) -> bytes:
    """The grid over the epochs as an animated GIF, of some forty frames, written by matplotlib's Pillow writer.

    Early epochs, in which most happens, have more frames than late ones.
    """
    import tempfile

    from matplotlib.animation import PillowWriter

    from mlpnb.plots import GridPicture

    picture = GridPicture(history.at(0), dpi=70)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "epochs.gif")
        writer = PillowWriter(fps=_GIF_FRAMES_A_SECOND)
        with writer.saving(picture.figure, str(path), dpi=70):
            for epoch in frames(history.epochs):
                picture.show(history.at(epoch), note=f"epoch {epoch}")
                writer.grab_frame()
        return path.read_bytes()


def frames(epochs: int) -> list[int]:
    """The epochs shown by `animation`: 0, the last, and between them as many as fit, closer together at the start."""
    places = np.linspace(0, 1, _GIF_FRAMES) ** 2 * epochs
    return sorted({round(place) for place in places})


def legend(data: Data, settings: Settings, recipes: Sequence[Recipe] = QUESTION) -> str:
    """What sets each Keras column apart from scikit-learn's, in words: how strong its gradient and its penalty are.

    The factors are those of the losses: of the data term, and of the penalty on a whole batch.
    """
    from mlpnb.recipe import SKLEARN

    rows = settings.batch_rows(len(data.y_train))
    words = []
    for recipe in recipes:
        if recipe.library == "scikit-learn":
            continue
        gradient = recipe.data_factor / SKLEARN.data_factor
        penalty = SKLEARN.penalty_divisor(rows) / recipe.penalty_divisor(rows)
        kernels = "" if recipe.penalised_kernels == "all" else " on the hidden kernels, none on the last one"
        words.append(f"{recipe.name}: {times(gradient)} the gradient, {times(penalty)} the penalty{kernels}")
    return ("Beside scikit-learn, " + "; ".join(words) + ".") if words else ""


def times(factor: float) -> str:
    """A factor in words."""
    return {1.0: "once", 2.0: "twice"}.get(factor, f"{factor:g} times")
