"""What interactive pictures share: they change in the kernel's own thread, and leave a picture where none can be."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets as widgets
from traitlets import Unicode

from mlpnb.execution import is_static

if TYPE_CHECKING:
    from mlpnb.plots import DescribedFigure


class DescribedImage(widgets.Image):  # type: ignore[misc]
    """An `ipywidgets.Image` whose tooltip, its title on the page, says what it shows: ipywidgets knows no alt text.

    Its script in the browser asks for a description before it sets a title, and an `Image` has none (ipywidgets 8.1
    `widget_description`, `updateTooltip`): so there is an empty one.
    """

    description = Unicode("").tag(sync=True)


class ControlNames(anywidget.AnyWidget):  # type: ignore[misc]
    """Nothing to be seen: for those who hear the page, it names sliders by their labels and buttons by their icons.

    ipywidgets 8.1 gives neither a slider's handle, which is what has the focus, nor the buttons of a `Play` a name
    (`packages/controls/src/widget_int.ts`).
    """

    _esm = """
        function name() {
          for (const handle of document.querySelectorAll(".noUi-handle:not([aria-label])")) {
            const label = handle.closest(".widget-inline-hbox")?.querySelector(".widget-label");
            if (label?.textContent) handle.setAttribute("aria-label", label.textContent);
          }
          for (const icon of document.querySelectorAll(".widget-play .jupyter-button i.fa")) {
            const words = [...icon.classList].at(-1).replace("fa-", "");
            if (icon.parentElement.ariaLabel !== words) icon.parentElement.ariaLabel = words;
          }
        }
        export default {
          render() {
            name();
            const watcher = new MutationObserver(name);
            watcher.observe(document.body, { childList: true, subtree: true, attributeFilter: ["class"] });
            return () => watcher.disconnect();
          },
        };
        """


class LivePicture(widgets.VBox):  # type: ignore[misc]
    """A widget around a picture that work in the background changes.

    Where widgets can't be shown, in an executed report for one, the picture of the moment stands in its place.

    Attributes
    ----------
    image : DescribedImage
        The picture, as PNG.
    """

    def __init__(self) -> None:
        super().__init__()
        self.image = DescribedImage(format="png", layout={"max_width": "100%", "height": "auto"})
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def describe(self) -> str:
        """The picture in words."""
        raise NotImplementedError

    def figure(self) -> DescribedFigure | None:
        """The picture of the moment as a figure, to be saved or printed; None if there is none yet."""
        raise NotImplementedError

    def _show(self, png: bytes, alt: str) -> None:
        """Show this picture, its size told beforehand: so its place on the page stays while it is decoded.

        `alt` is what it shows in words: ipywidgets knows no alt, but a title, which is read in its place.
        """
        width, height = (str(int.from_bytes(png[at : at + 4], "big")) for at in (16, 20))  # PNG's first chunk, IHDR
        if (self.image.width, self.image.height) != (width, height):
            self.image.width, self.image.height = width, height
        self.image.value = png
        if self.image.tooltip != alt:
            self.image.tooltip = alt

    def _post(self, call: Callable[[], None]) -> None:
        """Call in the kernel's own thread, once it is free."""
        if self._loop is None:
            return  # nobody watches: `settled` draws
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            if self.image.value:
                bundle["image/png"] = base64.b64encode(self.image.value).decode()
            bundle["text/plain"] = self.describe()
            if is_static() and (figure := self.figure()) is not None:  # to be printed too
                bundle["text/html"] = figure.html()
        return bundle
