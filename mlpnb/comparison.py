"""Comparing a scikit-learn MLP with a Keras model: what differs in how they train, what it does, what closes it."""

from __future__ import annotations

import copy
import html
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpnb.climb import rms_distance
from mlpnb.errors import InputError
from mlpnb.fit import in_short
from mlpnb.plan import KERAS_ACTIVATION, KERAS_LOSS, Plan
from mlpnb.translate import Begun, begin, build, fan_bounds, load_custom, read_model

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# The largest relative weight difference that is rounding: float64's after hundreds of epochs is 1e-16 to 1e-12.
ROUNDING = {"float64": 1e-10, "float32": 1e-3}
_CLASSIFICATION = ("log_loss", "binary_log_loss")


@dataclass(frozen=True)
class Row:
    """One difference.

    Attributes
    ----------
    name : str
        What differs.
    sklearn, keras : str
        Both values, in words.
    why : str
        What it does, in general.
    fix : str
        The line, or lines, of Python that close it.
    closes : dict
        The fields of the Keras model's `Plan`, with the values that closing the difference gives them.
    """

    name: str
    sklearn: str
    keras: str
    why: str
    fix: str
    closes: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Case:
    """Two trainings and the data on which closing their differences is measured.

    Attributes
    ----------
    estimator : MLPRegressor or MLPClassifier
    plan : Plan
        The Keras model's.
    begun : Begun
        scikit-learn's.
    rows : tuple of Row
    X, y, X_test, y_test : ndarray
        As the user gave them.
    """

    estimator: Any
    plan: Plan
    begun: Begun
    rows: tuple[Row, ...]
    X: Any
    y: Any
    X_test: Any
    y_test: Any


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    table : DataFrame
        A row a difference: "difference", "scikit-learn", "Keras", "effect", "fix".
    verdict : str
        One or two sentences.
    agree : bool or None
        Whether training both gives the same weights to rounding; None if that was not tried.
    case : Case or None
        What `ladder` climbs; None without data.
    """

    table: pd.DataFrame
    verdict: str
    agree: bool | None
    case: Case | None = None

    def __str__(self) -> str:
        blocks = [self.verdict]
        for row in self.table.to_dict("records"):
            fix = str(row["fix"]).replace("\n", "\n                ")
            blocks.append(
                f"{row['difference']}\n  scikit-learn  {row['scikit-learn']}\n  Keras         {row['Keras']}\n"
                f"  effect        {row['effect']}\n  fix           {fix}"
            )
        return "\n\n".join(blocks)

    def _repr_html_(self) -> str:
        if self.table.empty:
            return f"<p>{html.escape(self.verdict)}</p>"
        style = "style='text-align:left;vertical-align:top'"
        wrapped = "text-align:left;white-space:pre-wrap;word-break:normal;overflow-wrap:break-word"
        head = "".join(f"<th scope='col' {style}>{html.escape(str(name))}</th>" for name in self.table)
        body = ""
        for row in self.table.itertuples(index=False):
            *cells, fix = (html.escape(str(cell)) for cell in row)
            body += "<tr>" + "".join(f"<td {style}>{cell}</td>" for cell in cells)
            body += f"<td {style}><pre style='{wrapped}'>{fix}</pre></td></tr>"
        caption = f"<p>{html.escape(self.verdict)}</p>"
        return f"{caption}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_html(self) -> str:
        """A whole page, which asks for nothing from outside."""
        return (
            "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>mlpnb compare</title>"
            "<style>body{font-family:sans-serif;margin:2em}td,th{padding:.4em;border-bottom:1px solid #ccc}</style>"
            f"</head><body><h1>scikit-learn and Keras compared</h1>{self._repr_html_()}</body></html>\n"
        )

    def to_json(self) -> str:
        """The verdict and the differences, an object each."""
        found = {"verdict": self.verdict, "agree": self.agree, "differences": self.table.to_dict("records")}
        return json.dumps(found, indent=2, ensure_ascii=False)

    def ladder(self) -> pd.DataFrame:
        """Close the differences one after the other, and measure after each; `plot_ladder` draws it.

        Returns
        -------
        DataFrame
            A row a rung, with the columns of `mlpnb.ladder` but for "change"; for classifiers "accuracy" in place of
            "R²".

        Raises
        ------
        InputError
            If `compare` was given no data.
        """
        if self.case is None:
            raise InputError("the comparison has no data to climb a ladder on: give compare(estimator, model, X, y).")
        return _ladder(self.case)


def compare(
    estimator: Any, model: Any, X: Any = None, y: Any = None, *, X_test: Any = None, y_test: Any = None,
    fit_arguments: Mapping[str, Any] | None = None,
) -> Comparison:  # fmt: skip
    """List what differs between the training of a scikit-learn MLP and that of a Keras model.

    Parameters
    ----------
    estimator : MLPRegressor, MLPClassifier, KerasMLPRegressor or KerasMLPClassifier
        Read as if it were not fitted; left as it is.
    model : keras.Model
        Compiled, and best as it is before its training: afterwards its start is not known. Left as it is.
    X, y : array-like of shapes (n_samples, n_features) and (n_samples,) or (n_samples, n_outputs), optional
        With them each effect is measured, by training the Keras network with that one difference closed, and "nothing
        differs" is found by training both.
    X_test, y_test : array-like, optional
        Where predictions are compared and scored; `X` and `y` if left out.
    fit_arguments : mapping, optional
        What ``model.fit`` is given besides the data, since a model does not know it, such as
        ``{"batch_size": 200, "epochs": 200}``; Keras's defaults, 32 and 1, for what is left out.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If the model has what scikit-learn has nothing like: it is named, with what to do instead. Or if the two solve
        different tasks, or don't fit the data.
    ValueError
        What scikit-learn raises for parameters and data that it rejects.
    """
    arguments = dict(fit_arguments or {})
    plan = read_model(model, arguments)
    given = X is not None and y is not None
    if (X is None) != (y is None):
        raise InputError("X and y go together, but only one of them is given: give both or none.")
    seeded = getattr(estimator, "random_state", None) is not None
    begun = begin(_seeded(estimator), *((X, y) if given else _stand_in(estimator, plan)))
    goal = begun.plan
    if plan.units[0] != goal.units[0]:
        raise InputError(
            f"the model takes {plan.units[0]} inputs, but X has {goal.units[0]} columns: give the data that it is for."
        )
    if plan.loss != goal.loss and not {plan.loss, goal.loss} <= set(_CLASSIFICATION):
        raise InputError(
            f"the estimator minimises {goal.loss!r} and the model {KERAS_LOSS[plan.loss]}, which are different tasks: "
            "compare two of the same."
        )
    if given and seeded and _same_order(arguments.get("x"), begun):
        plan = plan.replace(order=goal.order)
    rows = _differences(goal, plan, begun.part().n_rows if given else None, model, seeded)
    case = None
    if given:
        test = (X, y) if X_test is None or y_test is None else (X_test, y_test)
        case = Case(_seeded(estimator), plan, begun, tuple(rows), X, y, *test)
    return _found(case, rows, model, arguments)


def _found(case: Case | None, rows: list[Row], model: Any, arguments: dict[str, Any]) -> Comparison:
    if not rows or all(row.keras.startswith("that of a") for row in rows):
        difference = None if case is None else _trained_apart(case, model, arguments)
        if case is not None and difference is not None:
            agree = difference < ROUNDING[case.plan.dtype]
            if agree:
                words = (
                    f"Nothing differs: trained on your data, the weights agree to {difference:.0e}, which is rounding."
                )
                return Comparison(_table([]), words, True, case)
            words = (
                f"Trained on your data, the weights are {difference:.1g} apart (relative), and nothing that mlpnb "
                "reads explains it: look at what the model or its data do beyond Keras's own."
            )
            return Comparison(_table([(row, row.why) for row in rows]), words, False, case)
    if case is None:
        count = _counted(rows) if rows else "Nothing differs in what can be read"
        words = f"{count}. Give X and y: then effects are measured, and training both shows whether they agree."
        return Comparison(_table([(row, row.why) for row in rows]), words, None)
    reference = _reference(case, _fitted(case))
    before, _ = _measured(case, case.plan, reference)
    effects = [_effect(case, row, before, reference) for row in rows]
    words = (
        f"{_counted(rows)}. Trained on your data, {before.metric}: {reference.words()} for scikit-learn, "
        f"{before.words()} for Keras."
    )
    if np.isfinite(before.distance):
        words += f" Their predictions are {before.away()} apart (root mean square)."
    return Comparison(_table(list(zip(rows, effects, strict=True))), words, False, case)


def _counted(rows: list[Row]) -> str:
    return "1 difference" if len(rows) == 1 else f"{len(rows)} differences"


def _table(rows: list[tuple[Row, str]]) -> pd.DataFrame:
    import pandas as pd

    columns = ["difference", "scikit-learn", "Keras", "effect", "fix"]
    return pd.DataFrame([(r.name, r.sklearn, r.keras, effect, r.fix) for r, effect in rows], columns=columns)


# ---------------------------------------------------------------------------------------------------------------------
# What differs


def _differences(goal: Plan, plan: Plan, n_rows: int | None, model: Any, seeded: bool) -> list[Row]:
    """The rows, in the order in which closing them makes sense: the network, the loss, the optimizer, fit."""
    rows: list[Row] = []
    rows += _network(goal, plan)
    rows += _penalties(goal, plan, n_rows)
    rows += _dtype(goal, plan)
    rows += _optimizer(goal, plan, goal.plain_penalty(n_rows) or n_rows is None)
    rows += _start(goal, plan, model, seeded)
    rows += _fit(goal, plan, seeded)
    return rows


def _network(goal: Plan, plan: Plan) -> list[Row]:
    rows = []
    dense = ", ".join(_dense(goal, layer) for layer in range(len(goal.activation)))
    if goal.units != plan.units or goal.loss != plan.loss:
        closes = {
            "units": goal.units, "activation": goal.activation, "loss": goal.loss, "data_scale": 1.0,
            "penalty": (max(plan.penalty),) * len(goal.penalty), "start": goal.start,
        }  # fmt: skip
        loss = f"loss={_loss(goal)}" if goal.loss != plan.loss else ""
        rows.append(Row(
            "layers", _layers(goal), _layers(plan), "another network", "\n".join(filter(None, (dense, loss))), closes
        ))  # fmt: skip
        return rows
    if goal.activation != plan.activation:
        rows.append(Row(
            "activation", ", ".join(goal.activation), ", ".join(plan.activation), "another network", dense,
            {"activation": goal.activation},
        ))  # fmt: skip
    if not math.isclose(plan.data_scale, 1, rel_tol=1e-7):
        weight = goal.loss_weight()
        ours = "half the squared error, summed over outputs" if goal.loss == "squared_error" else "the log loss"
        rows.append(Row(
            "data term", f"{ours}, mean over rows", f"{plan.data_scale:g} times that",
            f"{plan.data_scale:g} times the gradient of the data",
            f"model.compile(optimizer=model.optimizer, loss={_loss(goal)}, loss_weights=[{weight!r}])",
            {"data_scale": 1.0},
        ))  # fmt: skip
    return rows


def _layers(plan: Plan) -> str:
    return f"{' → '.join(map(str, plan.units))}, {plan.activation[-1]} output"


def _loss(plan: Plan) -> str:
    return "mlpnb.PoissonDeviance()" if plan.loss == "poisson" else f"keras.losses.{KERAS_LOSS[plan.loss]}()"


def _dense(plan: Plan, layer: int, penalty: str = "", kind: str = "keras.layers.Dense") -> str:
    activation = KERAS_ACTIVATION[plan.activation[layer]]
    shown = "" if activation == "linear" else f', activation="{activation}"'
    return f"{kind}({plan.units[layer + 1]}{shown}{penalty})"


def _penalties(goal: Plan, plan: Plan, n_rows: int | None) -> list[Row]:
    wanted, per_batch = goal.penalty[0], goal.penalty[0] / goal.batch_size
    even = goal.plain_penalty(n_rows) or n_rows is None
    layers = range(len(goal.penalty))
    if not even:
        fix = ", ".join(_dense(goal, n, f", alpha={2 * wanted!r}", "mlpnb.DensePerRow") for n in layers)
    else:
        l2 = f", kernel_regularizer=keras.regularizers.L2({per_batch!r})" if wanted else ""
        fix = ", ".join(_dense(goal, n, l2) for n in layers)
    fix += "  # in place of the layers"
    rows = []
    factors = plan.penalty if len(plan.penalty) == len(goal.penalty) else (max(plan.penalty),) * len(goal.penalty)
    open_kernels = [layer for layer in layers if not factors[layer]]
    if wanted and open_kernels and any(factors):
        filled = tuple(factor or max(factors) for factor in factors)
        rows.append(Row(
            "penalised kernels", f"all {len(layers)}",
            "all but that of layer " + ", ".join(str(layer + 1) for layer in open_kernels),
            "kernels without a penalty grow larger", fix, {"penalty": filled},
        ))  # fmt: skip
        factors = filled
    alike = all(math.isclose(factor, wanted, rel_tol=1e-7) for factor in factors)
    same = alike and plan.per_row
    if even and not plan.per_row:
        same = all(math.isclose(factor, per_batch, rel_tol=1e-7) for factor in factors)
    if same or not (wanted or any(factors)):
        return rows
    mine = "" if plan.per_row else f"; {wanted:g} / {goal.batch_size} in a full batch"
    words = ", ".join(dict.fromkeys(f"{factor:g}" for factor in factors)) + " · Σ kernel²"
    per_row = " / rows of the batch" if plan.per_row else ""
    effective = factors[0] * (1 if plan.per_row else goal.batch_size)
    why = "a penalty that scikit-learn has not" if not wanted else f"{effective / wanted:.3g} times the penalty"
    if not any(factors):
        why = "kernels without a penalty grow larger"
    if wanted and not plan.per_row and math.isclose(effective, wanted, rel_tol=1e-7):
        why = "a weaker penalty in a short last batch, by whose own rows scikit-learn divides"
    rows.append(Row(
        "penalty scale", f"{wanted:g} · Σ kernel² / rows of the batch{mine}", words + per_row, why, fix,
        {"penalty": goal.penalty, "per_row": True},
    ))  # fmt: skip
    return rows


def _dtype(goal: Plan, plan: Plan) -> list[Row]:
    if goal.dtype != plan.dtype:
        return [Row(
            "dtype", goal.dtype, plan.dtype, "rounding, which training amplifies",
            f'keras.config.set_floatx("{goal.dtype}"); keras.config.set_dtype_policy("{goal.dtype}")'
            "  # first, before any layer is made",
            {"dtype": goal.dtype},
        )]  # fmt: skip
    return []


def _optimizer(goal: Plan, plan: Plan, even: bool) -> list[Row]:
    if goal.solver == "adam":
        line = (
            f"keras.optimizers.Adam({goal.learning_rate_init!r}, np.float64({goal.beta_1!r}), "
            f"np.float64({goal.beta_2!r}), epsilon={goal.epsilon!r})"
        )
        names: tuple[str, ...] = ("learning_rate_init", "beta_1", "beta_2", "epsilon")
    else:
        line = (
            f"keras.optimizers.SGD({goal.learning_rate_init!r}, momentum=np.float64({goal.momentum!r}), "
            f"nesterov={goal.nesterovs_momentum})"
        )
        names = ("learning_rate_init", "momentum", "nesterovs_momentum")
    fix = f"optimizer={line}"
    rows = []
    if goal.solver != plan.solver:
        closes = {name: getattr(goal, name) for name in ("solver", *names)}
        return [Row("optimizer", goal.solver, plan.solver, "other steps", fix, closes)]
    for name in names:
        mine, theirs = getattr(goal, name), getattr(plan, name)
        if name == "nesterovs_momentum" and not goal.momentum and not plan.momentum:
            continue
        if not math.isclose(mine, theirs, rel_tol=1e-7):
            rows.append(Row(
                name.replace("_init", "").replace("_", " "), repr(mine), repr(theirs), "other steps", fix,
                {name: mine},
            ))  # fmt: skip
    if not plan.exact and goal.dtype == "float64":
        l2 = even and any(goal.penalty)
        more = "\nfor layer in model.layers: layer.kernel_regularizer.l2 = np.float64(layer.kernel_regularizer.l2)"
        rows.append(Row(
            "scalar rounding", "none", "momentum, betas and L2 to float32", "1e-8 of a step",
            fix + (more if l2 else ""), {"exact": True},
        ))  # fmt: skip
    return rows


def _start(goal: Plan, plan: Plan, model: Any, seeded: bool) -> list[Row]:
    if seeded and plan.start is not None and goal.start is not None and goal.units == plan.units:
        tolerance = 1e-6 if plan.dtype != goal.dtype or goal.dtype == "float32" else 1e-12
        if all(np.allclose(a, b, rtol=tolerance, atol=0) for a, b in zip(goal.start, plan.start, strict=True)):
            return []
    seed = "" if seeded else ", without a seed"
    bounds = ", ".join(f"±{bound:.3g}" for bound in fan_bounds(goal))
    layer = next(layer for layer in model.layers if hasattr(layer, "kernel_initializer"))
    names = [type(getattr(layer, f"{kind}_initializer")).__name__ for kind in ("kernel", "bias")]
    keras = f"kernels {names[0]}, biases {names[1]}, drawn by Keras"
    if plan.start is None:
        keras = f"not known, as the model is trained already ({int(model.optimizer.iterations)} steps)"
    return [Row(
        "start weights", f"kernels and biases uniform within {bounds}, drawn by NumPy{seed}", keras,
        "another network of about equal worth",
        f"{_SEED[seeded]}model.set_weights(mlpnb.to_keras(estimator, X, y).model.get_weights())",
        {"start": goal.start},
    )]  # fmt: skip


_SEED = {True: "", False: "estimator.set_params(random_state=0)\n"}


def _seeded(estimator: Any) -> Any:
    """The estimator, or a copy with a seed if it has none: what is drawn anew each time can't be compared."""
    from sklearn.base import clone

    unseeded = hasattr(estimator, "set_params") and getattr(estimator, "random_state", 0) is None
    return clone(estimator).set_params(random_state=0) if unseeded else estimator


