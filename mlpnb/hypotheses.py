"""What the asker and the commenters guessed, each guess put to a test of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlpnb.attribution import checked_seeds, valued
from mlpnb.data import Data
from mlpnb.divergence import replay, scale_target
from mlpnb.fit import fit_keras, fit_reference
from mlpnb.recipe import KERAS_2, SKLEARN, Recipe
from mlpnb.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_MOST, _SOME = 0.5, 0.05  # parts of the gap, for the verdict
_NEGLIGIBLE = 1e-3  # a gap in R² that no one would ask about


Measure = Callable[[str, Data, Settings, Sequence[int]], "NDArray[np.float64]"]


@dataclass(frozen=True)
class Hypothesis:
    """A guess, and the experiment that tests it.

    Attributes
    ----------
    guess : str
        What is supposed to be the cause.
    guessed_by : str
    experiment : str
        What is changed or looked at, in words.
    about : {"gap", "divergence"}
        What the guess is to explain: the gap in R² at the penalty, or that Keras diverges.
    measure : callable
        ``measure(about, data, settings, seeds)`` does the experiment: R² a seed, or 1 where the network diverged.
    """

    guess: str
    guessed_by: str
    experiment: str
    about: str
    measure: Measure


def _closing(**closed: str) -> Measure:
    recipe = KERAS_2.replace(name="changed", **closed)
    return lambda about, data, settings, seeds: _values(about, data, settings, recipe, seeds)


def _without_rows_near_zero(about: str, data: Data, settings: Settings, seeds: Sequence[int]) -> NDArray[np.float64]:
    size = np.linalg.norm(data.X_train, axis=1)
    far = size >= np.quantile(size, 0.25)
    rest = dataclasses.replace(data, X_train=data.X_train[far], y_train=data.y_train[far])
    batch_rows = min(settings.batch_rows(len(data.y_train)), len(rest.y_train))
    return _values(about, rest, settings.replace(batch_size=batch_rows), KERAS_2, seeds)


def _scaled_target(about: str, data: Data, settings: Settings, seeds: Sequence[int]) -> NDArray[np.float64]:
    return _values(about, scale_target(data, 1 / float(np.std(data.y_train))), settings, KERAS_2, seeds)


def _something_outgrows_the_bias(
    about: str, data: Data, settings: Settings, seeds: Sequence[int]
) -> NDArray[np.float64]:
    """1 where, at the last step with finite weights, another kernel or bias is larger than the output's bias."""
    larger = []
    for seed in seeds:
        norms = replay(data, settings.replace(random_state=seed)).drop(columns=["epoch", "loss", "gradient norm"])
        last = norms[np.isfinite(norms).all(axis=1)].iloc[-1]
        larger.append(last.iloc[:-1].max() > last.iloc[-1])
    return np.array(larger, dtype=np.float64)


HYPOTHESES = (
    Hypothesis(
        "Another initialiser",
        "a commenter (the asker: unlikely)",
        "Keras 2 starts from scikit-learn's own kernels and biases",
        "gap",
        _closing(kernel_start="sklearn", bias_start="uniform", draws="sklearn"),
    ),
    Hypothesis(
        "The penalty divided by the batch size",
        "a commenter",
        "Keras 2 with its penalty divided by the rows of the batch",
        "gap",
        _closing(penalty_scale="per row"),
    ),
    Hypothesis(
        "float32 against float64",
        "a commenter",
        "Keras 2 in float64, its scalars unrounded",
        "gap",
        _closing(dtype="input", scalars="exact"),
    ),
    Hypothesis(
        "One kernel penalised or both",
        "the asker (Keras 1 against Keras 2)",
        "the penalty on the hidden kernel only: Keras 1",
        "gap",
        _closing(penalised_kernels="hidden"),
    ),
    Hypothesis(
        "scikit-learn stops early",
        "the settings (tol, n_iter_no_change)",
        "Keras 2 stops by scikit-learn's rule",
        "gap",
        _closing(stopping="tol"),
    ),
    Hypothesis(
        "The loss halved (nobody's guess)",
        "nobody",
        "Keras 2 minimises half the mean squared error",
        "gap",
        _closing(data_term="half"),
    ),
    Hypothesis(
        "Inputs near zero",
        "the asker (on NaN)",
        "the quarter of the training rows that is nearest to zero is left out",
        "divergence",
        _without_rows_near_zero,
    ),
    Hypothesis(
        "The output's bias grows without limit",
        "the asker (on NaN)",
        "a replay: does anything outgrow that bias on the way to the overflow?",
        "divergence",
        _something_outgrows_the_bias,
    ),
    Hypothesis(
        "float32 overflows",
        "a commenter (on NaN)",
        "Keras 2 in float64, its scalars unrounded",
        "divergence",
        _closing(dtype="input", scalars="exact"),
    ),
    Hypothesis(
        "The penalty divided by the batch size",
        "a commenter",
        "Keras 2 with its penalty divided by the rows of the batch",
        "divergence",
        _closing(penalty_scale="per row"),
    ),
    Hypothesis(
        "The target's scale (nobody's guess)",
        "nobody",
        "the target in units of its standard deviation",
        "divergence",
        _scaled_target,
    ),
    Hypothesis(
        "The loss halved (nobody's guess)",
        "nobody",
        "Keras 2 minimises half the mean squared error",
        "divergence",
        _closing(data_term="half"),
    ),
)
"""The guesses, those about the gap first."""

