"""The sliders without a kernel: every fit that they can ask for, made beforehand, and a page's part that shows them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from itertools import product
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpnb.fit import Fit, NotFitted, fit_keras, fit_sklearn, in_short
from mlpnb.grid import QUESTION, Grid
from mlpnb.history import legend
from mlpnb.plots import limits_of
from mlpnb.settings import ACTIVATIONS, DTYPES, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlpnb.data import Data

POINTS = 500  # at the most, a panel: what bounds a file's size, whatever the data
_STEPS = 1000  # to which a point's place is rounded: finer than any screen shows a panel


@dataclass(frozen=True, eq=False)
class Frames:
    """A grid for each value of alpha, dtype and activation.

    Attributes
    ----------
    data : Data
    settings : Settings
        What is shown first; all but alpha, dtype and activation hold for every frame.
    alphas : tuple of float
        The slider's values, rising from 0; that of `settings` among them.
    grids : dict of Grid by (activation, dtype, alpha)
    """

    data: Data
    settings: Settings
    alphas: tuple[float, ...]
    grids: dict[tuple[str, str, float], Grid]


def fit_frames(data: Data, settings: Settings, alphas: Sequence[float], *, progress: bool = False) -> Frames:
    """Train every network that the sliders can ask for: scikit-learn's by scikit-learn, Keras's by Keras.

    Parameters
    ----------
    data : Data
    settings : Settings
    alphas : sequence of float
        The slider's values; 0 and that of `settings` among them.
    progress : bool, default=False
        Whether to show a progress bar, a step a network.

    Returns
    -------
    Frames

    Raises
    ------
    InputError
        If TensorFlow is not there, or Keras runs on another backend.
    """
    from tqdm import tqdm

    fits: dict[tuple[str, str, float, str], Fit | NotFitted] = {}
    sklearn_recipes = [recipe for recipe in QUESTION if recipe.library == "scikit-learn"]
    keras_recipes = [recipe for recipe in QUESTION if recipe.library == "keras"]
    # scikit-learn's hold for every dtype of Keras
    n_fits = len(ACTIVATIONS) * len(alphas) * (len(sklearn_recipes) + len(DTYPES) * len(keras_recipes))
    with tqdm(total=n_fits, desc="networks", leave=False, disable=not progress) as bar:
        for activation, alpha, recipe in product(ACTIVATIONS, alphas, sklearn_recipes):
            fit = fit_sklearn(data, settings.replace(activation=activation, alpha=alpha), recipe)
            fits.update({(activation, dtype, alpha, recipe.name): fit for dtype in DTYPES})
            bar.update()
        for activation, dtype in product(ACTIVATIONS, DTYPES):
            base = settings.replace(activation=activation, dtype=dtype)
            cells = [(base.replace(alpha=alpha), recipe) for alpha, recipe in product(alphas, keras_recipes)]
            for kept in fit_keras(data, [cell[0] for cell in cells], [cell[1] for cell in cells], done=bar.update):
                fits[activation, dtype, kept.settings.alpha, kept.recipe.name] = kept
    grids = {}
    for activation, dtype, alpha in product(ACTIVATIONS, DTYPES, alphas):
        rows = tuple(tuple(fits[activation, dtype, row, recipe.name] for recipe in QUESTION) for row in (0.0, alpha))
        shown = settings.replace(activation=activation, dtype=dtype, alpha=alpha)
        grids[activation, dtype, alpha] = Grid(data, shown, QUESTION, rows)
    return Frames(data, settings, tuple(alphas), grids)


def frames_html(frames: Frames) -> str:
    """The frames as a part of a page: controls, panels, the words to them, their style and a short script.

    It asks for nothing from outside, can be worked with the keyboard alone, and may stand in a page more than once.
    """
    low, high = limits_of(frames.data)
    chosen = _thinned(len(frames.data.y_test))
    numbered: dict[int, int] = {}
    panels: list[dict[str, Any]] = []

    def panel(fit: Fit | NotFitted) -> int:
        """The number of a fit's panel; scikit-learn's, and the first row's, are shared by many frames."""
        if id(fit) not in numbered:
            numbered[id(fit)] = len(panels)
            panels.append(_panel(fit, chosen, low, high))
        return numbered[id(fit)]

    shown = {
        f"{activation} {dtype} {frames.alphas.index(alpha)}": {
            "panels": [panel(fit) for row in grid.fits for fit in row],
            "words": grid.describe(),
            "legend": legend(frames.data, grid.settings, QUESTION),
        }
        for (activation, dtype, alpha), grid in frames.grids.items()
    }
    content = {
        "alphas": [f"{alpha:g}" for alpha in frames.alphas],
        "truth": _placed(frames.data.y_test[chosen], low, high),
        "libraries": [recipe.library for recipe in QUESTION],
        "names": [recipe.name for recipe in QUESTION],
        "panels": panels,
        "frames": shown,
    }
    start = frames.settings
    first = frames.grids[start.activation, start.dtype, start.alpha]
    ticks = _ticks(low, high)
    n_test = len(frames.data.y_test)
    points = f"{len(chosen)} of the {n_test}" if len(chosen) < n_test else f"each of the {n_test}"
    return Template(_template("frames.html")).substitute(
        style=_template("frames.css"),
        script=_template("frames.js"),
        last=len(frames.alphas) - 1,
        alpha=frames.alphas.index(start.alpha),
        alpha_text=f"{start.alpha:g}",
        dtypes=_choices("dtype", DTYPES, start.dtype),
        activations=_choices("activation", ACTIVATIONS, start.activation),
        panels="".join(_figure(ticks) for _ in range(2 * len(QUESTION))),
        words=escape(first.describe()),
        legend=escape(legend(frames.data, start, QUESTION)),
        caption=escape(
            f"Prediction (up) against truth (to the right: {frames.data.target_name}); a point is a row of the test "
            f"part of {frames.data.name}, {points} drawn. On the dashed line the prediction is perfect; a cross lies "
            f"beyond the axes. Seed {start.random_state}, {start.max_iter} epochs. Every picture is a real fit, made "
            "when this page was."
        ),
        content=json.dumps(content, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"),
    )


def _template(name: str) -> str:
    return files("mlpnb").joinpath("static", name).read_text(encoding="utf-8")


def _panel(fit: Fit | NotFitted, chosen: Any, low: float, high: float) -> dict[str, Any]:
    if isinstance(fit, NotFitted):
        return {"points": [], "words": fit.reason.replace("\n", " ")}
    if fit.diverged_at is not None:
        return {"points": [], "words": f"diverged at epoch {fit.diverged_at}", "diverged": 1}
    words = f"R² {in_short(fit.r2)}, RMSE {in_short(fit.rmse)}"
    beyond = int(np.sum((fit.prediction < low) | (fit.prediction > high)))
    if beyond:
        words += f", {beyond} beyond (×)"
    return {"points": _placed(fit.prediction[chosen], low, high), "words": words}


def _thinned(n_rows: int) -> Any:
    """Rows to draw, evenly taken."""
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, POINTS)).round().astype(int))


