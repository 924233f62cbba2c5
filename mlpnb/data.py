"""Data for the grid: the question's kind of data set, scikit-learn's bundled ones, or the user's own table."""

from __future__ import annotations

import hashlib
import html
import io
import os
import re
import shlex
import stat
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpnb.errors import InputError, require_choice

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.compose import ColumnTransformer

DATASETS = ("friedman1", "friedman2", "friedman3", "diabetes", "california_housing")
MIN_ROWS = 8  # three quarters train; the rest must be two rows or more, or R² is undefined
MAX_CATEGORIES = 20
LARGEST = 1e100  # its square, and its quotient by the smallest standard deviation, are finite
_TOO_LARGE = f"infinite values, or values beyond ±{LARGEST:g}"


@dataclass(frozen=True, eq=False)
class Data:
    """A regression data set, split and scaled as in the question. A frozen value: its arrays are read-only.

    Attributes
    ----------
    X_train : ndarray of shape (n_train, n_features), float64 as a rule
        Training inputs, standardised.
    X_test : ndarray of shape (n_test, n_features)
        Test inputs, standardised by the training part's mean and standard deviation.
    y_train, y_test : ndarray of shape (n_train,) and (n_test,), the dtype of `X_train`
        The target, in its own unit, or in the training part's standard deviations if it was scaled.
    feature_names : tuple of str
        A name for each column of `X_train`.
    target_name : str
        Name of the target.
    name : str
        Name of the data set, or of the file. In all names, � stands for a character that can't be shown.
    summary : str
        In a sentence or two, where the data come from and what was done to them.

    Raises
    ------
    InputError
        If the shapes don't fit each other, or a value is not finite.
    """

    X_train: NDArray[np.floating]
    X_test: NDArray[np.floating]
    y_train: NDArray[np.floating]
    y_test: NDArray[np.floating]
    feature_names: tuple[str, ...]
    target_name: str
    name: str
    summary: str = ""

    def __post_init__(self) -> None:
        dtype = np.dtype(np.float32 if np.asarray(self.X_train).dtype == np.float32 else np.float64)
        for field in ("X_train", "X_test", "y_train", "y_test"):
            array = np.array(getattr(self, field), dtype=dtype, order="C")
            if array.ndim != (2 if field.startswith("X") else 1) or not np.isfinite(array).all():
                raise InputError(
                    f"{field} of data {self.name!r} must be a finite array of {'two' if field[0] == 'X' else 'one'} "
                    f"dimension{'s' if field[0] == 'X' else ''}, but has shape {array.shape}: reshape or clean it."
                )
            array.flags.writeable = False
            object.__setattr__(self, field, array)
        object.__setattr__(self, "feature_names", tuple(map(_shown, self.feature_names)))
        for field in ("target_name", "name", "summary"):
            object.__setattr__(self, field, _shown(getattr(self, field)))
        fits = (
            len(self.X_train) == len(self.y_train)
            and len(self.X_test) == len(self.y_test)
            and self.X_train.shape[1] == self.X_test.shape[1] == len(self.feature_names)
        )
        if not fits:
            raise InputError(
                f"data {self.name!r} has X of shapes {self.X_train.shape} and {self.X_test.shape}, targets of "
                f"{len(self.y_train)} and {len(self.y_test)} rows and {len(self.feature_names)} feature names, which "
                "do not fit each other: give a target a row and a name a column."
            )

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the arrays: equal data, equal fingerprint."""
        digest = hashlib.sha256()
        for array in (self.X_train, self.X_test, self.y_train, self.y_test):
            digest.update(f"{array.dtype} {array.shape} ".encode())
            digest.update(array.data)
        return digest.hexdigest()

    def _facts(self) -> dict[str, str]:
        low, high = np.min(self.y_train), np.max(self.y_train)
        names = ", ".join(self.feature_names[:12]) + (", …" if len(self.feature_names) > 12 else "")
        return {
            "rows": f"{len(self.y_train)} to train on, {len(self.y_test)} to test",
            "features": f"{len(self.feature_names)} ({names})",
            "target": f"{self.target_name}, from {low:.4g} to {high:.4g}",
            "about": self.summary,
        }

    def __repr__(self) -> str:
        return f"Data {self.name!r}: " + "; ".join(f"{key}: {value}" for key, value in self._facts().items() if value)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left'>{key}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for key, value in self._facts().items()
            if value
        )
        return f"<table><caption>Data: {html.escape(self.name)}</caption>{rows}</table>"


def _shown(name: str) -> str:
    """A name without what no page, picture or UTF-8 file can hold (XML 1.0, `Char`): half characters for one."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", str(name))


