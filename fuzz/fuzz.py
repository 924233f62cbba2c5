"""Coverage-guided fuzzing, by atheris, of what reads files: `python fuzz/fuzz.py TARGET SECONDS`.

A target is a function that takes the bytes of a file and reads them as mlpnb does. It ends quietly if they are taken,
and right, or refused by an `InputError` of one line; any other exception, a warning too, is a finding, and so is a
wrong accept: something taken that is not what an independent, stricter reading of the same bytes gives. A finding ends
the run with an exit code other than 0 and leaves the bytes in .fuzz/TARGET/.

A further target is a function here and its line in `TARGETS`.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import atheris
import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from pyarrow import parquet
from sklearn.model_selection import train_test_split

with atheris.instrument_imports(include=["mlpnb"]):  # what else the files pass through is compiled
    from mlpnb import Data, InputError, Settings, axes, read_table, settings_grid
    from mlpnb.data import DATASETS, LARGEST, MIN_ROWS
    from mlpnb.state import State

MOST_SECONDS = 20  # for one file; longer is a hang
MOST_MEGABYTES = 4096
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
ROWS = 12


class Target(NamedTuple):
    """What is fuzzed: the function, the files it starts from, and words that the fuzzer may put into them."""

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[str, ...]
    largest: int


def refused(read: Callable[[], Any]) -> Any:
    """What `read` gives; None if it refuses by a sentence."""
    try:
        return read()
    except InputError as error:
        sentence = str(error)
    assert len(sentence.splitlines()) == 1, f"not a sentence: {sentence!r}"
    return None


# Tables --------------------------------------------------------------------------------------------------------------


def read_as(ending: str, content: bytes) -> Data | None:
    """The table as `read_table` takes it, by a target that is in every seed."""
    path = Path(_FOLDER.name, f"table{ending}")
    path.write_bytes(content)
    return refused(lambda: read_table(path, "y"))


def require_sound(data: Data) -> None:
    """What holds for every table that is taken, whatever it is read from."""
    n_train, n_test = len(data.y_train), len(data.y_test)
    assert n_train + n_test >= MIN_ROWS
    assert n_test == math.ceil((n_train + n_test) / 4), "not train_test_split's parts"
    assert data.X_train.shape == (n_train, len(data.feature_names))
    assert data.X_test.shape == (n_test, len(data.feature_names))
    for array in (data.X_train, data.X_test, data.y_train, data.y_test):
        assert array.dtype == np.float64
        assert np.isfinite(array).all()
    assert np.abs(data.y_train).max() <= LARGEST
    assert np.ptp(data.y_train) > 0, "a constant target"
    assert data.target_name == "y"
    assert "y" not in data.feature_names, "the target is among the features"
    assert len(data.X_train.T), "no feature"
    assert data._repr_html_()


def require_columns(data: Data, columns: dict[str, list[float]]) -> None:
    """The target, and each column that is known to hold numbers alone, are the file's own values, row by row."""
    y = np.array(columns["y"])
    train, test = train_test_split(np.arange(len(y)), random_state=0)
    np.testing.assert_allclose(data.y_train, y[train], rtol=1e-9)
    np.testing.assert_allclose(data.y_test, y[test], rtol=1e-9)
    for name, values in columns.items():
        if name == "y":
            continue
        assert list(data.feature_names).count(name) >= 1, f"no feature {name!r}"
        given = np.array(values)
        mean, spread = np.mean(given[train]), np.std(given[train])
        if not spread > 1e-6 * np.abs(given).max():
            continue  # standardised to what rounding leaves of it
        own = data.X_train[:, data.feature_names.index(name)]
        np.testing.assert_allclose(own, (given[train] - mean) / spread, rtol=1e-6, atol=1e-6)


