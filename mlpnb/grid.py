"""The question's grid: rows alpha = 0 and alpha as set, columns scikit-learn, Keras 1 and Keras 2."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlpnb.data import Data
from mlpnb.errors import require_choice
from mlpnb.fit import Fit, NotFitted, Watch, fit_keras, fit_sklearn, in_short
from mlpnb.markdown import literal
from mlpnb.recipe import KERAS_1, KERAS_2, SKLEARN, Recipe, require_names
from mlpnb.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

QUESTION = (SKLEARN, KERAS_1, KERAS_2)


@dataclass(frozen=True, eq=False)
class Grid:
    """Fits by row and column; ``grid[row, column]`` is one of them.

    Attributes
    ----------
    data : Data
    settings : Settings
        Those of the last row; the first row has ``alpha=0``.
    recipes : tuple of Recipe
        A column each.
    fits : tuple of tuple of Fit or NotFitted
        A row each.
    """

    data: Data
    settings: Settings
    recipes: tuple[Recipe, ...]
    fits: tuple[tuple[Fit | NotFitted, ...], ...]

    @property
    def alphas(self) -> tuple[float, ...]:
        """The penalty of each row."""
        return tuple(row.alpha for row in rows_of(self.settings))

    def __getitem__(self, key: tuple[int, int | str]) -> Fit | NotFitted:
        row, column = key
        if isinstance(column, str):
            names = [recipe.name for recipe in self.recipes]
            column = names.index(require_choice("column", column, names))
        return self.fits[row][column]

    def to_frame(self) -> pd.DataFrame:
        """The scores as a table, a row a panel; RMSE is in the unit of the target."""
        import pandas as pd

        rows = [
            {
                "alpha": alpha,
                "column": recipe.name,
                "R²": fit.r2 if isinstance(fit, Fit) else None,
                "RMSE [target units]": fit.rmse if isinstance(fit, Fit) else None,
                "epochs": fit.n_iter if isinstance(fit, Fit) else None,
                "diverged at epoch": fit.diverged_at if isinstance(fit, Fit) else None,
                "note": fit.reason.replace("\n", " ") if isinstance(fit, NotFitted) else "",
            }
            for alpha, row in zip(self.alphas, self.fits, strict=True)
            for recipe, fit in zip(self.recipes, row, strict=True)
        ]
        return pd.DataFrame(rows).astype(
            {"R²": "float64", "RMSE [target units]": "float64", "epochs": "Int64", "diverged at epoch": "Int64"}
        )

    def predictions(self) -> pd.DataFrame:
        """Truth and predictions on the test part as a table, a row a test row, in the unit of the target."""
        import pandas as pd

        columns = {"truth": self.data.y_test}
        for alpha, row in reversed(list(zip(self.alphas, self.fits, strict=True))):
            for recipe, fit in zip(self.recipes, row, strict=True):
                if isinstance(fit, Fit):
                    columns[f"{recipe.name}, alpha {alpha:g}"] = fit.prediction
        return pd.DataFrame(columns)

    def describe(self) -> str:
        """The grid in words: the alt text of its picture."""
        panels = [
            f"{recipe.name} at alpha {alpha:g}: {_outcome(fit)}"
            for alpha, row in zip(self.alphas, self.fits, strict=True)
            for recipe, fit in zip(self.recipes, row, strict=True)
        ]
        return (
            f"Prediction against truth on the test part of {self.data.name}, {self.settings.activation}, Keras in "
            f"{self.settings.dtype}. " + "; ".join(panels) + "."
        )

    def remarks(self) -> str:
        """What to notice in this grid, as Markdown with the grid's own figures in it."""
        lines = []
        for alpha, row in zip(self.alphas, self.fits, strict=True):
            scores = {fit.recipe.name: fit.r2 for fit in row if isinstance(fit, Fit) and fit.diverged_at is None}
            ranked = sorted(scores, key=scores.__getitem__, reverse=True)
            listed = ", ".join(f"{name} {in_short(scores[name])}" for name in ranked) or "none"
            spread = f", apart by {in_short(max(scores.values()) - min(scores.values()))}" if len(scores) > 1 else ""
            lines.append(f"- At alpha = {alpha:g}, the R² from best to worst: {listed}{spread}.")
            lines += [
                f"- At alpha = {alpha:g}, {recipe.name}: {_outcome(fit)}."
                for recipe, fit in zip(self.recipes, row, strict=True)
                if isinstance(fit, NotFitted) or fit.diverged_at is not None
            ]
        for column, recipe in enumerate(self.recipes):
            first, last = self.fits[0][column], self.fits[-1][column]
            if isinstance(first, Fit) and isinstance(last, Fit) and None is first.diverged_at is last.diverged_at:
                lines.append(
                    f"- From alpha = {self.alphas[0]:g} to {self.alphas[-1]:g}, the R² of {recipe.name} moves by "
                    f"{last.r2 - first.r2:+.3f}.".replace("-0.", "−0.")
                )
        return "\n".join(lines)

    def agreement(self) -> str:
        """How far each later column's weights are from the first column's, as Markdown with the figures in it."""
        lines = []
        for alpha, (reference, *others) in zip(self.alphas, self.fits, strict=True):
            for fit in others:
                if not (isinstance(reference, Fit) and isinstance(fit, Fit)):
                    continue
                if None is reference.diverged_at is fit.diverged_at:
                    difference = weight_difference(fit, reference)
                    lines.append(
                        f"- At alpha = {alpha:g}, after {fit.n_iter} epochs, no weight of {fit.recipe.name} differs "
                        f"from {reference.recipe.name}'s by more than {difference:.1e} of its layer's largest."
                    )
                else:
                    lines.append(
                        f"- At alpha = {alpha:g}, {reference.recipe.name}: {_outcome(reference)}; "
                        f"{fit.recipe.name}: {_outcome(fit)}."
                    )
        return "\n".join(lines) or "There is nothing to compare: " + literal(self.describe())

    def __repr__(self) -> str:
        return self.describe()


