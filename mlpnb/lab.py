"""mlpnb's notebooks: where they are, and a folder of the user's own to work on them in JupyterLab."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mlpnb.errors import InputError, require_choice
from mlpnb.export import writable_folder


def notebook_folder() -> Path:
    """The folder of mlpnb's notebooks: inside the installed package, or the checkout's own."""
    package = Path(__file__).parent
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


def notebook_path(name: str) -> Path:
    """The notebook called `name`, with or without its ending.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    names = [path.stem for path in sorted(notebook_folder().glob("*.ipynb"))]
    return notebook_folder() / f"{require_choice('notebook', name.removesuffix('.ipynb'), names)}.ipynb"


def copy_notebooks(folder: str | Path) -> tuple[list[Path], list[Path]]:
    """Copy the notebooks into `folder`, and leave alone what is there already.

    Returns
    -------
    copied, kept : list of Path
        The notebooks that are new in `folder`, and those that were there and differ from mlpnb's.

    Raises
    ------
    InputError
        If `folder` cannot be written to.
    """
    folder = writable_folder(folder)
    copied, kept = [], []
    for source in sorted(notebook_folder().glob("*.ipynb")):
        target = folder / source.name
        try:
            with target.open("xb") as file:  # never over a file that is there
                file.write(source.read_bytes())
        except FileExistsError:
            if not target.is_file() or target.read_bytes() != source.read_bytes():
                kept.append(target)
        else:
            copied.append(target)
    return copied, kept


def open_lab(folder: str | Path, options: Sequence[str] = ()) -> None:
    """Run JupyterLab in `folder` until it is ended.

    Raises
    ------
    InputError
        If JupyterLab is not installed.
    """
    try:
        from jupyterlab.labapp import LabApp
    except ImportError as error:
        raise InputError(
            f"JupyterLab can't be imported ({error}): run `{Path(sys.executable).name} -m pip install jupyterlab`."
        ) from error
    folder = Path(folder).resolve()
    first = sorted(folder.glob("*.ipynb"))[:1]
    # in this process, so that Ctrl-C is JupyterLab's: it asks, and ends its kernels
    LabApp.launch_instance([*map(str, first), f"--ServerApp.root_dir={folder}", *options])
