"""Divergence: where each library stops training stably, what theory expects, and one divergence step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlpnb.attribution import checked_seeds
from mlpnb.data import Data
from mlpnb.errors import InputError, require_choice
from mlpnb.fit import SKLEARN_ACTIVATIONS, Fit, NotFitted, fit_keras, fit_sklearn, load_training
from mlpnb.markdown import literal
from mlpnb.recipe import KERAS_2, MATCHED, SKLEARN, Recipe
from mlpnb.settings import ACTIVATIONS, Settings

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

TRAINS, GROWS, DIVERGES = 0, 1, 2
OUTCOMES = ("trains", "ends above its start", "diverges")
_FLAT = 1e-6  # a loss at rest still moves by its rounding
_FINEST = 1e-12  # a boundary can't be narrowed down beyond rounding
_ROUND = 16  # learning rates tried at once when a boundary is narrowed down


@dataclass(frozen=True, eq=False)
class StabilityMap:
    """How training ends over a plane of settings, for some recipes, from real fits.

    Attributes
    ----------
    data : Data
    settings : Settings
        What is the same everywhere.
    recipes : tuple of Recipe
    learning_rates : ndarray of shape (n_rates,)
    across : {"target scale", "alpha"}
        What the other axis varies: a factor on the target, or the penalty.
    values : ndarray of shape (n_values,)
        Its values.
    outcomes : ndarray of shape (n_recipes, n_values, n_rates), int
        0: trains. 1: ends with a training loss above that of its first epoch. 2: diverges, its weights not finite.
    curvatures : ndarray of shape (n_recipes, n_values, 2)
        The largest eigenvalue of the Hessian of the recipe's loss: at the start, and where training ended at the
        largest stable learning rate (NaN if there is none).
    """

    data: Data
    settings: Settings
    recipes: tuple[Recipe, ...]
    learning_rates: NDArray[np.float64]
    across: Literal["target scale", "alpha"]
    values: NDArray[np.float64]
    outcomes: NDArray[np.int64]
    curvatures: NDArray[np.float64]

    def boundary(self) -> NDArray[np.float64]:
        """The largest stable learning rates, of shape (n_recipes, n_values).

        Between the smallest rate that does not train and the one below it, at their geometric mean; infinite where
        every rate of the map trains, and zero where none does.
        """
        rates, unstable = self.learning_rates, self.outcomes != TRAINS
        first = np.argmax(unstable, axis=2)
        between = np.sqrt(rates[first] * rates[np.maximum(first - 1, 0)])
        return np.where(~unstable.any(axis=2), np.inf, np.where(first == 0, 0.0, between))

    def predicted(self) -> NDArray[np.float64]:
        """The stability limit of the momentum over each of `curvatures`: a learning rate, in the same shape.

        NaN for Adam, of which the limit says nothing.
        """
        if self.settings.solver != "sgd":
            return np.full_like(self.curvatures, np.nan)
        with np.errstate(divide="ignore"):
            limit = momentum_limit(self.settings.momentum, nesterov=self.settings.nesterovs_momentum)
            return np.asarray(limit / np.maximum(self.curvatures, 0))

    def to_frame(self) -> pd.DataFrame:
        """The boundaries as a table, a row a value and a column a recipe, with the factor between the first two."""
        import pandas as pd

        boundary, predicted = self.boundary(), self.predicted()
        table: dict[str, object] = {self.across: self.values}
        for index, recipe in enumerate(self.recipes):
            table[f"{recipe.name}: largest stable learning rate"] = boundary[index]
            table[f"{recipe.name}: limit by the curvature at the start"] = predicted[index, :, 0]
            table[f"{recipe.name}: limit by the curvature at the end"] = predicted[index, :, 1]
        if len(self.recipes) > 1:
            with np.errstate(divide="ignore", invalid="ignore"):
                table["factor"] = boundary[0] / boundary[1]
        return pd.DataFrame(table)

    def factor(self) -> tuple[float, float, float]:
        """How much larger the first recipe's boundary is than the second's: median, least and most over the rows.

        Rows in which either has no boundary on the map don't count; NaN if none is left, or there is no second.
        """
        if len(self.recipes) < 2:
            return float("nan"), float("nan"), float("nan")
        one, other = self.boundary()[:2]
        on_map = np.isfinite(one) & np.isfinite(other) & (one > 0) & (other > 0)
        ratios = one[on_map] / other[on_map]
        if not len(ratios):
            return float("nan"), float("nan"), float("nan")
        return float(np.median(ratios)), float(ratios.min()), float(ratios.max())

    def confirm(self, n: int = 30, seed: int = 0) -> pd.DataFrame:
        """Train `MLPRegressor` itself at a random sample of the map's settings, half of them next to the boundary.

        Parameters
        ----------
        n : int, default=30
            How many settings.
        seed : int, default=0
            Of the sample.

        Returns
        -------
        DataFrame
            A row a setting: what the map says by scikit-learn's recipe, what `MLPRegressor` does, whether they agree.

        Raises
        ------
        InputError
            If the map has no column by scikit-learn's recipe, or scikit-learn lacks the activation.
        """
        import pandas as pd

        _require_sklearn_activation(self.settings)
        matched = [index for index, recipe in enumerate(self.recipes) if not recipe.differences(self.settings.solver)]
        if not matched:
            raise InputError("no recipe of this map is scikit-learn's, so there is nothing to confirm: add MATCHED.")
        outcomes = self.outcomes[matched[0]]
        random = np.random.default_rng(seed)
        changes = np.argwhere(np.diff((outcomes != TRAINS).astype(int), axis=1) != 0)
        near = {(int(row), int(rate) + side) for row, rate in changes for side in (0, 1)}
        anywhere = [(row, rate) for row in range(len(self.values)) for rate in range(len(self.learning_rates))]
        sample = [tuple(cell) for cell in random.permutation(sorted(near))[: n // 2]] if near else []
        sample += [tuple(cell) for cell in random.permutation([cell for cell in anywhere if cell not in set(sample)])][
            : n - len(sample)
        ]
        rows = []
        for row, rate in sample:
            data, settings = self.place(row, rate)
            fit = fit_sklearn(data, settings, SKLEARN)
            assert isinstance(fit, Fit)
            rows.append(
                {
                    "learning rate": settings.learning_rate_init,
                    self.across: self.values[row],
                    "next to the boundary": (row, rate) in near,
                    "by scikit-learn's recipe": OUTCOMES[outcomes[row, rate]],
                    "by MLPRegressor": OUTCOMES[outcome(fit)],
                    "agree": outcomes[row, rate] == outcome(fit),
                }
            )
        return pd.DataFrame(rows)

    def confirmation(self, n: int = 30, seed: int = 0) -> str:
        """What `confirm` finds, in a sentence, or why it can't; as Markdown."""
        try:
            table = self.confirm(n, seed)
        except InputError as error:
            return f"Nothing to confirm: {literal(str(error))}"
        return (
            f"{table['agree'].sum()} of {len(table)} points end as the map says; {table['next to the boundary'].sum()} "
            f"of them lie next to the boundary, {(table['by MLPRegressor'] != OUTCOMES[TRAINS]).sum()} do not train."
        )

    def describe(self) -> str:
        """The map in words: the alt text of its picture."""
        names = " and ".join(recipe.name for recipe in self.recipes)
        median, least, most = self.factor()
        words = (
            f"Where training is stable and where it diverges on {self.data.name}, {self.settings.activation}, over "
            f"learning rates from {self.learning_rates[0]:g} to {self.learning_rates[-1]:g} and {self.across} from "
            f"{self.values[0]:g} to {self.values[-1]:g}, for {names}."
        )
        if np.isfinite(median):
            words += (
                f" The boundary of {self.recipes[0].name} lies at {median:.2f} times the learning rate of that of "
                f"{self.recipes[1].name} (median; from {least:.2f} to {most:.2f})."
            )
        return words

    def remarks(self) -> str:
        """The map in words, as Markdown."""
        return literal(self.describe())

    def place(self, row: int, rate: int) -> tuple[Data, Settings]:
        """The data and the settings of one cell of the map."""
        settings = self.settings.replace(learning_rate_init=float(self.learning_rates[rate]))
        if self.across == "alpha":
            return self.data, settings.replace(alpha=float(self.values[row]))
        return scale_target(self.data, float(self.values[row])), settings