def _fit(goal: Plan, plan: Plan, seeded: bool) -> list[Row]:
    rows = []
    theirs = "mlpnb.to_keras(estimator, X, y).fit_arguments"
    default = {"batch_size": 32, "epochs": 1}
    for name, why in (("batch_size", "other steps, and another number of them"), ("epochs", "less or more training")):
        mine, keras = getattr(goal, name), getattr(plan, name)
        if mine != keras:
            note = " (Keras's default, as fit_arguments don't say)" if keras == default[name] else ""
            rows.append(Row(
                name.replace("_", " "), str(mine), f"{keras}{note}", why, f'fit_arguments["{name}"] = {mine}',
                {name: mine},
            ))  # fmt: skip
    closes = {name: getattr(goal, name) for name in ("stopping", "early_stopping", "schedule")}
    if any(getattr(plan, name) != value for name, value in closes.items()):
        rows.append(Row(
            "stopping and schedule", _stopping(goal), _stopping(plan), "fewer or more epochs",
            # with rows set aside, those that are left are to be trained on, so all of it goes together
            f"fit_arguments = {theirs}"
            if goal.early_stopping
            else f'fit_arguments["callbacks"] = {theirs}["callbacks"]',
            closes,
        ))  # fmt: skip
    if goal.order != plan.order:  # closed last, as its line hands over all that ``fit`` needs
        rows.append(Row(
            "batch order", goal.order if seeded else "shuffled by NumPy, without a seed", plan.order,
            "another network of about equal worth",
            f"{_SEED[seeded]}fit_arguments = {theirs}  # model.fit(**fit_arguments): data, order and stopping in one",
            {"order": goal.order},
        ))  # fmt: skip
    return rows