DIVERGING = Settings(activation="identity", learning_rate_init=2e-3)
"""Settings at which the question's Keras diverges on diabetes and scikit-learn trains: twice the question's rate."""


def examine_hypotheses(
    data: Data,
    settings: Settings | None = None,
    *,
    diverging_data: Data | None = None,
    diverging: Settings = DIVERGING,
    seeds: Sequence[int] = tuple(range(10)),
) -> pd.DataFrame:
    """Test each guess by an experiment over several seeds, and judge it by what was measured.

    Parameters
    ----------
    data : Data
    settings : Settings, optional
        Those of the guesses about the gap; the question's, if left out. Seeds are replaced by `seeds`.
    diverging_data, diverging : Data and Settings, optional
        Those of the guesses about divergence; diabetes and `DIVERGING`, if left out.
    seeds : sequence of int, default=range(10)

    Returns
    -------
    DataFrame
        A row a guess. For the gap, "as asked" and "changed" are the mean R² of Keras 2 and of the changed network,
        "effect" their difference, and "part [%]" how much of the gap to scikit-learn it closes. For divergence, they
        are shares of the networks that diverge, and "part [%]" is how many of those it saves. "SD" is over seeds. The
        "verdict" is "most of it" from half on, "part of it" from a twentieth on, if clear of twice the standard
        error, and "no" otherwise; "nothing to explain here" where the gap itself is not clear of that, and "one seed
        can't tell" where there is no standard error.

    Raises
    ------
    InputError
        If there is no seed, or one is named twice.
    """
    import pandas as pd

    from mlpnb.data import load_data

    seeds = checked_seeds(seeds)
    settings = settings or Settings()
    places = {"gap": (data, settings), "divergence": (diverging_data or load_data("diabetes"), diverging)}
    asked = {about: _values(about, *place, KERAS_2, seeds) for about, place in places.items()}
    wanted = {about: _values(about, *place, SKLEARN, seeds) for about, place in places.items()}
    rows = []
    for hypothesis in HYPOTHESES:
        about = hypothesis.about
        changed = hypothesis.measure(about, *places[about], seeds)
        effect, gap = changed - asked[about], wanted[about] - asked[about]
        part = float(effect.mean() / gap.mean()) if gap.mean() else float("nan")
        rows.append(
            {
                "guess": hypothesis.guess,
                "guessed by": hypothesis.guessed_by,
                "to explain": {"gap": "the gap in R²", "divergence": "that Keras diverges"}[about],
                "experiment": hypothesis.experiment,
                "as asked": float(asked[about].mean()),
                "changed": float(changed.mean()),
                "effect": float(effect.mean()),
                "SD": float(effect.std(ddof=1)) if len(seeds) > 1 else float("nan"),
                "part [%]": 100 * part,
                "verdict": _verdict(part, effect, gap),
            }
        )
    return pd.DataFrame(rows)


def _values(about: str, data: Data, settings: Settings, recipe: Recipe, seeds: Sequence[int]) -> NDArray[np.float64]:
    """R² a seed, or 1 where the network diverged and 0 where it did not."""
    along = [settings.replace(random_state=seed) for seed in seeds]
    if recipe.library == "keras":
        fits = fit_keras(data, along, [recipe] * len(along))
    else:
        fits = [fit_reference(data, one) for one in along]
    if about == "divergence":
        return np.array([fit.diverged_at is not None for fit in fits], dtype=np.float64)
    return np.array([valued(fit, data)[0] for fit in fits])


def _verdict(part: float, effect: NDArray[np.float64], gap: NDArray[np.float64]) -> str:
    """What the measured effect says of a guess; both arrays hold a figure a seed."""

    def clear(values: NDArray[np.float64]) -> bool:
        return bool(abs(values.mean()) > 2 * values.std(ddof=1) / np.sqrt(len(values)))

    if len(gap) < 2:
        return "one seed can't tell"
    if abs(gap.mean()) < _NEGLIGIBLE or not clear(gap):
        return "nothing to explain here"
    if not clear(effect) or abs(part) < _SOME:
        return "no"
    if part < 0:
        return "no, the contrary"
    return "most of it" if part >= _MOST else "part of it"
