"""A report: a notebook executed with the reader's own settings, and the same as a page that needs no network."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpnb.errors import ReportError
from mlpnb.export import writable_folder
from mlpnb.lab import notebook_path

_TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{# These scripts would be asked for from outside; nothing in a report needs them. #}
{%- block html_head_js -%}{%- endblock html_head_js -%}
{%- block jupyter_widgets -%}{%- endblock jupyter_widgets -%}
{%- block html_head_js_mathjax -%}{%- endblock html_head_js_mathjax -%}
{%- block html_head_js_mermaidjs -%}{%- endblock html_head_js_mermaidjs -%}
{# A widget that leaves no picture, such as a progress bar, leaves nothing. #}
{%- block data_text scoped -%}
{%- if 'application/vnd.jupyter.widget-view+json' not in output.data -%}{{ super() }}{%- endif -%}
{%- endblock data_text -%}
{# The words that go with a picture are its alt text. #}
{%- block data_png scoped -%}
<div class="jp-RenderedImage jp-OutputArea-output {{ extra_class }}">
<img src="data:image/png;base64,{{ output.data['image/png'] | escape_html }}"
     alt="{{ output.data.get('text/plain', '') | escape_html }}">
</div>
{%- endblock data_png -%}
"""
# Where widgets can't run, an output's picture stands in their place.
_SHOWN = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain")


def write_report(
    parameters: Mapping[str, Any], out: str | Path, notebook: str = "01_the_question", *, progress: bool = False
) -> list[Path]:
    """Execute a notebook with papermill and write it, with its page, figure and numbers, into a folder.

    Nothing is written to `out` before everything is there; a later report replaces an earlier one as a whole, also
    where two are made at once.

    Parameters
    ----------
    parameters : mapping
        Values for the notebook's cell tagged ``parameters``.
    out : str or Path
        The folder; made if it is not there.
    notebook : str, default="01_the_question"
        Name of one of mlpnb's notebooks.
    progress : bool, default=False
        Whether to show a progress bar, a step a cell.

    Returns
    -------
    list of Path
        The files written: the executed notebook, ``report.html``, and what the notebook saved.

    Raises
    ------
    InputError
        If `out` cannot be written to, or there is no such notebook.
    ReportError
        If a cell fails; the failed notebook is kept in `out` as ``failed.ipynb``, and nothing else is touched.
    """
    import papermill
    from filelock import FileLock
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    source = notebook_path(notebook)
    out = writable_folder(out).resolve()
    # Made beside the final files, so that moving them there is one step of the file system.
    with tempfile.TemporaryDirectory(prefix=".mlpnb-", dir=out) as name:
        work = Path(name)
        executed = work / "report.ipynb"
        try:
            papermill.execute_notebook(
                str(source),
                str(executed),
                parameters={**parameters, "out": "."},
                kernel_name="python3",
                progress_bar=progress,
                kernel_manager_class=_local_kernel_manager(),
                cwd=str(work),
            )
        except (PapermillExecutionError, DeadKernelError) as error:
            executed.replace(out / "failed.ipynb")
            raise ReportError(
                f"{notebook} stopped at {_where_and_why(error)} (see {out / 'failed.ipynb'}; nothing else was written)."
            ) from error
        (work / "report.html").write_text(_html(executed), encoding="utf-8")
        with FileLock(out / ".mlpnb.lock"):
            files = sorted(path for path in work.iterdir() if path.is_file())
            return [Path(shutil.move(path, out / path.name)) for path in files]


def default_parameters(notebook: str) -> dict[str, Any]:
    """The parameters of one of mlpnb's notebooks, with the values in its cell tagged ``parameters``.

    Raises
    ------
    InputError
        If there is no such notebook.
    """
    import papermill

    found = papermill.inspect_notebook(str(notebook_path(notebook)))
    return {name: ast.literal_eval(parameter["default"]) for name, parameter in found.items()}


def _where_and_why(error: Any) -> str:
    if hasattr(error, "ename"):
        return f"cell {error.exec_count or error.cell_index} with {error.ename}: {error.evalue}"
    return "the cell that is marked as running there: its kernel was killed, as the system does when memory is short"


def _local_kernel_manager() -> type:
    """A kernel manager that talks to its kernel through local sockets, which no other user can listen to."""
    from jupyter_client.manager import AsyncKernelManager

    class LocalKernelManager(AsyncKernelManager):
        transport = "tcp" if sys.platform == "win32" else "ipc"

        async def start_kernel(self, **options: Any) -> Any:
            # Cells' own words are in the notebook; what is left is the kernel's complaints when it is interrupted.
            return await super().start_kernel(**options, stderr=subprocess.DEVNULL)

    return LocalKernelManager


def _markdown(source: str) -> str:
    """Markdown as HTML with formulas as MathML, which a browser sets by itself, without a script from outside."""
    from latex2mathml.converter import convert
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):  # type: ignore[misc]
        def block_math(self, body: str) -> str:
            return str(convert(body, display="block"))

        def inline_math(self, body: str) -> str:
            return str(convert(body))

    return str(MarkdownWithMath(renderer=Renderer(escape=False)).render(source))


def _html(executed: Path) -> str:
    """The executed notebook as one HTML page that asks for nothing from outside."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    exporter = HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": list(_SHOWN)}}),
        raw_template=_TEMPLATE,
        embed_images=True,
    )
    exporter.register_filter("markdown2html", _markdown)
    body, _ = exporter.from_filename(str(executed), resources={"metadata": {"name": "mlpnb report"}})
    return str(body)