def _stopping(plan: Plan) -> str:
    schedule = "" if plan.schedule[0] == "constant" else f"; learning rate {plan.schedule[0]}"
    if plan.stopping is None:
        return f"never{schedule}"
    tol, patience = plan.stopping
    what = "score of rows set aside" if plan.early_stopping else "loss"
    return f"once the {what} has not improved by {tol:g} for more than {patience:g} epochs{schedule}"


# ---------------------------------------------------------------------------------------------------------------------
# What it does


@dataclass(frozen=True, eq=False)
class _Measured:
    """A network's predictions on the test part, and how good they are."""

    prediction: NDArray[Any]
    metric: str
    score: float
    diverged_at: int | None
    distance: float = float("nan")

    @classmethod
    def of(
        cls, case: Case, prediction: NDArray[Any], loss_curve: Sequence[float], reference: _Measured | None = None
    ) -> _Measured:
        """Of outputs of shape (n_samples, n_outputs), after epochs of these losses."""
        from sklearn.metrics import accuracy_score, r2_score

        truth = np.asarray(case.y_test)
        metric = "accuracy" if hasattr(case.estimator, "predict_proba") else "R²"
        if reference is not None and prediction.shape[1] == 2 and reference.prediction.shape[1] == 1:
            prediction = prediction[:, 1:]  # a softmax of two classes
        if not np.isfinite(prediction).all():
            not_finite = np.flatnonzero(~np.isfinite(loss_curve))
            return cls(prediction, metric, float("nan"), int([*not_finite, len(loss_curve) - 1][0]) + 1)
        with np.errstate(over="ignore", invalid="ignore"):
            if metric == "R²":
                score = r2_score(truth.reshape(len(prediction), -1), prediction)
            else:
                score = accuracy_score(truth.reshape(len(prediction), -1), _labels(case, prediction))
        distance = float("nan")
        if reference is not None and np.shape(prediction) == np.shape(reference.prediction):
            distance = rms_distance(prediction, reference.prediction)
        return cls(prediction, metric, float(score), None, distance)

    def words(self) -> str:
        """The score, or the epoch of the divergence."""
        return in_short(self.score) if self.diverged_at is None else f"diverged at epoch {self.diverged_at}"

    def away(self) -> str:
        """The distance to the reference, where both have one."""
        return f"{self.distance:.2g}" if np.isfinite(self.distance) else "–"