def load_data(name: str = "friedman1", *, scale_target: bool = False) -> Data:
    """Load one of the named data sets, split and scaled as in the question.

    Equals ``train_test_split(X, y, random_state=0)``, then a `StandardScaler` fitted on the training part.

    Parameters
    ----------
    name : {"friedman1", "friedman2", "friedman3", "diabetes", "california_housing"}, default="friedman1"
        "friedman1" is the default because it reproduces the picture of the question. "california_housing" is
        fetched by scikit-learn once, the others need no network.
    scale_target : bool, default=False
        Whether the target is standardised too; the question's is not.

    Returns
    -------
    Data

    Raises
    ------
    InputError
        If the name is unknown, or the data set must be fetched and can't be.
    """
    require_choice("data set", name, DATASETS)
    X, y, feature_names, target_name, summary = _LOADERS[name]()
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    scaler = StandardScaler().fit(X_train)
    return _finish(
        scaler.transform(X_train), scaler.transform(X_test), y_train, y_test,
        feature_names, target_name, name, summary, scale_target,
    )  # fmt: skip


# A Parquet may hold signalling NaNs, which warn wherever they are met; they are missing values, as others are.
@np.errstate(invalid="ignore")
def read_table(path: str | Path, target: str, *, scale_target: bool = False) -> Data:
    """Read the user's own CSV or Parquet table.

    Equals a `ColumnTransformer` fitted on the training part of ``train_test_split(random_state=0)``: numeric columns
    through ``SimpleImputer(strategy="median")`` and `StandardScaler`; text, categorical and boolean ones through
    ``SimpleImputer(strategy="most_frequent")`` and a `OneHotEncoder` that pools rare categories beyond 20.

    Parameters
    ----------
    path : str or Path
        A file that ends in .csv (comma-separated, UTF-8), .parquet or .pq.
    target : str
        Name of the numeric column to predict.
    scale_target : bool, default=False
        Whether the target is standardised too.

    Returns
    -------
    Data
        Its `summary` tells what was done to the columns.

    Raises
    ------
    InputError
        If the file can't be read as such a table, or a column can't be used.
    """
    path = Path(path)
    frame = _read_frame(path)
    _check_frame(frame, path.name, target)
    from sklearn.model_selection import train_test_split

    features = frame.drop(columns=target)
    # whole numbers, and pandas' own missing values among them, become float64
    features = features.astype({name: np.float64 for name in features.columns if _is_numeric(features[name])})
    y = frame[target].to_numpy(dtype=np.float64)
    train, test, y_train, y_test = train_test_split(features, y, random_state=0)
    if np.ptp(y_train) == 0:
        raise InputError(
            f"target {target!r} in {path.name!r} is the same in every training row, so there is nothing to learn: "
            "give more rows or choose another target."
        )
    for name in train.columns[train.isna().all()]:
        raise InputError(
            f"column {name!r} in {path.name!r} has no value in any training row to fill the missing ones from: leave "
            "it out."
        )
    transformer, numeric, categorical = _column_transformer(train)
    X_train = np.asarray(transformer.fit_transform(train), dtype=np.float64)
    X_test = np.asarray(transformer.transform(test), dtype=np.float64)
    names = [str(name).partition("__")[2] for name in transformer.get_feature_names_out()]
    return _finish(
        X_train, X_test, y_train, y_test,
        names, target, path.name, _table_summary(frame, path.name, numeric, categorical), scale_target,
    )  # fmt: skip


