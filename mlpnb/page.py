"""An executed notebook as one HTML page that asks for nothing from outside; and the page as PDF."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path

from mlpnb.errors import ReportError

# Where widgets can't run, an output's picture stands in their place.
_SHOWN = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_PRINTING_SECONDS = 120


def page(executed: Path, *, without: Collection[str] = (), linked: str = ".ipynb") -> str:
    """The executed notebook as HTML: pictures and style inside, formulas as MathML, no script from outside.

    Parameters
    ----------
    executed : Path
        A notebook with its outputs; its first heading is the page's title.
    without : collection of str
        Tags of cells to leave out.
    linked : str, default=".ipynb"
        The ending that links to other notebooks are given.
    """
    import nbformat
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import TagRemovePreprocessor
    from traitlets.config import Config

    notebook = nbformat.read(executed, as_version=4)
    exporter = HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": list(_SHOWN)}}),
        raw_template=files("mlpnb").joinpath("static", "page.html.j2").read_text(encoding="utf-8"),
        embed_images=True,
    )
    exporter.register_preprocessor(TagRemovePreprocessor(remove_cell_tags=set(without)), enabled=bool(without))
    exporter.register_filter("markdown2html", lambda source: _markdown(source, linked))
    # where the notebook is, so that pictures beside it are found
    resources = {"metadata": {"name": _title(notebook) or executed.stem, "path": str(executed.parent)}}
    body, _ = exporter.from_notebook_node(notebook, resources=resources)
    return str(body.replace("</head>", _math_font() + "</head>", 1) if "<math" in body else body)


def find_browser() -> str | None:
    """The Chromium or Chrome that prints PDFs here, if there is one."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def print_pdf(html: Path, pdf: Path, browser: str) -> None:
    """Print a page as PDF, by the rules for paper in its style sheet.

    Raises
    ------
    ReportError
        If the browser does not.
    """
    with tempfile.TemporaryDirectory() as profile:  # a browser that is open already is left alone
        command = [browser, "--headless", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={profile}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # Chromium's can't be had as root
        try:
            done = subprocess.run(
                [*command, f"--print-to-pdf={pdf.resolve()}", html.resolve().as_uri()],
                capture_output=True, text=True, errors="replace", timeout=_PRINTING_SECONDS, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ReportError(f"{browser} can't print {html.name}: {error}") from error
    if done.returncode or not pdf.is_file():
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ReportError(f"{browser} can't print {html.name} (exit code {done.returncode}): {said}")


def _math_font() -> str:
    """The style that sets formulas: few systems have a font with the sizes and places that formulas need."""
    font = base64.b64encode(files("mlpnb").joinpath("static", "noto-sans-math.woff2").read_bytes()).decode()
    return (
        f"<style>@font-face {{ font-family: 'Noto Sans Math'; src: url(data:font/woff2;base64,{font}); }} "
        "math { font-family: 'Noto Sans Math', math; }</style>"
    )


def _title(notebook: dict[str, list[dict[str, str]]]) -> str | None:
    lines = (
        line for cell in notebook["cells"] if cell["cell_type"] == "markdown" for line in cell["source"].split("\n")
    )
    return next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), None)


def _markdown(source: str, linked: str) -> str:
    """Markdown as HTML with formulas as MathML, which a browser sets by itself, without a script from outside."""
    from latex2mathml.converter import convert
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):  # type: ignore[misc]
        def block_math(self, body: str) -> str:
            # where it is wider than a phone it scrolls, by keyboard too
            return f'<div class="formula" tabindex="0">{convert(body, display="block")}</div>'

        def inline_math(self, body: str) -> str:
            return str(convert(body))

        def link(self, text: str, url: str, title: str | None = None) -> str:
            own = url.endswith(".ipynb") and "//" not in url
            return str(super().link(text, url.removesuffix(".ipynb") + linked if own else url, title))

    return str(MarkdownWithMath(renderer=Renderer(escape=False)).render(source))
