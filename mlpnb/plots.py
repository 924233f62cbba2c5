"""Pictures of fits. Figures are made without pyplot, so that none is kept alive behind the caller's back."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mlpnb.errors import InputError, require_choice
from mlpnb.execution import is_static
from mlpnb.fit import Fit, NotFitted, in_short

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from mlpnb.climb import Climb
    from mlpnb.data import Data
    from mlpnb.divergence import StabilityMap
    from mlpnb.grid import Grid
    from mlpnb.history import GridHistory

# Okabe and Ito's colours, told apart with any colour vision; the markers differ too, for a print in grey.
_STYLE: dict[str, dict[str, Any]] = {
    "scikit-learn": {"color": "#0072B2", "marker": "o"},
    "keras": {"color": "#D55E00", "marker": "^"},
}
_LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)), (0, (6, 2, 1, 2)))
_PANEL_INCHES = 3.0
_PALE = 0.15
_WORST_R2 = -1.0
_MANY = 5000  # points a panel, beyond which an SVG holds them as pixels, to stay of a size


class DescribedFigure(Figure):
    """A matplotlib `Figure` that shows itself in a notebook with its alt text.

    Attributes
    ----------
    alt : str
        The picture in words.
    """

    alt: str = ""

    def png(self) -> bytes:
        """The figure as PNG, its alt text in the description."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=self.dpi, metadata={"Description": self.alt})
        return buffer.getvalue()

    def svg(self) -> bytes:
        """The figure as SVG, its alt text in the description; equal figures give equal files."""
        from matplotlib import rc_context

        buffer = io.BytesIO()
        with rc_context({"svg.hashsalt": "mlpnb"}):
            self.savefig(buffer, format="svg", metadata={"Description": self.alt, "Date": None})
        return buffer.getvalue()

    def html(self) -> str:
        """The figure as a picture of a page, in vectors, with its alt text."""
        image = base64.b64encode(self.svg()).decode()
        return f'<img src="data:image/svg+xml;base64,{image}" alt="{escape(self.alt)}">'

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        bundle = {"image/png": base64.b64encode(self.png()).decode(), "text/plain": self.alt}
        if is_static():  # to be printed too
            bundle["text/html"] = self.html()
        return bundle, {"image/png": {"alt": self.alt}}