def _placed(values: Any, low: float, high: float) -> list[int]:
    """Places on an axis, in steps from 0; what lies beyond is one step below or above."""
    scaled = np.round((np.asarray(values, np.float64) - low) / (high - low) * _STEPS)
    return [int(place) for place in np.clip(scaled, -1, _STEPS + 1)]


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Ticks of an axis: their place, from 0 to 1, and their words."""
    from matplotlib.ticker import MaxNLocator

    values = [value for value in MaxNLocator(4).tick_values(low, high) if low <= value <= high]
    return [((value - low) / (high - low), f"{value:g}".replace("-", "−")) for value in values]


def _choices(name: str, values: Sequence[str], chosen: str) -> str:
    return "".join(
        f'<label><input type="radio" name="{name}" value="{value}"{" checked" if value == chosen else ""} '
        f'autocomplete="off"> {value}</label>'
        for value in values
    )


def _figure(ticks: Sequence[tuple[float, str]]) -> str:
    """One panel, its axes drawn: 200 wide and high, from (30, 5)."""
    marks = "".join(
        f'<path class="gridline" d="M{30 + 200 * at:.1f} 5v200M30 {205 - 200 * at:.1f}h200"/>'
        f'<text x="{30 + 200 * at:.1f}" y="218" text-anchor="middle">{words}</text>'
        f'<text x="26" y="{208 - 200 * at:.1f}" text-anchor="end">{words}</text>'
        for at, words in ticks
    )
    return (
        '<figure><figcaption><strong></strong><span></span></figcaption><svg viewBox="0 0 240 224" role="img">'
        f'{marks}<path class="perfect" d="M30 205L230 5"/><path class="frame" d="M30 5h200v200h-200z"/>'
        '<path class="points"/><path class="beyond"/></svg></figure>'
    )
