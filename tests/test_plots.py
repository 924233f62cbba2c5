"""The grid's picture: what is seen in each panel, in colour, in grey and in words."""

import dataclasses
import gc
import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

import mlpnb
from mlpnb.fit import Fit
from mlpnb.grid import QUESTION, Grid
from mlpnb.plots import GridPicture


def fit_of(recipe, settings, prediction, **changes):
    fit = Fit(settings, recipe, prediction, 0.5, 2.0, 3, None, (), (), np.ones(3), 0.1)
    return dataclasses.replace(fit, **changes)


@pytest.fixture
def data():
    return mlpnb.load_data("diabetes")


@pytest.fixture
def grid(data):
    settings = mlpnb.Settings(alpha=0.5)
    rows = [
        [fit_of(recipe, settings, data.y_test + column) for column, recipe in enumerate(QUESTION)] for _ in range(2)
    ]
    return Grid(data, settings, QUESTION, tuple(map(tuple, rows)))


def with_fit(grid, row, column, fit):
    rows = [list(fits) for fits in grid.fits]
    rows[row][column] = fit
    return dataclasses.replace(grid, fits=tuple(map(tuple, rows)))


def texts(figure, panel):
    return [text.get_text() for text in figure.axes[panel].texts]


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_panels_share_axes_and_have_an_identity_line_scores_and_titles(grid):
    figure = mlpnb.plot_grid(grid)
    assert len(figure.axes) == 6
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in figure.axes}) == 1
    assert [ax.get_title() for ax in figure.axes[:3]] == ["scikit-learn", "Keras 1", "Keras 2"]
    for ax in figure.axes:
        x, y = ax.lines[0].get_data()
        np.testing.assert_array_equal(x, y)
        assert "R² 0.500\nRMSE 2.000" in [text.get_text() for text in ax.texts]
    assert "alpha = 0" in texts(figure, 0)
    assert "alpha = 0.5" in texts(figure, 3)


def test_points_are_truth_and_prediction(grid, data):
    line = mlpnb.plot_grid(grid).axes[1].lines[1]
    np.testing.assert_array_equal(line.get_xdata(), data.y_test)
    np.testing.assert_array_equal(line.get_ydata(), data.y_test + 1)


def test_a_diverged_fit_says_so_with_the_epoch_and_has_no_points(grid, data):
    nan = np.full_like(data.y_test, np.nan)
    diverged = fit_of(QUESTION[1], grid.settings, nan, r2=float("nan"), rmse=float("nan"), diverged_at=7)
    figure = mlpnb.plot_grid(with_fit(grid, 1, 1, diverged))
    assert "diverged\nat epoch 7" in texts(figure, 4)
    assert len(figure.axes[4].lines[1].get_xdata()) == 0
    assert "Keras 1 at alpha 0.5: diverged at epoch 7" in figure.alt
    figure.png()


def test_an_activation_that_scikit_learn_lacks_is_named_in_its_column(grid):
    figure = mlpnb.plot_grid(with_fit(grid, 0, 0, mlpnb.NotFitted("scikit-learn's MLPRegressor\nhas no softplus")))
    assert any("no softplus" in text for text in texts(figure, 0))
    assert "no softplus" in figure.alt


def test_predictions_beyond_the_axes_are_counted_and_marked_and_move_no_axis(grid, data):
    prediction = data.y_test.copy()
    prediction[:4] = 1e30
    figure = mlpnb.plot_grid(with_fit(grid, 0, 2, fit_of(QUESTION[2], grid.settings, prediction, r2=-1.23e30)))
    assert figure.axes[2].get_ylim() == mlpnb.plot_grid(grid).axes[2].get_ylim()
    (score,) = [text for text in texts(figure, 2) if "R²" in text]
    assert score.startswith("R² −1.2e+30")
    assert f"4 of {len(prediction)} beyond" in score
    np.testing.assert_array_equal(figure.axes[2].lines[2].get_xdata(), data.y_test[:4])


def test_the_quick_picture_is_the_slow_one(grid):
    """Drawing over the kept background gives what matplotlib gives when it draws everything."""
    picture = GridPicture(grid)
    picture.png()
    moved = with_fit(grid, 1, 0, fit_of(QUESTION[0], grid.settings, grid.data.y_test * 0.7, r2=0.123))
    picture.show(moved)
    quick, slow = pixels(picture.png()), pixels(mlpnb.plot_grid(moved).png())
    assert quick.shape == slow.shape
    assert np.mean(np.abs(quick - slow).max(axis=2) > 40) < 0.002  # the order of drawing differs at a few edges


def test_a_picture_knows_which_grids_it_can_show(grid):
    picture = GridPicture(grid)
    assert picture.shows(dataclasses.replace(grid, settings=grid.settings.replace(alpha=3)))
    assert not picture.shows(dataclasses.replace(grid, data=mlpnb.load_data("friedman3")))


def test_libraries_are_told_apart_in_grey_by_their_markers_and_stay_dark(grid):
    axes = mlpnb.plot_grid(grid).axes
    lines = [axes[0].lines[1], axes[1].lines[1]]
    assert lines[0].get_marker() != lines[1].get_marker()
    for line in lines:
        assert np.dot(matplotlib.colors.to_rgb(line.get_color()), [0.299, 0.587, 0.114]) < 0.6


def test_the_figure_shows_itself_with_alt_text_and_pyplot_knows_nothing_of_it(grid):
    from matplotlib import pyplot

    figure = mlpnb.plot_grid(grid)
    bundle, metadata = figure._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == bundle["text/plain"] == grid.describe()
    assert pyplot.get_fignums() == []
    assert Image.open(io.BytesIO(figure.png())).text["Description"] == grid.describe()
    assert grid.describe()[:40] in figure.svg().decode()


def test_equal_grids_give_equal_files(grid):
    assert mlpnb.plot_grid(grid).svg() == mlpnb.plot_grid(grid).svg()
    assert mlpnb.plot_grid(grid).png() == mlpnb.plot_grid(grid).png()


def test_dollar_signs_and_tags_in_names_are_plain_text(data):
    odd = dataclasses.replace(data, target_name="price [$] <script> $\\frac", name="<b>$x")
    settings = mlpnb.Settings()
    fits = tuple(fit_of(recipe, settings, odd.y_test) for recipe in QUESTION)
    figure = mlpnb.plot_grid(Grid(odd, settings, QUESTION, (fits, fits)))
    figure.png()
    assert "<script>" not in figure.svg().decode().replace("&lt;script&gt;", "")


def test_many_pictures_leave_no_figure_behind(grid):
    def figures():
        gc.collect()
        return sum(type(o).__name__ == "DescribedFigure" for o in gc.get_objects())

    before = figures()
    picture = GridPicture(grid)
    for _ in range(20):
        mlpnb.plot_grid(grid)
        picture.show(grid)
    assert figures() <= before + 1  # the picture's own
