"""A sweep's results: a folder of Parquet files that only grows, each row with its settings, versions and outcome.

A file is named after the SHA-256 of what is in it. So a file that was cut short or altered is known by its name, and
nothing but Parquet's plain columns is ever read: no pickles.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import platform
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlpnb.errors import InputError, SweepError
from mlpnb.export import writable_folder
from mlpnb.fit import Fit, NotFitted
from mlpnb.recipe import DIFFERENCES, Recipe
from mlpnb.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from mlpnb.data import Data

_PACKAGES = ("mlpnb", "scikit-learn", "keras", "tensorflow-cpu", "tensorflow", "numpy")
_PREFIX, _TEMPORARY, _CORRUPT = "part-", ".mlpnb-part-", ".corrupt"
_KEY = "key"


@dataclass(frozen=True)
class Cell:
    """One fit of a sweep."""

    data: Data
    settings: Settings
    recipe: Recipe

    @cached_property
    def key(self) -> str:
        """A digest of all that the fit depends on, beside the versions: equal keys, equal fits."""
        recipe = dataclasses.replace(self.recipe, name="")
        values = [self.data.fingerprint, dataclasses.asdict(self.settings), dataclasses.asdict(recipe)]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]


class Outcome(NamedTuple):
    """What is kept of a fit: the score, and how training went."""

    r2: float
    rmse: float
    n_iter: int | None
    diverged_at: int | None
    loss: float
    note: str
    seconds: float

    @classmethod
    def of(cls, fit: Fit | NotFitted) -> Outcome:
        """The outcome of a fit, or the reason why there is none."""
        if isinstance(fit, NotFitted):
            return cls(float("nan"), float("nan"), None, None, float("nan"), fit.reason.replace("\n", " "), 0.0)
        loss = float(fit.loss_curve[-1])
        return cls(fit.r2, fit.rmse, fit.n_iter, fit.diverged_at, loss, "", fit.seconds)


@cache
def versions() -> str:
    """What computes here, in words."""
    words = [f"Python {platform.python_version()}", platform.machine()]
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            words.append(f"{name} {metadata.version(name)}")
    return ", ".join(words)


class Results:
    """A folder of results, open for one sweep: `open_results` makes it.

    Attributes
    ----------
    folder : Path
    keys : set of str
        The fits that are there.
    other_versions : set of str
        What computed those of them that were not computed by what is installed now.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys: set[str] = set()
        self.other_versions: set[str] = set()
        for leftover in folder.glob(f"{_TEMPORARY}*"):  # of a sweep that was killed
            leftover.unlink()
        for table in _sound_tables(folder, [_KEY, "versions"], set_aside=True):
            self.keys |= set(table[_KEY].to_pylist())
            self.other_versions |= set(table["versions"].to_pylist()) - {versions()}

    def write(self, cells: Sequence[Cell], outcomes: Sequence[Outcome]) -> None:
        """Add fits: all of them, on the disk for good, or none.

        Raises
        ------
        SweepError
            If the disk is full or the folder is gone.
        """
        import pyarrow as pa
        from pyarrow import parquet

        buffer = io.BytesIO()
        rows = [_row(cell, outcome) for cell, outcome in zip(cells, outcomes, strict=True)]
        parquet.write_table(pa.Table.from_pylist(rows, schema=_schema()), buffer)
        content = buffer.getvalue()
        final = self.folder / f"{_PREFIX}{hashlib.sha256(content).hexdigest()}.parquet"
        temporary = None
        try:
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=_TEMPORARY, delete=False) as file:
                temporary = Path(file.name)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(final)
        except OSError as error:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise SweepError(
                f"the results can't be written to {str(self.folder)!r} ({error.strerror}): {len(self.keys):,} fits are "
                "kept there; make room and run the same sweep again, and it goes on from them."
            ) from error
        self.keys |= {cell.key for cell in cells}


@contextmanager
def open_results(folder: str | Path) -> Iterator[Results]:
    """Open a folder of results for one sweep; made if it is not there.

    A file that was cut short or altered is renamed and left aside, with a warning; its fits count as missing.

    Raises
    ------
    InputError
        If the folder can't be written to, or another sweep is writing to it.
    """
    from filelock import FileLock, Timeout

    folder = writable_folder(folder)
    try:
        with FileLock(folder / ".mlpnb.lock", timeout=0):
            yield Results(folder)
    except Timeout:
        raise InputError(
            f"output folder {str(folder)!r} is being written to by another sweep: wait for it, or choose another one."
        ) from None


