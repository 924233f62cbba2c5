"""Data: the named sets as the question splits and scales them, and the user's own tables, good and bad."""

import datetime
import decimal
import os
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, make_friedman1, make_friedman2, make_friedman3
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlpnb import Data, InputError, load_data, read_table
from mlpnb.data import DATASETS

N = 40
ROWS = b"".join(b"%d,%d,%d\n" % (i, i % 3, 2 * i + i % 5) for i in range(N))
TABLE = b"a,b,y\n" + ROWS
SIZES = {"friedman1": (1000, 10), "friedman2": (1000, 4), "friedman3": (1000, 4), "diabetes": (442, 10)}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(path, target="y", **options):
    """The sentence with which a table is refused."""
    with pytest.raises(InputError) as caught:
        read_table(path, target, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def column(values, kind=None, name="b"):
    """A Parquet table with the column in question beside a feature and a target."""
    table = {"a": np.arange(N), name: pa.array(values, kind), "y": np.arange(N) * 1.5}
    parquet.write_table(pa.table(table), "table.parquet")
    return "table.parquet"


def csv(content):
    Path("table.csv").write_bytes(content)
    return "table.csv"


# named data sets


@pytest.mark.parametrize("name", SIZES)
def test_named_data_are_split_and_scaled_as_in_the_question(name):
    bunch = load_diabetes(scaled=False)
    made = {
        "friedman1": lambda: make_friedman1(1000, noise=1.0, random_state=0),
        "friedman2": lambda: make_friedman2(1000, noise=1.0, random_state=0),
        "friedman3": lambda: make_friedman3(1000, noise=0.1, random_state=0),
        "diabetes": lambda: (bunch.data, bunch.target),
    }
    X, y = made[name]()
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    scaler = StandardScaler().fit(X_train)
    data = load_data(name)
    assert (len(data.X_train) + len(data.X_test), data.X_train.shape[1]) == SIZES[name]
    np.testing.assert_array_equal(data.X_train, scaler.transform(X_train))
    np.testing.assert_array_equal(data.X_test, scaler.transform(X_test))
    np.testing.assert_array_equal(data.y_train, y_train)
    np.testing.assert_array_equal(data.y_test, y_test)
    np.testing.assert_allclose(data.X_train.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data.X_train.std(axis=0), 1)


def test_friedman1_is_the_default():
    assert load_data().fingerprint == load_data("friedman1").fingerprint


def test_every_named_data_set_is_of_its_own():
    assert set(SIZES) == set(DATASETS) - {"california_housing"}
    assert len({load_data(name).fingerprint for name in SIZES}) == len(SIZES)


def test_california_housing_from_scikit_learns_own_cache(folder, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(folder))
    rows = np.random.default_rng(0).uniform(1, 2, (50, 9))
    joblib.dump(rows, folder / "cal_housing_py3.pkz")
    data = load_data("california_housing")
    assert data.X_train.shape == (37, 8)
    assert sorted(np.r_[data.y_train, data.y_test]) == pytest.approx(sorted(rows[:, 0] / 100_000))
    assert data.target_name == "median house value [100,000 $]"


def test_california_housing_without_a_network_is_one_sentence_at_once(folder, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(folder))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setattr("urllib.request._opener", None)  # it remembers the proxies of its first use
    started = time.perf_counter()
    with pytest.raises(InputError, match=r"'california_housing' is fetched from the network once.*'diabetes'\.$"):
        load_data("california_housing")
    assert time.perf_counter() - started < 3


@pytest.fixture
def fetched(folder, monkeypatch):
    """scikit-learn's own copy of california_housing, in a folder that nobody else can write to."""
    home = folder / "cache" / "scikit_learn_data"
    home.mkdir(mode=0o700, parents=True)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(home))
    copy = home / "cal_housing_py3.pkz"
    joblib.dump(np.random.default_rng(0).uniform(1, 2, (50, 9)), copy, compress=6)
    copy.chmod(0o600)
    assert load_data("california_housing").X_train.shape == (37, 8)
    return copy


def spoiled(array):
    """An array with a value of another kind in it."""
    array[3, 4] = np.inf
    return array