def _labels(case: Case, probability: NDArray[Any]) -> NDArray[Any]:
    """The labels that outputs stand for."""
    truth = np.asarray(case.y)
    if truth.ndim == 2 and truth.shape[1] > 1:
        return np.asarray(probability > 0.5, truth.dtype)
    classes = np.unique(truth)
    index = (probability[:, 0] > 0.5).astype(int) if probability.shape[1] == 1 else np.argmax(probability, axis=1)
    return np.asarray(classes[np.minimum(index, len(classes) - 1)])


def _fitted(case: Case) -> Any:
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning

    estimator = clone(case.estimator)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            estimator.fit(case.X, case.y)
        except ValueError as error:
            if "non-finite parameter weights" not in str(error):
                raise
    return estimator


def _reference(case: Case, estimator: Any) -> _Measured:
    """scikit-learn's own fit."""
    return _Measured.of(case, _outputs(estimator, case.X_test), estimator.loss_curve_)


def _outputs(estimator: Any, X: Any) -> NDArray[Any]:
    """A column an output, as a network computes them."""
    prediction = estimator.predict_proba(X) if hasattr(estimator, "predict_proba") else estimator.predict(X)
    if hasattr(estimator, "predict_proba") and estimator.n_outputs_ == 1:
        prediction = prediction[:, 1]
    return np.asarray(prediction).reshape(len(prediction), -1)


