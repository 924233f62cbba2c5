"""The ladder: from one recipe to scikit-learn's, a difference a rung."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpnb.errors import InputError, require_choice
from mlpnb.fit import Fit, Watch, fit_keras, fit_reference
from mlpnb.grid import weight_difference
from mlpnb.recipe import DIFFERENCES, KERAS_2, MATCHED, Difference, Recipe
from mlpnb.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from mlpnb.data import Data


def ladder(
    data: Data, settings: Settings | None = None, start: Recipe = KERAS_2, *, close: Sequence[str] | None = None
) -> pd.DataFrame:
    """Close the differences between Keras and scikit-learn one after the other, and measure after each.

    Parameters
    ----------
    data : Data
    settings : Settings, optional
        The question's, if left out.
    start : Recipe, default=KERAS_2
        Where the ladder begins.
    close : sequence of str, optional
        Names of the differences to close, in this order; if left out, all that `start` has, in `DIFFERENCES`' order.

    Returns
    -------
    DataFrame
        A row a rung, the first as `start` is. "RMS distance" is that of the test predictions from those of the
        reference, `MLPRegressor` (see `fit_reference`), in the target's unit and in standard deviations of the test
        target; "weight difference" the largest of any weight, relative to the largest of its kernel or bias.
        ``attrs["reference"]`` and ``attrs["reference R²"]`` name the reference and its score. A network that diverged
        has NaN in place of scores, and its epoch.

    Raises
    ------
    InputError
        If a difference is unknown, closed already, or named twice, or what `fit_grid` raises.
    """
    settings = settings or Settings()
    return climb(data, settings, start, open_differences(start, settings, close)).table


@dataclass(frozen=True, eq=False)
class Climb:
    """A ladder with its fits.

    Attributes
    ----------
    reference : Fit
        scikit-learn's.
    fits : tuple of Fit
        One a rung.
    table : DataFrame
        As `ladder` returns it.
    """

    reference: Fit
    fits: tuple[Fit, ...]
    table: pd.DataFrame


def climb(
    data: Data, settings: Settings, start: Recipe, differences: Sequence[Difference], watch: Watch | None = None
) -> Climb:
    """Fit the rungs of a ladder that closes `differences`, which may be none, in their order."""
    import pandas as pd

    recipes = [start]
    for difference in differences:
        recipes.append(recipes[-1].replace(**{difference.name: difference.sklearn}))
    reference = fit_reference(data, settings, watch)
    fits = fit_keras(data, [settings] * len(recipes), recipes, watch)
    closes = [f"nothing yet ({start.name})", *(difference.title for difference in differences)]
    changes = ["", *(f"{difference.keras} → {difference.sklearn}" for difference in differences)]
    frame = pd.DataFrame({"closes": closes, "change": changes})
    frame = frame.join(pd.DataFrame([_measures(fit, reference, data) for fit in fits]))
    frame = frame.rename_axis("rung").astype({"diverged at epoch": "Int64"})
    frame.attrs = {"reference": reference.recipe.name, "reference R²": reference.r2}
    return Climb(reference, tuple(fits), frame)


def open_differences(recipe: Recipe, settings: Settings, names: Sequence[str] | None) -> tuple[Difference, ...]:
    """The differences of `recipe` called `names`, or all that can matter for the settings' solver.

    Raises
    ------
    InputError
        If a name is unknown, named twice, or a difference that `recipe` has closed already or `solver` does not know.
    """
    departs = recipe.differences(settings.solver)
    if recipe.library == "scikit-learn" or not departs:
        raise InputError(
            f"recipe {recipe.name!r} has every difference closed already, so there is nothing to close: start from "
            "KERAS_1, KERAS_2 or a recipe of your own."
        )
    if names is None:
        return departs
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        require_choice("difference", name, DIFFERENCES)
        if name not in {difference.name for difference in departs}:
            open_names = ", ".join(difference.name for difference in departs)
            raise InputError(
                f"difference {name!r} is not open in {recipe.name!r} for solver {settings.solver!r}: choose from those "
                f"open, {open_names}."
            )
    if not names or len(set(names)) < len(names):
        raise InputError(f"differences are {names}, but there must be one or more, each once: leave out the others.")
    return tuple(DIFFERENCES[name] for name in names)


def rms_distance(prediction: np.ndarray, reference: np.ndarray) -> float:
    """The root mean square of the distances between two predictions, in their unit."""
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.mean(np.square(prediction.astype(np.float64) - reference))))


def _measures(fit: Fit, reference: Fit, data: Data) -> dict[str, float | int | None]:
    distance = difference = float("nan")
    if None is fit.diverged_at is reference.diverged_at:
        distance = rms_distance(fit.prediction, reference.prediction)
        difference = weight_difference(fit, reference)
    return {
        "R²": fit.r2,
        "RMS distance [target units]": distance,
        "RMS distance [SD of the target]": distance / float(np.std(data.y_test)),
        "weight difference [relative]": difference,
        "diverged at epoch": fit.diverged_at,
    }


def variants(data: Data, settings: Settings | None = None, start: Recipe = KERAS_2) -> pd.DataFrame:
    """The two ends of the ladder for settings beyond the question's: other momentum, batches and Adam.

    Parameters
    ----------
    data : Data
    settings : Settings, optional
        What the variants change; the question's, if left out.
    start : Recipe, default=KERAS_2

    Returns
    -------
    DataFrame
        A row a variant: R² of the reference, of `start` and of Keras with every difference closed (`MATCHED`), and
        that one's largest weight difference from the reference.
    """
    import pandas as pd

    settings = settings or Settings()
    n_rows = len(data.y_train)
    changes: dict[str, dict[str, Any]] = {
        "as set": {},
        "momentum without Nesterov": {"nesterovs_momentum": False},
        "no momentum": {"momentum": 0.0},
        "batches of 32, Keras's default": {"batch_size": min(32, n_rows)},
        "one batch": {"batch_size": n_rows},
        "two batches and a last one of a row or two": {"batch_size": max(1, (n_rows - 1) // 2)},
        "Adam": {"solver": "adam"},
        "Adam, ten times the rate": {"solver": "adam", "learning_rate_init": 10 * settings.learning_rate_init},
    }
    rows = []
    for name, change in changes.items():
        changed = settings.replace(**change)
        reference = fit_reference(data, changed)
        keras, matched = fit_keras(data, [changed] * 2, [start, MATCHED])
        rows.append(
            {
                "variant": name,
                f"R² {reference.recipe.name}": reference.r2,
                f"R² {start.name}": keras.r2,
                f"R² {MATCHED.name}": matched.r2,
                "weight difference, matched [relative]": _measures(matched, reference, data)[
                    "weight difference [relative]"
                ],
            }
        )
    return pd.DataFrame(rows)
