"""The attribution: each difference's exact Shapley share of the gap, from fits of every subset of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from mlpnb.climb import open_differences, rms_distance
from mlpnb.errors import InputError
from mlpnb.fit import Fit, fit_keras, fit_reference
from mlpnb.recipe import KERAS_2, Difference, Recipe
from mlpnb.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from mlpnb.data import Data

SEEDS = tuple(range(5))
_MATTERS = 0.05  # an interaction is named from this share of the gap on, if it is clear of its spread too


@dataclass(frozen=True, eq=False)
class Subsets:
    """A network for every subset of the differences and every seed, and how well each predicts.

    A network that diverged, or that predicts the test part worse than the mean of the training target does, is valued
    as that mean in `r2` and `distance`: it is no prediction at all, and its figure, however large, would drown the
    others. `diverged` counts those that ended in non-finite weights.

    Attributes
    ----------
    start : Recipe
        The recipe with all of `differences` open.
    differences : tuple of Difference
    seeds : tuple of int
    reference : str
        Whose predictions `distance` is measured from: scikit-learn's, or those by its recipe.
    r2 : ndarray of shape (n_seeds, 2 ** n_differences), float64
        R² on the test part. Bit i of the second index says whether difference i is open.
    distance : ndarray of the same shape
        RMS distance of the test predictions from the reference's, in the target's unit.
    diverged : ndarray of the same shape, bool
    """

    start: Recipe
    differences: tuple[Difference, ...]
    seeds: tuple[int, ...]
    reference: str
    r2: NDArray[np.float64]
    distance: NDArray[np.float64]
    diverged: NDArray[np.bool_]

    def shares(self) -> pd.DataFrame:
        """Each difference's exact Shapley share, a row a difference, the largest first.

        Returns
        -------
        DataFrame
            "R² share" is what opening the difference adds to R², averaged over all orders of opening them, and over
            seeds; "R² SD" its standard deviation over seeds; "R² share [%]" its part of the whole gap. "distance
            share" and "divergence share" are the same of the RMS distance and of the share of networks that diverge.
            In every game the shares sum to the gap between all open and all closed, which is in ``attrs``.
        """
        import pandas as pd

        games = {"R²": self.r2, "distance": self.distance, "divergence": self.diverged.astype(np.float64)}
        shares = {game: shapley(values) for game, values in games.items()}
        gaps = {game: float(np.mean(values[:, -1] - values[:, 0])) for game, values in games.items()}
        names = {"R²": "R²{}", "distance": "distance{} [target units]", "divergence": "divergence{} [of networks]"}
        table: dict[str, object] = {"difference": [difference.title for difference in self.differences]}
        for game, share in shares.items():
            table[names[game].format(" share")] = share.mean(axis=0)
            table[names[game].format(" SD")] = share.std(axis=0, ddof=1) if len(self.seeds) > 1 else np.nan
            if game == "R²":
                table["R² share [%]"] = 100 * share.mean(axis=0) / gaps["R²"] if gaps["R²"] else np.nan
        frame = pd.DataFrame(table).sort_values("R² share", key=np.abs, ascending=False, ignore_index=True)
        frame.attrs = {
            "start": self.start.name,
            "reference": self.reference,
            "seeds": len(self.seeds),
            "R² all open": float(self.r2[:, -1].mean()),
            "R² all closed": float(self.r2[:, 0].mean()),
            **{f"{game} gap": gap for game, gap in gaps.items()},
        }
        return frame

    def interactions(self) -> pd.DataFrame:
        """The pairs of differences whose effects on R² do not add up, the strongest first.

        Returns
        -------
        DataFrame
            "R² interaction" is the pair's Shapley interaction index (Grabisch and Roubens 1999): what opening both
            adds beyond opening each, averaged over the others' states; "matters" whether it is a twentieth of the gap
            or more and clear of twice its standard error over seeds.
        """
        import pandas as pd

        gap = float(np.mean(self.r2[:, -1] - self.r2[:, 0]))
        rows = []
        for i, j in combinations(range(len(self.differences)), 2):
            index = interaction(self.r2, i, j)
            error = float(index.std(ddof=1) / np.sqrt(len(index))) if len(index) > 1 else float("nan")
            mean = float(index.mean())
            rows.append(
                {
                    "one": self.differences[i].title,
                    "other": self.differences[j].title,
                    "R² interaction": mean,
                    "R² SD": error * np.sqrt(len(index)),
                    "matters": abs(mean) >= _MATTERS * abs(gap) and not abs(mean) <= 2 * error,
                }
            )
        frame = pd.DataFrame(rows, columns=["one", "other", "R² interaction", "R² SD", "matters"])
        return frame.sort_values("R² interaction", key=np.abs, ascending=False, ignore_index=True)

    def remarks(self) -> str:
        """What the shares say, as Markdown with the figures in it."""
        shares, pairs = self.shares(), self.interactions()
        facts = shares.attrs
        lines = [
            f"- With all differences open ({self.start.name}), R² is {facts['R² all open']:.3f}; with all closed, "
            f"{facts['R² all closed']:.3f}: a gap of {-facts['R² gap']:+.3f}, averaged over {facts['seeds']} seeds."
        ]
        if facts["R² gap"]:
            for _, row in shares.head(3).iterrows():
                adds, part = -row["R² share"], row["R² share [%]"]
                lines.append(f"- Closing *{row['difference']}* adds {adds:+.3f}, or {part:.0f} % of the gap.")
            rest = shares["R² share [%]"].iloc[3:]
            if len(rest):
                lines.append(f"- Each of the others is {rest.abs().max():.2g} % of it or less.")
        for _, row in pairs[pairs["matters"]].head(3).iterrows():
            lines.append(
                f"- *{row['one']}* and *{row['other']}* do not add up: both open give {row['R² interaction']:+.3f} "
                "beyond what each gives alone."
            )
        n = int(self.diverged.sum())
        if n:
            lines.append(f"- {n} of {self.diverged.size} networks diverged, and are valued as the target's mean.")
        return "\n".join("- " + line[2:].replace(" -", " −") for line in lines)


def fit_subsets(
    data: Data,
    settings: Settings | None = None,
    start: Recipe = KERAS_2,
    *,
    differences: Sequence[str] | None = None,
    seeds: Sequence[int] = SEEDS,
    progress: bool = False,
) -> Subsets:
    """Train a network by Keras for every subset of the differences, and for every seed.

    Parameters
    ----------
    data : Data
    settings : Settings, optional
        The question's, if left out; the seed is replaced by each of `seeds`.
    start : Recipe, default=KERAS_2
    differences : sequence of str, optional
        Names of the differences to open and close; if left out, all that `start` has. The others stay as in `start`.
    seeds : sequence of int, default=(0, 1, 2, 3, 4)
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    Subsets

    Raises
    ------
    InputError
        If a difference is unknown or closed already, there is no seed, or a seed is named twice.
    """
    from tqdm.auto import tqdm

    settings = settings or Settings()
    opened = open_differences(start, settings, differences)
    seeds = checked_seeds(seeds)
    by_seed = [settings.replace(random_state=seed) for seed in seeds]
    recipes = [
        start.replace(**{d.name: d.keras if on else d.sklearn for d, on in zip(opened, reversed(states), strict=True)})
        for states in product((False, True), repeat=len(opened))
    ]
    cells = [(one, recipe) for one in by_seed for recipe in recipes]
    references = [fit_reference(data, one) for one in by_seed]
    with tqdm(total=len(cells), desc="fits", leave=False, disable=not progress) as bar:
        fits = fit_keras(data, [one for one, _ in cells], [recipe for _, recipe in cells], done=bar.update)
    table = [fits[first : first + len(recipes)] for first in range(0, len(fits), len(recipes))]
    values = np.array(
        [[_worth(fit, reference, data) for fit in row] for row, reference in zip(table, references, strict=True)]
    )
    return Subsets(
        start, opened, seeds, references[0].recipe.name,
        r2=values[..., 0], distance=values[..., 1], diverged=values[..., 2].astype(bool),
    )  # fmt: skip


def attribute(
    data: Data,
    settings: Settings | None = None,
    start: Recipe = KERAS_2,
    *,
    differences: Sequence[str] | None = None,
    seeds: Sequence[int] = SEEDS,
    progress: bool = False,
) -> pd.DataFrame:
    """Share out the gap between Keras's and scikit-learn's training among the differences, by exact Shapley values.

    The parameters are those of `fit_subsets`, the table that of `Subsets.shares`.
    """
    return fit_subsets(data, settings, start, differences=differences, seeds=seeds, progress=progress).shares()


def shapley(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exact Shapley values (Shapley 1953) of games of n players.

    Parameters
    ----------
    values : ndarray of shape (n_games, 2 ** n)
        The worth of each coalition; bit i of the second index says whether player i is in it.

    Returns
    -------
    ndarray of shape (n_games, n)
        Each row sums to the worth of all less that of none.
    """
    masks, sizes, n = _coalitions(values)
    shares = np.empty((len(values), n))
    for i in range(n):
        without = masks[(masks >> i & 1) == 0]
        weights = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in sizes[without]])
        shares[:, i] = (values[:, without | 1 << i] - values[:, without]) @ weights
    return shares