def check_csv(content: bytes) -> None:
    """A CSV: what is taken is what Python's csv module, in its strict mode, and `float` make of it."""
    data = read_as(".csv", content)
    if data is None:
        return
    require_sound(data)
    text = content.decode("utf-8-sig")  # what is not UTF-8 is not to be taken
    assert "\0" not in text
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        return  # such as a stray quotation mark, on which readers differ
    if any(len(row) != len(header) for row in rows) or any(not "".join(row).strip() for row in rows) or '"' in text:
        return  # short rows are filled, blank ones left out, and on fields that begin with a quoted part readers differ
    assert len(data.y_train) + len(data.y_test) == len(rows), "not the file's number of rows"
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    assert "y" in columns
    assert len(columns) == len(header), "two columns of one name"
    assert all(columns), "a column without a name"
    numbers = {
        name: [float(cell) for cell in cells]
        for name, cells in columns.items()
        if all(NUMBER.fullmatch(cell) and abs(float(cell)) <= LARGEST for cell in cells)
    }
    assert all(NUMBER.fullmatch(cell.strip()) for cell in columns["y"]), "a target that is no number"
    numbers["y"] = [float(cell) for cell in columns["y"]]
    require_columns(data, numbers)


def check_parquet(content: bytes) -> None:
    """A Parquet: what is taken has the file's rows, and its columns of floats and small integers are the file's own."""
    data = read_as(".parquet", content)
    if data is None:
        return
    require_sound(data)
    table = parquet.ParquetFile(io.BytesIO(content)).read()  # by pyarrow alone, without pandas
    assert len(data.y_train) + len(data.y_test) == table.num_rows == len(table["y"]), "not the file's number of rows"
    numbers = {
        name: [value if value is None else float(value) for value in table[name].to_pylist()]
        for name in table.column_names
        if pa.types.is_floating(table[name].type) or pa.types.is_integer(table[name].type)
    }
    assert "y" in numbers, "a target that is no number"
    require_columns(data, {name: values for name, values in numbers.items() if not _has_gaps(values)})


def _has_gaps(values: list[float | None]) -> bool:
    return any(value is None or not math.isfinite(value) for value in values)


def _frames() -> list[pd.DataFrame]:
    rng = np.random.default_rng(0)
    y = rng.normal(size=ROWS).round(3)
    text = rng.choice(["u", "v", "w"], ROWS)
    plain = pd.DataFrame({"a": rng.normal(size=ROWS).round(2), "b": np.arange(ROWS) % 5, "y": y})
    mixed = pd.DataFrame({"town": text, "y": y, "flag": text == "u", "big": np.arange(ROWS) + 2**53})
    gaps = plain.assign(a=plain["a"].where(plain["b"] != 2), town=pd.Series(text).where(plain["b"] != 3))
    return [plain, mixed, gaps]


def seeds_of_csv() -> list[bytes]:
    plain = _frames()[0].to_csv(index=False)
    quoted = plain.replace("a,", '"a, or ""b"""' + ",", 1)
    others = [
        quoted,
        "\ufeff" + plain,
        plain.replace("\n", "\r\n"),
        plain.replace("\n", ",\n"),
        plain.replace(",", ";"),
    ]
    return [text.encode() for text in [*(frame.to_csv(index=False) for frame in _frames()), *others]]


def seeds_of_parquet() -> list[bytes]:
    seeds = []
    for frame in _frames():
        for options in ({"compression": "NONE", "use_dictionary": False}, {}, {"data_page_version": "2.0"}):
            buffer = io.BytesIO()
            bare = pa.Table.from_pandas(frame, preserve_index=False)
            parquet.write_table(bare if options else bare.replace_schema_metadata(None), buffer, **options)
            seeds.append(buffer.getvalue())
    return seeds


# Settings ------------------------------------------------------------------------------------------------------------


def check_settings(content: bytes) -> None:
    """settings.json: what is taken is JSON, satisfies the rules, holds the file's own values, and survives writing."""
    state = refused(lambda: State.from_json(content))
    if state is None:
        return
    given = json.loads(content)
    assert state.data == given.get("data", DATASETS[0])
    assert state.data in DATASETS
    assert state.matched is given.get("matched", False)
    for name, value in given["settings"].items():
        own = getattr(state.settings, name)
        assert own == (tuple(value) if isinstance(value, list) else value), f"{name} was {value!r} and is {own!r}"
        if isinstance(own, float | int) and not isinstance(own, bool):
            assert math.isfinite(own)
            assert Settings.rule(name).low <= own <= Settings.rule(name).high
    assert State.from_json(state.to_json()) == state


def seeds_of_settings() -> list[bytes]:
    states = [
        State("friedman1", Settings()),
        State("diabetes", Settings(hidden_layer_sizes=(30, 2), batch_size=32, alpha=1e-4, solver="adam"), matched=True),
    ]
    return [*(state.to_json().encode() for state in states), b'{"settings": {}}']


