"""Data for the grid: the question's kind of data set, scikit-learn's bundled ones, or the user's own table."""

from __future__ import annotations

import csv
import hashlib
import html
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
        Name of the data set, or of the file.
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
        object.__setattr__(self, "feature_names", tuple(self.feature_names))
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
    y = frame[target].to_numpy(dtype=np.float64)
    train, test, y_train, y_test = train_test_split(features, y, random_state=0)
    if np.ptp(y_train) == 0:
        raise InputError(
            f"target {target!r} in {path.name} is the same in every training row, so there is nothing to learn: "
            "give more rows or choose another target."
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
        mean, std = np.mean(y_train), np.std(y_train)
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
    from sklearn.datasets import fetch_california_housing

    try:
        bunch = fetch_california_housing()
    except OSError as error:  # urllib's URLError is one
        raise InputError(
            f"data set 'california_housing' is fetched from the network once, and that failed ({error}): go online, "
            "or choose a bundled one such as 'diabetes'."
        ) from error
    summary = "Real: median house value by block group, California census 1990 (fetched by scikit-learn)."
    return bunch.data, bunch.target, list(bunch.feature_names), "median house value [100,000 $]", summary


_LOADERS: dict[str, Callable[[], _Loaded]] = {
    "friedman1": _friedman(1, 10, 1.0, "10 sin(π x0 x1) + 20 (x2 − 0.5)² + 10 x3 + 5 x4, five more inputs unused"),
    "friedman2": _friedman(2, 4, 1.0, "sqrt(x0² + (x1 x2 − 1 / (x1 x3))²)"),
    "friedman3": _friedman(3, 4, 0.1, "arctan((x1 x2 − 1 / (x1 x3)) / x0)"),
    "diabetes": _diabetes,
    "california_housing": _california_housing,
}


def _read_frame(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise InputError(f"table {str(path)!r} is not a file that exists: give the path of a .csv or .parquet file.")
    try:
        match path.suffix.lower():
            case ".csv":
                _check_header(path)
                return pd.read_csv(path, encoding="utf-8")
            case ".parquet" | ".pq":
                return pd.read_parquet(path)
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(
            f"table {path.name!r} is not UTF-8 (byte {error.start}): save it as UTF-8, as 'CSV UTF-8' in a spreadsheet."
        ) from error
    except (ValueError, csv.Error, OSError) as error:  # pandas' ParserError and pyarrow's ArrowInvalid are ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"table {path.name!r} can't be read ({reason}): repair it or export it again.") from error
    raise InputError(f"table {path.name!r} ends in {path.suffix!r}: give a .csv or a .parquet file.")


def _check_header(path: Path) -> None:
    """Read the header as it stands: pandas would rename duplicates without a word."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), [])
    if not any(name.strip() for name in header):
        raise InputError(f"table {path.name!r} is empty: give a header line with column names, and rows.")
    duplicates = sorted({name for name in header if header.count(name) > 1})
    if duplicates:
        raise InputError(f"table {path.name!r} has more than one column named {duplicates[0]!r}: rename one of them.")
    if len(header) == 1 and ";" in header[0]:
        raise InputError(f"table {path.name!r} is separated by semicolons: save it with commas.")


def _check_frame(frame: pd.DataFrame, file: str, target: str) -> None:
    from pandas.api import types

    frame.columns = [str(name) for name in frame.columns]
    require_choice(f"target in {file!r}: column", target, frame.columns)
    if frame.shape[1] < 2:
        raise InputError(f"table {file!r} has only the target {target!r}: add at least one column to predict it from.")
    if len(frame) < MIN_ROWS:
        raise InputError(f"table {file!r} has {len(frame)} row(s), but at least {MIN_ROWS} are needed: add rows.")
    y = frame[target]
    if types.is_bool_dtype(y) or not types.is_numeric_dtype(y) or types.is_complex_dtype(y):
        raise InputError(f"target {target!r} in {file!r} is not numeric ({_example(y)}): choose a column of numbers.")
    if y.isna().any():
        raise InputError(
            f"target {target!r} in {file!r} is missing in {int(y.isna().sum())} row(s): drop or fill them."
        )
    if not np.isfinite(y.to_numpy(dtype=np.float64)).all():
        raise InputError(f"target {target!r} in {file!r} has infinite values: drop or repair those rows.")
    if y.nunique() < 2:
        raise InputError(f"target {target!r} in {file!r} is constant: choose a column that varies.")
    for name in frame.columns.drop(target):
        column = frame[name]
        if types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column):
            raise InputError(f"column {name!r} in {file!r} holds dates: turn it into numbers, or leave it out.")
        if not types.is_bool_dtype(column) and types.is_numeric_dtype(column):
            if types.is_complex_dtype(column) or np.isinf(column.to_numpy(dtype=np.float64, na_value=np.nan)).any():
                raise InputError(f"column {name!r} in {file!r} has infinite or complex values: repair those rows.")
        elif not column.dropna().map(lambda value: isinstance(value, str | bool | np.bool_)).all():
            raise InputError(
                f"column {name!r} in {file!r} mixes kinds of values ({_example(column)}): make it all numbers or text."
            )
        if column.nunique() < 2:
            raise InputError(f"column {name!r} in {file!r} is constant or empty: leave it out.")


def _example(column: pd.Series[Any]) -> str:
    """The first value that is no number, cut short, for a message."""
    for value in column.dropna():
        if isinstance(value, str) or not np.isscalar(value):
            return f"for example {str(value)[:40]!r}"
    return f"it is {column.dtype}"


def _column_transformer(train: pd.DataFrame) -> tuple[ColumnTransformer, list[str], list[str]]:
    from pandas.api import types
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    numeric = [c for c in train.columns if types.is_numeric_dtype(train[c]) and not types.is_bool_dtype(train[c])]
    categorical = [c for c in train.columns if c not in numeric]
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    categories = make_pipeline(
        # pandas' own missing values and strings become what SimpleImputer knows: objects and NaN
        FunctionTransformer(_as_objects, feature_names_out="one-to-one"),
        SimpleImputer(strategy="most_frequent", keep_empty_features=True),
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