@pytest.mark.parametrize(
    "spoil",
    [
        lambda copy: copy.write_bytes(copy.read_bytes()[:-100]),
        lambda copy: copy.write_bytes(copy.read_bytes()[:20]),
        lambda copy: copy.write_bytes(b""),
        lambda copy: copy.write_bytes(b"<html>not found</html>"),
        lambda copy: joblib.dump({"data": 1}, copy),
        lambda copy: joblib.dump(np.zeros(9), copy),
        lambda copy: joblib.dump(np.ones((3, 9)), copy),
        lambda copy: joblib.dump(np.full((50, 9), "u"), copy),
        lambda copy: joblib.dump(np.zeros((50, 9)), copy),
        lambda copy: joblib.dump(spoiled(joblib.load(copy)), copy),
    ],
    ids=["cut", "cut short", "empty", "page", "dict", "a dimension", "few rows", "text", "zeros", "infinite"],
)
def test_a_damaged_copy_of_california_housing_is_told_with_what_to_do(fetched, spoil):
    spoil(fetched)
    with pytest.raises(InputError, match=r"'california_housing'.* is damaged \(.*\): delete that file") as caught:
        load_data("california_housing")
    assert repr(str(fetched)) in str(caught.value)


class Trap:
    """What a pickle of somebody else's can do."""

    def __reduce__(self):
        return Path.touch, (Path("trapped"),)


MINE = "'california_housing' is not loaded: "


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="such permissions are POSIX's")
@pytest.mark.parametrize("place", ["file", "folder", "above"])
def test_a_pickle_that_others_can_write_is_not_loaded(fetched, folder, place):
    """Neither a file nor a folder on its way: who can write there can put another file in its place."""
    joblib.dump(Trap(), fetched)
    written = {"file": fetched, "folder": fetched.parent, "above": fetched.parent.parent}[place]
    written.chmod(written.stat().st_mode | 0o002)
    with pytest.raises(InputError, match=MINE) as caught:
        load_data("california_housing")
    assert f"{str(written)!r} can be written to by others: `chmod go-w {written}`" in str(caught.value)
    assert not (folder / "trapped").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_pickle_of_somebody_else_is_not_loaded(fetched, folder, place):
    joblib.dump(Trap(), fetched)
    os.chown(fetched if place == "file" else fetched.parent, 12345, 12345)
    with pytest.raises(InputError, match=rf"{MINE}.*belongs to somebody else"):
        load_data("california_housing")
    assert not (folder / "trapped").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="such permissions are POSIX's")
def test_a_link_to_a_pickle_is_judged_by_where_it_leads(fetched, folder):
    shared = folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    joblib.dump(Trap(), shared / "copy.pkz")
    fetched.unlink()
    fetched.symlink_to(shared / "copy.pkz")
    with pytest.raises(InputError, match=MINE):
        load_data("california_housing")
    assert not (folder / "trapped").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="such permissions are POSIX's")
def test_a_group_of_the_users_own_and_a_sticky_folder_above_are_no_danger(fetched):
    """Where everybody is in a group of their own, folders are made writable to it; in /tmp nobody moves another's."""
    fetched.parent.chmod(0o770)
    fetched.parent.parent.chmod(0o1777)
    import grp
    import pwd

    group = grp.getgrgid(fetched.parent.stat().st_gid)
    own = group.gr_name == pwd.getpwuid(os.geteuid()).pw_name and not set(group.gr_mem) - {group.gr_name}
    if own:
        assert load_data("california_housing").X_train.shape == (37, 8)
    else:
        with pytest.raises(InputError, match=MINE):
            load_data("california_housing")


@pytest.mark.parametrize(
    ("name", "hint"), [("fridman1", "'friedman1'"), ("Diabetes", "'diabetes'"), ("california", "'california_housing'")]
)
def test_an_unknown_name_is_answered_with_the_nearest(name, hint):
    with pytest.raises(InputError, match=rf"data set '{name}' is not known: .*did you mean {hint}\?"):
        load_data(name)


def test_the_target_is_scaled_by_its_training_part():
    plain, scaled = load_data("diabetes"), load_data("diabetes", scale_target=True)
    scaler = StandardScaler().fit(plain.y_train[:, None])
    np.testing.assert_allclose(scaled.y_train, scaler.transform(plain.y_train[:, None])[:, 0], rtol=1e-12)
    np.testing.assert_allclose(scaled.y_test, scaler.transform(plain.y_test[:, None])[:, 0], rtol=1e-12)
    np.testing.assert_array_equal(scaled.X_train, plain.X_train)
    assert "The target is standardised" in scaled.summary
    assert "The target is standardised" not in plain.summary


