"""The sliders without a kernel: their fits are those of `fit_grid`, and the page's part is small and safe."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import mlpnb
from mlpnb.frames import POINTS, fit_frames, frames_html
from mlpnb.settings import ACTIVATIONS, DTYPES

ALPHAS = (0.0, 1.0, 100.0)


@pytest.fixture(scope="module")
def frames():
    # in both libraries some of these diverge, and scikit-learn lacks softplus
    return fit_frames(
        mlpnb.load_data("diabetes"), mlpnb.Settings(max_iter=30, random_state=1, learning_rate_init=0.01), ALPHAS
    )


def content(html):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def test_every_choice_has_its_frame(frames):
    assert set(frames.grids) == {(a, d, alpha) for a in ACTIVATIONS for d in DTYPES for alpha in ALPHAS}


@pytest.mark.parametrize(
    ("activation", "dtype", "alpha"),
    # one that diverges, and two that do not amplify rounding: at alpha 1, float32's becomes a hundredth at this rate
    [("relu", "float64", 100.0), ("logistic", "float64", 1.0), ("logistic", "float32", 100.0)],
)
def test_the_fits_are_those_of_fit_grid(frames, activation, dtype, alpha):
    settings = frames.settings.replace(activation=activation, dtype=dtype, alpha=alpha)
    expected, grid = mlpnb.fit_grid(frames.data, settings), frames.grids[activation, dtype, alpha]
    assert grid.settings == settings
    for row, expected_row in zip(grid.fits, expected.fits, strict=True):
        for fit, one in zip(row, expected_row, strict=True):
            assert fit.settings.alpha == one.settings.alpha
            assert fit.diverged_at == one.diverged_at
            if one.diverged_at is None:
                # other networks in the program, compiled or not, round sums in another order
                np.testing.assert_allclose(fit.prediction, one.prediction, rtol=1e-3 if dtype == "float32" else 1e-9)


def test_a_frame_says_what_the_grid_says(frames):
    shown = content(frames_html(frames))
    frame = shown["frames"]["identity float32 2"]
    grid = frames.grids["identity", "float32", 100.0]
    assert frame["words"] == grid.describe()
    panels = [shown["panels"][number] for number in frame["panels"]]
    fits = [fit for row in grid.fits for fit in row]
    diverged = [fit for fit in fits if fit.diverged_at is not None]
    assert diverged
    for panel, fit in zip(panels, fits, strict=True):
        if fit.diverged_at is not None:
            assert panel["words"] == f"diverged at epoch {fit.diverged_at}"
            assert panel["points"] == []
        else:
            assert len(panel["points"]) == len(frames.data.y_test)


def test_a_point_is_where_its_prediction_is(frames):
    """Back from the page's steps to the target's unit, to half a step."""
    shown = content(frames_html(frames))
    fit = frames.grids["tanh", "float64", 1.0].fits[1][0]
    places = np.array(shown["panels"][shown["frames"]["tanh float64 1"]["panels"][3]]["points"])
    truth = np.array(shown["truth"])
    step = np.polyfit(truth, frames.data.y_test, 1)  # the axis, from the truth's own places
    low, high = np.polyval(step, [0, 1000])
    inside = (fit.prediction > low) & (fit.prediction < high)
    assert inside.sum() > 10
    np.testing.assert_allclose(np.polyval(step, places[inside]), fit.prediction[inside], atol=0.6 * step[0])
    assert set(places[~inside]) <= {-1, 1001}


def test_a_large_table_of_an_odd_name_gives_a_small_and_safe_part(tmp_path):
    odd = "</script><script>alert(1)</script>"
    n = 5_000
    x = np.linspace(0, 1, n)
    pd.DataFrame({"x": x, odd: 3 * x}).to_csv(tmp_path / "odd & name.csv", index=False)
    data = mlpnb.read_table(tmp_path / "odd & name.csv", odd)
    html = frames_html(fit_frames(data, mlpnb.Settings(max_iter=1), (0.0, 1.0)))
    assert "<script>alert" not in html
    assert f"{POINTS} of the {len(data.y_test)} drawn" in html
    assert len(content(html)["truth"]) == POINTS
    assert len(html) < 500_000
