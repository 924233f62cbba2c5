"""Files that carry results away: figures, numbers, settings."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlpnb.errors import InputError
from mlpnb.plots import DescribedFigure, plot_grid
from mlpnb.recipe import MATCHED

if TYPE_CHECKING:
    import pandas as pd

    from mlpnb.grid import Grid


def grid_files(grid: Grid) -> dict[str, bytes]:
    """The grid as files, content by name: figure (PNG, SVG), scores and predictions (CSV), settings (JSON)."""
    from mlpnb.state import State

    figure = plot_grid(grid)
    return {
        "grid.png": figure.png(),
        "grid.svg": figure.svg(),
        "grid.csv": grid.to_frame().to_csv(index=False).encode(),
        "predictions.csv": grid.predictions().to_csv(index=False).encode(),
        "settings.json": State(grid.data.name, grid.settings, MATCHED in grid.recipes).to_json().encode(),
    }


def save_grid(grid: Grid, folder: str | Path) -> list[Path]:
    """Write the grid's figure, numbers and settings into `folder`; nothing before all of it is there.

    Parameters
    ----------
    grid : Grid
    folder : str or Path
        Made if it is not there.

    Returns
    -------
    list of Path
        ``grid.png``, ``grid.svg``, ``grid.csv``, ``predictions.csv`` and ``settings.json`` in `folder`.

    Raises
    ------
    InputError
        If `folder` cannot be written to.
    """
    return _save(grid_files(grid), folder)


def save_results(results: Mapping[str, DescribedFigure | pd.DataFrame], folder: str | Path) -> list[Path]:
    """Write figures (PNG and SVG) and tables (CSV) into `folder`; nothing before all of it is there.

    Parameters
    ----------
    results : mapping
        A figure or a table by the name that its files are to have.
    folder : str or Path
        Made if it is not there.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If `folder` cannot be written to, or a name leads out of it.
    """
    files: dict[str, bytes] = {}
    for name, result in results.items():
        if re.search(r"[/\\:\0]", name):  # of any system: results are carried from one to another
            raise InputError(f"result {name!r} can't be a file's name: leave out slashes, backslashes, colons and NUL.")
        if isinstance(result, DescribedFigure):
            files |= {f"{name}.png": result.png(), f"{name}.svg": result.svg()}
        else:
            files[f"{name}.csv"] = result.to_csv(index=result.index.name is not None).encode()
    return _save(files, folder)


def _save(files: Mapping[str, bytes], folder: str | Path) -> list[Path]:
    folder = writable_folder(folder)
    try:
        # Made beside the final files, so that moving them there is one step of the file system.
        with tempfile.TemporaryDirectory(prefix=".mlpnb-", dir=folder) as work:
            for name, content in files.items():
                Path(work, name).write_bytes(content)
            return [Path(work, name).replace(folder / name) for name in files]
    except OSError as error:
        raise _unwritable(folder, error) from error


def writable_folder(folder: str | Path) -> Path:
    """Make `folder` if it is not there, and make sure that files can be written to it.

    Raises
    ------
    InputError
        If it can't be made, or nothing can be written to it.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(f"output folder {str(folder)!r} cannot be written to ({error.strerror}): choose another one.")
