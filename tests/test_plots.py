"""Pictures: what is seen in each panel, in colour, in grey and in words."""

import dataclasses
import gc
import html
import io
import re
from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mlpnb
from mlpnb.climb import Climb
from mlpnb.fit import Fit
from mlpnb.grid import QUESTION, Grid
from mlpnb.plots import GridPicture, plot_climb


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


# ---------------------------------------------------------------------------------------------------------------------
# Ladder, attribution, stability, replay: from tables by hand, or from the quickest of fits


@pytest.fixture
def ladder():
    """Three rungs, of which the second diverged."""
    nan = float("nan")
    table = pd.DataFrame(
        {
            "closes": ["nothing yet (Keras 2)", "data term", "penalty scale"],
            "change": ["", "full → half", "whole → per row"],
            "R²": [0.25, nan, 0.75],
            "RMS distance [target units]": [20.0, nan, 2e-14],
            "RMS distance [SD of the target]": [0.5, nan, 0.0],
            "weight difference [relative]": [0.9, nan, 3e-15],
            "diverged at epoch": pd.array([None, 12, None], dtype="Int64"),
        }
    )
    table.attrs = {"reference": "scikit-learn", "reference R²": 0.75}
    return table


@pytest.fixture
def shares():
    table = pd.DataFrame(
        {
            "difference": ["penalty scale", "data term", "dtype"],
            "R² share": [-0.3, 0.08, 1e-7],
            "R² SD": [0.02, 0.01, 0.0],
            "R² share [%]": [136.4, -36.4, 0.0],
        }
    )
    table.attrs = {"start": "Keras 2", "reference": "scikit-learn", "seeds": 5, "R² all open": 0.5,
                   "R² all closed": 0.72, "R² gap": -0.22}  # fmt: skip
    return table


@pytest.fixture
def plane(data):
    outcomes = np.array([[[0, 0, 0, 2], [0, 0, 1, 2]], [[0, 0, 2, 2], [0, 2, 2, 2]]])
    curvatures = np.array([[[5.0, 20.0], [50.0, 200.0]], [[10.0, 40.0], [100.0, np.nan]]])
    return mlpnb.StabilityMap(
        data, mlpnb.Settings(), (mlpnb.MATCHED, mlpnb.KERAS_2), np.array([1e-3, 1e-2, 1e-1, 1.0]), "target scale",
        np.array([0.1, 1.0]), outcomes, curvatures,
    )  # fmt: skip


@pytest.fixture
def steps():
    table = pd.DataFrame(
        {
            "epoch": [1, 1, 2, 2],
            "loss": [3.0e4, 2.5e4, 1e30, np.inf],
            "gradient norm": [10.0, 20.0, 1e20, np.nan],
            "kernel 1 norm": [1.0, 2.0, 1e9, 1e25],
            "bias 1 norm": [0.0, 1.0, 3.0, 1e12],
        }
    )
    return table.rename_axis("step")


@pytest.fixture
def pictures(data, ladder, shares, plane, steps):
    settings = mlpnb.Settings()
    climb = Climb(
        fit_of(mlpnb.SKLEARN, settings, data.y_test), (fit_of(mlpnb.KERAS_2, settings, data.y_test + 20),), ladder
    )
    return {
        "ladder": lambda: mlpnb.plot_ladder(ladder),
        "climb": lambda: plot_climb(data, climb),
        "waterfall": lambda: mlpnb.plot_waterfall(shares),
        "stability": lambda: mlpnb.plot_stability(plane),
        "replay": lambda: mlpnb.plot_replay(steps, "diabetes"),
    }


KINDS = ["ladder", "climb", "waterfall", "stability", "replay"]