def _finish(
    X_train: Any, X_test: Any, y_train: Any, y_test: Any,
    feature_names: Sequence[str], target_name: str, name: str, summary: str, scale_target: bool,
) -> Data:  # fmt: skip
    if scale_target:
        mean, std = np.mean(y_train), np.std(y_train) or 1.0  # 0 where values differ by less than 1e-162
        y_train, y_test = (y_train - mean) / std, (y_test - mean) / std
        summary += " The target is standardised by the training part."
    return Data(X_train, X_test, y_train, y_test, tuple(feature_names), target_name, name, summary)


_Loaded = tuple[Any, Any, list[str], str, str]


def _friedman(number: int, n_features: int, noise: float, formula: str) -> Callable[[], _Loaded]:
    def load() -> _Loaded:
        from sklearn import datasets

        sizes = {"n_features": n_features} if number == 1 else {}
        make = getattr(datasets, f"make_friedman{number}")
        X, y = make(n_samples=1000, noise=noise, random_state=0, **sizes)
        summary = f"Made: {formula}, plus normal noise of standard deviation {noise:g} (make_friedman{number})."
        return X, y, [f"x{i}" for i in range(n_features)], "y", summary

    return load


def _diabetes() -> _Loaded:
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    summary = "Real: disease progression one year after baseline in 442 patients (bundled with scikit-learn)."
    return bunch.data, bunch.target, list(bunch.feature_names), "progression", summary


def _california_housing() -> _Loaded:
    from sklearn.datasets import fetch_california_housing, get_data_home

    copy = Path(get_data_home(), "cal_housing_py3.pkz")  # scikit-learn's own, a pickle
    _require_own(copy)
    fetched = copy.exists()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.filterwarnings("ignore", "Retry downloading")  # what comes of it is told below
            bunch = fetch_california_housing(n_retries=1)
            if not (
                len(bunch.target) >= MIN_ROWS and np.isfinite(bunch.data).all() and np.isfinite(bunch.target).all()
            ):
                raise ValueError("it holds other numbers than the data set")
    except Exception as error:  # a damaged pickle may raise anything
        if fetched:
            raise InputError(
                f"scikit-learn's copy of data set 'california_housing', {str(copy)!r}, is damaged "
                f"({type(error).__name__}: {error}): delete that file, and it will be fetched anew."
            ) from error
        raise InputError(
            f"data set 'california_housing' is fetched from the network once, and that failed ({error}): go online, "
            "or choose a bundled one such as 'diabetes'."
        ) from error
    summary = "Real: median house value by block group, California census 1990 (fetched by scikit-learn)."
    return bunch.data, bunch.target, list(bunch.feature_names), "median house value [100,000 $]", summary


def _require_own(pickle: Path) -> None:
    """Refuse a pickle that somebody else could have put there: to load it is to run what is in it.

    That is who can write the file, its folder or one above it, save a sticky one, in which nobody moves another's.
    """
    if not hasattr(os, "geteuid"):
        return  # where permissions are not POSIX's, a user's folder is the user's own
    way = [path for start in (pickle.parent.resolve(), pickle.resolve()) for path in (start, *start.parents)]
    for path in dict.fromkeys(path for path in way if path.exists()):
        status = path.stat()
        if status.st_uid not in (os.geteuid(), 0):
            danger, fix = "belongs to somebody else", ""
        elif _others_write(status):
            danger, fix = "can be written to by others", f"`chmod go-w {shlex.quote(str(path))}`, or "
        else:
            continue
        raise InputError(
            f"data set 'california_housing' is not loaded: scikit-learn keeps it as a pickle, which runs whatever code "
            f"is in it, and {str(path)!r} {danger}: {fix}set the environment variable SCIKIT_LEARN_DATA to a folder of "
            "yours and fetch it anew."
        )


