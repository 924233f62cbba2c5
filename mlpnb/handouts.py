"""Handouts: executed notebooks as pages that need no kernel and no network, and as PDFs; with and without solutions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mlpnb.errors import InputError, ReportError
from mlpnb.execution import execute
from mlpnb.export import writable_folder
from mlpnb.lab import notebook_folder, notebook_path
from mlpnb.page import page, print_pdf

MAX_BYTES = 8_000_000  # of a page
SOLUTION = "solution"  # the tag of a cell that only the teacher's copy has


def handout_sources(notebooks: Sequence[str]) -> list[Path]:
    """The notebooks of these names or paths; all of mlpnb's, if there are none.

    Raises
    ------
    InputError
        If one is not there or no notebook, or two would be written to one file.
    """
    import nbformat

    if not notebooks:
        return sorted(notebook_folder().glob("*.ipynb"))
    sources = [Path(name) if Path(name).is_file() else notebook_path(name) for name in notebooks]
    for source in sources:
        try:
            nbformat.read(source, as_version=4)
        except Exception as error:  # nbformat's own, JSON's and Unicode's
            raise InputError(f"{str(source)!r} can't be read as a notebook: give an .ipynb file.") from error
    names = [source.stem for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two notebooks are called {name!r}, and so would be their handouts: give one of them.")
    return sources


def write_handout(source: Path, out: str | Path, browser: str | None = None, *, progress: bool = False) -> list[Path]:
    """Execute a notebook, and write its handouts: HTML, and PDF where there is a browser to print it.

    Where cells are tagged ``solution``, ``NAME.html`` is the student's copy, without them, and ``NAME-teacher.html``
    the teacher's. Nothing is written to `out` before all of it is there, and nothing is if the notebook fails.

    Parameters
    ----------
    source : Path
        The notebook. One of the user's own runs in its folder.
    out : str or Path
        The folder; made if it is not there.
    browser : str, optional
        That prints, from `mlpnb.page.find_browser`; without it there is no PDF.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If `out` cannot be written to.
    ReportError
        If a cell fails or a page gets larger than 8 MB; older handouts are left alone. If the browser does not print;
        the pages are written.
    """
    out = writable_folder(out).resolve()
    own = source.resolve().parent != notebook_folder().resolve()
    with tempfile.TemporaryDirectory(prefix=".mlpnb-", dir=out) as name:
        work = Path(name)
        executed = work / "executed.ipynb"
        folder = source.resolve().parent if own else work
        try:
            execute(source, executed, folder=folder, progress=progress, static=True)
        except ReportError as error:
            raise ReportError(f"{error} (its older handouts are as they were).") from error
        written, unprinted = [], None
        for ending, without in _copies(executed):
            html = work / f"{source.stem}{ending}.html"
            html.write_text(page(executed, without=without, linked=".html"), encoding="utf-8")
            if (size := html.stat().st_size) > MAX_BYTES:
                raise ReportError(
                    f"{html.name} has {size / 1e6:.1f} MB, and a handout may have {MAX_BYTES / 1e6:g}: show smaller "
                    "pictures and tables in it (its older handouts are as they were)."
                )
            written.append(html)
            if browser is not None:
                try:
                    print_pdf(html, html.with_suffix(".pdf"), browser)
                    written.append(html.with_suffix(".pdf"))
                except ReportError as error:  # the pages are good without
                    unprinted = error
        moved = [Path(shutil.move(path, out / path.name)) for path in written]
    if unprinted is not None:
        raise unprinted
    return moved


def _copies(executed: Path) -> list[tuple[str, tuple[str, ...]]]:
    """The copies to make of a notebook: what is added to its name, and which cells are left out."""
    import nbformat

    cells = nbformat.read(executed, as_version=4).cells
    if any(SOLUTION in cell.metadata.get("tags", []) for cell in cells):
        return [("", (SOLUTION,)), ("-teacher", ())]
    return [("", ())]