def stability(
    data: Data,
    settings: Settings | None = None,
    *,
    learning_rates: Sequence[float] | NDArray[np.floating] | None = None,
    target_scales: Sequence[float] | NDArray[np.floating] | None = None,
    alphas: Sequence[float] | NDArray[np.floating] | None = None,
    recipes: Sequence[Recipe] = (MATCHED, KERAS_2),
    progress: bool = False,
) -> StabilityMap:
    """Map where training is stable and where it diverges, over learning rate and target scale, or alpha.

    Every cell of the map is a network trained by Keras, by the recipe that stands for its column.

    Parameters
    ----------
    data : Data
    settings : Settings, optional
        What is the same everywhere; the question's, if left out.
    learning_rates : sequence of float, optional
        Two or more, ascending, above 0; 40 from 1e-4 to 1, if left out.
    target_scales : sequence of float, optional
        Factors on the target, ascending, above 0; 40 from 0.01 to 10, if left out and `alphas` too.
    alphas : sequence of float, optional
        Penalties, ascending, above 0, in place of `target_scales`.
    recipes : sequence of Recipe, default=(MATCHED, KERAS_2)
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    StabilityMap

    Raises
    ------
    InputError
        If an axis has fewer than two values, is not ascending, or has values that are not above 0; if both axes'
        alternatives are given; or if a recipe is `MLPRegressor` itself (see `StabilityMap.confirm`) or two have one
        name.
    """
    from tqdm.auto import tqdm

    settings = settings or Settings()
    if target_scales is not None and alphas is not None:
        raise InputError("both target_scales and alphas are given, but a map has one of them: leave out the other.")
    across: Literal["target scale", "alpha"] = "target scale" if alphas is None else "alpha"
    rates = _axis("learning_rates", np.geomspace(1e-4, 1, 40) if learning_rates is None else learning_rates)
    if alphas is None:
        values = _axis("target_scales", np.geomspace(0.01, 10, 40) if target_scales is None else target_scales)
    else:
        values = _axis("alphas", alphas)
    recipes = tuple(recipes)
    names = {recipe.name for recipe in recipes if recipe.library == "keras"}
    if not recipes or len(names) < len(recipes):
        raise InputError(
            f"recipes are {[recipe.name for recipe in recipes]}, but a map needs one or more that Keras trains, each "
            "with a name of its own: give MATCHED for scikit-learn's, and confirm it by StabilityMap.confirm."
        )
    outcomes = np.zeros((len(recipes), len(values), len(rates)), int)
    curvatures = np.full((len(recipes), len(values), 2), np.nan)
    plane = StabilityMap(data, settings, recipes, rates, across, values, outcomes, curvatures)
    with tqdm(total=outcomes.size, desc="fits", leave=False, disable=not progress) as bar:
        for row in range(len(values)):
            place, base = plane.place(row, 0)
            along = [base.replace(learning_rate_init=float(rate)) for rate in rates]
            cells = [(one, recipe) for recipe in recipes for one in along]
            fits = fit_keras(place, [one for one, _ in cells], [recipe for _, recipe in cells], done=bar.update)
            for index, recipe in enumerate(recipes):
                of_recipe = fits[index * len(rates) : (index + 1) * len(rates)]
                outcomes[index, row] = [outcome(fit) for fit in of_recipe]
                curvatures[index, row, 0] = start_curvature(place, base, recipe)
                stable = int(np.argmax(outcomes[index, row] != TRAINS)) - 1 if outcomes[index, row].any() else -1
                if outcomes[index, row, stable] == TRAINS:
                    end = of_recipe[stable]
                    curvatures[index, row, 1] = curvature(place, base, recipe, end.coefs, end.intercepts)
    outcomes.flags.writeable = curvatures.flags.writeable = False
    return plane


