"""Files that carry a grid away: its figure, its numbers, its settings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mlpnb.errors import InputError
from mlpnb.recipe import MATCHED

if TYPE_CHECKING:
    from mlpnb.grid import Grid


def grid_files(grid: Grid) -> dict[str, bytes]:
    """The grid as files, content by name: figure (PNG, SVG), scores and predictions (CSV), settings (JSON)."""
    from mlpnb.plots import plot_grid
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
    folder = writable_folder(folder)
    files = grid_files(grid)
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