class GridPicture:
    """The picture of a grid, of which only points and words are drawn anew when fits change.

    Axes, ticks, titles and identity lines are drawn once and kept as a background, so that another grid over the same
    data and columns is drawn in a few milliseconds.

    Parameters
    ----------
    grid : Grid
        The first grid to show.
    dpi : float, default=100
        Pixels an inch.
    """

    def __init__(self, grid: Grid, dpi: float = 100) -> None:
        self._layout = layout_of(grid)
        n_columns = len(grid.recipes)
        width, height = _PANEL_INCHES * n_columns, _PANEL_INCHES * len(grid.fits)
        self.figure = DescribedFigure(figsize=(width, height), dpi=dpi)
        self._canvas: Any = FigureCanvasAgg(self.figure)
        axes = self.figure.subplots(len(grid.fits), n_columns, sharex=True, sharey=True, squeeze=False)
        self.figure.subplots_adjust(
            left=0.95 / width,
            right=1 - 0.12 / width,
            top=1 - 0.62 / height,
            bottom=0.5 / height,
            wspace=0.06,
            hspace=0.08,
        )
        self._limits = limits_of(grid.data)
        self._draw_fixed(axes, grid)
        self._panels = [
            [_Panel(ax, recipe.library) for ax, recipe in zip(row, grid.recipes, strict=True)] for row in axes
        ]
        self._row_labels = [
            row[0].text(
                -0.24, 0.5, "", transform=row[0].transAxes, rotation=90, va="center", ha="center", weight="bold"
            )
            for row in axes
        ]
        self._heading = axes[0][0].text(
            0.12 / _PANEL_INCHES, 1 + 0.36 / _PANEL_INCHES, "", transform=axes[0][0].transAxes, fontsize=9,
            color="0.25", parse_math=False,
        )  # fmt: skip
        self._changing: list[Artist] = [self._heading, *self._row_labels]
        self._changing += [artist for row in self._panels for panel in row for artist in panel.artists]
        self._background: Any = None
        self.show(grid)

    def shows(self, grid: Grid) -> bool:
        """Whether `grid` has this picture's data and columns, so that it can be shown here."""
        return self._layout == layout_of(grid)

    def show(self, grid: Grid, stale: Collection[tuple[int, int]] = (), note: str = "") -> None:
        """Set points and words to those of `grid`, with a note above them.

        Panels in `stale` are pale: their fit is of an earlier setting.
        """
        for label, alpha in zip(self._row_labels, grid.alphas, strict=True):
            label.set_text(f"alpha = {alpha:g}")
        settings = grid.settings
        keras_dtype = any(recipe.dtype == "floatx" for recipe in grid.recipes)
        words = [grid.data.name, settings.activation, *([f"Keras in {settings.dtype}"] if keras_dtype else [])]
        self._heading.set_text(" · ".join([*words, f"seed {settings.random_state}", *filter(None, [note])]))
        for r, row in enumerate(self._panels):
            for c, panel in enumerate(row):
                panel.show(grid.fits[r][c], grid.data.y_test, self._limits, pale=(r, c) in stale)
        self.figure.alt = grid.describe()

    def png(self) -> bytes:
        """The picture as PNG, drawn over the kept background and compressed little, for speed."""
        from PIL import Image

        if self._background is None:
            self._set_animated(True)
            self._canvas.draw()
            self._background = self._canvas.copy_from_bbox(self.figure.bbox)
            self._set_animated(False)
        self._canvas.restore_region(self._background)
        renderer = self._canvas.get_renderer()
        for artist in self._changing:
            artist.draw(renderer)
        buffer = io.BytesIO()
        pixels = np.asarray(self._canvas.buffer_rgba())[..., :3]
        Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def _set_animated(self, animated: bool) -> None:
        for artist in self._changing:
            artist.set_animated(animated)

    def _draw_fixed(self, axes: Any, grid: Grid) -> None:
        low, high = self._limits
        for ax, recipe in zip(axes[0], grid.recipes, strict=True):
            ax.set_title(recipe.name, fontsize=11, pad=5)
        for ax in axes.flat:
            ax.plot([low, high], [low, high], color="0.3", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
            ax.set(xlim=(low, high), ylim=(low, high), box_aspect=1)
            ax.grid(color="0.92", zorder=0)
            ax.locator_params(nbins=5)
            ax.tick_params(labelsize=8)
        self.figure.text(
            0.5, 0.1 / self.figure.get_figheight(), f"truth: {grid.data.target_name}", ha="center", fontsize=9,
            parse_math=False,
        )  # fmt: skip
        self.figure.text(
            0.14 / self.figure.get_figwidth(), 0.5, "prediction", va="center", ha="center", rotation=90, fontsize=9
        )


class _Panel:
    """One panel's points, and its words."""

    def __init__(self, ax: Axes, library: str) -> None:
        style = _STYLE[library]
        self._points = ax.plot([], [], linestyle="", markersize=3.6, markeredgewidth=0, zorder=2, **style)[0]
        self._beyond = ax.plot(
            [], [], linestyle="", marker="x", markersize=5, color=style["color"], zorder=3, clip_on=False
        )[0]
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
        self._scores = ax.text(0.04, 0.96, "", transform=ax.transAxes, va="top", fontsize=9, bbox=box, zorder=4)
        self._words = ax.text(
            0.5, 0.5, "", transform=ax.transAxes, va="center", ha="center", fontsize=10, bbox=box, zorder=4
        )
        self.artists: list[Artist] = [self._points, self._beyond, self._scores, self._words]

    def show(self, fit: Fit | NotFitted, truth: Any, limits: tuple[float, float], pale: bool) -> None:
        scores = words = ""
        points: Any = ([], [])
        beyond: Any = ([], [])
        if isinstance(fit, NotFitted):
            words = fit.reason
        elif fit.diverged_at is not None:
            words = f"diverged\nat epoch {fit.diverged_at}"
        else:
            within = (fit.prediction >= limits[0]) & (fit.prediction <= limits[1])
            points = truth[within], fit.prediction[within]
            beyond = truth[~within], np.clip(fit.prediction[~within], *limits)
            scores = f"R² {in_short(fit.r2)}\nRMSE {in_short(fit.rmse)}"
            if not within.all():
                scores += f"\n{np.sum(~within)} of {len(truth)} beyond (×)"
        self._points.set_data(*points)
        self._points.set_rasterized(len(truth) > _MANY)
        self._beyond.set_data(*beyond)
        self._scores.set_text(scores)
        self._words.set_text(words)
        self._words.set_color("#A00000" if isinstance(fit, Fit) else "0.35")
        self._words.set_fontweight("bold" if isinstance(fit, Fit) else "normal")
        self._points.set_alpha(_PALE if pale else 0.6)
        for artist in (self._beyond, self._scores, self._words):
            artist.set_alpha(2 * _PALE if pale else 1.0)


def plot_grid(grid: Grid) -> DescribedFigure:
    """Draw the grid: prediction against truth on the test part, a row an alpha, a column a recipe.

    All panels share their axes, which span the truth; a prediction beyond them is a cross at the edge, and counted.

    Parameters
    ----------
    grid : Grid
        From `fit_grid`.

    Returns
    -------
    DescribedFigure
        A matplotlib `Figure`, not known to pyplot: it shows itself in a notebook, and is saved by `savefig`.
    """
    return GridPicture(grid).figure


def plot_history(history: GridHistory, epoch: int | None = None) -> DescribedFigure:
    """Draw the training loss and the kernels' norms by epoch, a line a column of the grid, a row an alpha.

    Parameters
    ----------
    history : GridHistory
        From `record_grid`.
    epoch : int, optional
        Marked by a line.
    """
    from mlpnb.history import History

    rows = [row for row in history.histories if any(isinstance(h, History) for h in row)]
    figure = DescribedFigure(figsize=(9, 2.6 * len(rows) + 0.6), layout="constrained")
    axes = figure.subplots(max(len(rows), 1), 2, sharex=True, squeeze=False)
    for (left, right), row in zip(axes, rows, strict=False):
        columns = [h for h in row if isinstance(h, History)]
        for index, one in enumerate(columns):
            color, name = _LINES[index % len(_LINES)], one.fit.recipe.name
            loss = np.where(one.fit.loss_curve > 0, one.fit.loss_curve, np.nan)
            left.plot(np.arange(1, len(loss) + 1), np.where(np.isfinite(loss), loss, np.nan), color=color, label=name,
                      linestyle=_DASHES[index % len(_DASHES)], linewidth=1.8)  # fmt: skip
            norms = one.kernel_norms
            for layer in range(norms.shape[1]):
                words = "last kernel" if layer == norms.shape[1] - 1 else f"kernel {layer + 1}"
                shown = np.where(np.isfinite(norms[:, layer]), norms[:, layer], np.nan)
                right.plot(shown, color=color, linestyle=_DASHES[layer % len(_DASHES)], linewidth=1.8,
                           label=f"{name}, {words}")  # fmt: skip
        alpha = columns[0].fit.settings.alpha
        left.set(yscale="log", ylabel=f"alpha = {alpha:g}\ntraining loss")
        right.set(yscale="log", ylabel="kernel norm")
        for ax in (left, right):
            ax.grid(color="0.92")
            if epoch is not None:
                ax.axvline(epoch, color="0.2", linewidth=1)
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
    for column in (0, 1):
        handles, labels = axes[0][column].get_legend_handles_labels()
        axes[0][column].legend(handles, labels, fontsize=7, loc="best")
    figure.alt = history.describe() + ("" if epoch is None else f" A line marks epoch {epoch}.")
    return _drawn(figure)


def plot_ladder(table: pd.DataFrame) -> DescribedFigure:
    """Draw the ladder: how far the predictions and the weights are from the reference's, rung by rung.

    Parameters
    ----------
    table : DataFrame
        From `ladder`, or from `Comparison.ladder`, whose score may be an accuracy.
    """
    score = _score_of(table)
    figure = DescribedFigure(figsize=(9, 0.8 + 0.42 * len(table)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2, 3))
    rungs = np.arange(len(table))
    left.plot(table[score], rungs, linestyle="-", markersize=6, **_STYLE["keras"])
    left.axvline(table.attrs[f"reference {score}"], color=_STYLE["scikit-learn"]["color"], linestyle=(0, (4, 2)),
                 linewidth=1.6, label=table.attrs["reference"])  # fmt: skip
    left.set(xlabel=f"{score} on the test part")
    left.legend(fontsize=8, loc="best")
    left.grid(color="0.92")
    _draw_distances(right, table)
    left.set(yticks=rungs, yticklabels=_rung_labels(table), ylim=(len(table) - 0.5, -0.5))
    figure.alt = _ladder_in_words(table)
    return _drawn(figure)


def plot_climb(data: Data, climb: Climb) -> DescribedFigure:
    """Draw the reference's panel, that of the ladder's first rung, and the ladder's distances below them.

    Parameters
    ----------
    data : Data
    climb : Climb
        From `mlpnb.climb.climb`.
    """
    n = len(climb.table)
    width, height, below = 9.0, 5.0 + 0.3 * max(n, 3), 0.5 + 0.3 * max(n, 3)
    figure = DescribedFigure(figsize=(width, height))

    def place(left: float, bottom: float, wide: float, high: float) -> Axes:
        """Axes at a place given in inches, since the panels are square and the ladder has long labels."""
        return figure.add_axes((left / width, bottom / height, wide / width, high / height))

    limits = limits_of(data)
    for left, fit in ((1.2, climb.reference), (5.4, climb.fits[0])):
        ax = place(left, below + 1.05, 3.0, 3.0)
        ax.plot(limits, limits, color="0.3", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        ax.set(xlim=limits, ylim=limits, title=fit.recipe.name, ylabel="prediction")
        ax.set_xlabel(f"truth: {data.target_name}", parse_math=False)
        ax.grid(color="0.92", zorder=0)
        _Panel(ax, fit.recipe.library).show(fit, data.y_test, limits, pale=False)
    ax = place(2.9, 0.5, width - 3.1, below - 0.5)
    _draw_distances(ax, climb.table)
    ax.set(yticks=range(n), yticklabels=_rung_labels(climb.table), ylim=(n - 0.5, -0.5))
    figure.alt = _ladder_in_words(climb.table)
    return _drawn(figure)


def _draw_distances(ax: Axes, table: pd.DataFrame) -> None:
    """How far predictions and weights are from the reference's, a row a rung, on a logarithmic axis."""
    rungs = np.arange(len(table))
    floor = np.finfo(np.float64).eps / 10
    color = _STYLE["keras"]["color"]
    ax.plot(table["RMS distance [SD of the target]"].clip(lower=floor), rungs, marker="^", color=color, markersize=6,
            label="RMS distance of the predictions [SD of the target]")  # fmt: skip
    ax.plot(table["weight difference [relative]"].clip(lower=floor), rungs, marker="s", fillstyle="none", color=color,
            markersize=6, linestyle=(0, (4, 2)), label="largest weight difference [relative]")  # fmt: skip
    diverged = table["diverged at epoch"]
    for rung in np.flatnonzero(diverged.notna()):
        words = f"diverged at epoch {diverged.iloc[rung]}"
        ax.text(0.5, float(rung), words, color="#A00000", weight="bold", fontsize=9, va="center", ha="right")
    ax.set(xscale="log", xlabel=f"distance from {table.attrs['reference']}", xlim=(floor / 2, 10))
    ax.grid(color="0.92")
    ax.set_axisbelow(True)
    # above the axes, since a ladder may cross them from any corner to any other
    ax.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), frameon=False)


