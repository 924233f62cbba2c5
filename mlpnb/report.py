"""A report: a notebook executed with the reader's own settings, and the same as a page that needs no network."""

from __future__ import annotations

import ast
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpnb.errors import ReportError, require_choice
from mlpnb.execution import execute
from mlpnb.export import writable_folder
from mlpnb.lab import notebook_path
from mlpnb.page import page

# Tasks for a workshop, which a report of a reader's own data leaves out.
_EXERCISES = ("exercise", "solution")


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
        If `out` cannot be written to, or there is no such notebook or parameter.
    ReportError
        If a cell fails; the failed notebook is kept in `out` as ``failed.ipynb``, and nothing else is touched.
    """
    from filelock import FileLock

    source, known = notebook_path(notebook), default_parameters(notebook)
    for given in parameters:
        require_choice("parameter", given, known)
    out = writable_folder(out).resolve()
    # Made beside the final files, so that moving them there is one step of the file system.
    with tempfile.TemporaryDirectory(prefix=".mlpnb-", dir=out) as name:
        work = Path(name)
        executed = work / "report.ipynb"
        try:
            execute(source, executed, {**parameters, "out": "."}, without=_EXERCISES, progress=progress)
        except ReportError as error:
            executed.replace(out / "failed.ipynb")
            raise ReportError(f"{error} (see {out / 'failed.ipynb'}; nothing else was written).") from error
        (work / "report.html").write_text(page(executed), encoding="utf-8")
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
