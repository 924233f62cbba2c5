"""`KerasMLPRegressor` and `KerasMLPClassifier` behave as scikit-learn's estimators, one feature at a time.

Random combinations of features, with rounding judged by scikit-learn itself, are in `test_estimators_random`.
"""

import copy
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from mlpnb import InputError, KerasMLPClassifier, KerasMLPRegressor, programs, single
from mlpnb import estimators as module

ROUNDING = 200 * np.finfo(np.float64).eps  # of tens of epochs, without amplification; rather more than is seen
PAIRS = [(KerasMLPRegressor, MLPRegressor), (KerasMLPClassifier, MLPClassifier)]
SMALL = {"hidden_layer_sizes": (5,), "batch_size": 40, "max_iter": 12, "random_state": 0}  # batches of 40, 40 and 10

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def table(n_rows=90, *, classes=0, outputs=1, dtype="float64", seed=0):
    """Inputs and a target that they explain."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n_rows, 4))
    y = np.column_stack([np.sin(X[:, 0]) + X[:, index] + random.normal(size=n_rows) / 4 for index in range(outputs)])
    if classes:
        y = np.digitize(y, np.linspace(-0.5, 0.5, classes - 1)) if classes > 2 else (y > 0).astype(int)
    return X.astype(dtype), (y if outputs > 1 else y[:, 0]).astype(int if classes else dtype)


def targets(estimator):
    return table(classes=2 if issubclass(estimator, MLPClassifier) else 0)


def assert_equal(mine, reference, rounding=ROUNDING):
    """Every fitted attribute agrees: numbers to rounding, all else exactly."""
    for name, expected in vars(reference).items():
        value = getattr(mine, name)
        if not name.endswith("_") or name == "random_state":
            continue
        if name in ("coefs_", "intercepts_"):
            assert [array.dtype for array in value] == [array.dtype for array in expected]
            for array, other in zip(value, expected, strict=True):
                np.testing.assert_allclose(array, other, rtol=0, atol=rounding * np.max(np.abs(other)), err_msg=name)
        elif name in ("loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
            assert type(value) is type(expected)
            if expected is not None:
                atol = rounding * np.max(np.abs(expected))
                np.testing.assert_allclose(value, expected, rtol=0, atol=atol, err_msg=name)
        else:
            np.testing.assert_equal(value, expected, err_msg=name)


def both(mine, reference, X, y, *, rounding=ROUNDING, sample_weight=None, **params):
    """A fit by Keras and one by scikit-learn, compared; the one by Keras."""
    fits = [estimator(**SMALL | params).fit(X, y, sample_weight=sample_weight) for estimator in (mine, reference)]
    assert_equal(*fits, rounding)
    return fits[0]


# ---------------------------------------------------------------------------------------------------------------------
# scikit-learn's own checks


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the checks feed estimators what they are to warn of
@pytest.mark.parametrize(("mine", "reference"), PAIRS)
def test_check_estimator(mine, reference):
    def not_passed(estimator):
        results = check_estimator(estimator, on_fail=None)
        return {(result["check_name"], result["status"]) for result in results if result["status"] != "passed"}

    assert not_passed(mine()) <= not_passed(reference()) <= {(name, "skipped") for name, _ in not_passed(reference())}


@pytest.mark.parametrize(("mine", "reference"), PAIRS)
def test_parameters_and_defaults_are_scikit_learns(mine, reference):
    assert mine().get_params() == reference().get_params()
    assert mine.__name__ == f"Keras{reference.__name__}"


# ---------------------------------------------------------------------------------------------------------------------
# Equal fits


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_solvers_and_activations(solver, activation):
    both(KerasMLPRegressor, MLPRegressor, *table(), solver=solver, activation=activation, alpha=1.0)


@pytest.mark.parametrize(("mine", "reference"), PAIRS)
def test_lbfgs(mine, reference):
    # A line search amplifies: few iterations, and the random configurations tell amplification from error.
    both(mine, reference, *targets(mine), solver="lbfgs", alpha=1.0, max_iter=6, rounding=1e-10)


@pytest.mark.parametrize("hidden_layer_sizes", [(), 3, (4, 3, 2), [3, 2]])
def test_any_number_of_hidden_layers(hidden_layer_sizes):
    both(KerasMLPRegressor, MLPRegressor, *table(), hidden_layer_sizes=hidden_layer_sizes, activation="tanh")


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize(("momentum", "nesterovs_momentum"), [(0.9, True), (0.9, False), (0.0, True)])
def test_sgd_schedules_and_momentum(learning_rate, momentum, nesterovs_momentum):
    fit = both(
        KerasMLPRegressor, MLPRegressor, *table(), solver="sgd", learning_rate=learning_rate, momentum=momentum,
        nesterovs_momentum=nesterovs_momentum, tol=1e-2, n_iter_no_change=2, max_iter=60, learning_rate_init=0.02,
    )  # fmt: skip
    assert fit.n_iter_ < 60 or learning_rate == "adaptive"


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.0), (0.5, 0.9999999999)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_adams_betas(betas, dtype):
    eps = np.finfo(dtype).eps
    beta_1, beta_2 = betas
    both(KerasMLPRegressor, MLPRegressor, *table(dtype=dtype), beta_1=beta_1, beta_2=beta_2, rounding=200 * eps)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_losses_and_outputs(loss, outputs):
    X, y = table(outputs=outputs)
    both(KerasMLPRegressor, MLPRegressor, X, np.exp(y), loss=loss, alpha=1.0)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "names"])
def test_kinds_of_classification(kind):
    X, y = table(classes=4 if kind == "multiclass" else 2, outputs=3 if kind == "multilabel" else 1)
    if kind == "names":
        y = np.array(["no", "yes"])[y]
    fit = both(KerasMLPClassifier, MLPClassifier, X, y, alpha=1.0)
    reference = MLPClassifier(**SMALL, alpha=1.0).fit(X, y)
    np.testing.assert_array_equal(fit.predict(X), reference.predict(X))
    np.testing.assert_allclose(fit.predict_proba(X), reference.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize(("mine", "reference"), PAIRS)
@pytest.mark.parametrize("weighted", [False, True])
def test_early_stopping(mine, reference, weighted):
    X, y = targets(mine)
    weight = np.linspace(0.1, 2, len(y)) if weighted else None
    fit = both(
        mine, reference, X, y, sample_weight=weight, early_stopping=True, validation_fraction=0.2, n_iter_no_change=2,
        learning_rate_init=0.05, max_iter=100,
    )  # fmt: skip
    assert fit.n_iter_ < 100
    assert fit.best_validation_score_ == max(fit.validation_scores_)


@pytest.mark.parametrize(("X_dtype", "y_dtype"), [("float32", "float32"), ("float32", "float64"), ("float64", "int64")])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("batch_size", ["auto", 40])
def test_dtypes(X_dtype, y_dtype, solver, batch_size):
    X, y = table()
    eps = np.finfo(X_dtype).eps
    rounding = (1000 if solver == "lbfgs" else 200) * eps
    both(KerasMLPRegressor, MLPRegressor, X.astype(X_dtype), (10 * y).astype(y_dtype), solver=solver, max_iter=5,
         batch_size=batch_size, rounding=rounding)  # fmt: skip


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("batch_size", ["auto", 40])
def test_classification_in_float32(classes, solver, batch_size):
    X, y = table(classes=classes, dtype="float32")
    rounding = 1000 * np.finfo(np.float32).eps
    both(KerasMLPClassifier, MLPClassifier, X, y, solver=solver, batch_size=batch_size, max_iter=5, rounding=rounding)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("parts", [1, 3])
def test_sparse_input(make, solver, parts, monkeypatch):
    X, y = table()
    X[np.abs(X) < 0.5] = 0
    if parts > 1:  # 4 inputs of 8 bytes: a batch of 40 rows a part, and 30 rows a part where sums are asked
        monkeypatch.setattr(single, "MAX_WHOLE_BYTES", 30 * 4 * 8)
        monkeypatch.setattr(single, "PART_BYTES", 30 * 4 * 8)
    both(KerasMLPRegressor, MLPRegressor, make(X), y, solver=solver, alpha=1.0, max_iter=6, rounding=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_rows_fed_in_parts_train_as_the_whole_does(solver, weighted, monkeypatch):
    X, y = table(230, outputs=2)  # batches of 40, two a part: the last part is a batch of 40 and one of 30
    weight = np.random.default_rng(0).integers(1, 4, len(y)) if weighted else None

    def fit():
        return KerasMLPRegressor(**SMALL, solver=solver).fit(X, y, sample_weight=weight)

    whole = fit()
    monkeypatch.setattr(single, "MAX_WHOLE_BYTES", 100 * X[0].nbytes)
    monkeypatch.setattr(single, "PART_BYTES", 100 * X[0].nbytes)
    assert single.lay_out(len(X), 40, X[0].nbytes) == single.Layout(40, 2)
    assert single.lay_out_whole(len(X), X[0].nbytes) == single.Layout(100)
    assert_equal(fit(), whole, rounding=1e-11 if solver == "lbfgs" else ROUNDING)


MEMORY = """
import numpy as np
from mlpnb import KerasMLPRegressor