# the value itself


def small(**changes):
    rng = np.random.default_rng(0)
    values = {
        "X_train": rng.normal(size=(6, 2)),
        "X_test": rng.normal(size=(3, 2)),
        "y_train": rng.normal(size=6),
        "y_test": rng.normal(size=3),
        "feature_names": ("a", "b"),
        "target_name": "y",
        "name": "small",
    }
    return Data(**(values | changes))


def test_arrays_are_read_only_and_the_callers_own_stay_as_they_are():
    X = np.zeros((6, 2))
    data = small(X_train=X)
    for array in (data.X_train, data.X_test, data.y_train, data.y_test):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    X[0, 0] = 1
    assert data.X_train[0, 0] == 0


def test_arrays_have_the_dtype_of_the_inputs():
    data = small(X_train=np.zeros((6, 2), dtype=np.float32))
    assert {data.X_train.dtype, data.X_test.dtype, data.y_train.dtype, data.y_test.dtype} == {np.dtype(np.float32)}
    assert small(X_train=np.zeros((6, 2), dtype=int)).X_train.dtype == np.float64


def test_the_fingerprint_is_of_the_arrays_and_nothing_else():
    data = small()
    assert data.fingerprint == small(name="other", summary="other").fingerprint
    changed = data.y_test.copy()
    changed[-1] = np.nextafter(changed[-1], np.inf)
    others = [small(y_test=changed), small(X_train=data.X_train[::-1]), small(X_train=data.X_train.astype(np.float32))]
    assert len({data.fingerprint, *(other.fingerprint for other in others)}) == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"X_train": np.zeros(6)}, r"X_train of data 'small' must be a finite array of two dimensions.*\(6,\)"),
        ({"y_test": np.zeros((3, 1))}, r"y_test of data 'small' must be a finite array of one dimension,.*\(3, 1\)"),
        ({"X_test": np.full((3, 2), np.nan)}, "X_test of data 'small' must be a finite array"),
        ({"y_train": np.full(6, np.inf)}, "y_train of data 'small' must be a finite array"),
        ({"y_train": np.zeros(5)}, "do not fit each other"),
        ({"X_test": np.zeros((3, 3))}, "do not fit each other"),
        ({"feature_names": ("a",)}, "1 feature names"),
    ],
)
def test_data_that_cannot_be_trained_on_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        small(**changes)


def test_the_representations_tell_the_facts():
    data = small(summary="Made by hand.")
    for text in (repr(data), data._repr_html_()):
        assert "small" in text
        assert "6 to train on, 3 to test" in text
        assert "2 (a, b)" in text
        assert "Made by hand." in text


def test_names_from_a_file_cannot_put_markup_into_a_notebook():
    attack = "<script>alert(1)</script>"
    data = small(name=attack, target_name=attack, feature_names=(attack, "b"), summary=attack)
    assert "<script" not in data._repr_html_()
    assert data._repr_html_().count("&lt;script&gt;") == 4


# tables that can be read


