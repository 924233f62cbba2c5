"""Sweeps: every fit that was asked for, the same wherever it is computed, and computed once."""

import dataclasses
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

import mlpnb
from mlpnb import KERAS_1, KERAS_2, MATCHED, SKLEARN, InputError, Settings, load_data, read_results, sweep
from mlpnb.fit import fit_keras, fit_sklearn
from mlpnb.results import Cell, versions
from mlpnb.sweeping import train_task

DATA = load_data("diabetes")
RECIPES = [SKLEARN, KERAS_1, KERAS_2, MATCHED]
SMALL = {"alpha": [0, 1], "random_state": range(3), "max_iter": 5}


def without_time(table):
    return table.drop(columns="time [s]")


@pytest.fixture(scope="module")
def inline(tmp_path_factory):
    """A sweep over shapes, dtypes, recipes and data, in this process; with its folder."""
    folder = tmp_path_factory.mktemp("inline")
    data = [DATA, load_data("friedman1")]  # friedman2's targets are so large that some fits amplify their rounding
    axes = SMALL | {"activation": ["relu", "softplus"], "dtype": ["float32", "float64"]}
    return sweep(data, axes, RECIPES, out=folder), folder, (data, axes, RECIPES)


def test_a_row_is_the_fit_that_its_settings_say(inline):
    table, _, (data, axes, _) = inline
    grid = mlpnb.settings_grid(axes)
    assert len(table) == len(data) * len(grid) * len(RECIPES)
    for start, one in enumerate(data):
        rows = table[start * len(grid) * 4 : (start + 1) * len(grid) * 4]
        for index, recipe in enumerate(RECIPES):
            mine = rows[index::4]
            assert (mine["data"] == one.name).all()
            assert (mine["recipe"] == recipe.name).all()
            if recipe.library == "keras":
                fits = fit_keras(one, grid, [recipe] * len(grid))
            else:
                fits = [fit_sklearn(one, settings, recipe) for settings in grid]
            for (_, row), settings, fit in zip(mine.iterrows(), grid, fits, strict=True):
                assert (row["alpha"], row["activation"], row["dtype"]) == (
                    settings.alpha, settings.activation, settings.dtype,
                )  # fmt: skip
                if isinstance(fit, mlpnb.NotFitted):
                    assert np.isnan(row["R²"])
                    assert "no softplus" in row["note"]
                    continue
                # stacked with others here and there, compiled or not, which may round otherwise
                tolerance = 1e-5 if settings.dtype == "float32" and recipe.dtype == "floatx" else 1e-9
                assert row["R²"] == pytest.approx(fit.r2, rel=tolerance, abs=tolerance, nan_ok=True)
                assert row["epochs"] == fit.n_iter == 5
                assert row["loss"] == pytest.approx(fit.loss_curve[-1], rel=tolerance, nan_ok=True)
                assert row["note"] == ""
                assert row["versions"] == versions()


@pytest.mark.parametrize("where", [{"n_jobs": 2}, {"n_jobs": 2, "scheduler": "local"}], ids=["processes", "dask"])
def test_the_rows_are_the_same_bit_for_bit_wherever_they_are_computed(inline, where):
    table, _, what = inline
    pd.testing.assert_frame_equal(
        without_time(sweep(*what, **where)), without_time(table), check_exact=True, check_freq=False
    )


def test_the_rows_are_the_same_where_a_process_has_its_fill_of_programs(tmp_path, monkeypatch):
    """There, XLA would no longer compile, and training would round otherwise; as it does in more threads than one."""
    axes = SMALL | {"activation": ["relu", "tanh"], "max_iter": 40}
    first = sweep(DATA, axes, [KERAS_2, MATCHED])
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    monkeypatch.setattr("mlpnb.programs.COMPILED", 0)
    pd.testing.assert_frame_equal(
        without_time(sweep(DATA, axes, [KERAS_2, MATCHED])), without_time(first), check_exact=True
    )


def test_what_is_there_is_not_computed_again(inline, monkeypatch):
    table, folder, what = inline
    monkeypatch.setattr("mlpnb.sweeping.train_task", lambda task: pytest.fail("computed again"))
    pd.testing.assert_frame_equal(sweep(*what, out=folder), table)


def test_a_sweep_with_more_values_computes_those_alone(tmp_path, monkeypatch):
    first = sweep(DATA, SMALL, [SKLEARN], out=tmp_path)
    computed = []
    monkeypatch.setattr("mlpnb.sweeping.train_task", lambda task: computed.extend(task) or train_task(task))
    more = sweep(DATA, SMALL | {"alpha": [0, 0.5, 1]}, [SKLEARN, MATCHED], out=tmp_path)
    assert sorted((c.settings.alpha, c.recipe.name) for c in computed) == (
        [(0.0, "Keras matched")] * 3 + [(0.5, "Keras matched")] * 3 + [(0.5, "scikit-learn")] * 3
        + [(1.0, "Keras matched")] * 3
    )  # fmt: skip
    both = more[(more["recipe"] == "scikit-learn") & (more["alpha"] != 0.5)].reset_index(drop=True)
    pd.testing.assert_frame_equal(both, first)
    assert len(read_results(tmp_path)) == 18