def _measured(case: Case, plan: Plan, reference: _Measured) -> tuple[_Measured, list[Any]]:
    """A Keras network trained by `plan`, and its weights."""
    model, loss_curve = _trained(case, plan)
    X = np.asarray(case.X_test.toarray() if hasattr(case.X_test, "toarray") else case.X_test, plan.dtype)
    return _Measured.of(case, np.asarray(model(X)), loss_curve, reference), model.get_weights()


def _trained(case: Case, plan: Plan) -> tuple[Any, list[float]]:
    """A Keras model trained by `plan` on the case's data, and its loss by epoch."""
    from mlpnb.loop import train

    begun, goal = case.begun, case.begun.plan
    stand_in = np.random.RandomState(1)  # for what Keras draws, or is not known
    if plan.start is None or plan.units != goal.units:
        pairs = zip(plan.units, plan.units[1:], strict=False)
        start: list[Any] = []
        for fan_in, fan_out in pairs:
            bound = np.sqrt(6 / (fan_in + fan_out))
            start += [stand_in.uniform(-bound, bound, (fan_in, fan_out)), np.zeros(fan_out)]
        plan = plan.replace(start=tuple(start))
    y = begun.y
    if plan.loss == "log_loss" and goal.loss == "binary_log_loss":
        y = np.hstack([1 - y, y])
    random = begun.random if plan.order == goal.order else None if plan.order == "as given" else stand_in
    begun = replace(begun, plan=plan, y=y, random=random)
    n_rows = begun.part().n_rows
    begun = replace(begun, plan=plan.replace(batch_size=min(plan.batch_size, n_rows)))
    arguments = begun.fit_arguments()
    model = build(begun.plan, n_rows)
    return model, train(model, arguments["x"], plan.epochs, arguments["callbacks"])


