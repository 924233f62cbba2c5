"""The explorer: widgets over one state value, and a picture that follows it.

The widgets hold an `State`; fits are made from it in the background and kept in a bounded cache; the picture
is drawn from the cache. Nothing else is remembered.
"""

from __future__ import annotations

import asyncio
import html
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import ipywidgets as widgets
from cachetools import LRUCache

from mlpnb.data import DATASETS, Data, load_data
from mlpnb.errors import InputError
from mlpnb.execution import is_static
from mlpnb.export import grid_files
from mlpnb.fit import Fit, NotFitted, Watch, fit_sklearn, load_training, training_is_loaded
from mlpnb.frames import fit_frames, frames_html
from mlpnb.grid import Grid, fit_row, rows_of
from mlpnb.history import legend, record_grid
from mlpnb.latest import LatestWorker
from mlpnb.live import ControlNames, LivePicture
from mlpnb.player import Player, save_links
from mlpnb.plots import DescribedFigure, GridPicture, plot_grid
from mlpnb.recipe import Recipe
from mlpnb.settings import ACTIVATIONS, DTYPES, SOLVERS, Settings
from mlpnb.state import State

CACHED_FITS = 512
_MEDIA_TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".csv": "text/csv", ".json": "application/json"}
_FIRST_PICTURE_SECONDS = 2.0
_STALE_SECONDS = 0.3

ALPHAS = (0.0, *(float(f"{digit}e{power}") for power in range(-4, 2) for digit in (1, 2, 5)), 100.0)
LEARNING_RATES = (*(float(f"{digit}e{power}") for power in range(-5, 0) for digit in (1, 2, 5)), 1.0)


_Key = tuple[str, Settings, Recipe]


class FitCache:
    """Fits already made, the longest unused of them forgotten beyond `CACHED_FITS`."""

    def __init__(self) -> None:
        self._fits: LRUCache[_Key, Fit | NotFitted] = LRUCache(CACHED_FITS)
        self._lock = Lock()

    @staticmethod
    def key(data: Data, settings: Settings, recipe: Recipe) -> _Key:
        """What a fit depends on: Keras's floatx only where the recipe computes in it."""
        return data.fingerprint, settings if recipe.dtype == "floatx" else settings.replace(dtype="float64"), recipe

    def get(self, data: Data, settings: Settings, recipe: Recipe) -> Fit | NotFitted | None:
        """The fit, if it is kept."""
        with self._lock:
            return self._fits.get(self.key(data, settings, recipe))

    def put(self, data: Data, settings: Settings, recipe: Recipe, fit: Fit | NotFitted) -> None:
        """Keep `fit`."""
        with self._lock:
            self._fits[self.key(data, settings, recipe)] = fit


