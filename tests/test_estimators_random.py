"""`KerasMLPRegressor` and `KerasMLPClassifier` against scikit-learn's, on random configurations.

Rounding is judged by scikit-learn itself, run again on inputs whose last bit is changed: what differs by no more than
a few times what that changes is rounding, however much training amplifies it; anything else is wrong. The environment
variable ``MLPNB_CONFIGS`` sets the number of configurations; 500 take a quarter of an hour.
"""

import os
import warnings
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy import sparse
from sklearn.neural_network import MLPClassifier, MLPRegressor

from mlpnb import KerasMLPClassifier, KerasMLPRegressor, estimators

N_CONFIGS = int(os.environ.get("MLPNB_CONFIGS", 40))
N_PERTURBED = (
    4,
    100,
)  # other last bits tried; the second where the first leave a doubt, for a line search's rare turns
ROUNDING = 100  # in units of the last place: what many steps add up to without any amplification
FACTOR = 30  # a computation in another order may differ by this much more than inputs changed in the last bit
CHAOTIC = 1e-3  # told apart in the table only: the last bit of the inputs changes results by more than this
KERAS = {MLPRegressor: KerasMLPRegressor, MLPClassifier: KerasMLPClassifier}


@dataclass
class Config:
    """A random problem and how it is trained."""

    estimator: type
    params: dict
    X: object
    y: object
    sample_weight: object
    calls: str
    seed: int
    random_state: str = field(default="int")

    def __repr__(self):
        shape = f"{type(self.X).__name__}{self.X.shape} {self.X.dtype}, y {self.y.shape} {self.y.dtype}"
        weighted = "weighted" if self.sample_weight is not None else ""
        return f"{self.estimator.__name__}({self.params}) {shape} {weighted} {self.calls} {self.random_state}"


def random_config(seed):
    """The configuration of a seed: the same one for ever."""
    r = np.random.default_rng(seed)

    def one_of(*values):
        return values[r.integers(len(values))]

    estimator = one_of(MLPRegressor, MLPClassifier)
    solver = one_of("sgd", "sgd", "adam", "adam", "lbfgs")
    n_rows, n_features = int(r.integers(12, 300)), int(r.integers(1, 8))
    dtype = one_of("float64", "float64", "float32")
    calls = one_of("fit", "fit", "fit", "fit, fit", "partial_fit" if solver != "lbfgs" else "fit")
    params = {
        "hidden_layer_sizes": one_of((), (3,), (10,), (5, 4), (6, 3, 4), 8),
        "activation": one_of("identity", "logistic", "tanh", "relu"),
        "solver": solver,
        "alpha": one_of(0.0, 1e-4, 1.0, 100.0),
        "max_iter": int(r.integers(1, 40)),
        "tol": one_of(1e-4, 0.0, 1e-2, 10.0),
        "warm_start": calls == "fit, fit",
    }
    if solver == "lbfgs":
        params["max_fun"] = one_of(15000, 20)
    else:
        params |= {
            "batch_size": one_of("auto", 1 + int(r.integers(n_rows)), 7, 32) if n_rows > 32 else one_of("auto", 5),
            "learning_rate_init": float(10 ** r.uniform(-4, -1)),
            "shuffle": one_of(True, True, False),
            "early_stopping": calls != "partial_fit" and one_of(False, False, True),
            "validation_fraction": one_of(0.1, 0.3),
            "n_iter_no_change": one_of(10, 1, 3),
        }
    if solver == "sgd":
        params |= {
            "learning_rate": one_of("constant", "invscaling", "adaptive"),
            "power_t": one_of(0.5, 0.1, 0.0),
            "momentum": one_of(0.9, 0.0, 0.5, 1.0),
            "nesterovs_momentum": one_of(True, False),
        }
    if solver == "adam":
        params |= {
            "beta_1": one_of(0.9, 0.0, 0.5),
            "beta_2": one_of(0.999, 0.9, 0.0),
            "epsilon": one_of(1e-8, 1e-3),
        }
    X = r.normal(size=(n_rows, n_features))
    target = np.sin(2 * X[:, 0]) + X.sum(axis=1) / 2 + r.normal(size=n_rows) / 3
    if estimator is MLPClassifier:
        kind = one_of("binary", "names", "multiclass", "multilabel")
        y = {
            "binary": (target > 0).astype(int),
            "names": np.where(target > 0, "yes", "no"),
            "multiclass": np.digitize(target, [-0.5, 0.5]),
            "multilabel": np.column_stack([target > 0, X[:, 0] > 0, target < 1]).astype(int),
        }[kind]
    else:
        params["loss"] = one_of("squared_error", "squared_error", "poisson")
        y = np.exp(target / 2) if params["loss"] == "poisson" else target * one_of(1, 10)
        n_outputs = one_of(1, 1, 3)
        if n_outputs > 1:
            y = np.column_stack([y, y**2, np.abs(X[:, 0])])
        y = y.astype(one_of(dtype, dtype, "float64", "int64"))
    sample_weight = one_of(None, None, r.uniform(0.1, 3, n_rows).astype(one_of("float64", dtype)))
    X = X.astype(dtype)
    if one_of(False, False, False, True):
        X = one_of(sparse.csr_matrix, sparse.csc_array)(np.where(r.random(X.shape) < 0.3, 0, X))
    return Config(estimator, params, X, y, sample_weight, calls, seed, one_of("int", "int", "RandomState", "None"))