def test_equal_fits_are_computed_once_and_told_under_each_name(tmp_path, monkeypatch):
    computed = []
    monkeypatch.setattr("mlpnb.sweeping.train_task", lambda task: computed.extend(task) or train_task(task))
    twin = SKLEARN.replace(name="its twin")
    table = sweep([DATA, dataclasses.replace(DATA, name="copy")], SMALL, [SKLEARN, twin], out=tmp_path)
    assert len(computed) == 6
    assert table.groupby(["data", "recipe"]).size().to_dict() == {
        (data, recipe): 6 for data in ("diabetes", "copy") for recipe in ("scikit-learn", "its twin")
    }
    assert table.groupby(["alpha", "random_state"])["R²"].nunique().eq(1).all()


def test_a_diverged_fit_is_a_row_with_its_epoch(tmp_path):
    axes = {"activation": "identity", "learning_rate_init": 1.0, "max_iter": 40}
    table = sweep(DATA, axes, [SKLEARN, KERAS_2], out=tmp_path)
    assert table["diverged at epoch"].between(1, 40).all()
    assert table["R²"].isna().all()
    pd.testing.assert_frame_equal(read_results(tmp_path), table.sort_values("recipe", ignore_index=True))


def test_results_are_plain_parquet_with_settings_versions_and_outcome(inline):
    _, folder, _ = inline
    table = parquet.ParquetDataset(folder.glob("*.parquet").__next__()).read()
    assert {str(field.type) for field in table.schema} <= {"string", "double", "int64", "bool"}
    names = [field.name for field in dataclasses.fields(Settings)]
    assert {"data", *names, "recipe", "recipe's fields", "R²", "epochs", "versions"} <= set(table.column_names)
    assert all("data_term=" in fields for fields in table["recipe's fields"].to_pylist())
    assert "scikit-learn" in versions()
    assert "Python" in versions()


def test_fits_by_other_versions_are_kept_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr("mlpnb.results.versions", lambda: "an older mlpnb")
    sweep(DATA, {"max_iter": 2}, [SKLEARN], out=tmp_path)
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="computed by an older mlpnb: they are kept"):
        table = sweep(DATA, {"max_iter": 2, "alpha": [0, 1]}, [SKLEARN], out=tmp_path)
    assert table["versions"].tolist() == [versions(), "an older mlpnb"]


def test_the_key_of_a_fit_is_all_that_it_depends_on():
    one = Cell(DATA, Settings(), MATCHED)
    assert one.key == Cell(load_data("diabetes"), Settings(), MATCHED.replace(name="else")).key
    others = [
        Cell(load_data("friedman2"), Settings(), MATCHED),
        *(Cell(DATA, Settings(), MATCHED.replace(**{d.name: d.keras})) for d in mlpnb.DIFFERENCES.values()),
        Cell(DATA, Settings(), SKLEARN),
        Cell(DATA, Settings(alpha=2), MATCHED), Cell(DATA, Settings(random_state=1), MATCHED),
        Cell(DATA, Settings(hidden_layer_sizes=(1, 0 + 1)), MATCHED), Cell(DATA, Settings(batch_size=200), MATCHED),
    ]  # fmt: skip
    assert len({cell.key for cell in [one, *others]}) == len(others) + 1


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"n_jobs": 0}, "number of workers is 0"),
        ({"n_jobs": 1.5}, "number of workers is 1.5"),
        ({"recipes": []}, "recipes are"),
        ({"recipes": [SKLEARN, SKLEARN]}, "each with its own name"),
        ({"settings": []}, "nothing to sweep"),
        ({"data": []}, "nothing to sweep"),
        ({"settings": {"batch_size": [10, 1000]}}, "batch_size is 1000, above the 331 training rows"),
        ({"scheduler": "tcp://127.0.0.1:1"}, "scheduler 'tcp://127.0.0.1:1' can't be reached"),
        ({"scheduler": "nonsense://x"}, "scheduler 'nonsense://x' can't be reached"),
    ],
)
def test_what_is_no_sweep(what, words, tmp_path):
    with pytest.raises(InputError, match=words):
        sweep(**({"data": DATA, "settings": {"max_iter": 2}, "recipes": [SKLEARN], "out": tmp_path / "out"} | what))


def test_a_folder_without_results(tmp_path):
    with pytest.raises(InputError, match="holds no results"):
        read_results(tmp_path)
    with pytest.raises(InputError, match="holds no results"):
        read_results(tmp_path / "nowhere")


GRID = "alpha: [0, 1]\nrandom_state: '0:2'\nmax_iter: 3\ndata: diabetes\nrecipe: [scikit-learn, Keras 2]\n"


def test_the_command_sweeps_a_file_and_options_alike(tmp_path):
    (tmp_path / "grid.yaml").write_text(GRID)
    options = ["--alpha", "0,1", "--seed", "0:2", "--max-iter", "3", "--data", "diabetes"]
    options += ["--recipe", "scikit-learn", "--recipe", "Keras 2"]
    for arguments in (["grid.yaml"], options):
        command = [sys.executable, "-m", "mlpnb", "sweep", *arguments, "--out", "out"]
        run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        assert "8 fits in out" in run.stdout
        assert "scikit-learn 0.0" in " ".join(run.stdout.split())
        parts = sorted(path.name for path in (tmp_path / "out").glob("*.parquet"))
        assert len(parts) == 2  # by the file; the options find all there
    assert "8/8" in run.stderr
    assert len(read_results(tmp_path / "out")) == 8