def words_in(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_is_a_png_and_an_svg_with_its_alt_text_and_leaves_no_figure(pictures, kind):
    from matplotlib import pyplot

    figure = pictures[kind]()
    png, svg = Image.open(io.BytesIO(figure.png())), figure.svg().decode()
    assert png.text["Description"] == figure.alt
    assert len(np.unique(np.asarray(png.convert("L")))) > 10  # something is drawn
    assert html.escape(figure.alt, quote=False)[:60] in svg
    assert svg == pictures[kind]().svg().decode()
    bundle, metadata = figure._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == bundle["text/plain"] == figure.alt
    assert len(figure.alt) > 60
    assert "nan" not in figure.alt
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("kind", KINDS)
def test_words_stay_inside_every_picture(pictures, kind):
    """No label is cut off at an edge: the longest ones are on the left of ladders and waterfalls."""
    figure = pictures[kind]()
    figure.png()
    width, height = figure.bbox.size
    words = list(figure.texts)
    for ax in figure.axes:
        words += [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label]
        words += (
            ax.get_yticklabels() if ax.get_yscale() == "linear" and kind in ("ladder", "climb", "waterfall") else []
        )
    for legend in [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]:
        words += legend.get_texts()
    for text in words:
        if text.get_text():
            box = text.get_window_extent()
            assert min(box.x0, box.y0) >= -1, text
            assert box.x1 <= width + 1, text
            assert box.y1 <= height + 1, text


@pytest.mark.parametrize("kind", ["ladder", "climb"])
def test_a_ladder_tells_every_rung_and_the_one_that_diverged(pictures, kind):
    figure = pictures[kind]()
    assert figure.alt == (
        "The ladder to scikit-learn. nothing yet (Keras 2): R² 0.250, weights within 9.0e-01; "
        "data term: diverged at epoch 12; penalty scale: R² 0.750, weights within 3.0e-15."
    )
    assert words_in(figure).count("diverged at epoch 12") == 1
    labels = [label.get_text() for label in figure.axes[0 if kind == "ladder" else 2].get_yticklabels()]
    assert labels == ["nothing yet (Keras 2)", "data term  full → half", "penalty scale  whole → per row"]


@pytest.mark.parametrize("kind", ["ladder", "climb"])
def test_the_legend_hides_no_rung(pictures, kind):
    """Wherever a ladder runs: here from the upper right to the lower left, with a word in between."""
    figure = pictures[kind]()
    figure.png()
    ax = figure.axes[1 if kind == "ladder" else 2]
    box = ax.get_legend().get_window_extent()
    points = [ax.transData.transform(point) for line in ax.lines for point in line.get_xydata()]
    assert not any(box.contains(*point) for point in points)
    others = [text for other in figure.axes if other is not ax for text in (other.xaxis.label, other.title)]
    for text in [*ax.texts, *others]:
        assert not text.get_text() or not box.overlaps(text.get_window_extent()), text


def test_the_ladders_points_are_its_distances_and_a_distance_of_nought_has_a_place(ladder):
    distance, weights = mlpnb.plot_ladder(ladder).axes[1].lines[:2]
    np.testing.assert_allclose(distance.get_xdata()[:2], [0.5, np.nan])
    assert 0 < distance.get_xdata()[2] < 1e-16
    np.testing.assert_allclose(weights.get_xdata(), [0.9, np.nan, 3e-15])
    low, high = mlpnb.plot_ladder(ladder).axes[1].get_xlim()
    assert low < distance.get_xdata()[2] < high


def test_the_waterfall_goes_from_all_open_to_all_closed(shares):
    figure = mlpnb.plot_waterfall(shares)
    (ax,) = figure.axes
    bars = ax.patches
    assert bars[0].get_x() == 0.5
    for bar, following in pairwise(bars):
        assert bar.get_x() + bar.get_width() == pytest.approx(following.get_x())
    assert bars[-1].get_x() + bars[-1].get_width() == pytest.approx(0.72, abs=1e-6)
    assert [bar.get_width() for bar in bars] == pytest.approx([0.3, -0.08, -1e-7])
    assert bars[0].get_hatch() != bars[1].get_hatch()  # up from down without colours
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "Keras 2: all open", "penalty scale", "data term", "dtype", "all closed: scikit-learn's",
    ]  # fmt: skip