def plot_waterfall(table: pd.DataFrame) -> DescribedFigure:
    """Draw the attribution: from the R² with all differences open to that with all closed, a bar a difference.

    Parameters
    ----------
    table : DataFrame
        From `attribute`.
    """
    figure = DescribedFigure(figsize=(9, 1.2 + 0.42 * len(table)), layout="constrained")
    ax = figure.subplots()
    closed = -table["R² share"].to_numpy()  # what closing it adds
    ends = table.attrs["R² all open"] + np.cumsum(closed)
    starts = ends - closed
    n = len(table)
    up, down = _STYLE["scikit-learn"]["color"], _STYLE["keras"]["color"]
    bars = ax.barh(
        np.arange(1, n + 1), closed, left=starts, height=0.6, color=np.where(closed >= 0, up, down),
        xerr=table["R² SD"].fillna(0), error_kw={"ecolor": "0.2", "capsize": 2, "linewidth": 1},
    )  # fmt: skip
    for bar, share in zip(bars, closed, strict=True):
        bar.set_hatch("" if share >= 0 else "//")
        bar.set_edgecolor("white")
    spread = max(np.max(np.maximum(starts, ends)) - np.min(np.minimum(starts, ends)), 1e-12)
    for row, (share, sd, start, end) in enumerate(zip(closed, table["R² SD"], starts, ends, strict=True), start=1):
        words = f"{_signed(share)}" + (f" ± {sd:.3f}" if np.isfinite(sd) else "")
        ax.text(max(start, end) + 0.02 * spread + (sd if np.isfinite(sd) else 0), row, words, va="center", fontsize=8)
    labels = [f"{table.attrs['start']}: all open", *table["difference"], f"all closed: {table.attrs['reference']}'s"]
    first, last = (round(table.attrs[f"R² all {state}"], 3) + 0.0 for state in ("open", "closed"))  # no −0
    for row, value in ((0, first), (n + 1, last)):
        ax.plot([value], [row], marker="D", color="0.2", markersize=7)
        ax.text(value + 0.02 * spread, row, f" {in_short(value)}", va="center", fontsize=9, weight="bold")
    ax.set(yticks=range(n + 2), yticklabels=labels, xlabel="R² on the test part; a bar: what closing a difference adds "
           f"(mean ± SD over {table.attrs['seeds']} seeds)")  # fmt: skip
    low, high = min(starts.min(), ends.min(), first, last), max(starts.max(), ends.max(), first, last)
    ax.set_xlim(low - 0.05 * spread, high + 0.25 * spread)
    ax.set_ylim(n + 1.5, -0.5)
    ax.grid(axis="x", color="0.92")
    ax.set_axisbelow(True)
    shares = "; ".join(f"{name} {_signed(share)}" for name, share in zip(table["difference"], closed, strict=True))
    figure.alt = (
        f"What closing each difference adds to R², from {in_short(first)} ({table.attrs['start']}) to {in_short(last)} "
        f"({table.attrs['reference']}'s recipe): {shares}."
    )
    return _drawn(figure)