def assorted(n=60):
    """A table with a column of each kind, and missing values in every feature."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "size": rng.normal(100, 20, n),
            "rooms": pd.array(rng.integers(1, 6, n), dtype="Int64"),
            "town": rng.choice(["Ulm", "Köln", "São Paulo"], n),
            "garden": rng.choice([True, False], n).astype(object),
            "price": rng.normal(300, 50, n),
        }
    )
    for position, name in enumerate(["size", "rooms", "town", "garden"]):
        frame.loc[position::9, name] = None
    return frame


def by_hand(frame, numeric, categorical, target):
    """The same by scikit-learn alone."""
    X = frame.drop(columns=target).astype(dict.fromkeys(numeric, float)).astype(dict.fromkeys(categorical, object))
    X[categorical] = X[categorical].where(X[categorical].isna(), X[categorical].astype(str)).fillna(np.nan)
    parts = train_test_split(X, frame[target].to_numpy(float), random_state=0)
    transformer = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(max_categories=20, handle_unknown="infrequent_if_exist", sparse_output=False),
            ),
            categorical,
        ),
    )
    return transformer.fit_transform(parts[0]), transformer.transform(parts[1]), *parts[2:]


@pytest.mark.parametrize("ending", ["csv", "CSV", "parquet", "pq"])
def test_a_table_is_what_a_column_transformer_makes_of_it(ending):
    frame = assorted()
    path = f"houses.{ending}"
    frame.to_csv(path, index=False) if ending.lower() == "csv" else frame.to_parquet(path)
    data = read_table(path, "price")
    expected = by_hand(frame, ["size", "rooms"], ["town", "garden"], "price")
    for own, other in zip((data.X_train, data.X_test, data.y_train, data.y_test), expected, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-12, atol=1e-12)
    towns = ["town_Köln", "town_São Paulo", "town_Ulm"]
    assert list(data.feature_names) == ["size", "rooms", *towns, "garden_False", "garden_True"]
    assert (data.name, data.target_name) == (path, "price")


def test_the_summary_tells_what_was_done():
    frame = assorted()
    frame["street"] = [f"{number % 25} Main Street" for number in range(len(frame))]
    frame.to_csv("houses.csv", index=False)
    assert read_table("houses.csv", "price").summary == (
        "Read from houses.csv: 60 rows. 2 numeric column(s), standardised (size, rooms). 3 categorical column(s), "
        "one-hot encoded (town, garden, street). Missing values filled, numeric by the median, categorical by the "
        "commonest (size: 7, rooms: 7, town: 7, garden: 7). Rare categories pooled beyond 20 (street)."
    )
    csv(TABLE)
    assert read_table("table.csv", "y").summary == (
        f"Read from table.csv: {N} rows. 2 numeric column(s), standardised (a, b)."
    )


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (pd.Categorical(["u", "v", None, "w"] * 10), ["b_u", "b_v", "b_w"]),
        (pd.Categorical([True, False, None, True] * 10), ["b_False", "b_True"]),
        (pd.array([True, False, None, True] * 10, dtype="boolean"), ["b_False", "b_True"]),
        (pd.array([1, 2, None, 4] * 10, dtype="Int64"), ["b"]),
        (pd.array([0.5, 2, None, 4] * 10, dtype="Float64"), ["b"]),
        (np.array([0, 2**64 - 1] * 20, dtype=np.uint64), ["b"]),
    ],
    ids=["categories", "categorical booleans", "boolean", "Int64", "Float64", "uint64"],
)
def test_kinds_of_parquet_columns(values, names):
    pd.DataFrame({"a": range(N), "b": values, "y": np.arange(N)}).to_parquet("table.parquet")
    data = read_table("table.parquet", "y")
    assert list(data.feature_names) == ["a", *names]
    np.testing.assert_allclose(data.X_train[:, 0].std(), 1)
    assert np.unique(data.X_train[:, 1]).size >= 2


def test_half_precision_is_scaled_in_double_precision():
    """In half precision the difference of these would be infinite."""
    b = np.where(np.arange(N) % 3, -60000, 60000).astype(np.float16)
    pd.DataFrame({"b": b, "y": np.arange(N)}).to_parquet("table.parquet")
    data = read_table("table.parquet", "y")
    np.testing.assert_allclose([data.X_train.mean(), data.X_train.std()], [0, 1], atol=1e-12)


def test_parquet_columns_without_text_names_are_called_by_their_numbers():
    pd.DataFrame(np.c_[np.arange(N), np.arange(N) % 3, np.arange(N) ** 2]).to_parquet("table.parquet")
    assert read_table("table.parquet", "2").feature_names == ("0", "1")


def test_a_category_seen_only_in_the_test_part_is_none_of_the_known():
    frame = pd.DataFrame({"a": range(N), "kind": ["u", "v"] * (N // 2), "y": range(N)})
    rows = train_test_split(np.arange(N), random_state=0)[1]
    frame.loc[rows[0], "kind"] = "new"
    frame.to_csv("table.csv", index=False)
    data = read_table("table.csv", "y")
    assert data.feature_names == ("a", "kind_u", "kind_v")
    np.testing.assert_array_equal(data.X_test[0, 1:], 0)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + TABLE,
        TABLE.replace(b"\n", b"\r\n"),
        TABLE.replace(b"\n", b"\r"),
        b"\n\n" + TABLE,
        TABLE.rstrip(b"\n"),
        b"a,b,y\n" + ROWS.replace(b"\n", b",\n"),
    ],
    ids=[
        "byte order mark",
        "Windows lines",
        "old Mac lines",
        "blank lines first",
        "no last line end",
        "commas at the ends",
    ],
)
def test_files_as_other_programs_write_them(content):
    expected = read_table(csv(TABLE), "y")
    assert read_table(csv(content), "y").fingerprint == expected.fingerprint
    assert read_table("table.csv", "a").target_name == "a"


@pytest.mark.parametrize("where", ["first", "last"])
def test_numbers_and_text_in_one_column_are_text_however_far_apart(where):
    """pandas reads a long file in pieces, guesses each one's kind, and warns where they differ."""
    numbers = b"1,1,1\n2,2,2\n" * 100_000
    data = read_table(csv(b"a,b,y\n" + (b"x,1,1\n" + numbers if where == "first" else numbers + b"x,1,1\n")), "y")
    assert data.feature_names == ("b", "a_1", "a_2", "a_x")


