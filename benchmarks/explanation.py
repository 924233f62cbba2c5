"""The ladder, the attribution and the stability map, each against plain fits of the same networks in one run."""

from __future__ import annotations

from measuring import median, report, seconds
from question import plain_keras, plain_sklearn

import mlpnb
from mlpnb.fit import fit_keras

SEEDS = range(5)


def main() -> None:
    """Measure, print, write."""
    data, settings = mlpnb.load_data(), mlpnb.Settings()
    diabetes = mlpnb.load_data("diabetes")
    relu = settings.replace(activation="relu")
    # 64 networks that cannot share a fit, in float32 as the question's are
    cells = [settings.replace(random_state=seed) for seed in range(64)]
    planes: list[mlpnb.StabilityMap] = []
    results = {
        "ladder of nine rungs, cold (imports TensorFlow, compiles)": seconds(lambda: mlpnb.ladder(data, settings)),
        "ladder of nine rungs, warm": median(lambda: mlpnb.ladder(data, settings)),
        "attribution, 256 subsets, five seeds, cold": seconds(lambda: mlpnb.attribute(data, settings, seeds=SEEDS)),
        "attribution, 256 subsets, five seeds, warm": seconds(lambda: mlpnb.attribute(data, settings, seeds=SEEDS)),
        "64 distinct networks in one program, warm": min(
            seconds(lambda: fit_keras(data, cells, [mlpnb.KERAS_2] * 64)) for _ in range(3)
        ),
        "one plain model.fit of 200 epochs": seconds(lambda: plain_keras(data, 1.0, both=True)),
        "one MLPRegressor.fit": median(lambda: plain_sklearn(data, 1.0)),
        "stability map, 40 x 40, both libraries": seconds(lambda: planes.append(mlpnb.stability(diabetes, relu))),
        "its confirmation by 30 MLPRegressor.fit": seconds(lambda: planes[0].confirm(30)),
    }
    a_fit = results["64 distinct networks in one program, warm"] / 64
    a_subset = results["attribution, 256 subsets, five seeds, warm"] / (256 * len(SEEDS))
    plain, sklearn = results["one plain model.fit of 200 epochs"], results["one MLPRegressor.fit"]
    ratios = {
        "model.fit / a distinct stacked fit": plain / a_fit,
        "MLPRegressor.fit / a distinct stacked fit": sklearn / a_fit,
        "model.fit / a subset of the attribution, all it takes": plain / a_subset,
        "MLPRegressor.fit / a subset of the attribution, all it takes": sklearn / a_subset,
    }
    report("explanation", results, ratios)
    print(planes[0].confirmation(30))


if __name__ == "__main__":
    main()
