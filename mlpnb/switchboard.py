"""The switches: each difference on or off by hand, and the panel and the ladder that follow."""

from __future__ import annotations

import html
from collections.abc import Mapping
from functools import partial

import ipywidgets as widgets
from cachetools import LRUCache

from mlpnb.climb import Climb, climb
from mlpnb.data import Data, load_data
from mlpnb.errors import InputError, require_choice
from mlpnb.fit import Watch, load_training, training_is_loaded
from mlpnb.latest import LatestWorker
from mlpnb.live import LivePicture
from mlpnb.plots import DescribedFigure, plot_climb
from mlpnb.recipe import DIFFERENCES, KERAS_2, Recipe
from mlpnb.settings import Settings

CACHED_CLIMBS = 64
_FIRST_PICTURE_SECONDS = 15.0  # time to compile, once


class Switches(LivePicture):
    """A switch for each difference; beside them scikit-learn's panel, that of the recipe as switched, and its ladder.

    Parameters
    ----------
    data : Data, optional
        friedman1, if left out.
    settings : Settings, optional
        The question's, if left out.
    start : Recipe, default=KERAS_2
        How the switches stand at first.

    Attributes
    ----------
    recipe : Recipe
        What the switches say.
    """

    def __init__(self, data: Data | None = None, settings: Settings | None = None, start: Recipe = KERAS_2) -> None:
        super().__init__()
        self._data = data or load_data()
        self._settings = settings or Settings()
        self._cache: LRUCache[Recipe, Climb] = LRUCache(CACHED_CLIMBS)
        self._worker = LatestWorker[Recipe](self._climb, self._failed, "mlpnb ladder")
        self._shown: Climb | None = None
        self._message = ""
        self.recipe = self._start = start
        self._switches = {
            difference.name: widgets.ToggleButtons(
                options=[(f"Keras: {difference.keras}", True), (f"scikit-learn: {difference.sklearn}", False)],
                value=getattr(start, difference.name) != difference.sklearn,
                description=difference.title,
                tooltips=[difference.sentence] * 2,
                style={"button_width": "170px"},
                layout={"width": "400px"},
            )
            for difference in DIFFERENCES.values()
            if self._settings.solver in difference.solvers
        }
        for switch in self._switches.values():
            switch.observe(lambda _: self._switched(), "value")
        self._all = [widgets.Button(description=f"All {who}") for who in ("Keras", "scikit-learn")]
        for button, on in zip(self._all, (True, False), strict=True):
            button.on_click(partial(self._set_all, on))
        self._words = widgets.HTML()
        rows = widgets.HBox(list(self._switches.values()), layout={"flex_flow": "row wrap"})
        self.children = [rows, widgets.HBox(self._all), self.image, self._words]
        self._request()
        if training_is_loaded():
            self._worker.wait(_FIRST_PICTURE_SECONDS)
            self._draw()

    def set(self, states: Mapping[str, bool]) -> None:
        """Set switches by the names of their differences: True for Keras's value, False for scikit-learn's."""
        for name, on in states.items():
            self._switches[require_choice("switch", name, self._switches)].value = on

    def _set_all(self, on: bool, _: object) -> None:
        self.set(dict.fromkeys(list(self._switches), on))

    def settled(self, timeout: float | None = None) -> bool:
        """Wait until the picture is that of the switches; whether that came within `timeout` seconds."""
        done = self._worker.wait(timeout)
        self._draw()
        return done

    def describe(self) -> str:
        """The picture in words."""
        if self._shown is None:
            return self._message or "The first networks are being trained."
        first, reference = self._shown.fits[0], self._shown.reference
        opened = ", ".join(d.title for d in first.recipe.differences(self._settings.solver)) or "none"
        scores = f"{reference.recipe.name} {reference.outcome}; Keras as switched {first.outcome}"
        return f"{scores}; differences open: {opened}."

    def figure(self) -> DescribedFigure | None:
        """The panels and the ladder; None while the first networks are being trained."""
        return None if self._shown is None else plot_climb(self._data, self._shown)

    def _switched(self) -> None:
        values = {
            name: DIFFERENCES[name].keras if switch.value else DIFFERENCES[name].sklearn
            for name, switch in self._switches.items()
        }
        recipe = self._start.replace(**values)
        if recipe != self._start:
            recipe = recipe.replace(name="Keras as switched")
        if recipe != self.recipe:
            self.recipe = recipe
            self._request()

    def _request(self) -> None:
        self._message = ""
        if self.recipe not in self._cache:
            self._worker.submit(self.recipe)
        self._draw()

    def _climb(self, recipe: Recipe, watch: Watch) -> None:
        load_training()
        self._cache[recipe] = climb(
            self._data, self._settings, recipe, recipe.differences(self._settings.solver), watch
        )
        self._post(self._draw)

    def _failed(self, error: Exception) -> None:
        self._message = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        self._post(self._draw)

    def _draw(self) -> None:
        """Show the ladder of the switches, if it is there; the old picture stays until then."""
        found = self._cache.get(self.recipe)
        if found is not None and found is not self._shown:
            self._shown = found
            if (figure := self.figure()) is not None:
                self._show(figure.png(), figure.alt)
        waiting = "Training …" if training_is_loaded() else "TensorFlow is starting …"
        words = self.describe() if found is not None else self._message or waiting
        self._words.value = html.escape(words)


def switches(data: Data | None = None, settings: Settings | None = None, start: Recipe = KERAS_2) -> Switches:
    """Open the switches: each difference on or off, and the panel and the ladder that follow.

    The parameters are those of `Switches`, a widget that shows itself as the last expression of a cell.
    """
    return Switches(data, settings, start)