def _effect(case: Case, row: Row, before: _Measured, reference: _Measured) -> str:
    after, _ = _measured(case, case.plan.replace(**row.closes), reference)
    return (
        f"{row.why}; closed alone, {before.metric} {before.words()} → {after.words()}, "
        f"{before.away()} → {after.away()} from scikit-learn's predictions"
    )


def _trained_apart(case: Case, model: Any, arguments: dict[str, Any]) -> float | None:
    """The largest relative weight difference after training the user's own model, which is then set back."""
    weights, memory = model.get_weights(), [variable.value.numpy() for variable in model.optimizer.variables]
    try:
        own = copy.deepcopy(arguments)
    except (TypeError, ValueError):  # such as an open generator
        return None
    own.setdefault("x", np.asarray(case.begun.X))
    if isinstance(own["x"], np.ndarray):
        own.setdefault("y", case.begun.y)
    try:
        model.fit(**own | {"verbose": 0})
        trained = model.get_weights()
    finally:
        model.set_weights(weights)
        variables = model.optimizer.variables  # more than before, if the optimizer was not built yet
        for variable, value in zip(variables, [*memory, *[None] * (len(variables) - len(memory))], strict=True):
            variable.assign(np.zeros(variable.shape, variable.dtype) if value is None else value)
    estimator = _fitted(case)
    expected = [array for pair in zip(estimator.coefs_, estimator.intercepts_, strict=True) for array in pair]
    return _apart(trained, expected)


