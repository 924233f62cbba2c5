"""The epochs of a grid under a slider: the grid, and beside it its loss curves and kernel norms."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ipywidgets as widgets

from mlpnb.data import Data, load_data
from mlpnb.grid import QUESTION
from mlpnb.history import GridHistory, animation, legend, record_grid
from mlpnb.live import ControlNames, DescribedImage, LivePicture
from mlpnb.plots import DescribedFigure, GridPicture, plot_grid, plot_history

if TYPE_CHECKING:
    from mlpnb.recipe import Recipe
    from mlpnb.settings import Settings


class Player(LivePicture):
    """A recorded grid, an epoch at a time.

    Parameters
    ----------
    history : GridHistory
        From `record_grid`.
    """

    def __init__(self, history: GridHistory) -> None:
        super().__init__()
        self.history = history
        last = history.epochs
        self.epoch = widgets.IntSlider(value=last, min=0, max=last, description="epoch", layout={"width": "420px"})
        play = widgets.Play(min=0, max=last, step=max(1, last // 50), interval=150, tooltip="Play the epochs")
        widgets.jslink((play, "value"), (self.epoch, "value"))
        play.value = last
        self.epoch.observe(lambda _: self._draw(), "value")
        self._picture = GridPicture(history.at(last))
        figure = plot_history(history)
        self.curves = DescribedImage(
            value=figure.png(), format="png", layout={"max_width": "100%", "height": "auto"}, tooltip=figure.alt
        )
        words = legend(history.data, history.settings, history.recipes)
        export = widgets.Button(description="Export", tooltip="Links to the animation and the curves")
        export.on_click(lambda _: self._export())
        self._words, self._links = widgets.HTML(), widgets.HTML()
        self.children = [
            widgets.HBox([play, self.epoch], layout={"flex_flow": "row wrap"}),
            self.image,
            self._words,
            self.curves,
            widgets.HTML(
                f"<p>Training loss and norm of each kernel by epoch, an alpha a row. {html.escape(words)}</p>"
            ),
            widgets.HBox([export, self._links]),
            ControlNames(),
        ]
        self._draw()

    def describe(self) -> str:
        """The grid at the slider's epoch, in words."""
        return f"After epoch {self.epoch.value}: {self.history.at(self.epoch.value).describe()}"

    def figure(self) -> DescribedFigure:
        """The grid at the slider's epoch."""
        return plot_grid(self.history.at(self.epoch.value))

    def exports(self) -> dict[str, tuple[str, bytes]]:
        """What "Export" offers: a media type and the content by file name."""
        figure = plot_history(self.history)
        return {
            "epochs.gif": ("image/gif", animation(self.history)),
            "curves.png": ("image/png", figure.png()),
            "curves.svg": ("image/svg+xml", figure.svg()),
        }

    def _draw(self) -> None:
        self._picture.show(self.history.at(self.epoch.value), note=f"epoch {self.epoch.value}")
        self._show(self._picture.png(), self.describe())
        self._words.value = html.escape(self.describe())

    def _export(self) -> None:
        self._links.value = "Making the animation …"
        self._links.value = save_links(self.exports())


def save_links(files: dict[str, tuple[str, bytes]]) -> str:
    """Links that save these files, each a media type and a content by name, as HTML."""
    return "Save: " + " · ".join(
        f'<a download="{name}" href="data:{kind};base64,{base64.b64encode(content).decode()}">{name}</a>'
        for name, (kind, content) in files.items()
    )


def animate(data: Data | None = None, settings: Settings | None = None, recipes: Sequence[Recipe] = QUESTION) -> Player:
    """Train the grid once, and slide through its epochs.

    Parameters
    ----------
    data : Data, optional
        friedman1, if left out.
    settings : Settings, optional
        The question's, if left out.
    recipes : sequence of Recipe, default=(SKLEARN, KERAS_1, KERAS_2)
        The columns.

    Returns
    -------
    Player
        A widget that shows itself as the last expression of a cell.
    """
    return Player(record_grid(data or load_data(), settings, recipes))