def stability_by_activation(
    data: Data, settings: Settings | None = None, *, n_steps: int = 16, progress: bool = False
) -> tuple[StabilityMap, ...]:
    """A stability map for each activation, over learning rates from 1e-4 to 1 and target scales from 0.01 to 10.

    Parameters
    ----------
    data : Data
    settings : Settings, optional
        All but the activation; the question's, if left out.
    n_steps : int, default=16
        Learning rates, and target scales, of a map.
    progress : bool, default=False
        Whether to show progress bars.
    """
    rates, scales = np.geomspace(1e-4, 1, n_steps), np.geomspace(0.01, 10, n_steps)
    along = [(settings or Settings()).replace(activation=activation) for activation in ACTIVATIONS]
    return tuple(stability(data, one, learning_rates=rates, target_scales=scales, progress=progress) for one in along)


def boundary_factors(planes: Sequence[StabilityMap]) -> pd.DataFrame:
    """How far the boundaries of the first two recipes are apart, a row a map.

    Parameters
    ----------
    planes : sequence of StabilityMap
        As from `stability_by_activation`.

    Returns
    -------
    DataFrame
        Median, least and largest factor between the two boundaries over the rows of the map that have both, and the
        shares of the map that do not train.
    """
    import pandas as pd

    rows = []
    for plane in planes:
        one, other = (recipe.name for recipe in plane.recipes[:2])
        median, least, most = plane.factor()
        unstable = 100 * (plane.outcomes != TRAINS).mean(axis=(1, 2))
        rows.append(
            {
                "activation": plane.settings.activation, "factor, median": median, "least": least, "most": most,
                f"{one} does not train [% of the map]": unstable[0],
                f"{other} does not train [% of the map]": unstable[1],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def outcome(fit: Fit) -> int:
    """How training ended: 0 it trains, 1 its loss ends above that of its first epoch, 2 it diverges."""
    if fit.diverged_at is not None:
        return DIVERGES
    return GROWS if fit.loss_curve[-1] > fit.loss_curve[0] else TRAINS


def momentum_limit(momentum: float, *, nesterov: bool) -> float:
    """Learning rate times curvature at which gradient descent with momentum stops being stable on a quadratic.

    One step maps (weight, velocity) linearly; its eigenvalues leave the unit circle at −1. With a = learning rate ·
    curvature and momentum μ, Nesterov's step has trace 1 − a(1 + μ) + μ and determinant μ(1 − a), so that
    1 + trace + determinant = 0 gives a = (2 + 2μ) / (1 + 2μ); without Nesterov, a = 2 + 2μ. Cohen et al., "Gradient
    descent on neural networks typically occurs at the edge of stability" (ICLR 2021), give the same limits.

    Parameters
    ----------
    momentum : float
        μ, from 0 to 1.
    nesterov : bool
    """
    return (2 + 2 * momentum) / (1 + 2 * momentum) if nesterov else 2 + 2 * momentum


def curvature(
    data: Data, settings: Settings, recipe: Recipe,
    coefs: Sequence[NDArray[np.floating]], intercepts: Sequence[NDArray[np.floating]],
) -> float:  # fmt: skip
    """The largest eigenvalue of the Hessian of the recipe's loss over all training rows, penalty included.

    Parameters
    ----------
    data : Data
    settings : Settings
    recipe : Recipe
    coefs, intercepts : sequences of ndarray, shapes (inputs, outputs) and (outputs,)
        The weights at which it is taken, as `Fit` holds them.
    """
    return float(load_training().largest_curvature(data, settings, recipe, coefs, intercepts))


def start_curvature(data: Data, settings: Settings, recipe: Recipe) -> float:
    """`curvature` where training starts."""
    from mlpnb.draws import draw, draw_key

    start = draw(draw_key(settings, recipe, *data.X_train.shape))
    return curvature(data, settings, recipe, start.kernels, start.biases)


def critical_learning_rate(
    data: Data, settings: Settings, recipe: Recipe, *, low: float, high: float, rtol: float = 1e-3
) -> float:
    """The learning rate at which training stops being stable, narrowed down by real fits.

    Parameters
    ----------
    data : Data
    settings : Settings
        All but the learning rate.
    recipe : Recipe
        Trained by Keras, many rates at once; or `SKLEARN`, `MLPRegressor` itself, which then never stops early.
    low, high : float
        Rates that do train and that do not.
    rtol : float, default=1e-3
        Relative width to narrow it down to.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If training is not stable at `low`, or is at `high`, or scikit-learn lacks the activation.
    """
    if not rtol >= _FINEST:
        raise InputError(f"rtol is {rtol!r}, but it must be {_FINEST:g} or more: give, say, 1e-3.")
    if recipe.library == "scikit-learn":
        _require_sklearn_activation(settings)
    tries = _ROUND if recipe.library == "keras" else 1
    for rate, wanted in ((low, True), (high, False)):
        if _trains(data, settings, recipe, [rate])[0] is not wanted:
            raise InputError(
                f"learning rate {rate:g} {'does not train' if wanted else 'trains'} on {data.name!r}, but the boundary "
                f"must lie between low and high: give a {'smaller low' if wanted else 'larger high'}."
            )
    while high / low > 1 + rtol:
        rates = np.geomspace(low, high, tries + 2)
        trains = [True, *_trains(data, settings, recipe, rates[1:-1]), False]
        first = trains.index(False)
        low, high = float(rates[first - 1]), float(rates[first])
    return float(np.sqrt(low * high))


def _trains(
    data: Data, settings: Settings, recipe: Recipe, rates: Sequence[float] | NDArray[np.floating]
) -> list[bool]:
    """Whether each learning rate trains: the loss is finite at the end and no higher than halfway, but for rounding."""
    along = [settings.replace(learning_rate_init=float(rate)) for rate in rates]
    if recipe.library == "keras":
        fits: Sequence[Fit | NotFitted] = fit_keras(data, along, [recipe] * len(along))
    else:
        fits = [fit_sklearn(data, one, recipe, n_iter_no_change=one.max_iter) for one in along]
    curves = [fit.loss_curve for fit in fits if isinstance(fit, Fit)]
    return [bool(np.isfinite(curve[-1]) and curve[-1] <= curve[len(curve) // 2] * (1 + _FLAT)) for curve in curves]


def linear_boundaries(
    data: Data, momenta: Sequence[tuple[float, bool]] = ((0.9, True), (0.9, False), (0.0, False))
) -> pd.DataFrame:
    """The linear model's boundaries, predicted and measured: no hidden layer, one batch, no penalty, 1000 epochs.

    Parameters
    ----------
    data : Data
    momenta : sequence of (float, bool), optional
        Pairs of a momentum and whether it is Nesterov's.

    Returns
    -------
    DataFrame
        A row a momentum: the learning rate that `momentum_limit` over the largest eigenvalue of the Hessian of the
        data term predicts for scikit-learn, those measured on `MLPRegressor` and on the question's Keras, and both
        over the predicted one.
    """
    import pandas as pd

    rows = []
    for momentum, nesterov in momenta:
        settings = Settings(
            hidden_layer_sizes=(), activation="identity", batch_size=len(data.y_train), alpha=0.0, momentum=momentum,
            nesterovs_momentum=nesterov, max_iter=1000, dtype="float64",
        )  # fmt: skip
        predicted = momentum_limit(momentum, nesterov=nesterov) / start_curvature(data, settings, MATCHED)
        sklearn, keras = (
            critical_learning_rate(data, settings, recipe, low=predicted / 4, high=4 * predicted)
            for recipe in (SKLEARN, KERAS_2)
        )
        rows.append(
            {
                "momentum": f"{momentum:g}, Nesterov's" if nesterov else f"{momentum:g}",
                "predicted learning rate": predicted,
                "MLPRegressor, measured": sklearn,
                "Keras, measured": keras,
                "MLPRegressor / predicted": sklearn / predicted,
                "Keras / predicted": keras / predicted,
            }
        )
    return pd.DataFrame(rows)


def remedies(data: Data, settings: Settings, *, seeds: Sequence[int] = tuple(range(20))) -> pd.DataFrame:
    """What keeps Keras 2 from diverging: each remedy by itself, over several seeds.

    Parameters
    ----------
    data : Data
    settings : Settings
        Seeds are replaced by `seeds`.
    seeds : sequence of int, default=range(20)

    Returns
    -------
    DataFrame
        A row a remedy: how many of the networks diverge, and the mean R² of those that do not (NaN if none).

    Raises
    ------
    InputError
        If there is no seed, or one is named twice.
    """
    import pandas as pd

    along = [settings.replace(random_state=seed) for seed in checked_seeds(seeds)]
    halved = [one.replace(learning_rate_init=one.learning_rate_init / 2) for one in along]
    scaled = scale_target(data, 1 / float(np.std(data.y_train)))
    per_row, half = KERAS_2.replace(penalty_scale="per row"), KERAS_2.replace(data_term="half")
    cases = {
        "Keras 2, as asked": (data, along, KERAS_2),
        "half the learning rate": (data, halved, KERAS_2),
        "the target in its standard deviations": (scaled, along, KERAS_2),
        "the penalty divided by the rows of the batch": (data, along, per_row),
        "half the mean squared error": (data, along, half),
        "every difference closed": (data, along, MATCHED),
    }
    rows = []
    for name, (place, runs, recipe) in cases.items():
        fits = fit_keras(place, runs, [recipe] * len(runs))
        scores = [fit.r2 for fit in fits if fit.diverged_at is None]
        rows.append(
            {
                "remedy": name,
                "diverged [networks]": len(fits) - len(scores),
                "of [networks]": len(fits),
                "R² of the others": float(np.mean(scores)) if scores else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def scale_target(data: Data, factor: float) -> Data:
    """`data` with its target multiplied by `factor`, as a change of its unit would."""
    return dataclasses.replace(
        data, y_train=data.y_train * factor, y_test=data.y_test * factor,
        summary=f"{data.summary} The target is multiplied by {factor:g}.".strip(),
    )  # fmt: skip


def replay(data: Data, settings: Settings, recipe: Recipe = KERAS_2) -> pd.DataFrame:
    """Train one network by Keras step by step, up to the step whose loss is not finite, and write down each.

    Parameters
    ----------
    data : Data
    settings : Settings
    recipe : Recipe, default=KERAS_2

    Returns
    -------
    DataFrame
        A row a step, as the network stands before it: epoch, loss of the batch, norm of the gradient, and norms of
        each layer's kernel and bias.

    Raises
    ------
    InputError
        If the recipe is trained by `MLPRegressor`, which shows none of its steps.
    """
    import pandas as pd

    require_choice("library of the recipe", recipe.library, ("keras",))
    training = load_training()
    rows = training.trace(data, settings, recipe, _seen)
    return pd.DataFrame(rows).rename_axis("step")


def describe_replay(table: pd.DataFrame) -> str:
    """What a replay shows, in words with its figures.

    Parameters
    ----------
    table : DataFrame
        From `replay`.
    """
    first, last = table.iloc[0], table.iloc[-1]
    lowest = int(np.nanargmin(table["loss"]))
    words = f"The loss starts at {first['loss']:.3g} and is lowest at step {lowest}, {table['loss'].iloc[lowest]:.3g}."
    if np.isfinite(last["loss"]):
        return f"{words} It ends at {last['loss']:.3g}: training does not diverge here."
    norms = table.drop(columns=["epoch", "loss", "gradient norm"])
    finite = norms[np.isfinite(norms).all(axis=1)]
    growth = (finite.iloc[-1] / norms.iloc[lowest].replace(0, np.nan)).sort_values(ascending=False)
    listed = ", ".join(f"{str(name).removesuffix(' norm')} {factor:.2g}-fold" for name, factor in growth.items())
    return (
        f"{words} It overflows at step {table.index[-1]}, in epoch {last['epoch']:.0f}. From the lowest loss to the "
        f"last step with finite weights the norms grow, most first: {listed}."
    )


def _seen(step: Any) -> dict[str, float]:
    def norm(*arrays: NDArray[np.floating]) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.sqrt(sum(np.sum(np.square(array.astype(np.float64))) for array in arrays)))

    seen = {"epoch": step.epoch, "loss": step.loss, "gradient norm": norm(*step.gradients)}
    for index, (kernel, bias) in enumerate(zip(step.kernels, step.biases, strict=True), start=1):
        seen |= {f"kernel {index} norm": norm(kernel), f"bias {index} norm": norm(bias)}
    return seen


def _require_sklearn_activation(settings: Settings) -> None:
    if settings.activation not in SKLEARN_ACTIVATIONS:
        raise InputError(
            f"activation {settings.activation!r} is not one of scikit-learn's, so MLPRegressor can't train with it: "
            f"choose one of {', '.join(SKLEARN_ACTIVATIONS)}."
        )


def _axis(name: str, values: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
    try:
        axis = np.asarray(values)
    except ValueError:  # ragged
        axis = np.empty(0)
    good = (
        axis.dtype.kind in "iuf"
        and axis.ndim == 1
        and len(axis) > 1
        and np.isfinite(axis).all()
        and (axis > 0).all()
        and (np.diff(axis) > 0).all()
    )
    if not good:
        shown = np.array2string(axis, threshold=6) if axis.size else repr(values)
        raise InputError(
            f"{name} is {shown}, but it must be two or more finite numbers above 0, ascending: give, say, "
            "numpy.geomspace(1e-4, 1, 40)."
        )
    return axis.astype(np.float64)