X = np.random.default_rng(0).normal(size=(200_000, 50))
y = X[:, 0] + np.sin(X[:, 1])
model = KerasMLPRegressor(hidden_layer_sizes=(10,), random_state=0)
model.partial_fit(X[:300], y[:300])  # TensorFlow and its compiler are up

def resident(name):
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith(name))

with open("/proc/self/clear_refs", "w") as peaks:
    peaks.write("5")  # sets the peak back
before = resident("VmRSS")
model.partial_fit(X, y)
print((resident("VmHWM") - before) / (X.nbytes + y.nbytes))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks of memory are read as Linux tells them")
def test_partial_fit_takes_at_most_as_much_memory_again_as_the_data():
    run = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 1


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", ["auto", 1, 7, 90])
def test_batches_and_shuffling(shuffle, batch_size):
    both(KerasMLPRegressor, MLPRegressor, *table(), shuffle=shuffle, batch_size=batch_size)


def test_random_state_may_be_a_generator_or_none():
    X, y = table()
    generators = [np.random.RandomState(3) for _ in range(2)]
    fits = [
        estimator(**SMALL | {"random_state": generator}).fit(X, y)
        for estimator, generator in zip((KerasMLPRegressor, MLPRegressor), generators, strict=True)
    ]
    assert_equal(*fits)
    assert generators[0].random() == generators[1].random()  # as many numbers were drawn
    fits = []
    for estimator in (KerasMLPRegressor, MLPRegressor):
        np.random.seed(4)  # noqa: NPY002  (what random_state=None draws from)
        fits.append(estimator(**SMALL | {"random_state": None}).fit(X, y))
    assert_equal(*fits)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1000.0])