def nudged(array, r):
    """The last bit of each number changed at random, up or down."""
    if array is None or array.dtype.kind != "f":
        return array
    return np.nextafter(array, np.where(r.random(array.shape) < 0.5, -np.inf, np.inf).astype(array.dtype))


def perturbed(config, r):
    """The same configuration with other last bits in its data."""
    if sparse.issparse(config.X):
        X = config.X.copy()
        X.data = nudged(X.data, r)
    else:
        X = nudged(config.X, r)
    changes = {"X": X, "y": nudged(config.y, r), "sample_weight": nudged(config.sample_weight, r)}
    return Config(**{**vars(config), **changes})


def perturbed_outcome(config, seed):
    """What scikit-learn makes of other last bits: in the data, in the weights that it starts from, and in its outputs.

    The last because no two libraries' exponentials agree in the last bit, and log(1 − p) of a p near 1 amplifies that.
    """
    r = np.random.default_rng(seed)

    class Perturbed(config.estimator):
        def _init_coef(self, *args):
            return tuple(nudged(array, r) for array in super()._init_coef(*args))

        def _forward_pass(self, activations):
            activations = super()._forward_pass(activations)
            activations[-1] = nudged(activations[-1], r)
            return activations

    return outcome(perturbed(config, r), Perturbed)


@dataclass
class Outcome:
    """What a fit leaves behind, or the error that it ends in."""

    error: object = None
    exact: dict = field(default_factory=dict)
    numbers: dict = field(default_factory=dict)