class Explorer(LivePicture):
    """Sliders over alpha, dtype, activation and more, and the grid that follows them.

    scikit-learn's column is drawn first, while TensorFlow starts in the background.

    Parameters
    ----------
    data : Data, optional
        friedman1, if left out. The named data sets can be chosen beside it.
    settings : Settings, optional
        To start from; the question's, if left out.

    Attributes
    ----------
    state : State
        What is shown or asked for.
    """

    def __init__(self, data: Data | None = None, settings: Settings | None = None) -> None:
        super().__init__()
        own = data or load_data()
        self._datasets: dict[str, Data] = {own.name: own}
        self.state = State(own.name, settings or Settings())
        self._cache = FitCache()
        self._shown: dict[tuple[int, str], Fit | NotFitted] = {}
        self._shown_data = own
        self._picture: GridPicture | None = None
        self._moved_at = time.monotonic()
        self._message = ""
        self._loading = False
        self._starting: asyncio.Task[None] | None = None
        self._sklearn = LatestWorker[State](self._fit_sklearn, self._failed, "mlpnb scikit-learn")
        self._keras = LatestWorker[State](self._fit_keras, self._failed, "mlpnb Keras")
        self._build()
        self.children = [self._head, self._more, self.image, self._status, self._legend, self._share, ControlNames()]
        # The first picture has what can be had at once: scikit-learn's column, and Keras's where TensorFlow runs.
        self._sklearn.submit(self.state)
        self._sklearn.wait(_FIRST_PICTURE_SECONDS)
        if training_is_loaded():
            self._request()
            self._keras.wait(_FIRST_PICTURE_SECONDS)
            self._draw()
        else:
            self._draw()
            # once the cell has shown it: importing TensorFlow slows all else down
            self._post(self._request)

    # What is shown -------------------------------------------------------------------------------------------------

    @property
    def data(self) -> Data:
        """The data set of the state."""
        return self._datasets[self.state.data]

    @property
    def grid(self) -> Grid:
        """The grid of the state, with what is not fitted yet as `NotFitted`."""
        data, state = self._shown_data, self.state
        fits = tuple(
            tuple(self._shown.get((r, recipe.name), NotFitted("…")) for recipe in state.recipes) for r in range(2)
        )
        return Grid(data, state.settings, state.recipes, fits)

    def code(self) -> str:
        """The calls that give this picture."""
        defaults = Settings()
        names = [name for name in Settings.__dataclass_fields__ if name != "alpha"]
        changed = {n: v for n in names if (v := getattr(self.state.settings, n)) != getattr(defaults, n)}
        arguments = ", ".join(f"{n}={v!r}" for n, v in {"alpha": self.state.settings.alpha, **changed}.items())
        data = f"mlpnb.load_data({self.state.data!r})"
        if self.state.data not in DATASETS:
            data = f"...  # your own data, {self.state.data!r}"
        columns = ", recipes=(mlpnb.SKLEARN, mlpnb.KERAS_1, mlpnb.KERAS_2, mlpnb.MATCHED)" if self.state.matched else ""
        return (
            f"import mlpnb\n\ndata = {data}\nsettings = mlpnb.Settings({arguments})\n"
            f"grid = mlpnb.fit_grid(data, settings{columns})\nmlpnb.plot_grid(grid)"
        )

    def load(self, text: str | bytes) -> None:
        """Go to a state saved as JSON.

        Raises
        ------
        InputError
            If it is not such a state.
        """
        self._go(State.from_json(text, tuple(self._choices())))

    def describe(self) -> str:
        """The grid in words."""
        return self.grid.describe()

    def figure(self) -> DescribedFigure:
        """The grid, as `plot_grid` draws it."""
        return plot_grid(self.grid)

    @property
    def busy(self) -> bool:
        """Whether fits are under way."""
        return self._sklearn.busy or self._keras.busy

    def settled(self, timeout: float | None = None) -> bool:
        """Wait until the picture is the state's; whether that came within `timeout` seconds (each worker)."""
        self._request()
        done = self._sklearn.wait(timeout) and self._keras.wait(timeout)
        self._draw()
        return done

    # From widgets to state -----------------------------------------------------------------------------------------

    def _build(self) -> None:
        wide = {"description_width": "90px"}

        def changed(widget: Any) -> Any:
            widget.observe(lambda _: self._widgets_moved(), "value")
            return widget

        settings = self.state.settings
        self._controls: dict[str, Any] = {
            "alpha": widgets.SelectionSlider(options=_options(ALPHAS, settings.alpha), layout={"width": "420px"}),
            "dtype": widgets.ToggleButtons(options=DTYPES, style={"button_width": "80px"}, layout={"width": "300px"}),
            "activation": widgets.ToggleButtons(
                options=ACTIVATIONS, style={"button_width": "80px"}, layout={"width": "560px"}
            ),
            "data": widgets.Dropdown(options=self._choices()),
            "solver": widgets.ToggleButtons(options=SOLVERS, style={"button_width": "80px"}),
            "random_state": widgets.BoundedIntText(min=0, max=2**32 - 1),
            "learning_rate_init": widgets.SelectionSlider(
                options=_options(LEARNING_RATES, settings.learning_rate_init)
            ),
            "momentum": widgets.FloatSlider(min=0, max=1, step=0.01),
            "max_iter": widgets.IntSlider(min=1, max=max(1000, settings.max_iter)),
            "hidden_units": widgets.IntSlider(min=1, max=max(100, *settings.hidden_layer_sizes, 1)),
            "matched": widgets.Checkbox(indent=False),
        }
        titles = {
            "data": "data set", "random_state": "seed", "learning_rate_init": "learning rate", "max_iter": "epochs",
            "hidden_units": "hidden units", "matched": "a fourth column: Keras with scikit-learn's recipe",
        }  # fmt: skip
        for name, control in self._controls.items():
            control.description = titles.get(name, name)
            control.style.description_width = wide["description_width"] if name != "matched" else "initial"
            changed(control)
        self._show_state()
        first = ("alpha", "dtype", "activation")
        wrapping = {"flex_flow": "row wrap"}  # one line where there is room, one below the other on a phone
        self._head = widgets.HBox([self._controls[name] for name in first], layout=wrapping)
        rest = [control for name, control in self._controls.items() if name not in first]
        self._more = widgets.Accordion([widgets.VBox(rest)], titles=["More settings"], selected_index=None)
        self._progress = widgets.FloatProgress(min=0, max=1, layout={"width": "200px", "visibility": "hidden"})
        self._words = widgets.HTML()
        self._status = widgets.HBox(
            [self._progress, self._words], layout={"min_height": "34px", "overflow": "visible", **wrapping}
        )
        self._legend = widgets.HTML()
        self._share = self._build_share()

    def _build_share(self) -> Any:
        export = widgets.Button(description="Export", tooltip="Links to the figure, the numbers and the settings")
        self._links = widgets.HTML()
        export.on_click(lambda _: self._export())
        upload = widgets.FileUpload(accept=".json", multiple=False, description="Load settings")
        upload.observe(lambda change: self._uploaded(change["new"]), "value")
        self._code = widgets.HTML()
        record = widgets.Button(
            description="Record the epochs", tooltip="Train this grid once more and keep every epoch",
            layout={"width": "auto"},
        )  # fmt: skip
        record.on_click(lambda _: self._record())
        self._epochs = widgets.VBox([record])
        return widgets.Accordion(
            [widgets.VBox([widgets.HBox([export, upload]), self._links]), self._code, self._epochs],
            titles=["Export and load", "Copy as code", "Epoch by epoch"],
            selected_index=None,
        )

    def _choices(self) -> list[str]:
        return [*self._datasets, *(name for name in DATASETS if name not in self._datasets)]

    def _show_state(self) -> None:
        """Set the widgets to the state."""
        settings = self.state.settings
        self._loading = True
        try:
            for name, values in (("alpha", ALPHAS), ("learning_rate_init", LEARNING_RATES)):
                self._controls[name].options = _options(values, getattr(settings, name))
            self._controls["max_iter"].max = max(self._controls["max_iter"].max, settings.max_iter)
            hidden = self._controls["hidden_units"]
            hidden.disabled = not settings.hidden_layer_sizes
            hidden.max = max(hidden.max, *settings.hidden_layer_sizes[:1], 1)
            shown = {
                "data": self.state.data,
                "matched": self.state.matched,
                "hidden_units": next(iter(settings.hidden_layer_sizes), 1),
            }
            for name, control in self._controls.items():
                control.value = shown[name] if name in shown else getattr(settings, name)
        finally:
            self._loading = False

    def _widgets_moved(self) -> None:
        if self._loading:
            return
        value = {name: control.value for name, control in self._controls.items()}
        data, matched, units = value.pop("data"), value.pop("matched"), value.pop("hidden_units")
        layers = self.state.settings.hidden_layer_sizes
        settings = self.state.settings.replace(**value, hidden_layer_sizes=(units, *layers[1:]) if layers else ())
        self._go(State(data, settings, matched))

    def _go(self, state: State) -> None:
        """Make `state` the state, and ask for its picture."""
        if state == self.state:
            return
        before, self.state = self.state, state
        try:
            if state.data not in self._datasets:
                self._datasets[state.data] = load_data(state.data)
            state.settings.batch_rows(len(self.data.y_train))
            self._message = ""
        except InputError as error:
            self.state, self._message = before, str(error)
        self._show_state()
        self._moved_at = time.monotonic()
        self._request()
        if self._loop is not None:
            self._loop.call_later(1.1 * _STALE_SECONDS, self._draw)

    # From state to fits --------------------------------------------------------------------------------------------

    def _request(self) -> None:
        self._links.value = ""
        self._code.value = _code_block(self.code())
        self._legend.value = html.escape(legend(self.data, self.state.settings, self.state.recipes))
        missing = self._missing(self.state)
        if any(recipe.library == "scikit-learn" for _, recipe in missing):
            self._sklearn.submit(self.state)
        if any(recipe.library == "keras" for _, recipe in missing):
            self._keras.submit(self.state)
            if not training_is_loaded() and self._loop is not None and self._starting is None:
                self._starting = self._loop.create_task(self._show_starting())
        self._draw()

    def _missing(self, state: State) -> list[tuple[Settings, Recipe]]:
        data = self._datasets[state.data]
        cells = [(settings, recipe) for settings in dict.fromkeys(rows_of(state.settings)) for recipe in state.recipes]
        return [cell for cell in cells if self._cache.get(data, *cell) is None]

    def _fit_sklearn(self, state: State, watch: Watch) -> None:
        data = self._datasets[state.data]
        # the moved row first
        for settings, recipe in reversed(self._missing(state)):
            if recipe.library == "scikit-learn":
                self._cache.put(data, settings, recipe, fit_sklearn(data, settings, recipe, watch))
                self._post(self._draw)

    def _fit_keras(self, state: State, watch: Watch) -> None:
        data = self._datasets[state.data]
        load_training()
        for settings in dict.fromkeys(reversed(rows_of(state.settings))):
            recipes = [r for s, r in self._missing(state) if s == settings and r.library == "keras"]
            for fit in fit_row(data, settings, recipes, watch) if recipes else ():
                self._cache.put(data, settings, fit.recipe, fit)
            self._post(self._draw)

    def _failed(self, error: Exception) -> None:
        """Say what went wrong, no TensorFlow for one; the other columns go on."""
        self._message = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        self._post(self._draw)

    # From fits to picture ------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Show the newest fit of each panel; the old picture stays until there is one."""
        state, data = self.state, self.data
        new: dict[tuple[int, str], Fit | NotFitted] = {}
        for r, settings in enumerate(rows_of(state.settings)):
            for recipe in state.recipes:
                fit = self._cache.get(data, settings, recipe)
                if fit is not None:
                    new[r, recipe.name] = fit
        n_missing = 2 * len(state.recipes) - len(new)
        late = time.monotonic() - self._moved_at > _STALE_SECONDS
        other_data = data is not self._shown_data
        fresh = any(self._shown.get(panel) is not fit for panel, fit in new.items())
        if self._picture is not None and n_missing and not (fresh or (late and not other_data)):
            self._say(n_missing)
            return
        if other_data:
            self._shown, self._shown_data = {}, data
        self._shown |= new
        grid = self.grid
        stale = {
            (r, c)
            for r in range(2)
            for c, recipe in enumerate(state.recipes)
            if late and (r, recipe.name) not in new and (r, recipe.name) in self._shown
        }
        if self._picture is None or not self._picture.shows(grid):
            self._picture = GridPicture(grid)
        self._picture.show(grid, stale)
        self.redraw()
        self._say(n_missing)

    def redraw(self) -> None:
        """Draw the picture once more, as it is."""
        if self._picture is not None:
            self._show(self._picture.png(), self.describe())

    def _say(self, n_missing: int) -> None:
        """The line under the picture: what is under way, or what is wrong, or the scores in words."""
        starting = self._keras.busy and not training_is_loaded()
        if self._message:
            words = f"<span style='color:#A00000'>{html.escape(self._message)}</span>"
        elif starting:
            words = "TensorFlow is starting; scikit-learn's column is there already."
        elif n_missing:
            words = f"Fitting {n_missing} panel{'s' if n_missing > 1 else ''} …"
        else:
            words = html.escape(self.grid.describe())
        self._progress.layout.visibility = "visible" if starting else "hidden"
        if words != self._words.value:
            self._words.value = words

    async def _show_starting(self) -> None:
        """Move the progress bar while TensorFlow is imported, by the share of its modules that are there."""
        while self._keras.busy and not training_is_loaded():
            loaded = sum(name.startswith(("tensorflow", "keras")) for name in list(sys.modules))
            self._progress.value = loaded / (loaded + 700)
            await asyncio.sleep(0.2)
        self._draw()

    # Sharing -------------------------------------------------------------------------------------------------------

    def exports(self) -> dict[str, tuple[str, bytes]]:
        """What "Export" offers: a media type and the content by file name."""
        return {name: (_MEDIA_TYPES[Path(name).suffix], content) for name, content in grid_files(self.grid).items()}

    def _export(self) -> None:
        self._links.value = save_links(self.exports())

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None and is_static():
            self.settled()  # what it was about to draw, so that nothing else is trained meanwhile
            alphas = [alpha for _, alpha in _options(ALPHAS, self.state.settings.alpha)]
            bundle["text/html"] = frames_html(fit_frames(self.data, self.state.settings, alphas, progress=True))
        return bundle

    def _record(self) -> None:
        state, (button, *_) = self.state, self._epochs.children
        self._epochs.children = [button, widgets.HTML("Training, and keeping every epoch …")]
        button.disabled = True

        def work(state: State, watch: Watch) -> None:
            history = record_grid(self._datasets[state.data], state.settings, state.recipes, watch)
            self._post(lambda: show(Player(history)))

        def show(what: Any) -> None:
            self._epochs.children = [button, what]
            button.disabled = False

        def failed(error: Exception) -> None:
            words = html.escape(str(error))
            self._post(lambda: show(widgets.HTML(words)))

        LatestWorker[State](work, failed, "mlpnb epochs").submit(state)

    def _uploaded(self, files: Sequence[Any]) -> None:
        if not files:
            return
        try:
            self.load(bytes(files[0]["content"]))
        except InputError as error:
            self._message = str(error)
            self._draw()


def explore(data: Data | None = None, settings: Settings | None = None) -> Explorer:
    """Open the explorer: sliders, and the grid that follows them.

    Parameters
    ----------
    data : Data, optional
        friedman1, if left out.
    settings : Settings, optional
        To start from; the question's, if left out.

    Returns
    -------
    Explorer
        A widget that shows itself as the last expression of a cell.
    """
    return Explorer(data, settings)


def _options(values: Sequence[float], value: float) -> list[tuple[str, float]]:
    """A slider's stops, `value` among them."""
    return [(f"{v:g}", v) for v in sorted({*values, value})]


def _code_block(code: str) -> str:
    copy = "navigator.clipboard.writeText(this.previousElementSibling.textContent)"
    return f"<pre tabindex='0'>{html.escape(code)}</pre><button type='button' onclick='{copy}'>Copy</button>"