def test_alpha_with_a_short_last_batch(alpha):
    both(KerasMLPRegressor, MLPRegressor, *table(), alpha=alpha, solver="sgd")


def test_the_loss_is_what_the_gradient_is_of():
    """Twice for one output, where the reported loss is the very function that is descended."""
    X, y = table(classes=3)
    network = single.Network((4, 3, 3), "tanh", "softmax", "log_loss", "float64", "float64")
    layout = single.lay_out_whole(len(X), X[0].nbytes)
    labels = np.eye(3)[y]
    weight = np.linspace(0.5, 2, len(y))
    rows = single.Table(X, labels, weight, network, layout)
    packed = np.random.default_rng(0).normal(size=4 * 3 + 3 * 3 + 3 + 3)

    def objective(at):
        return single.objective(network, layout)(at, rows, weight.sum(), 0.7)

    _, gradient = objective(packed)
    for index in range(len(packed)):
        step = np.zeros_like(packed)
        step[index] = 1e-5
        numeric = (objective(packed + step)[0] - objective(packed - step)[0]) / 2e-5
        assert gradient[index] == pytest.approx(numeric, abs=1e-8)


# ---------------------------------------------------------------------------------------------------------------------
# More than one call


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_warm_start(solver, early_stopping):
    fits = [
        estimator(**SMALL | {"max_iter": 5}, warm_start=True, solver=solver, early_stopping=early_stopping)
        for estimator in (KerasMLPRegressor, MLPRegressor)
    ]
    X, y = table()
    for learning_rate_init in (0.01, 0.1, 1e-3):  # the second spoils what the first reached: the best weights are kept
        for estimator in fits:
            estimator.set_params(learning_rate_init=learning_rate_init).fit(X, y)
        assert_equal(*fits, rounding=1e-10)


