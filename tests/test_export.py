"""Files that carry a grid away: all five and whole, or none of them touched."""

import json
import os
import resource
import stat
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mlpnb
from mlpnb import KERAS_1, KERAS_2, MATCHED, SKLEARN, InputError, Settings, load_data, save_grid
from mlpnb.export import grid_files, writable_folder
from mlpnb.fit import NotFitted, fit_sklearn
from mlpnb.grid import Grid
from mlpnb.state import State

NAMES = ["grid.png", "grid.svg", "grid.csv", "predictions.csv", "settings.json"]


def make_grid(settings, recipes=(SKLEARN, KERAS_1, KERAS_2)):
    """A grid in which every column is scikit-learn's own fit, so that nothing waits for TensorFlow."""
    data = load_data("diabetes")
    own = [fit_sklearn(data, row, SKLEARN) for row in (settings.replace(alpha=0), settings)]
    fits = tuple(tuple(replace(fit, recipe=recipe) for recipe in recipes) for fit in own)
    return Grid(data, settings, tuple(recipes), fits)


@pytest.fixture(scope="module")
def grid():
    return make_grid(Settings(alpha=0.3, max_iter=5, random_state=7))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_five_files_are_written_and_told(grid, tmp_path):
    paths = save_grid(grid, tmp_path / "new" / "folder")
    assert paths == [tmp_path / "new" / "folder" / name for name in NAMES]
    assert sorted(contents(tmp_path / "new" / "folder")) == sorted(NAMES)


def test_the_figures_are_pictures(grid, tmp_path):
    save_grid(grid, str(tmp_path))
    with Image.open(tmp_path / "grid.png") as image:
        image.load()
        assert image.width > image.height > 300
    assert ElementTree.parse(tmp_path / "grid.svg").getroot().tag.endswith("svg")


def test_the_tables_hold_the_numbers_to_the_last_bit(grid, tmp_path):
    save_grid(grid, tmp_path)
    scores, predictions = (pd.read_csv(tmp_path / name, dtype=str) for name in ("grid.csv", "predictions.csv"))
    assert list(scores) == list(grid.to_frame())
    assert list(scores["column"]) == ["scikit-learn", "Keras 1", "Keras 2"] * 2
    assert list(scores["alpha"].map(float)) == [0, 0, 0, 0.3, 0.3, 0.3]
    assert list(scores["R²"].map(float)) == [fit.r2 for row in grid.fits for fit in row]
    assert list(predictions) == list(grid.predictions())
    for name in predictions:
        np.testing.assert_array_equal(predictions[name].map(float), grid.predictions()[name])


@pytest.mark.parametrize("matched", [False, True])
def test_the_settings_are_the_state_that_the_explorer_loads(matched, tmp_path):
    settings = Settings(alpha=0.3, max_iter=2, hidden_layer_sizes=(3, 2), batch_size=50)
    save_grid(make_grid(settings, (SKLEARN, KERAS_1, KERAS_2, *([MATCHED] * matched))), tmp_path)
    text = (tmp_path / "settings.json").read_text(encoding="utf-8")
    assert State.from_json(text) == State("diabetes", settings, matched)


def test_a_grid_with_panels_that_could_not_be_fitted_is_saved(grid, tmp_path):
    missing = NotFitted("scikit-learn's MLPRegressor\nhas no softplus")
    save_grid(replace(grid, fits=tuple((missing, *row[1:]) for row in grid.fits)), tmp_path)
    scores = pd.read_csv(tmp_path / "grid.csv")
    assert scores["note"].dropna().tolist() == ["scikit-learn's MLPRegressor has no softplus"] * 2
    assert scores["R²"].isna().tolist() == [True, False, False] * 2


def test_a_later_grid_takes_the_place_of_an_earlier_one(grid, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    save_grid(make_grid(Settings(alpha=2, max_iter=2)), tmp_path)
    before = contents(tmp_path)
    save_grid(grid, tmp_path)
    after = contents(tmp_path)
    assert sorted(after) == sorted([*NAMES, "mine.txt"])
    assert json.loads(after["settings.json"])["settings"]["alpha"] == 0.3
    assert after["mine.txt"] == b"mine"
    assert all(after[name] != before[name] for name in NAMES)


def test_the_files_can_be_read_by_whom_the_user_lets_read(grid, tmp_path):
    mask = os.umask(0o027)
    try:
        paths = save_grid(grid, tmp_path)
    finally:
        os.umask(mask)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o640}


def test_a_write_that_fails_half_way_leaves_the_earlier_files_as_they_were(grid, tmp_path):
    """The system lets the first file be written and refuses the second, which is longer."""
    save_grid(make_grid(Settings(alpha=2, max_iter=2)), tmp_path)
    before = contents(tmp_path)
    first, second, *_ = (len(content) for content in grid_files(grid).values())
    assert first < second
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (second - 1, hard))
    try:
        with pytest.raises(InputError, match=r"output folder '.*' cannot be written to \(File too large\)") as caught:
            save_grid(grid, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(str(caught.value).splitlines()) == 1
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_written_to_is_told(grid, tmp_path):
    """Root may write wherever a mode forbids it: a file in the way, and the kernel's own folder, stop root as well."""
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", "/proc/self", "/proc/new", tmp_path / ("x" * 300)):
        with pytest.raises(InputError) as caught:
            save_grid(grid, folder)
        assert str(caught.value).startswith(f"output folder {str(folder)!r} cannot be written to (")
    assert contents(tmp_path) == {"file": b"in the way"}


def test_a_folder_in_the_place_of_a_file_is_told(grid, tmp_path):
    (tmp_path / "grid.csv").mkdir()
    with pytest.raises(InputError, match=r"cannot be written to \(Is a directory\)"):
        save_grid(grid, tmp_path)
    assert (tmp_path / "grid.csv").is_dir()
    assert not list(tmp_path.glob(".mlpnb-*"))


def test_looking_whether_a_folder_can_be_written_to_leaves_nothing_in_it(tmp_path):
    assert writable_folder(str(tmp_path / "new")) == tmp_path / "new"
    assert contents(tmp_path / "new") == {}


def test_figures_and_tables_are_written_under_their_names(tmp_path):
    table = pd.DataFrame({"a": [1.5, 2.5]}).rename_axis("rung")
    figure = mlpnb.plot_replay(
        pd.DataFrame({"epoch": [1, 1], "loss": [2.0, 1.0], "gradient norm": [1.0, 0.5], "kernel 1 norm": [1.0, 0.5]})
    )
    paths = mlpnb.save_results({"rungs": table, "replay": figure}, tmp_path / "out")
    assert {path.name for path in paths} == {"rungs.csv", "replay.png", "replay.svg"}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "rungs.csv", index_col="rung"), table)
    assert (tmp_path / "out" / "replay.svg").read_text().startswith("<?xml")