def read_results(folder: str | Path) -> pd.DataFrame:
    """The rows of a sweep's folder, also while the sweep goes on.

    Parameters
    ----------
    folder : str or Path
        What `sweep` was given as `out`.

    Returns
    -------
    DataFrame
        A row a fit, as `sweep` returns them, in the order of their settings, data and recipes. No fit is there twice.

    Raises
    ------
    InputError
        If there is no such folder, or it holds no results.
    """
    frame = stored(folder)
    if frame.empty:
        raise InputError(f"folder {str(folder)!r} holds no results of a sweep: give what `sweep` was given as `out`.")
    by = ["data", *(field.name for field in dataclasses.fields(Settings)), "recipe", _KEY]
    return frame.sort_values(by, ignore_index=True).drop(columns=_KEY)


def stored(folder: str | Path) -> pd.DataFrame:
    """All rows of a folder, each fit once, with its key; none, if there are none."""
    import pyarrow as pa

    tables = list(_sound_tables(Path(folder), None, set_aside=False))
    frame: pd.DataFrame = pa.concat_tables([_schema().empty_table(), *tables]).to_pandas(integer_object_nulls=True)
    whole = dict.fromkeys(("epochs", "diverged at epoch"), "Int64")
    return frame.astype(whole).drop_duplicates(_KEY, ignore_index=True)


def _sound_tables(folder: Path, columns: list[str] | None, *, set_aside: bool) -> Iterator[pa.Table]:
    """The tables of a folder's files, in the order of their names, but for those that are not as they were written."""
    import pyarrow as pa
    from pyarrow import parquet

    for path in sorted(folder.glob(f"{_PREFIX}*.parquet")):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SweepError(f"results in {str(path)!r} can't be read ({error.strerror}): repair the disk.") from error
        if hashlib.sha256(content).hexdigest() == path.stem.removeprefix(_PREFIX):
            try:
                table = parquet.read_table(io.BytesIO(content))
                if table.schema.equals(_schema()):
                    yield table if columns is None else table.select(columns)
                    continue
            except pa.ArrowException:  # somebody's own file, named as ours are
                pass
        what = "left out"
        if set_aside:
            path.replace(path.with_name(path.name + _CORRUPT))
            what = f"renamed to end in {_CORRUPT}, and its fits are computed again"
        warnings.warn(f"{path.name!r} in {str(folder)!r} is not as it was written: it is {what}.", stacklevel=2)


@cache
def _schema() -> pa.Schema:
    import pyarrow as pa

    kinds: dict[str, Any] = {"float": pa.float64(), "int": pa.int64(), "bool": pa.bool_()}
    settings = [
        (field.name, kinds.get(str(field.type), pa.string())) for field in dataclasses.fields(Settings)
    ]  # sizes of layers, and rows that may be "auto", are text
    return pa.schema(
        [
            (_KEY, pa.string()), ("data", pa.string()), *settings, ("recipe", pa.string()),
            ("recipe's fields", pa.string()), ("R²", pa.float64()), ("RMSE [target units]", pa.float64()),
            ("epochs", pa.int64()), ("diverged at epoch", pa.int64()), ("loss", pa.float64()), ("note", pa.string()),
            ("time [s]", pa.float64()), ("versions", pa.string()),
        ]
    )  # fmt: skip


def _row(cell: Cell, outcome: Outcome) -> dict[str, Any]:
    settings = dataclasses.asdict(cell.settings)
    settings["hidden_layer_sizes"] = ",".join(map(str, cell.settings.hidden_layer_sizes))
    settings["batch_size"] = str(cell.settings.batch_size)
    fields = {"library": cell.recipe.library} | {name: getattr(cell.recipe, name) for name in DIFFERENCES}
    return {
        _KEY: cell.key, "data": cell.data.name, **settings, "recipe": cell.recipe.name,
        "recipe's fields": ", ".join(f"{name}={value}" for name, value in fields.items()),
        "R²": outcome.r2, "RMSE [target units]": outcome.rmse, "epochs": outcome.n_iter,
        "diverged at epoch": outcome.diverged_at, "loss": outcome.loss, "note": outcome.note,
        "time [s]": outcome.seconds, "versions": versions(),
    }  # fmt: skip


def in_order(frame: pd.DataFrame, cells: Sequence[Cell]) -> pd.DataFrame:
    """The rows of `cells`, in their order and under their names: equal fits may have been written under others."""
    rows = frame.set_index(_KEY).loc[[cell.key for cell in cells]].reset_index(drop=True)
    return rows.assign(data=[cell.data.name for cell in cells], recipe=[cell.recipe.name for cell in cells])