def plot_stability(*planes: StabilityMap) -> DescribedFigure:
    """Draw stability maps: a row a map, a panel a recipe, with the boundaries measured and those curvature leads to.

    Parameters
    ----------
    *planes : StabilityMap
        From `stability`, or the maps of `stability_by_activation`; with as many recipes each.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    from mlpnb.divergence import OUTCOMES

    n = len(planes[0].recipes)
    size = 3.9 if len(planes) == 1 else 2.7
    figure = DescribedFigure(figsize=(1.2 + size * n, 0.7 + size * len(planes)), layout="constrained")
    axes = figure.subplots(len(planes), n, sharex=True, sharey=True, squeeze=False)
    shades = ListedColormap(["#F7F7F7", "#BDBDBD", "#6E6E6E"])
    for row, plane in zip(axes, planes, strict=True):
        for index, ax in enumerate(row):
            # the edges, so that no light shines between two cells of one colour where an SVG is drawn
            ax.pcolormesh(plane.learning_rates, plane.values, plane.outcomes[index], cmap=shades, vmin=0, vmax=2,
                          shading="nearest", edgecolors="face", linewidth=0.6)  # fmt: skip
            _draw_boundaries(ax, plane, index)
            ax.set(xscale="log", yscale="log")
            ax.set_xlim(plane.learning_rates[0], plane.learning_rates[-1])
            ax.set_ylim(plane.values[0], plane.values[-1])
        across = plane.across + (" (factor)" if plane.across == "target scale" else "")
        row[0].set_ylabel(across if len(planes) == 1 else f"{plane.settings.activation}\n{across}")
    for ax, recipe in zip(axes[0], planes[0].recipes, strict=True):
        ax.set_title(recipe.name)
    for ax in axes[-1]:
        ax.set_xlabel("learning rate")
    handles, labels = axes[0][0].get_legend_handles_labels()
    handles += [Patch(facecolor=shades(shade), edgecolor="0.4") for shade in range(3)]
    figure.legend(
        handles, [*labels, *OUTCOMES], loc="outside lower center", ncols=int(figure.get_figwidth() // 2.2), fontsize=8
    )
    figure.alt = " ".join(plane.describe() for plane in planes)
    return _drawn(figure)


def _draw_boundaries(ax: Axes, plane: StabilityMap, index: int) -> None:
    """The boundaries of all recipes as measured, and those that the curvatures of recipe `index` lead to."""
    predicted, boundary = plane.predicted(), plane.boundary()
    for other, style in zip(range(len(plane.recipes)), ("-", (0, (1, 1.2))), strict=False):
        line = _STYLE["scikit-learn" if not plane.recipes[other].differences() else "keras"]
        ax.plot(_on_map(boundary[other], plane), plane.values, color=line["color"], linestyle=style, linewidth=2.4,
                label=f"measured, {plane.recipes[other].name}")  # fmt: skip
    for end, marker, words in ((0, ">", "at the start"), (1, "<", "at the end")):
        ax.plot(_on_map(predicted[index, :, end], plane), plane.values, linestyle="", marker=marker, markersize=4,
                color="black", fillstyle="none", label=f"limit by the curvature {words}")  # fmt: skip


def plot_replay(table: pd.DataFrame, title: str = "") -> DescribedFigure:
    """Draw a replay: the loss, the gradient's norm and the norms of kernels and biases, step by step.

    Parameters
    ----------
    table : DataFrame
        From `replay`.
    title : str, optional
        What is replayed.
    """
    figure = DescribedFigure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    losses = ["loss", "gradient norm"]
    norms = [column for column in table.columns if column not in ("epoch", *losses)]
    for ax, columns in ((left, losses), (right, norms)):
        for index, column in enumerate(columns):
            values = table[column].where(np.isfinite(table[column]) & (table[column] > 0))
            ax.plot(table.index, values, label=column, color=_LINES[index % len(_LINES)], linewidth=1.8,
                    linestyle=_DASHES[index % len(_DASHES)])  # fmt: skip
        ax.set(yscale="log", xlabel="step")
        ax.grid(color="0.92")
        ax.legend(fontsize=8)
    from mlpnb.divergence import describe_replay

    last = table.iloc[-1]
    ended = "" if np.isfinite(last["loss"]) else f"; overflows at step {table.index[-1]}, in epoch {last['epoch']:.0f}"
    figure.suptitle(f"{title}{ended}".strip("; "), fontsize=10)
    figure.alt = f"{title}. Loss and norms by step. {describe_replay(table)}".removeprefix(". ")
    return _drawn(figure)


def plot_sweep(table: pd.DataFrame, by: str | None = None, reference: str | None = None) -> DescribedFigure:
    """Draw a sweep over alpha: R² to the left, its gap to the reference to the right, a line a recipe.

    Lines are medians over seeds, bands reach from the 10th to the 90th percentile. Diverged fits have no R²; "×2/20" at
    the lower edge says that two of 20 diverged.

    Parameters
    ----------
    table : DataFrame
        From `sweep` or `read_results`.
    by : str, optional
        What else varies: a row of the picture each value. If left out, what varies beside alpha and the seed.
    reference : str, optional
        The recipe that the gap is measured from, as `spread_over_seeds` chooses it.

    Raises
    ------
    InputError
        If it is no sweep's table, or more varies than a picture can show.
    """
    from mlpnb.spread import HIGH, LOW, spread_over_seeds

    spread = spread_over_seeds(table, reference)
    first = list(spread.columns).index("fits")
    varies = [name for name in spread.columns[:first] if name not in ("recipe", "alpha") and spread[name].nunique() > 1]
    if by is None:
        by = varies[0] if varies else "data"
    require_choice("column", by, spread.columns[:first])
    if rest := [name for name in varies if name != by]:
        raise InputError(
            f"the sweep varies {', '.join(varies)}, but a picture shows one of them beside alpha: select the rows of "
            f"one value of {rest[0]}, such as table[table[{rest[0]!r}] == {spread[rest[0]].iloc[0]!r}]."
        )
    rows = list(spread.groupby(by, sort=False))
    recipes = list(spread["recipe"].unique())
    figure = DescribedFigure(figsize=(9, 0.6 + 3.0 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 2, sharex=True, squeeze=False)
    positive = spread.loc[spread["alpha"] > 0, "alpha"]
    for (value, part), pair in zip(rows, axes, strict=True):
        for ax, column in zip(pair, ("R²", "R² gap"), strict=True):
            for index, recipe in enumerate(recipes):
                line = part[part["recipe"] == recipe].sort_values("alpha")
                color = _LINES[index % len(_LINES)]
                ax.plot(line["alpha"], line[column], label=recipe, color=color, linewidth=1.8, marker="o", markersize=3,
                        linestyle=_DASHES[index % len(_DASHES)])  # fmt: skip
                edges = line[f"{column} {LOW:.0%}"], line[f"{column} {HIGH:.0%}"]
                ax.fill_between(line["alpha"], *edges, color=color, alpha=0.15, linewidth=0)
                lost = line[line["diverged"] > 0] if column == "R²" else line[:0]
                for place, n_lost, n_fits in zip(lost["alpha"], lost["diverged"], lost["fits"], strict=True):
                    ax.text(place, 0.02 + 0.06 * index, f"×{n_lost}/{n_fits}", transform=ax.get_xaxis_transform(),
                            color=color, fontsize=8, ha="right")  # fmt: skip
            if len(positive):
                ax.set_xscale("symlog", linthresh=float(positive.min()), linscale=0.5)
            ax.grid(color="0.92")
        pair[0].set_ylabel("R²" if len(rows) == 1 else f"{by} {value}\nR²", parse_math=False)
        pair[1].set_ylabel(f"{spread.attrs['reference']}'s R² less its own", parse_math=False)
        lowest = part[f"R² {LOW:.0%}"].min()
        if lowest < _WORST_R2:  # it can be astronomically bad, and would flatten all else
            pair[0].set_ylim(bottom=_WORST_R2)
            pair[1].set_ylim(top=1 - _WORST_R2)
    for ax in axes[-1]:
        ax.set_xlabel("alpha")
    for label in axes[0][0].legend(fontsize=8).get_texts():
        label.set_parse_math(False)
    seeds = spread.attrs["seeds"]
    title = f"{', '.join(spread['data'].unique())}: medians over {seeds} seed{'s' * (seeds > 1)}"
    figure.suptitle(f"{title}{'; × diverged' * bool(spread['diverged'].any())}", fontsize=10, parse_math=False)
    figure.alt = _sweep_in_words(rows, by, spread.attrs["reference"])
    return _drawn(figure)


def _drawn(figure: DescribedFigure) -> DescribedFigure:
    """The figure with a canvas, laid out for good: a layout goes on moving by a little each time it is drawn."""
    FigureCanvasAgg(figure)
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _score_of(table: pd.DataFrame) -> str:
    """What a ladder's networks are judged by."""
    return "R²" if "R²" in table else "accuracy"


