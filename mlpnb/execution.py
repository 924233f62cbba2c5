"""A notebook executed in a kernel of its own, by papermill."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mlpnb.errors import InputError, ReportError

STATIC = "MLPNB_STATIC"  # set in a kernel's environment whose outputs will be read where no kernel is


def is_static() -> bool:
    """Whether what is shown here will be read where no kernel is, so that it must hold all that can be asked for."""
    return bool(os.environ.get(STATIC))


def execute(
    source: Path,
    executed: Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    without: Collection[str] = (),
    folder: Path | None = None,
    progress: bool = False,
    static: bool = False,
) -> None:
    """Execute a notebook, and write it with its outputs.

    Parameters
    ----------
    source, executed : Path
        The notebook, and where it goes; also where it fails, with what there is of it.
    parameters : mapping, optional
        Values for its cell tagged ``parameters``.
    without : collection of str
        Tags of cells to leave out.
    folder : Path, optional
        Where its kernel works: that of `executed`, if left out.
    progress : bool, default=False
        Whether to show a progress bar, a step a cell, and the cells' own.
    static : bool, default=False
        Whether its outputs are to hold what else a kernel would be asked for: see `is_static`.

    Raises
    ------
    InputError
        If a parameter is of a kind that papermill does not write as Python's own literal.
    ReportError
        If a cell fails or the kernel dies; it names the cell.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    for name, value in (parameters or {}).items():
        _require_plain(name, value)
    notebook = nbformat.read(source, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not set(without) & set(cell.metadata.get("tags", []))]
    try:
        papermill.execute_notebook(
            notebook,
            str(executed),
            parameters=dict(parameters or {}),
            kernel_name="python3",
            progress_bar=progress,
            stderr_file=sys.stderr if progress and static else None,
            kernel_manager_class=_local_kernel_manager({STATIC: "1"} if static else {}),
            cwd=str(folder or executed.parent),
        )
    except (PapermillExecutionError, DeadKernelError) as error:
        raise ReportError(f"{source.stem} stopped at {_where_and_why(error)}") from error


def _require_plain(name: str, value: object) -> None:
    """Refuse what papermill would put between quotation marks as it is, whatever code stands in it: a path, a tuple."""
    if isinstance(value, list):
        for item in value:
            _require_plain(name, item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(f"parameter {name!r} has the key {key!r}, but keys must be text: give such a key.")
            _require_plain(name, item)
    elif not isinstance(value, str | float | int | None):
        raise InputError(
            f"parameter {name!r} is {value!r}, but it must be text, a number, True, False, None, or a list or dict of "
            "such values: give one of them."
        )


def _where_and_why(error: Any) -> str:
    if hasattr(error, "ename"):
        return f"cell {error.exec_count or error.cell_index} with {error.ename}: {error.evalue}"
    return "the cell that is marked as running there: its kernel was killed, as the system does when memory is short"


def _local_kernel_manager(environment: Mapping[str, str]) -> type:
    """A kernel manager that talks to its kernel through local sockets, which no other user can listen to."""
    from jupyter_client.manager import AsyncKernelManager

    class LocalKernelManager(AsyncKernelManager):
        transport = "tcp" if sys.platform == "win32" else "ipc"

        async def start_kernel(self, **options: Any) -> Any:
            options["env"] = {**(options.get("env") or os.environ), **environment}
            # Cells' own words are in the notebook; what is left is the kernel's complaints when it is interrupted.
            return await super().start_kernel(**options, stderr=subprocess.DEVNULL)

    return LocalKernelManager