def test_the_bars_in_words_sum_to_the_gap_in_words(shares):
    alt = mlpnb.plot_waterfall(shares).alt
    first, last = (float(number) for number in re.search(r"from (\S+) \(.*to (\S+) \(", alt).groups())
    bars = [float(number.replace("−", "-")) for number in re.findall(r" ([+−]?\d\.\d{3})(?=[;.]|$)", alt.split(":")[1])]
    assert len(bars) == 3
    assert first + sum(bars) == pytest.approx(last, abs=0.002)  # rounded to three places each


def test_a_score_of_just_below_nought_is_nought(shares):
    shares.attrs["R² all open"] = -0.0001
    figure = mlpnb.plot_waterfall(shares)
    assert "from 0.000 (Keras 2)" in figure.alt
    assert not any(word.strip() in ("-0.000", "−0.000") for word in words_in(figure))


def test_a_waterfall_of_one_seed_has_no_spread_to_show(shares):
    shares["R² SD"] = np.nan
    figure = mlpnb.plot_waterfall(shares)
    figure.png()
    assert not any("±" in word or "nan" in word for word in words_in(figure) if "SD" not in word)


def test_a_waterfall_over_no_gap_can_be_drawn(shares):
    shares[["R² share", "R² SD"]] = 0.0
    shares.attrs["R² all closed"] = 0.5
    figure = mlpnb.plot_waterfall(shares)
    figure.png()
    assert figure.alt.count("0.000") == 3


def test_a_stability_map_shows_outcomes_and_boundaries(plane):
    figure = mlpnb.plot_stability(plane)
    assert figure.alt == plane.describe()
    assert "1.00 to" in figure.alt or "times the learning rate" in figure.alt
    assert [ax.get_title() for ax in figure.axes] == ["Keras matched", "Keras 2"]
    for index, ax in enumerate(figure.axes):
        np.testing.assert_array_equal(ax.collections[0].get_array().ravel(), plane.outcomes[index].ravel())
        for line, boundary in zip(ax.lines, plane.boundary(), strict=False):
            np.testing.assert_allclose(line.get_xdata(), boundary)
        np.testing.assert_allclose(ax.lines[2].get_xdata(), plane.predicted()[index, :, 0])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[-3:] == ["trains", "ends above its start", "diverges"]
    assert "measured, Keras 2" in legend


def test_maps_of_one_recipe_or_without_any_boundary_can_be_drawn(plane):
    one = dataclasses.replace(
        plane, recipes=plane.recipes[1:], outcomes=plane.outcomes[1:], curvatures=plane.curvatures[1:]
    )
    nowhere = dataclasses.replace(plane, outcomes=np.zeros_like(plane.outcomes), across="alpha")
    for odd in (one, nowhere):
        figure = mlpnb.plot_stability(odd)
        figure.png()
        assert "nan" not in figure.alt


def test_a_replay_tells_where_it_overflows(steps):
    figure = mlpnb.plot_replay(steps, "diabetes, identity")
    assert "diabetes, identity; overflows at step 3, in epoch 2" in words_in(figure)
    assert "overflows at step 3, in epoch 2" in figure.alt
    assert "3e+04" in figure.alt
    loss = figure.axes[0].lines[0].get_ydata()
    np.testing.assert_array_equal(loss, [3e4, 2.5e4, 1e30, np.nan])
    assert [line.get_label() for line in figure.axes[1].lines] == ["kernel 1 norm", "bias 1 norm"]


def test_a_replay_that_does_not_overflow_says_nothing_of_it(steps):
    figure = mlpnb.plot_replay(steps.iloc[:2])
    assert "overflow" not in figure.alt
    assert not any("overflow" in word for word in words_in(figure))
    assert "2.5e+04" in figure.alt
    assert not figure.alt.startswith((" ", "."))