def weight_difference(fit: Fit, reference: Fit) -> float:
    """The largest difference of any weight, relative to the largest weight of its kernel or bias in `reference`."""
    pairs = zip((*fit.coefs, *fit.intercepts), (*reference.coefs, *reference.intercepts), strict=True)
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)


def _outcome(fit: Fit | NotFitted) -> str:
    return fit.reason.replace("\n", " ") if isinstance(fit, NotFitted) else fit.outcome


def rows_of(settings: Settings) -> tuple[Settings, Settings]:
    """The settings of the grid's two rows: without the penalty, and as set."""
    return settings.replace(alpha=0.0), settings


def fit_row(data: Data, settings: Settings, recipes: Sequence[Recipe], watch: Watch | None = None) -> list[Fit]:
    """Train the Keras columns of one row; the rows use one compiled program, so that moving alpha compiles nothing."""
    return fit_keras(data, [settings] * len(recipes), recipes, watch)


def fit_grid(
    data: Data, settings: Settings | None = None, recipes: Sequence[Recipe] = QUESTION, *, n_jobs: int = 1
) -> Grid:
    """Fit the question's grid: the scikit-learn columns by scikit-learn, the Keras columns by Keras, side by side.

    Parameters
    ----------
    data : Data
    settings : Settings, optional
        The question's, if left out.
    recipes : sequence of Recipe, default=(SKLEARN, KERAS_1, KERAS_2)
        The columns; add `MATCHED` for a Keras network that follows scikit-learn's training.
    n_jobs : int, default=1
        Processes for scikit-learn's fits, as `joblib.Parallel` takes it; worth it where the grid is fitted again and
        again, since a process starts in about a second.

    Returns
    -------
    Grid

    Raises
    ------
    InputError
        If the batch size is above the rows, there is no column, two have one name, or TensorFlow is not there.
    """
    settings = settings or Settings()
    recipes = tuple(recipes)
    require_names(recipes)
    names = [recipe.name for recipe in recipes]
    settings.batch_rows(len(data.y_train))
    rows = rows_of(settings)[: 1 if settings.alpha == 0 else 2]
    keras_recipes = [recipe for recipe in recipes if recipe.library == "keras"]
    sklearn_recipes = [recipe for recipe in recipes if recipe.library == "scikit-learn"]

    stop = threading.Event()

    def watch(_: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    # Keras's program leaves Python while it runs, so scikit-learn's fits go on meanwhile.
    with ThreadPoolExecutor(max_workers=1) as executor:
        keras_fits = executor.submit(
            lambda: [fit_row(data, row, keras_recipes, watch) for row in rows if keras_recipes]
        )
        try:
            sklearn_cells = [(row, recipe) for row in rows for recipe in sklearn_recipes]
            sklearn_fits = _fit_sklearn_cells(data, sklearn_cells, n_jobs)
            fits: dict[tuple[float, str], Fit | NotFitted] = {
                (row.alpha, recipe.name): fit for (row, recipe), fit in zip(sklearn_cells, sklearn_fits, strict=True)
            }
            for fit in (fit for row_fits in keras_fits.result() for fit in row_fits):
                fits[fit.settings.alpha, fit.recipe.name] = fit
        finally:
            stop.set()
    table = tuple(tuple(fits[row.alpha, name] for name in names) for row in rows_of(settings))
    return Grid(data, settings, recipes, table)


def _fit_sklearn_cells(data: Data, cells: Sequence[tuple[Settings, Recipe]], n_jobs: int) -> list[Fit | NotFitted]:
    if n_jobs == 1 or len(cells) < 2:
        return [fit_sklearn(data, *cell) for cell in cells]
    from joblib import Parallel, delayed

    return list(Parallel(n_jobs=n_jobs)(delayed(fit_sklearn)(data, *cell) for cell in cells))