def outcome(config, estimator):
    """Train, and collect whatever a user could look at."""
    random_state = {"int": config.seed, "RandomState": np.random.RandomState(config.seed), "None": None}
    if config.random_state == "None":
        np.random.seed(config.seed)  # noqa: NPY002  (what random_state=None draws from)
    fitted = estimator(random_state=random_state[config.random_state], **config.params)
    told = []
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            if config.calls == "partial_fit":
                classes = {"classes": np.unique(config.y)} if config.estimator is MLPClassifier else {}
                for rows in (slice(None), slice(None, None, 2), slice(1, None, 2)):
                    weight = None if config.sample_weight is None else config.sample_weight[rows]
                    fitted.partial_fit(config.X.tocsr()[rows] if sparse.issparse(config.X) else config.X[rows],
                                       config.y[rows], sample_weight=weight, **classes)  # fmt: skip
                    classes = {}
            else:
                for _ in config.calls.split(", "):
                    fitted.fit(config.X, config.y, sample_weight=config.sample_weight)
        except Exception as error:
            return Outcome(error=(type(error), str(error)))
        told = [(w.category, str(w.message)) for w in caught if issubclass(w.category, UserWarning)]
        numbers = {f"coefs_[{i}]": coef for i, coef in enumerate(fitted.coefs_)}
        numbers |= {f"intercepts_[{i}]": intercept for i, intercept in enumerate(fitted.intercepts_)}
        numbers |= {
            "loss_": fitted.loss_,
            "prediction": (getattr(fitted, "predict_proba", None) or fitted.predict)(config.X),
        }
    exact = {name: getattr(fitted, name) for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_")}
    exact["warnings"] = [(category, message.split("\n")[0]) for category, message in told]
    exact["dtypes"] = [array.dtype for array in fitted.coefs_ + fitted.intercepts_]
    exact["the type of loss_"] = type(fitted.loss_)
    if config.random_state != "int":
        exact["the next draw"] = fitted._random_state.random()
    if config.params["solver"] != "lbfgs":
        numbers["loss_curve_"] = fitted.loss_curve_
        for name in ("best_loss_", "validation_scores_", "best_validation_score_"):
            value = getattr(fitted, name)
            exact[f"{name} is None"] = value is None
            if value is not None:
                numbers[name] = value
    return Outcome(exact=exact, numbers={name: np.asarray(value) for name, value in numbers.items()})


def differences(outcome, reference):
    """The largest difference of each number, relative to the largest of its array; for a curve, epoch by epoch."""
    result = {}
    for name, expected in reference.numbers.items():
        number = outcome.numbers[name]
        common = min(len(number), len(expected)) if expected.ndim else None
        number, expected = (array[:common] if expected.ndim else array for array in (number, expected))
        with np.errstate(invalid="ignore"):
            apart = np.where(_same(number, expected), 0, np.abs(number - expected))
        scale = np.max(np.abs(expected[np.isfinite(expected)]), initial=np.finfo(np.float32).tiny)
        relative = np.where(np.isnan(apart), np.inf, apart) / scale
        result[name] = (
            np.maximum.accumulate(relative) if name in ("loss_curve_", "validation_scores_") else relative.max()
        )
    return result


def _same(a, b):
    return (a == b) | (np.isnan(a) & np.isnan(b))


def verdict(config):
    """The `judgement` on a few other last bits, or on many if the few call it wrong."""
    for n_perturbed in N_PERTURBED:
        result = judgement(config, n_perturbed)
        if not result[0].startswith("wrong"):
            break
    return result


def judgement(config, n_perturbed):
    """How the estimators compare: a word, and how far apart they are.

    Returns
    -------
    kind : str
        "equal", to `ROUNDING` units of the last place; "amplified" or "chaotic", not more apart than scikit-learn
        from itself when the last bit of its inputs changes; "the same error"; or "wrong", with the reason.
    ulp : float
        The largest difference, in units of the last place.
    ratio : float
        The largest of the differences beyond `ROUNDING` in units of what the last bit of the inputs changes.
    """
    reference, mine = outcome(config, config.estimator), outcome(config, KERAS[config.estimator])
    others = [perturbed_outcome(config, seed) for seed in range(n_perturbed)]
    if reference.error or mine.error:
        if mine.error == reference.error:
            return "the same error", 0.0, 0.0
        chaotic = any(other.error != reference.error for other in others)
        return ("chaotic" if chaotic else f"wrong: {mine.error} for {reference.error}"), np.inf, 1.0
    others = [other for other in others if not other.error]
    for name, value in reference.exact.items():
        if mine.exact[name] != value:
            chaotic = any(other.exact[name] != value for other in others)
            reason = f"wrong: {name} {mine.exact[name]} for {value}"
            return ("chaotic" if chaotic else reason), np.inf, 1.0
    eps = np.finfo(config.X.dtype).eps  # in which all is computed, though lbfgs returns float64
    apart, others = differences(mine, reference), [differences(other, reference) for other in others]
    largest, ratio, kind = 0.0, 0.0, "equal"
    for name, value in apart.items():
        # A curve is compared with curves of its own length: one that stopped elsewhere says nothing of later epochs.
        amplified = [other[name] for other in others if np.shape(other[name]) == np.shape(value)]
        by_last_bit = np.maximum(np.max(amplified, axis=0), eps) if amplified else np.full_like(value, np.inf)
        largest = max(largest, np.max(value) / eps)
        beyond = value > ROUNDING * eps
        if not np.any(beyond):
            continue
        ratio = max(ratio, float(np.max(np.where(beyond, value / by_last_bit, 0))))
        kind = "chaotic" if kind == "chaotic" or np.max(by_last_bit) > CHAOTIC else "amplified"
        if ratio > FACTOR:
            return f"wrong: {name} {np.max(value) / eps:.0f} ulp, {ratio:.0f} times the last bit", largest, ratio
    return kind, largest, ratio


@pytest.mark.parametrize("seed", range(N_CONFIGS))
def test_a_random_configuration_is_scikit_learns_to_rounding(seed):
    config = random_config(seed)
    kind, *_ = verdict(config)
    assert not kind.startswith("wrong"), f"{kind}\n{config}"


@pytest.mark.parametrize("name", ["learning_rate", "alpha"])
def test_an_error_of_one_in_a_thousand_million_is_told_from_rounding(name, monkeypatch):
    scalars = estimators._scalars

    def slightly_wrong(*args):
        numbers = scalars(*args)
        return numbers | {name: numbers[name] * (1 + 1e-9)}

    config = next(config for config in map(random_config, range(100)) if is_plain(config))
    assert verdict(config)[0] == "equal"
    monkeypatch.setattr(estimators, "_scalars", slightly_wrong)
    assert verdict(config)[0].startswith("wrong")


def is_plain(config):
    """Trained long enough, with enough of a penalty, in float64."""
    params = config.params
    stochastic = params["solver"] != "lbfgs" and params["max_iter"] > 10 and params["tol"] < 1
    return stochastic and params["alpha"] == 1 and config.X.dtype == np.float64 and config.calls == "fit"


def main():
    """A table of the verdicts."""
    found = {}
    first = int(os.environ.get("MLPNB_FIRST_CONFIG", 0))
    for seed in range(first, first + N_CONFIGS):
        kind, ulp, ratio = verdict(random_config(seed))
        found.setdefault(kind.split(":")[0], []).append((ulp, ratio))
        if kind.startswith("wrong"):
            print(seed, kind, random_config(seed), flush=True)
        elif seed % 50 == 0:
            print(seed, {kind: len(rows) for kind, rows in found.items()}, flush=True)
    for kind, rows in found.items():
        ulp, ratio = np.max(rows, axis=0)
        print(f"{kind:<16}{len(rows):>5}   at most {ulp:.3g} ulp, {ratio:.3g} times what the last bit changes")


if __name__ == "__main__":
    main()