def interaction(values: NDArray[np.float64], i: int, j: int) -> NDArray[np.float64]:
    """The Shapley interaction index of players `i` and `j` (Grabisch and Roubens 1999), one a game.

    `values` is as in `shapley`.
    """
    masks, sizes, n = _coalitions(values)
    without = masks[((masks >> i | masks >> j) & 1) == 0]
    weights = np.array([factorial(s) * factorial(n - s - 2) / factorial(n - 1) for s in sizes[without]])
    a, b = 1 << i, 1 << j
    both = values[:, without | a | b] - values[:, without | a] - values[:, without | b] + values[:, without]
    return np.asarray(both @ weights)


def _coalitions(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The coalitions' bit masks, their sizes, and the number of players."""
    masks = np.arange(values.shape[1])
    return masks, np.bitwise_count(masks).astype(np.int64), int(values.shape[1]).bit_length() - 1


def checked_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """The seeds, one or more and each once.

    Raises
    ------
    InputError
        If they are not.
    """
    along = tuple(seeds) if isinstance(seeds, Iterable) else ()
    if not along or len(set(along)) < len(along):
        raise InputError(f"seeds are {seeds!r}, but there must be one or more, each once: give, say, range(5).")
    return along


def valued(fit: Fit, data: Data) -> tuple[float, NDArray[np.floating]]:
    """A network's R² and test predictions, or those of the training target's mean if it does worse or diverged."""
    from sklearn.metrics import r2_score

    mean = np.full(len(data.y_test), np.mean(data.y_train))
    floor = float(r2_score(data.y_test, mean))
    if fit.diverged_at is None and fit.r2 >= floor:
        return fit.r2, fit.prediction
    return floor, mean


def _worth(fit: Fit, reference: Fit, data: Data) -> tuple[float, float, bool]:
    """A network's R², its distance from the reference, and whether it diverged; as `Subsets` says."""
    r2, prediction = valued(fit, data)
    return r2, rms_distance(prediction, reference.prediction), fit.diverged_at is not None