def test_names_that_pandas_would_make_of_duplicates_are_left_alone():
    assert read_table(csv(b"a,a.1,y\n" + ROWS), "y").feature_names == ("a", "a.1")


def test_a_long_field_is_no_trouble():
    """Python's own csv module stops at 131072 characters."""
    content = b"a,b,y\n" + ROWS + b"1," + b"u" * 200_000 + b",3\n"
    assert len(read_table(csv(content), "y").feature_names) == 5


def test_short_rows_are_filled_and_told():
    data = read_table(csv(b"y,b,a\n" + ROWS + b"1,2\n"), "y")
    assert "Missing values filled" in data.summary
    assert "(a: 1)" in data.summary


# tables that cannot


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "table 'table.csv' is empty"),
        (b" \n\n", "table 'table.csv' is empty"),
        (b"\xef\xbb\xbf", "table 'table.csv' is empty"),
        (b"a,b,y\n", "has 0 row(s), but at least 8 are needed"),
        (b"a,b,y\n1,2,3\n", "has 1 row(s), but at least 8 are needed"),
        (b"a,b,Y\n" + ROWS, "column 'y' is not known: choose one of a, b, Y; did you mean 'Y'?"),
        (b"y\n1\n2\n", "has 1 column(s), but a target and a column to predict it from are needed"),
        (TABLE + b"1,2,three\n", "target 'y' in 'table.csv' is not numeric (for example 'three')"),
        (TABLE + b"1,2,-inf\n", "target 'y' in 'table.csv' has infinite values"),
        (TABLE + b"1,2,1e300\n", "target 'y' in 'table.csv' has infinite values, or values beyond ±1e+100"),
        (TABLE + b"1,2,\n", "target 'y' in 'table.csv' is missing in 1 row(s)"),
        (TABLE + b"1,2\n", "target 'y' in 'table.csv' is missing in 1 row(s)"),
        (b"a,b,y\n" + b"1,2,7\n2,3,7\n" * 9, "target 'y' in 'table.csv' is constant"),
        (b"a,b,y\n" + b"1,2,True\n2,3,False\n" * 9, "target 'y' in 'table.csv' is not numeric (it is bool)"),
        (b"a,b,y\n" + b"".join(b"%d,2,%d\n" % (i, i) for i in range(N)), "column 'b' in 'table.csv' is constant"),
        (b"a,b,y\n" + b"".join(b"%d,,%d\n" % (i, i) for i in range(N)), "column 'b' in 'table.csv' is constant or"),
        (TABLE + b"1,inf,3\n", "column 'b' in 'table.csv' has infinite values"),
        (TABLE + b"1,1e200,3\n", "column 'b' in 'table.csv' has infinite values, or values beyond ±1e+100"),
        (TABLE + b"1," + b"9" * 25 + b",3\n", "column 'b' in 'table.csv' holds '9999999999999999999999999', of type"),
        (b"a,a,y\n" + ROWS, "table 'table.csv' has more than one column named 'a'"),
        (b"y,b,y\n" + ROWS, "table 'table.csv' has more than one column named 'y'"),
        (b"a,,y\n" + ROWS, "column 2 in 'table.csv' has no name"),
        (b",b,y\n" + ROWS, "column 1 in 'table.csv' has no name"),
        (b"\n\na,a,y\n" + ROWS, "table 'table.csv' has more than one column named 'a'"),
        (b"a,\xe4,y\n" + ROWS, "table 'table.csv' is not UTF-8 (byte 2)"),
        (b"a,b,y\n" + ROWS * 9000 + b"1,\xe4,3\n", f"table 'table.csv' is not UTF-8 (byte {8 + 9000 * len(ROWS)})"),
        ("a,b,y\n1,2,3\n".encode("utf-16"), "table 'table.csv' is not UTF-8 (byte 0)"),
        ("a,b,y\n1,2,3\n".encode("utf-16-le"), "table 'table.csv' holds NUL characters"),
        (b"a,b\0,y\n" + ROWS, "table 'table.csv' holds NUL characters"),
        (TABLE + b"1,\0,3\n", "table 'table.csv' holds NUL characters"),
        (TABLE.replace(b",", b";"), "table 'table.csv' is separated by semicolons"),
        (TABLE.replace(b",", b"\t"), "table 'table.csv' is separated by tabs"),
        (b"a,b,y\n" + ROWS.replace(b"\n", b",4\n"), "has rows of more fields than the 3 of its header"),
        (b"a,b,y\n" + ROWS.replace(b"\n", b",,\n"), "has rows of more fields than the 3 of its header"),
        (b"a,b,y\n1,2,3,4\n" + ROWS, "has rows of more fields than the 3 of its header"),
        (TABLE + b"1,2,3,4\n", "table 'table.csv' can't be read (Expected 3 fields in line 42, saw 4)"),
        (TABLE + b'1,"2,3\n4,5,6\n', "table 'table.csv' can't be read (EOF inside string starting at row 41)"),
        (b'a,"b,y\n' + ROWS, "table 'table.csv' can't be read (EOF inside string starting at row 0)"),
        (b'a,"b\nc",z\n' + ROWS, "column 'y' is not known: choose one of a, b c, z"),
    ],
)  # fmt: skip
def test_a_csv_that_cannot_be_used_is_told_in_a_sentence(content, words):
    assert words in refusal(csv(content))