def _rung_labels(table: pd.DataFrame) -> list[str]:
    if "change" not in table:
        return list(table["closes"])
    return [f"{closes}  {change}".strip() for closes, change in zip(table["closes"], table["change"], strict=True)]


def _ladder_in_words(table: pd.DataFrame) -> str:
    """The ladder's alt text: its reference, and every rung."""
    rungs, score = [], _score_of(table)
    for _, row in table.iterrows():
        outcome = f"{score} {in_short(row[score])}"
        if np.isnan(row[score]):
            outcome = f"diverged at epoch {row['diverged at epoch']}"
        elif np.isfinite(row["weight difference [relative]"]):
            outcome += f", weights within {row['weight difference [relative]']:.1e}"
        rungs.append(f"{row['closes']}: {outcome}")
    reference = table.attrs["reference"] + (", which diverged" if np.isnan(table.attrs[f"reference {score}"]) else "")
    return f"The ladder to {reference}. " + "; ".join(rungs) + "."


def _sweep_in_words(rows: list[Any], by: str, reference: str) -> str:
    """A sweep's alt text: the medians of every recipe at both ends of alpha."""
    words = []
    for value, part in rows:
        for recipe, line in part.sort_values("alpha").groupby("recipe", sort=False):
            ends = [
                f"{in_short(row['R²'])} at alpha {row['alpha']:g}" if np.isfinite(row["R²"])
                else f"none at alpha {row['alpha']:g}" for _, row in line.iloc[[0, -1]].iterrows()
            ]  # fmt: skip
            lost = (
                f", {int(line['diverged'].sum())} of {int(line['fits'].sum())} diverged"
                if line["diverged"].any()
                else ""
            )
            words.append(f"{by} {value}, {recipe}: {' and '.join(dict.fromkeys(ends))}{lost}")
    return f"R² against alpha, and its gap to {reference}. Median R² of {'; '.join(words)}."


def _on_map(rates: Any, plane: StabilityMap) -> Any:
    """Rates off the map are not drawn."""
    inside = np.isfinite(rates) & (rates >= plane.learning_rates[0]) & (rates <= plane.learning_rates[-1])
    return np.where(inside, rates, np.nan)


def _signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:+.3f}".replace("-", "−") if abs(value) >= 5e-4 else "0.000"


def layout_of(grid: Grid) -> tuple[Any, ...]:
    """What a picture's fixed part depends on."""
    return (
        grid.data.fingerprint,
        grid.data.target_name,
        tuple((r.name, r.library) for r in grid.recipes),
        len(grid.fits),
    )


def limits_of(data: Data) -> tuple[float, float]:
    """Both axes' range: the truth's, with a margin. Predictions don't count, since they may be anywhere."""
    low, high = float(np.min(data.y_test)), float(np.max(data.y_test))
    margin = 0.08 * (high - low) or max(abs(low), 1.0)
    return low - margin, high + margin
