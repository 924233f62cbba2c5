"""The sweep: one experiment over many settings, recipes, seeds and data sets, which can be left and taken up again."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from multiprocessing import current_process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from mlpnb.axes import settings_grid
from mlpnb.data import Data
from mlpnb.errors import InputError
from mlpnb.fit import fit_keras, fit_sklearn, load_training, training_is_loaded
from mlpnb.grid import QUESTION
from mlpnb.programs import may_compile
from mlpnb.recipe import Recipe, require_names
from mlpnb.results import Cell, Outcome, in_order, open_results, stored
from mlpnb.settings import Settings
from mlpnb.shape import CELLS_A_PROGRAM, Shape, shape_of
from mlpnb.workers import ONE_THREAD, TENSORFLOW_THREADS, call_beside, compute

if TYPE_CHECKING:
    import pandas as pd

SKLEARN_FITS_A_TASK = 16  # a second or two of work: so little is lost, and the workers end together


def sweep(
    data: Data | Sequence[Data],
    settings: Mapping[str, Any] | Sequence[Settings],
    recipes: Sequence[Recipe] = QUESTION,
    *,
    out: str | Path | None = None,
    n_jobs: int = 1,
    scheduler: str | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Fit every combination of data sets, settings and recipes.

    Keras's networks of equal shapes are stacked, up to 64 in one compiled program; such a program is a task, and so
    are a few fits of `MLPRegressor`. Which fits a task is made of does not depend on the workers, and every worker
    computes in one thread: so the same sweep gives the same rows, bit for bit on one kind of CPU, whatever their number
    and however often it was interrupted. To rounding only agree fits that another sweep had stacked with others, and
    those of Dask's workers of more than some thirty shapes each (`mlpnb/programs.py`): end such workers now and then,
    by ``dask worker --lifetime``.

    Parameters
    ----------
    data : Data or sequence of Data
    settings : mapping or sequence of Settings
        Values by the setting's name, every combination of which is fitted, as `settings_grid` takes them:
        ``{"alpha": [0, 1], "random_state": range(20)}``. Or the settings themselves.
    recipes : sequence of Recipe, default=(SKLEARN, KERAS_1, KERAS_2)
    out : str or Path, optional
        A folder for the results, Parquet files, written as they come; made if it is not there. Fits that are there
        already are not computed again: so a sweep that was interrupted goes on, and one with further values adds them.
        If left out, there is nothing to go on from.
    n_jobs : int, default=1
        Processes of this machine. 1 computes in this one, but for Keras's networks, for which there is one beside it,
        of one thread as all workers are. With `scheduler="local"`, Dask's.
    scheduler : str, optional
        The address of a Dask scheduler whose workers (of one thread each, with mlpnb installed) compute, or "local" for
        a Dask cluster on this machine. Needs ``pip install "mlpnb[distributed]"``.
    progress : bool, default=False
        Whether to show a progress bar, with an estimate of the time that is left.

    Returns
    -------
    DataFrame
        A row a fit, in the order of data, settings and recipes. Columns: "data"; a setting each; "recipe" and
        "recipe's fields"; "R²"; "RMSE [target units]"; "epochs"; "diverged at epoch"; "loss", the last epoch's training
        loss as the recipe defines it; "note", why there is no fit; "time [s]", a fit's share of its program's;
        "versions".

    Raises
    ------
    InputError
        If a value is not allowed, a batch is larger than the training part, the folder can't be written to or is
        another sweep's, or the scheduler can't be reached.
    SweepError
        If the sweep stops before its end; what has come is kept in `out`.
    """
    from tqdm.auto import tqdm

    cells = _cells(data, settings, recipes)
    with nullcontext(out) if out is not None else TemporaryDirectory() as folder, open_results(folder) as results:
        if results.other_versions:
            warnings.warn(
                f"{str(out)!r} holds fits computed by {'; and '.join(sorted(results.other_versions))}: they are kept; "
                "choose another folder to have all by one.",
                stacklevel=2,
            )
        distinct = {cell.key: cell for cell in cells}
        missing = [
            rest for task in _tasks(list(distinct.values())) if (rest := [c for c in task if c.key not in results.keys])
        ]
        n_missing = sum(map(len, missing))
        begin = start_keras if any(task[0].recipe.library == "keras" for task in missing) else None
        with tqdm(
            total=len(distinct), initial=len(distinct) - n_missing, desc="fits", unit="fit", smoothing=0.05,
            disable=not progress,
        ) as bar:  # fmt: skip
            for task, outcomes in compute(train_task, missing, n_jobs, scheduler, begin=begin):
                results.write(task, outcomes)
                bar.update(len(task))
        return in_order(stored(results.folder), cells)


def start_keras() -> None:
    """Import TensorFlow; that it can't be is told by the first task."""
    with suppress(InputError):
        load_training()


def train_task(cells: Sequence[Cell]) -> list[Outcome]:
    """Fit cells of one data set: by `MLPRegressor` one by one, or stacked by Keras.

    What Keras trains is rounded otherwise in more threads than one, and without XLA: see `rounds_alike`.
    """
    by_keras = cells[0].recipe.library == "keras"
    if by_keras and not rounds_alike():
        return call_beside(train_task, cells, start_keras)
    data = cells[0].data
    with threadpool_limits(1):  # matrices so small are multiplied faster by one thread, and alike on every machine
        if by_keras:
            fits = fit_keras(data, [cell.settings for cell in cells], [cell.recipe for cell in cells])
            return [Outcome.of(fit) for fit in fits]
        return [Outcome.of(fit_sklearn(data, cell.settings, cell.recipe)) for cell in cells]


def rounds_alike() -> bool:
    """Whether TensorFlow computes here as in every worker: in one thread, and with room for a program of XLA's.

    Dask's own processes may start none beside them, and have to do.
    """
    if current_process().daemon:
        if not training_is_loaded():
            os.environ.update(ONE_THREAD)
        return True
    return os.environ.get(TENSORFLOW_THREADS) == "1" and may_compile()


def _cells(
    data: Data | Sequence[Data], settings: Mapping[str, Any] | Sequence[Settings], recipes: Sequence[Recipe]
) -> list[Cell]:
    datasets = [data] if isinstance(data, Data) else list(data)
    along = settings_grid(settings) if isinstance(settings, Mapping) else tuple(settings)
    require_names(recipes)
    if not datasets or not along:
        raise InputError("there is nothing to sweep over: give one data set and one setting or more.")
    for one in datasets:
        for each in along:
            each.batch_rows(len(one.y_train))
    return [Cell(one, each, recipe) for one in datasets for each in along for recipe in recipes]


def _tasks(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The cells in parts that are computed together, the same ones however many workers there are."""
    alike: dict[tuple[str, Shape | None], list[Cell]] = {}
    for cell in cells:
        shape = shape_of(cell.data, cell.settings, cell.recipe) if cell.recipe.library == "keras" else None
        alike.setdefault((cell.data.fingerprint, shape), []).append(cell)
    tasks = []
    for (_, shape), group in alike.items():
        # What starts alike is drawn once if it trains together.
        group.sort(key=lambda cell: (cell.recipe.draws, cell.settings.random_state, cell.recipe.bias_start))
        size = CELLS_A_PROGRAM if shape else SKLEARN_FITS_A_TASK
        tasks += [group[first : first + size] for first in range(0, len(group), size)]
    return tasks