def test_a_column_without_a_value_in_the_training_rows_is_told():
    test_row = train_test_split(np.arange(N), random_state=0)[1][:2]
    for one, two in (("1", "2"), ("u", "v")):
        frame = pd.DataFrame({"a": range(N), "b": [None] * N, "y": range(N)}, dtype=object)
        frame.loc[test_row, "b"] = [one, two]
        frame.to_csv("table.csv", index=False)
        assert "column 'b' in 'table.csv' has no value in any training row" in refusal("table.csv")


def test_a_target_that_varies_in_the_test_rows_only_is_told():
    test_row = train_test_split(np.arange(N), random_state=0)[1][0]
    frame = pd.DataFrame({"a": range(N), "y": np.full(N, 0.1)})
    frame.loc[test_row, "y"] = 1
    frame.to_csv("table.csv", index=False)
    assert "target 'y' in 'table.csv' is the same in every training row" in refusal("table.csv")


def test_a_message_about_thousands_of_columns_stays_readable():
    names = ",".join(f"column{i}" + "x" * 200 for i in range(5000))
    message = refusal(csv(names.encode()), "column77")
    assert "4980 more" in message
    assert len(message) < 2000


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ([[1, 2]] * N, pa.list_(pa.int64()), "holds '[1 2]', of type ndarray"),
        ([{"u": 1}] * N, pa.struct([("u", pa.int64())]), "holds \"{'u': 1}\", of type dict"),
        ([datetime.datetime(2020, 1, 1)] * N, pa.timestamp("us"), "holds '2020-01-01 00:00:00', of type Timestamp"),
        ([datetime.date(2020, 1, 1)] * N, pa.date32(), "holds '2020-01-01', of type date"),
        ([datetime.time(1, 30)] * N, pa.time64("us"), "holds '01:30:00', of type time"),
        ([datetime.timedelta(2)] * N, pa.duration("us"), "holds '2 days 00:00:00', of type Timedelta"),
        ([decimal.Decimal("1.50")] * N, pa.decimal128(10, 2), "holds '1.50', of type Decimal"),
        ([b"u", b"v"] * (N // 2), pa.binary(), "holds \"b'u'\", of type bytes"),
        ([None] * N, pa.null(), "is constant or empty"),
        ([1.5, None] * (N // 2), pa.float64(), "is constant or empty"),
        ([1.5, float("inf")] * (N // 2), pa.float64(), "has infinite values"),
    ],
    ids=lambda value: str(value) if isinstance(value, pa.DataType) else "",
)
def test_a_parquet_column_that_cannot_be_used_is_told(values, kind, words):
    assert f"column 'b' in 'table.parquet' {words}" in refusal(column(values, kind))
    target = refusal("table.parquet", "b")
    assert target.startswith("target 'b' in 'table.parquet' ")


@pytest.mark.parametrize(
    ("name", "words"),
    [("a", "has more than one column named 'a'"), ("", "column 2 in 'table.parquet' has no name"), ("\0", "no name")],
)
def test_parquet_columns_without_a_name_of_their_own_are_told(name, words):
    arrays = [pa.array(range(N))] * 3
    parquet.write_table(pa.Table.from_arrays(arrays, names=["a", name, "y"]), "table.parquet")
    assert words in refusal("table.parquet")


def test_a_parquet_table_without_columns_is_told():
    parquet.write_table(pa.table({}), "table.parquet")
    assert "has 0 column(s)" in refusal("table.parquet")


@pytest.mark.parametrize("keep", [0, 10, 500, -1])
def test_a_parquet_file_cut_short_is_told(keep, folder):
    path = folder / column([1, 2] * (N // 2))
    path.write_bytes(path.read_bytes()[:keep])
    assert "table 'table.parquet' can't be read (" in refusal("table.parquet")


def thrift(number):
    """As Parquet's footer writes a 64-bit number: a field that comes next, and Thrift's compact protocol."""
    number, content = 2 * number, b"\x16"
    while number > 127:
        number, content = number >> 7, content + bytes([number & 127 | 128])
    return content + bytes([number])


@pytest.mark.parametrize(
    ("places", "refused"),
    [([0], True), ([1], False), ([3], False), ([0, 1, 2, 3], True)],
    ids=["in all", "in a column", "in its row group", "everywhere"],
)
def test_a_parquet_file_that_says_too_many_rows_takes_no_memory_for_them(places, refused, folder):
    """To read a row group as a whole, pyarrow would reserve room for 150 billion rows and use it, for minutes."""
    parquet.write_table(pa.table({"a": np.arange(N), "y": np.arange(N) * 1.5}), "table.parquet", store_schema=False)
    before = read_table("table.parquet", "y")
    content = (folder / "table.parquet").read_bytes()
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    footer, *pieces = content[start:-8].split(thrift(N))  # of the table, of each column, of the row group
    assert len(pieces) == 4
    for place, piece in enumerate(pieces):
        footer += thrift(150_442_276_468 if place in places else N) + piece
    (folder / "table.parquet").write_bytes(content[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    started = time.perf_counter()
    if refused:
        assert f"is damaged: it says 150442276468 rows and has {N}: export it again." in refusal("table.parquet")
    else:
        assert read_table("table.parquet", "y").fingerprint == before.fingerprint
    assert time.perf_counter() - started < 5


def test_a_parquet_file_whose_statistics_are_garbled_is_told_and_does_not_end_python(folder):
    """pyarrow's own view of a column's metadata ends the process on them, where reading raises."""
    parquet.write_table(pa.table({"a": np.arange(N), "y": np.arange(N) * 1.5}), "table.parquet", store_schema=False)
    content = (folder / "table.parquet").read_bytes()
    levels = b"\x06\x19\x26\x00\x50"  # a histogram of definition levels, a list of two
    assert content.count(levels) == 2
    (folder / "table.parquet").write_bytes(content.replace(levels, levels.replace(b"\x26", b"\x16"), 1))
    assert "table 'table.parquet' can't be read (" in refusal("table.parquet")


@pytest.mark.parametrize("name", ["b", "kind"])
def test_a_parquet_file_whose_text_is_not_utf_8_is_told(name, folder):
    path = folder / column(["Ulm", "Bonn"] * (N // 2), name="kind")
    path.write_bytes(path.read_bytes().replace(b"Bonn" if name == "kind" else b"kind", b"\xf7onn"))
    assert "table 'table.parquet' can't be read (" in refusal("table.parquet")


def test_categories_that_differ_from_row_group_to_row_group(folder):
    kinds = pd.Categorical(["u", "v"] * 10 + ["w", "v"] * 10)
    pd.DataFrame({"a": range(N), "b": kinds, "y": np.arange(N) * 1.5}).to_parquet("table.parquet", row_group_size=10)
    assert read_table("table.parquet", "y").feature_names == ("a", "b_u", "b_v", "b_w")


def test_a_parquet_file_with_garbled_notes_for_pandas_is_told():
    table = pa.table({"a": np.arange(N), "y": np.arange(N)})
    for notes in (b'{"columns": []}', b"{", b"\xff"):
        parquet.write_table(table.replace_schema_metadata({b"pandas": notes}), "table.parquet")
        assert "table 'table.parquet' can't be read (" in refusal("table.parquet")


def test_files_of_the_wrong_kind_are_told(folder):
    (folder / "folder.csv").mkdir()
    (folder / "table.xlsx").write_bytes(b"PK")
    (folder / "table").write_bytes(TABLE)
    (folder / "csv.parquet").write_bytes(TABLE)
    assert "table 'folder.csv' is not a file that exists" in refusal("folder.csv")
    assert f"table {str(folder / 'nowhere.csv')!r} is not a file that exists" in refusal(folder / "nowhere.csv")
    assert "table 'table.xlsx' ends in '.xlsx': give a .csv or a .parquet file." in refusal("table.xlsx")
    assert "table 'table' ends in ''" in refusal("table")
    assert "table 'csv.parquet' can't be read (" in refusal("csv.parquet")
    assert "can't be read (" in refusal("x" * 300 + ".csv")
    assert "is not a file that exists" in refusal("a\0b.csv")


# any table


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
ODD = st.sampled_from(
    ["", "NA", "nan", "inf", "1e999", "9" * 30, "0x1", "True", " 1", "1,5", '"', "\n", "\r", "=1+1", "ä"]
)
NAMES = st.one_of(TEXT, st.sampled_from(["y", "a__b", "numbers__a", "Unnamed: 0", "index", "a.1"]))
KINDS = [
    st.floats(),
    st.sampled_from([5e-324, -1e-160, 1e-155, 1e100, -1e100, 0.0]),
    st.integers(-3, 3),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.one_of(TEXT, ODD),
]


@st.composite
def tables(draw):
    n = draw(st.sampled_from([0, 1, 7, 8, 9, 12, 12, 16]))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=draw(st.booleans())))
    columns = []
    for _ in names:
        kind = draw(st.sampled_from(KINDS))
        columns.append(draw(st.lists(st.one_of(kind, kind, kind, st.none()), min_size=n, max_size=n)))
    target = [float(value) for value in draw(st.lists(st.floats(-1e100, 1e100), min_size=n, max_size=n))]
    return [*names, "y"], [*columns, target]


def usable_or_refused(path, scale_target):
    """`Data` of finite numbers or one sentence; never another exception, never a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            data = read_table(path, "y", scale_target=scale_target)
        except InputError as error:
            sentence = str(error)
        else:
            sentence = None
    if sentence is not None:
        assert len(sentence.splitlines()) == 1
        return
    for array in (data.X_train, data.X_test, data.y_train, data.y_test):
        assert np.isfinite(array).all()
    assert len(data.feature_names) == data.X_train.shape[1]
    assert data._repr_html_()


anything = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@anything
@given(tables(), st.booleans())
def test_any_csv_is_data_or_a_sentence(table, scale_target):
    names, columns = table
    frame = pd.DataFrame({position: pd.Series(values, dtype=object) for position, values in enumerate(columns)})
    frame.to_csv("any.csv", index=False, header=names)
    usable_or_refused("any.csv", scale_target)


@anything
@given(tables(), st.booleans())
def test_any_parquet_is_data_or_a_sentence(table, scale_target):
    names, columns = table
    parquet.write_table(pa.Table.from_arrays([pa.array(values) for values in columns], names=names), "any.parquet")
    usable_or_refused("any.parquet", scale_target)


@anything
@given(st.one_of(st.binary(max_size=200), st.lists(st.lists(st.one_of(TEXT, ODD), max_size=4), max_size=12)))
def test_any_bytes_called_csv_are_data_or_a_sentence(content):
    if isinstance(content, list):
        content = "\n".join(",".join(row) for row in content).encode()
    csv(content)
    usable_or_refused("table.csv", False)


def test_a_table_is_the_same_data_from_either_kind_of_file():
    pd.read_csv(csv(TABLE)).to_parquet("table.parquet")
    assert read_table("table.parquet", "y").fingerprint == read_table("table.csv", "y").fingerprint


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_a_signalling_nan_is_a_missing_value_like_any_other(kind):
    """It warns in every sum; found by the fuzzer."""
    values = np.arange(N, dtype=kind)
    bits = values.view(f"u{values.itemsize}")
    bits[::4] = {8: 0x7FF0000000000001, 4: 0x7F800001}[values.itemsize]
    data = read_table(column(values), "y")
    assert f"b: {N // 4}" in data.summary
    assert np.isfinite(data.X_train).all()
