"""Make what the README leads with, the grid and the answer in a sentence, from real fits: ``make pictures``."""

import re
from pathlib import Path

import mlpnb
from mlpnb.fit import Fit
from mlpnb.grid import Grid
from mlpnb.history import times

README = Path(__file__).parents[1] / "README.md"
ANSWER = re.compile(r"(?<=<!-- answer -->\n).*?(?=\n<!-- /answer -->)", re.DOTALL)


def answer(grid: Grid) -> str:
    """The question's answer, with the grid's own figures, as lines of Markdown."""
    sklearn, matched = grid[1, "scikit-learn"], grid[1, "Keras matched"]
    keras = grid[1, "Keras 2"]
    assert isinstance(sklearn, Fit)
    assert isinstance(keras, Fit)
    assert isinstance(matched, Fit)
    rows = grid.settings.batch_rows(len(grid.data.y_train))
    data_term = times(mlpnb.KERAS_2.data_factor / mlpnb.SKLEARN.data_factor)
    penalty = times(mlpnb.SKLEARN.penalty_divisor(rows) / mlpnb.KERAS_2.penalty_divisor(rows))
    power = -10  # a bound that holds on every machine, since rounding differs from one to the next
    assert mlpnb.weight_difference(matched, sklearn) < 10.0**power
    return (
        f"**Because Keras minimises {data_term} scikit-learn's data term and, with {rows} rows a batch, {penalty} "
        "its L2 penalty:**\n"
        f"at alpha = {grid.settings.alpha:g} that takes R² from {sklearn.r2:.2f} to {keras.r2:.2f}, and with "
        f"scikit-learn's recipe Keras is back at {matched.r2:.2f}, no weight\nfurther off than "
        f"10<sup>{power}</sup> of its layer's largest."
    ).replace("-10<", "−10<")


def grid() -> Grid:
    """The README's grid."""
    recipes = (mlpnb.SKLEARN, mlpnb.KERAS_1, mlpnb.KERAS_2, mlpnb.MATCHED)
    return mlpnb.fit_grid(mlpnb.load_data(), mlpnb.Settings(), recipes=recipes)


if __name__ == "__main__":
    made = grid()
    Path(__file__).with_name("grid.png").write_bytes(mlpnb.plot_grid(made).png())
    README.write_text(ANSWER.sub(lambda _: answer(made), README.read_text(encoding="utf-8")), encoding="utf-8")
    print(answer(made))
