"""A sweep summed up over seeds: medians and quantiles by hand, gaps seed by seed, and the picture of them."""

import numpy as np
import pandas as pd
import pytest

from mlpnb import (
    KERAS_2,
    MATCHED,
    SKLEARN,
    InputError,
    describe_sweep,
    load_data,
    plot_sweep,
    spread_over_seeds,
    sweep,
)  # fmt: skip

DATA = load_data("diabetes")
ALPHAS, N_SEEDS = [0.0, 1.0, 30.0], 7


@pytest.fixture(scope="module")
def table():
    axes = {"alpha": ALPHAS, "random_state": range(N_SEEDS), "max_iter": 40}
    return sweep(DATA, axes, [SKLEARN, KERAS_2, MATCHED])


def r2(table, recipe, alpha):
    rows = table[(table["recipe"] == recipe) & (table["alpha"] == alpha)]
    return rows.sort_values("random_state")["R²"].to_numpy()


def test_medians_and_quantiles_are_those_over_seeds(table):
    spread = spread_over_seeds(table)
    assert spread.attrs == {"reference": "scikit-learn", "seeds": N_SEEDS}
    assert list(zip(spread["alpha"], spread["recipe"], strict=True)) == [
        (alpha, recipe) for alpha in ALPHAS for recipe in ("scikit-learn", "Keras 2", "Keras matched")
    ]
    for _, row in spread.iterrows():
        own = r2(table, row["recipe"], row["alpha"])
        gaps = r2(table, "scikit-learn", row["alpha"]) - own  # of each seed its own
        assert (row["fits"], row["diverged"]) == (N_SEEDS, 0)
        for name, values in (("R²", own), ("R² gap", gaps)):
            expected = np.quantile(values, [0.5, 0.1, 0.9])
            assert row[[name, f"{name} 10%", f"{name} 90%"]].tolist() == pytest.approx(expected, abs=1e-15)


def test_what_it_says_is_what_the_table_holds(table):
    said = describe_sweep(table).replace("−", "-").replace("&#45;", "-")
    gaps = {alpha: np.median(r2(table, "scikit-learn", alpha) - r2(table, "Keras 2", alpha)) for alpha in ALPHAS}
    widest = max(gaps, key=lambda alpha: abs(gaps[alpha]))
    assert f"**Keras 2**: its R² is furthest from scikit-learn's at alpha = {widest:g}, by {-gaps[widest]:+.3g}" in said
    assert "**Keras matched**: its R² is scikit-learn's at every alpha" in said


def test_where_scikit_learn_lacks_an_activation_the_matched_network_is_the_reference():
    rows = sweep(DATA, {"activation": ["softplus", "relu"], "max_iter": 3}, [SKLEARN, KERAS_2, MATCHED])
    spread = spread_over_seeds(rows)
    assert spread.attrs["reference"] == "Keras matched"
    known = spread[spread["recipe"] == "Keras 2"]["R² gap"]
    assert known.notna().all()
    assert spread_over_seeds(rows, "Keras 2").attrs["reference"] == "Keras 2"
    figure = plot_sweep(rows)  # a row for each activation
    assert len(figure.axes) == 4
    assert "activation softplus, scikit-learn: none at alpha 1" in figure.alt


def test_diverged_fits_are_counted_and_left_out():
    axes = {"activation": "identity", "learning_rate_init": [1e-3, 1.0], "random_state": range(2), "max_iter": 30}
    rows = sweep(DATA, axes, [SKLEARN])
    spread = spread_over_seeds(rows)
    assert spread["diverged"].tolist() == [0, 2]
    assert spread["R²"].isna().tolist() == [False, True]
    assert "2 of its 4 fits diverged" in describe_sweep(rows)
    figure = plot_sweep(rows)
    assert "×2/2" in [text.get_text() for ax in figure.axes for text in ax.texts]
    assert "× diverged" in figure.get_suptitle()


def test_the_picture_draws_the_medians_of_every_recipe(table):
    figure = plot_sweep(table)
    spread = spread_over_seeds(table)
    for ax, column in zip(figure.axes, ("R²", "R² gap"), strict=True):
        drawn = {line.get_label(): line.get_ydata().tolist() for line in ax.lines}
        assert drawn == {recipe: rows[column].tolist() for recipe, rows in spread.groupby("recipe")}
        assert [line.get_xdata().tolist() for line in ax.lines] == [ALPHAS] * 3
    assert figure.png().startswith(b"\x89PNG")
    assert "Keras 2" in figure.alt


def test_names_in_the_picture_are_no_formulas(table):
    odd = table.replace({"Keras 2": "$\\frac$", "diabetes": "a$b$_\\x.csv"})
    assert plot_sweep(odd).svg()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"table": pd.DataFrame({"a": [1]})}, "has no rows of a sweep"),
        ({"reference": "Keras 3"}, "did you mean 'Keras"),
        ({"by": "colour"}, "column 'colour'"),
    ],
)
def test_what_can_be_no_picture(table, arguments, words):
    with pytest.raises(InputError, match=words):
        plot_sweep(**({"table": table} | arguments))


def test_more_than_a_picture_can_show_is_refused_with_what_to_select(table):
    more = pd.concat([table, table.assign(activation="relu"), table.assign(momentum=0.5)])
    with pytest.raises(InputError, match="select the rows of one value of momentum"):
        plot_sweep(more)
    assert plot_sweep(more[more["momentum"] == 0.9])
