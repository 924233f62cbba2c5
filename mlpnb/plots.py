"""Pictures of fits. Figures are made without pyplot, so that none is kept alive behind the caller's back."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mlpnb.fit import Fit, NotFitted

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from mlpnb.grid import Grid

# Okabe and Ito's colours, told apart with any colour vision; the markers differ too, for a print in grey.
_STYLE: dict[str, dict[str, Any]] = {
    "scikit-learn": {"color": "#0072B2", "marker": "o"},
    "keras": {"color": "#D55E00", "marker": "^"},
}
_PANEL_INCHES = 3.0
_PALE = 0.15


class GridFigure(Figure):
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

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        image = base64.b64encode(self.png()).decode()
        return {"image/png": image, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


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
        self.figure = GridFigure(figsize=(width, height), dpi=dpi)
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
        self._limits = _limits(grid)
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

    def show(self, grid: Grid, stale: Collection[tuple[int, int]] = ()) -> None:
        """Set points and words to those of `grid`; panels in `stale` are pale: their fit is of an earlier setting."""
        for label, alpha in zip(self._row_labels, grid.alphas, strict=True):
            label.set_text(f"alpha = {alpha:g}")
        settings = grid.settings
        keras_dtype = any(recipe.dtype == "floatx" for recipe in grid.recipes)
        words = [grid.data.name, settings.activation, *([f"Keras in {settings.dtype}"] if keras_dtype else [])]
        self._heading.set_text(" · ".join([*words, f"seed {settings.random_state}"]))
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
            scores = f"R² {_number(fit.r2)}\nRMSE {_number(fit.rmse)}"
            if not within.all():
                scores += f"\n{np.sum(~within)} of {len(truth)} beyond (×)"
        self._points.set_data(*points)
        self._beyond.set_data(*beyond)
        self._scores.set_text(scores)
        self._words.set_text(words)
        self._words.set_color("#A00000" if isinstance(fit, Fit) else "0.35")
        self._words.set_fontweight("bold" if isinstance(fit, Fit) else "normal")
        self._points.set_alpha(_PALE if pale else 0.6)
        for artist in (self._beyond, self._scores, self._words):
            artist.set_alpha(2 * _PALE if pale else 1.0)


def plot_grid(grid: Grid) -> GridFigure:
    """Draw the grid: prediction against truth on the test part, a row an alpha, a column a recipe.

    All panels share their axes, which span the truth; a prediction beyond them is a cross at the edge, and counted.

    Parameters
    ----------
    grid : Grid
        From `fit_grid`.

    Returns
    -------
    GridFigure
        A matplotlib `Figure`, not known to pyplot: it shows itself in a notebook, and is saved by `savefig`.
    """
    return GridPicture(grid).figure


def layout_of(grid: Grid) -> tuple[Any, ...]:
    """What a picture's fixed part depends on."""
    return (
        grid.data.fingerprint,
        grid.data.target_name,
        tuple((r.name, r.library) for r in grid.recipes),
        len(grid.fits),
    )


def _limits(grid: Grid) -> tuple[float, float]:
    """Both axes' range: the truth's, with a margin. Predictions don't count, since they may be anywhere."""
    low, high = float(np.min(grid.data.y_test)), float(np.max(grid.data.y_test))
    margin = 0.08 * (high - low) or max(abs(low), 1.0)
    return low - margin, high + margin


def _number(value: float) -> str:
    """A score in three significant places or so, also where it is astronomically bad."""
    if not np.isfinite(value) or abs(value) >= 1e4:
        return f"{value:.1e}".replace("-", "−", 1)
    return (f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}").replace("-", "−")