def _apart(weights: Any, expected: Any) -> float:
    """The largest difference of any weight, relative to the largest of its kernel or bias."""
    pairs = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(weights, expected, strict=True)]
    if any(a.shape != b.shape or not np.isfinite(a).all() for a, b in pairs):
        return float("nan")
    return max(float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), np.finfo(float).tiny)) for a, b in pairs)


def _ladder(case: Case) -> pd.DataFrame:
    import pandas as pd

    plans = [case.plan]
    for row in case.rows:
        plans.append(plans[-1].replace(**row.closes))
    estimator = _fitted(case)
    expected = [array for pair in zip(estimator.coefs_, estimator.intercepts_, strict=True) for array in pair]
    reference = _reference(case, estimator)
    spread = float(np.std(np.asarray(case.y_test, float))) if reference.metric == "R²" else 1.0
    rungs = []
    for plan, closes in zip(plans, ["nothing yet (Keras as given)", *(row.name for row in case.rows)], strict=True):
        measured, weights = _measured(case, plan, reference)
        comparable = measured.diverged_at is None and len(weights) == len(expected)
        rungs.append({
            "closes": closes,
            measured.metric: measured.score,
            "RMS distance [target units]": measured.distance,
            "RMS distance [SD of the target]": measured.distance / spread,
            "weight difference [relative]": _apart(weights, expected) if comparable else float("nan"),
            "diverged at epoch": measured.diverged_at,
        })  # fmt: skip
    frame = pd.DataFrame(rungs)
    frame = frame.rename_axis("rung").astype({"diverged at epoch": "Int64"})
    frame.attrs = {"reference": "scikit-learn", f"reference {reference.metric}": reference.score}
    return frame


# ---------------------------------------------------------------------------------------------------------------------
# Reading both


def _stand_in(estimator: Any, plan: Plan) -> tuple[Any, Any]:
    """Rows of the shapes that the model takes, for reading an estimator without data; none of them is trained on."""
    n_rows, n_outputs = 1000, plan.n_outputs
    X = np.random.default_rng(0).normal(size=(n_rows, plan.units[0]))
    if not hasattr(estimator, "predict_proba"):
        return X, np.abs(X[:, :1] + np.zeros(n_outputs)) if n_outputs > 1 else np.abs(X[:, 0])
    if plan.loss == "binary_log_loss" and n_outputs > 1:
        return X, (np.arange(n_rows)[:, None] + np.arange(n_outputs)) % 2
    return X, np.arange(n_rows) % max(2, n_outputs)


def _same_order(batches: Any, begun: Begun) -> bool:
    """Whether the batches are those of scikit-learn, in its order from here on."""
    X = begun.part().X
    if not isinstance(batches, load_custom().Batches) or len(batches.X) != len(X):
        return False
    if not (np.array_equal(batches.order, np.arange(len(X))) and np.allclose(batches.X, X)):
        return False
    if batches.random is None or begun.random is None:
        return batches.random is begun.random
    ours, theirs = batches.random.get_state(), begun.random.get_state()
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