# Sweeps --------------------------------------------------------------------------------------------------------------


def check_sweep(content: bytes) -> None:
    """A sweep's YAML: what is taken are plain values, each of which some combination of settings holds."""
    text = content.decode("utf-8", "replace")
    values = refused(lambda: axes.parse_sweep(text, "grid.yaml"))
    if values is None:
        return
    given = yaml.safe_load(text)
    assert list(values) == list(given), "not the file's names"
    recipes = refused(lambda: axes.read_recipes(values.pop("recipe", None)))
    if recipes is not None:
        names = [recipe.name for recipe in recipes]
        assert names
        assert len(set(names)) == len(names), "two recipes of one name"
    along = {name: axis for name, axis in values.items() if name not in ("data", "csv", "target")}
    grid = refused(lambda: settings_grid(along))
    if grid is None:
        return
    assert 0 < len(grid) <= axes.MOST_COMBINATIONS
    for name, axis in along.items():
        held = {getattr(settings, name) for settings in grid}
        for value in axis if isinstance(axis, list) and name != "hidden_layer_sizes" else []:
            assert value in held, f"{name}: {value!r} is in no combination"
        for value in held if name != "hidden_layer_sizes" else ():
            if isinstance(value, float | int) and not isinstance(value, bool):
                assert Settings.rule(name).low <= value <= Settings.rule(name).high
    assert all(Settings.from_dict(json.loads(settings.to_json())) == settings for settings in grid[:20])


def seeds_of_sweeps() -> list[bytes]:
    full = {
        "alpha": [0, 0.1, 1], "random_state": "0:3", "hidden_layer_sizes": [[10], [20, 5]], "batch_size": ["auto", 50],
        "recipe": ["scikit-learn", {"name": "x", "like": "Keras 2", "data_term": "half"}], "data": ["diabetes"],
    }  # fmt: skip
    texts = [yaml.safe_dump(full), json.dumps(full), "alpha: &a [1e-3, 2]\nmomentum: *a\n", "csv: t.csv\ntarget: y\n"]
    return [text.encode() for text in texts]


TARGETS = {
    "csv": Target(check_csv, seeds_of_csv, (",", '"', "\n", "y", "NA", "nan", "inf", "1e308", "-0", "True"), 2_000),
    "parquet": Target(check_parquet, seeds_of_parquet, ("PAR1", "y", "pandas", "index_columns", "null"), 6_000),
    "settings": Target(
        check_settings,
        seeds_of_settings,
        ("NaN", "Infinity", "-1", "1e400", "null", "true", "[]", "{}", '"auto"', *Settings.__dataclass_fields__),
        2_000,
    ),
    "sweep": Target(
        check_sweep,
        seeds_of_sweeps,
        ("0:9", "!!python/name:os.system", "&a", "*a", "<<: ", "? ", "- ", "[]", "{}", ".nan", *axes.RECIPES),
        1_000,
    ),
}
axes.MOST_COMBINATIONS = 1_000  # as all else, but sooner at its bound
_FOLDER = tempfile.TemporaryDirectory(prefix="mlpnb-fuzz-")


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in TARGETS or not sys.argv[2].isdigit():
        sys.exit(f"usage: fuzz.py {{{','.join(TARGETS)}}} SECONDS")
    name, seconds = sys.argv[1:]
    target = TARGETS[name]
    kept = Path(".fuzz", name)
    seeds = Path(_FOLDER.name, "seeds")
    for folder in (kept / "corpus", seeds):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        target.check(seed)
        Path(seeds, str(number)).write_bytes(seed)
    words = Path(_FOLDER.name, "words")
    words.write_text(
        "".join('"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"\n' for word in target.words)
    )
    warnings.simplefilter("error")
    atheris.Setup(
        [
            # the same bytes are tried first each time that so many seconds are asked for
            sys.argv[0], f"-seed={seconds}",
            f"-max_total_time={seconds}", f"-timeout={MOST_SECONDS}", f"-rss_limit_mb={MOST_MEGABYTES}",
            f"-max_len={target.largest}", f"-dict={words}", "-use_value_profile=1", "-len_control=0",
            f"-artifact_prefix={kept}/", "-print_final_stats=1", str(kept / "corpus"), str(seeds),
        ],
        target.check,
    )  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    main()