@pytest.mark.parametrize(("mine", "reference"), PAIRS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_goes_on_also_after_pickling(mine, reference, solver):
    X, y = targets(mine)
    classes = {"classes": [0, 1]} if mine is KerasMLPClassifier else {}
    fits = [estimator(**SMALL | {"batch_size": 16}, solver=solver) for estimator in (mine, reference)]
    for call in range(4):
        rows = slice(call * 20, call * 20 + 30)
        for estimator in fits:
            estimator.partial_fit(X[rows], y[rows], **classes)
        assert_equal(*fits)
        fits[0] = (pickle.loads(pickle.dumps(fits[0])), copy.deepcopy(fits[0]))[call % 2]
    assert fits[0].t_ == 30 + 30 + 30 + 30


def test_a_changed_solver_keeps_the_optimizer_in_partial_fit_as_scikit_learn_does():
    X, y = table()
    fits = [estimator(**SMALL, solver="sgd").partial_fit(X, y) for estimator in (KerasMLPRegressor, MLPRegressor)]
    for estimator in fits:
        estimator.set_params(solver="adam").partial_fit(X, y)
    assert_equal(*fits)


@pytest.mark.parametrize("outputs", [(3, 1), (1, 3)])
def test_a_warm_start_with_other_outputs_ends_as_in_scikit_learn(outputs):
    def ends(estimator):
        fitted = estimator(**SMALL, warm_start=True)
        try:
            for number in outputs:
                fitted.fit(*table(outputs=number))
        except ValueError:
            return ValueError
        return fitted

    mine, reference = ends(KerasMLPRegressor), ends(MLPRegressor)
    if reference is ValueError:
        assert mine is ValueError
    else:
        assert_equal(mine, reference)


# ---------------------------------------------------------------------------------------------------------------------
# Within scikit-learn


def test_pipeline_grid_search_and_cross_validation():
    X, y = table()
    searches = [
        GridSearchCV(
            make_pipeline(StandardScaler(), estimator(**SMALL)),
            {f"{estimator.__name__.lower()}__alpha": [0.0, 1.0, 100.0]},
            cv=3,
        ).fit(X, y)
        for estimator in (KerasMLPRegressor, MLPRegressor)
    ]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_allclose(*scores, rtol=1e-12)
    scores = [cross_val_score(estimator(**SMALL), X, y, cv=3) for estimator in (KerasMLPRegressor, MLPRegressor)]
    np.testing.assert_allclose(*scores, rtol=1e-12)


def test_an_estimator_holds_nothing_of_tensorflow():
    X, y = table()
    fitted = KerasMLPRegressor(**SMALL).fit(X, y)
    assert b"tensorflow" not in pickle.dumps(fitted)
    assert b"keras.src" not in pickle.dumps(fitted)
    assert not hasattr(clone(fitted), "coefs_")
    np.testing.assert_array_equal(copy.deepcopy(fitted).predict(X), fitted.predict(X))


def test_a_pickle_predicts_without_tensorflow(tmp_path):
    X, y = table()
    fitted = KerasMLPRegressor(**SMALL).fit(X, y)
    (tmp_path / "fitted").write_bytes(pickle.dumps((fitted, X, fitted.predict(X))))
    code = (
        f"import pathlib, pickle, sys; fitted, X, y = pickle.loads(pathlib.Path({str(tmp_path / 'fitted')!r})"
        ".read_bytes()); assert (fitted.predict(X) == y).all(); print('tensorflow' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize(("mine", "_reference"), PAIRS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_model_is_the_fitted_network(mine, _reference, dtype):
    X, y = targets(mine)
    X = X.astype(dtype)
    fitted = mine(**SMALL).fit(X, y)
    model = fitted.model_
    assert isinstance(model, keras.Sequential)
    assert all(type(layer) is keras.layers.Dense for layer in model.layers)
    expected = fitted.predict_proba(X)[:, 1] if mine is KerasMLPClassifier else fitted.predict(X)
    np.testing.assert_allclose(model(X).numpy()[:, 0], expected, rtol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("loss", "activation"), [("poisson", "exponential"), ("squared_error", "linear")])
def test_model_ends_with_the_output_activation(loss, activation):
    X, y = table()
    model = KerasMLPRegressor(loss, **SMALL).fit(X, np.exp(y)).model_
    assert model.layers[-1].activation.__name__ == activation


def test_model_of_an_unfitted_estimator():
    with pytest.raises(NotFittedError):
        KerasMLPRegressor().model_  # noqa: B018
    assert not hasattr(KerasMLPRegressor(), "model_")


def test_one_program_for_all_numbers_and_near_sizes(monkeypatch):
    X, y = table(n_rows=250)
    monkeypatch.setattr(programs, "_compiled", {})
    for n_rows in (250, 249, 245):
        for alpha, learning_rate_init, momentum in ((0.0, 1e-3, 0.9), (1.0, 1e-2, 0.5)):
            KerasMLPRegressor(**SMALL | {"hidden_layer_sizes": (7,)}, solver="sgd", alpha=alpha, momentum=momentum,
                              learning_rate_init=learning_rate_init).fit(X[:n_rows], y[:n_rows])  # fmt: skip
    assert len(programs._compiled) == 1


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_without_room_for_another_compiled_program_fits_are_equal_all_the_same(solver, monkeypatch):
    monkeypatch.setattr(programs, "COMPILED", 0)
    monkeypatch.setattr(programs, "_compiled", {})
    both(KerasMLPRegressor, MLPRegressor, *table(), solver=solver, alpha=1.0, max_iter=6, rounding=1e-11)


def test_threads_do_not_mix():
    X, y = table()
    expected = [KerasMLPRegressor(**SMALL | {"random_state": seed}).fit(X, y).coefs_[0] for seed in range(4)]
    fits = [KerasMLPRegressor(**SMALL | {"random_state": seed}) for seed in range(4)]
    threads = [threading.Thread(target=fitted.fit, args=(X, y)) for fitted in fits]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for fitted, coef in zip(fits, expected, strict=True):
        np.testing.assert_array_equal(fitted.coefs_[0], coef)


# ---------------------------------------------------------------------------------------------------------------------
# Words, warnings and errors


@pytest.mark.parametrize(
    "params",
    [
        {"early_stopping": True, "n_iter_no_change": 2, "tol": 1.0},
        {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 3e-6, "tol": 10.0, "n_iter_no_change": 1},
        {"tol": 10.0, "n_iter_no_change": 3},
    ],
)
def test_verbose_prints_the_same(params, capsys):
    printed = []
    for estimator in (KerasMLPRegressor, MLPRegressor):
        estimator(**SMALL, **params, verbose=True).fit(*table())
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "Stopping." in printed[0]


def told(call, estimator):
    """The error and the warnings of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call(estimator)
            error = None
        except Exception as raised:
            error = raised
    return error, [(warning.category, str(warning.message)) for warning in caught]


X, y = table()
REFUSED = {
    "unknown activation": lambda estimator: estimator(activation="cube").fit(X, y),
    "batch too small": lambda estimator: estimator(batch_size=0).fit(X, y),
    "no such parameter": lambda estimator: estimator(dropout=0.5),
    "layer of no units": lambda estimator: estimator(hidden_layer_sizes=(3, 0)).fit(X, y),
    "NaN": lambda estimator: estimator().fit(np.where(X > 2, np.nan, X), y),
    "other number of rows": lambda estimator: estimator().fit(X, y[:-1]),
    "other number of features": lambda estimator: estimator(**SMALL).fit(X, y).predict(X[:, 1:]),
    "weights of another length": lambda estimator: estimator().fit(X, y, sample_weight=np.ones(3)),
    "no weights at all": lambda estimator: estimator(**SMALL).fit(X, y, sample_weight=np.zeros(len(y))),
    "lbfgs without weights": lambda estimator: estimator(solver="lbfgs").fit(X, y, sample_weight=np.zeros(len(y))),
    "validation set too small": lambda estimator: estimator(early_stopping=True).fit(X[:5], y[:5]),
    "early stopping of partial_fit": lambda estimator: estimator(early_stopping=True).partial_fit(X, y),
    "unfitted": lambda estimator: estimator().predict(X),
    "divergence": lambda estimator: estimator(**SMALL, solver="sgd", learning_rate_init=1e3, activation="identity").fit(
        1e3 * X, y
    ),
    "depth changed in a warm start": lambda estimator: (
        estimator(**SMALL, warm_start=True).fit(X, y).set_params(hidden_layer_sizes=(5, 5)).fit(X, y)
    ),
    "depth changed back": lambda estimator: (
        estimator(**SMALL | {"hidden_layer_sizes": (5, 5)}, warm_start=True)
        .fit(X, y)
        .set_params(hidden_layer_sizes=(5,))
        .fit(X, y)
    ),
}
AS_CLEAR = {"depth changed in a warm start", "depth changed back", "no weights at all", "lbfgs without weights"}


@pytest.mark.parametrize("name", REFUSED)
def test_what_scikit_learn_refuses_is_refused(name):
    (mine, my_warnings), (reference, its_warnings) = (told(REFUSED[name], e) for e in (KerasMLPRegressor, MLPRegressor))
    assert reference is not None
    assert type(mine) is type(reference)
    if name in AS_CLEAR:  # scikit-learn's own is about a NoneType or an index, or ends early
        assert str(reference).split(",")[0] in str(mine) or "hidden_layer_sizes" in str(mine)
    else:
        assert str(mine).replace("Keras", "") == str(reference)
    assert {category for category, _ in my_warnings} == {category for category, _ in its_warnings}


@pytest.mark.parametrize(
    "params",
    [{"max_iter": 1}, {"batch_size": 1000, "tol": 100.0}, {"solver": "lbfgs", "max_iter": 2}, {"max_iter": 50}],
)
def test_warnings(params):
    def fit(estimator):
        estimator(**{"random_state": 0, "hidden_layer_sizes": (3,), **params}).fit(X, y)

    (_, mine), (_, reference) = (told(fit, estimator) for estimator in (KerasMLPRegressor, MLPRegressor))
    assert mine == reference
    assert reference


def test_partial_fit_is_for_stochastic_solvers_where_scikit_learn_says_so():
    assert not hasattr(KerasMLPClassifier(solver="lbfgs"), "partial_fit")
    # scikit-learn 1.9.1 means to refuse it for the regressor too, but does not.
    mine, reference = KerasMLPRegressor(solver="lbfgs"), MLPRegressor(solver="lbfgs")
    assert hasattr(mine, "partial_fit") is hasattr(reference, "partial_fit")


@pytest.mark.parametrize(
    ("params", "hint"),
    [
        ({"activation": "sigmoid"}, "scikit-learn calls it 'logistic'"),
        ({"activation": "gelu"}, "Keras has 'gelu', but scikit-learn's estimator has not"),
        ({"solver": "rmsprop"}, "Keras has 'rmsprop'"),
        ({"solver": "SGD"}, "scikit-learn calls it 'sgd'"),
        ({"loss": "mse"}, "scikit-learn calls it 'squared_error'"),
        ({"loss": "mean_absolute_error"}, "Keras has 'mean_absolute_error'"),
        ({"solver": keras.optimizers.Adam()}, "solver takes none of Keras's objects"),
        ({"activation": keras.activations.relu}, "activation takes none of Keras's objects"),
        ({"activation": keras.layers.ReLU}, "activation takes none of Keras's objects"),
    ],
)
def test_what_keras_has_and_scikit_learn_has_not_is_refused_by_name(params, hint):
    with pytest.raises(ValueError, match="parameter of KerasMLPRegressor must be") as error:
        KerasMLPRegressor(**params).fit(X, y)
    assert hint in str(error.value)


def test_errstate_is_heard():
    fit = KerasMLPRegressor(**SMALL, solver="sgd", learning_rate_init=1e3, activation="identity").fit
    with np.errstate(over="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(ValueError, match="non-finite"):
            fit(1e3 * X, y)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        fit(1e3 * X, y)


def test_a_loss_newer_than_this_package():
    with pytest.raises(InputError, match="'gamma', which this mlpnb does not"):
        single.Network((1, 1), "relu", "identity", "gamma", "float64", "float64")


def test_ctrl_c_ends_training_with_the_weights_so_far(monkeypatch):
    epochs = []

    def interrupted(self, *args):
        epochs.append(1)
        if len(epochs) == 3:
            raise KeyboardInterrupt

    fitted = KerasMLPRegressor(**SMALL)
    monkeypatch.setattr(KerasMLPRegressor, "_update_no_improvement_count", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        fitted.fit(X, y)
    reference = MLPRegressor(**SMALL | {"max_iter": 3}).fit(X, y)
    np.testing.assert_allclose(fitted.coefs_[0], reference.coefs_[0], rtol=1e-12)


def test_importing_the_estimators_does_not_import_tensorflow():
    code = "import sys, mlpnb; mlpnb.KerasMLPRegressor(); print('tensorflow' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_without_tensorflow_the_error_is_a_sentence(monkeypatch):
    def missing():
        raise InputError("TensorFlow can't be imported")

    monkeypatch.setattr(module, "load_training", missing)
    with pytest.raises(InputError, match="TensorFlow can't be imported"):
        KerasMLPRegressor(**SMALL).fit(X, y)
