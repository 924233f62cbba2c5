"""The hyperparameters that every column of the grid shares, validated when they are made.

Bounds, choices and help text of each setting stand once, in the table of `Settings`' fields; validation, the command
line and the widgets are all made from it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from mlpnb.errors import InputError, require_choice

ACTIVATIONS = ("logistic", "tanh", "relu", "identity", "softplus")
DTYPES = ("float32", "float64")
SOLVERS = ("sgd", "adam")
# Keras's and other common names, to point a user at scikit-learn's.
_ACTIVATION_ALIASES = {"sigmoid": "logistic", "linear": "identity", "hyperbolic": "tanh"}
_DTYPE_ALIASES = {"float": "float64", "double": "float64", "single": "float32", "f4": "float32", "f8": "float64"}


@dataclass(frozen=True)
class Rule:
    """What one setting may be: its help text, and its bounds or its choices."""

    help: str
    integer: bool = False
    low: float = -math.inf
    low_included: bool = True
    high: float = math.inf
    choices: tuple[str, ...] = ()
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        kind = "a whole number" if self.integer else "a finite number"
        if math.isfinite(self.high):
            return f"{kind} from {self.low:g} to {self.high:.10g}"
        return f"{kind}, {self.low:g} or more" if self.low_included else f"{kind} above {self.low:g}"

    def check(self, name: str, value: object) -> Any:
        """Return `value` as a plain Python value, or raise `InputError`."""
        if self.choices:
            return require_choice(name, value, self.choices, self.aliases)
        kind = Integral if self.integer else Real
        refusal = InputError(f"{name} is {value!r}, but it must be {self.allowed()}: give such a value.")
        if isinstance(value, bool) or not isinstance(value, kind):
            raise refusal
        try:
            number = int(value) if self.integer else float(value)  # type: ignore[call-overload]
            finite = math.isfinite(number)
        except OverflowError:  # a whole number beyond every float
            raise refusal from None
        above = number >= self.low if self.low_included else number > self.low
        if not (finite and above and number <= self.high):
            raise refusal
        return number


def _setting(default: Any, **rule: Any) -> Any:
    return dataclasses.field(default=default, metadata={"rule": Rule(**rule)})


@dataclass(frozen=True)
class Settings:
    """The hyperparameters of one network, spelled as scikit-learn spells them; the defaults are the question's.

    They are the same for every column of the grid. What they leave unsaid is a `Recipe`.

    Parameters
    ----------
    alpha : float, default=1.0
        L2 penalty; 0 or more.
    dtype : {"float32", "float64"}, default="float32"
        Keras's ``floatx``: what the question's Keras columns compute in. scikit-learn computes in the dtype of its
        input, whatever this says (``MLPRegressor._validate_input``, scikit-learn 1.9.1
        ``neural_network/_multilayer_perceptron.py``).
    activation : {"logistic", "tanh", "relu", "identity", "softplus"}, default="logistic"
        Activation of the hidden layers. scikit-learn has no softplus.
    hidden_layer_sizes : tuple of int, default=(10,)
        Units of each hidden layer; ``()`` is the linear model.
    solver : {"sgd", "adam"}, default="sgd"
        The optimizer.
    learning_rate_init : float, default=0.001
        Learning rate, constant; above 0.
    momentum : float, default=0.9
        From 0 to 1; sgd's.
    nesterovs_momentum : bool, default=True
        Whether sgd's momentum is Nesterov's.
    batch_size : int or "auto", default="auto"
        Rows a batch; "auto" is ``min(200, rows)``.
    max_iter : int, default=200
        Epochs, at the most.
    random_state : int, default=0
        Seed of start weights and batch order, 0 to 2**32 - 1.

    Raises
    ------
    InputError
        If a value is not allowed.
    """

    alpha: float = _setting(1.0, help="L2 penalty", low=0)
    dtype: str = _setting("float32", help="dtype that Keras computes in", choices=DTYPES, aliases=_DTYPE_ALIASES)
    activation: str = _setting(
        "logistic", help="activation of the hidden layers", choices=ACTIVATIONS, aliases=_ACTIVATION_ALIASES
    )
    hidden_layer_sizes: tuple[int, ...] = _setting((10,), help="units of a hidden layer", integer=True, low=1)
    solver: str = _setting("sgd", help="optimizer", choices=SOLVERS)
    learning_rate_init: float = _setting(1e-3, help="learning rate", low=0, low_included=False)
    momentum: float = _setting(0.9, help="momentum", low=0, high=1)
    nesterovs_momentum: bool = _setting(True, help="Nesterov's momentum")
    batch_size: int | str = _setting("auto", help="rows a batch", integer=True, low=1)
    max_iter: int = _setting(200, help="epochs at the most", integer=True, low=1)
    random_state: int = _setting(0, help="seed", integer=True, low=0, high=2**32 - 1)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, self._checked(field.name, getattr(self, field.name)))

    @classmethod
    def _checked(cls, name: str, value: Any) -> Any:
        rule = cls.rule(name)
        if name == "hidden_layer_sizes":
            if (
                isinstance(value, str | bytes | Mapping | Set)
                or not hasattr(value, "__iter__")
                or getattr(value, "shape", None) == ()
            ):
                raise InputError(
                    f"hidden_layer_sizes is {value!r}, but it must be a sequence of whole numbers, 1 or more each: "
                    "write (10,) for one layer of ten units."
                )
            return tuple(rule.check("hidden_layer_sizes", units) for units in value)
        if name == "nesterovs_momentum":
            from numpy import bool_  # not above: help on the command line is to come at once

            if not isinstance(value, bool | bool_):
                raise InputError(f"nesterovs_momentum is {value!r}, but it must be True or False: give one of them.")
            return bool(value)
        if name == "batch_size" and isinstance(value, str):
            if value == "auto":
                return "auto"
            raise InputError(f"batch_size is {value!r}, but it must be 'auto' or {rule.allowed()}: give one.")
        return rule.check(name, value)

    @classmethod
    def rule(cls, name: str) -> Rule:
        """The bounds, choices and help text of setting `name`."""
        rule: Rule = cls.__dataclass_fields__[name].metadata["rule"]
        return rule

    def replace(self, **changes: Any) -> Settings:
        """A copy with `changes`, validated again."""
        return dataclasses.replace(self, **changes)

    def batch_rows(self, n_rows: int) -> int:
        """Rows of a full batch for `n_rows` training rows.

        "auto" is ``min(200, n_rows)``, as in ``MLPRegressor._fit_stochastic`` (scikit-learn 1.9.1,
        ``neural_network/_multilayer_perceptron.py``).

        Raises
        ------
        InputError
            If `batch_size` is above `n_rows`.
        """
        if self.batch_size == "auto":
            return min(200, n_rows)
        rows = int(self.batch_size)
        if rows > n_rows:
            raise InputError(
                f"batch_size is {rows}, above the {n_rows} training rows: give {n_rows} or fewer, or 'auto'."
            )
        return rows

    def to_json(self) -> str:
        """The settings as a JSON object, a key a setting."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from a mapping such as ``json.loads(settings.to_json())``; what is left out has its default.

        Raises
        ------
        InputError
            If it is no mapping, a name is not a setting's, or a value is not allowed.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"the settings are {values!r}, but must be a mapping of names to values: give one.")
        names = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            require_choice("setting", name, names)
        return cls(**values)