def _others_write(status: os.stat_result) -> bool:
    """Whether anybody but the owner and root can put something in this file's or folder's place."""
    import grp
    import pwd

    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return False
    if not status.st_mode & stat.S_IWGRP or status.st_mode & stat.S_IWOTH:
        return bool(status.st_mode & stat.S_IWOTH)
    try:  # many systems put every user into a group of their own, and let it write
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(status.st_gid)
    except KeyError:
        return True
    return group.gr_name != user or bool(set(group.gr_mem) - {user})


_LOADERS: dict[str, Callable[[], _Loaded]] = {
    "friedman1": _friedman(1, 10, 1.0, "10 sin(π x0 x1) + 20 (x2 − 0.5)² + 10 x3 + 5 x4, five more inputs unused"),
    "friedman2": _friedman(2, 4, 1.0, "sqrt(x0² + (x1 x2 − 1 / (x1 x3))²)"),
    "friedman3": _friedman(3, 4, 0.1, "arctan((x1 x2 − 1 / (x1 x3)) / x0)"),
    "diabetes": _diabetes,
    "california_housing": _california_housing,
}


def _read_frame(path: Path) -> pd.DataFrame:
    try:
        if not path.is_file():
            raise InputError(
                f"table {str(path)!r} is not a file that exists: give the path of a .csv or .parquet file."
            )
        match path.suffix.lower():
            case ".csv":
                return _read_csv(path)
            case ".parquet" | ".pq":
                return _read_parquet(path)
    except InputError:
        raise
    except Exception as error:  # a damaged file makes pandas and pyarrow raise many kinds
        reason = str(error).removeprefix("Error tokenizing data. C error: ").rstrip().rstrip(".")
        raise InputError(f"table {path.name!r} can't be read ({reason}): repair it or export it again.") from error
    raise InputError(f"table {path.name!r} ends in {path.suffix!r}: give a .csv or a .parquet file.")


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"table {path.name!r} is not UTF-8 (byte {error.start}): save it as UTF-8, as 'CSV UTF-8' in a spreadsheet."
        ) from error
    if not text.strip():
        raise InputError(f"table {path.name!r} is empty: give a header line with column names, and rows.")
    if "\0" in text:
        raise InputError(f"table {path.name!r} holds NUL characters, so it is no CSV: export it again, in UTF-8.")
    header = pd.read_csv(io.StringIO(text), header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0].tolist()
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            raise InputError(f"table {path.name!r} is separated by {word}: save it with commas.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # otherwise pandas makes an index of the first column where rows have a field more than the header
            frame = pd.read_csv(io.StringIO(text), index_col=False, low_memory=False)
    except pd.errors.ParserWarning as warning:
        raise InputError(
            f"table {path.name!r} has rows of more fields than the {len(header)} of its header: name every column, "
            "or repair those rows."
        ) from warning
    frame.columns = pd.Index(header)  # pandas renames duplicates without a word, and columns that have no name
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        # In batches: to read a row group as a whole, pyarrow reserves memory for as many rows as it says it has.
        table = pa.Table.from_batches(file.iter_batches(), file.schema_arrow)
        told = file.metadata.num_rows
    table.validate(full=True)  # or text that is not UTF-8 is found where it is used
    if table.num_rows != told:
        raise InputError(
            f"table {path.name!r} is damaged: it says {told} rows and has {table.num_rows}: export it again."
        )
    frame: pd.DataFrame = table.to_pandas()
    frame.columns = pd.Index([str(name).rstrip("\0") for name in frame.columns])  # as NumPy drops them
    return frame


def _check_frame(frame: pd.DataFrame, file: str, target: str) -> None:
    names = list(frame.columns)
    if "" in names:
        raise InputError(f"column {names.index('') + 1} in {file!r} has no name: name it, or leave it out.")
    duplicates = frame.columns[frame.columns.duplicated()]
    if len(duplicates):
        raise InputError(f"table {file!r} has more than one column named {duplicates[0]!r}: rename one of them.")
    if len(names) < 2:
        raise InputError(
            f"table {file!r} has {len(names)} column(s), but a target and a column to predict it from are needed: add "
            "columns, or separate them by commas."
        )
    require_choice(f"target in {file!r}: column", target, names)
    if len(frame) < MIN_ROWS:
        raise InputError(f"table {file!r} has {len(frame)} row(s), but at least {MIN_ROWS} are needed: add rows.")
    y = frame[target]
    if not _is_numeric(y):
        raise InputError(f"target {target!r} in {file!r} is not numeric ({_example(y)}): choose a column of numbers.")
    if y.isna().any():
        raise InputError(
            f"target {target!r} in {file!r} is missing in {int(y.isna().sum())} row(s): drop or fill them."
        )
    if _is_too_large(y):
        raise InputError(f"target {target!r} in {file!r} has {_TOO_LARGE}: drop or repair those rows.")
    if y.nunique() < 2:
        raise InputError(f"target {target!r} in {file!r} is constant: choose a column that varies.")
    for name in frame.columns.drop(target):
        column = frame[name]
        if _is_numeric(column):
            if _is_too_large(column):
                raise InputError(f"column {name!r} in {file!r} has {_TOO_LARGE}: drop or repair those rows.")
        else:
            strange = [value for value in column.dropna() if not isinstance(value, str | bool | np.bool_)]
            if strange:
                value = max(strange, key=lambda value: len(str(value)))  # the whole number that 64 bits can't hold
                raise InputError(
                    f"column {name!r} in {file!r} holds {str(value)[:40]!r}, of type {type(value).__name__}: turn it "
                    "into text or 64-bit numbers, or leave it out."
                )
        if column.nunique() < 2:
            raise InputError(f"column {name!r} in {file!r} is constant or empty: leave it out.")


def _is_numeric(column: pd.Series[Any]) -> bool:
    from pandas.api import types

    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def _is_too_large(column: pd.Series[Any]) -> bool:
    return bool((np.abs(column.to_numpy(dtype=np.float64, na_value=np.nan)) > LARGEST).any())


def _example(column: pd.Series[Any]) -> str:
    """The first value that is no number, cut short, for a message."""
    for value in column.dropna():
        try:
            float(value)
        except (TypeError, ValueError):
            return f"for example {str(value)[:40]!r}"
    return f"it is {column.dtype}"


def _column_transformer(train: pd.DataFrame) -> tuple[ColumnTransformer, list[str], list[str]]:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    numeric = [name for name in train.columns if _is_numeric(train[name])]
    categorical = [name for name in train.columns if name not in numeric]
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    categories = make_pipeline(
        # pandas' own missing values and strings become what SimpleImputer knows: objects and NaN
        FunctionTransformer(_as_objects, feature_names_out="one-to-one"),
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(max_categories=MAX_CATEGORIES, handle_unknown="infrequent_if_exist", sparse_output=False),
    )
    return (
        ColumnTransformer([("numbers", numbers, numeric), ("categories", categories, categorical)]),
        numeric,
        categorical,
    )


def _as_objects(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(object).where(frame.notna(), np.nan).map(lambda v: v if isinstance(v, float) else str(v))


def _table_summary(frame: pd.DataFrame, file: str, numeric: list[str], categorical: list[str]) -> str:
    missing = {name: int(frame[name].isna().sum()) for name in [*numeric, *categorical]}
    parts = [f"Read from {file}: {len(frame)} rows."]
    if numeric:
        parts.append(f"{len(numeric)} numeric column(s), standardised ({_names(numeric)}).")
    if categorical:
        parts.append(f"{len(categorical)} categorical column(s), one-hot encoded ({_names(categorical)}).")
    filled = [f"{name}: {count}" for name, count in missing.items() if count]
    if filled:
        parts.append(f"Missing values filled, numeric by the median, categorical by the commonest ({_names(filled)}).")
    pooled = [name for name in categorical if frame[name].nunique() > MAX_CATEGORIES]
    if pooled:
        parts.append(f"Rare categories pooled beyond {MAX_CATEGORIES} ({_names(pooled)}).")
    return " ".join(parts)


def _names(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f", and {len(names) - most} more" if len(names) > most else "")
