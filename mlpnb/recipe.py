"""The recipe: what "the same hyperparameters" leaves unsaid, one field for each thing the libraries do differently.

A column of the grid is a recipe. Each field takes one of two values, scikit-learn's or Keras's; `DIFFERENCES` says in
one sentence what the difference is and which file of which version the claim rests on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from mlpnb.errors import InputError, require_choice
from mlpnb.settings import SOLVERS

if TYPE_CHECKING:
    import pandas as pd

_MLP = "scikit-learn 1.9.1 neural_network/_multilayer_perceptron.py"
_KERAS = "Keras 3.15.1 src/"


@dataclass(frozen=True)
class Difference:
    """One thing that scikit-learn and Keras do differently: a field of `Recipe`.

    Attributes
    ----------
    name : str
        The field of `Recipe`.
    title : str
        A short name for headings and pictures.
    sentence : str
        One plain sentence that says what differs.
    sklearn, keras : str
        The field's value for scikit-learn, and for Keras as the question uses it.
    source : str
        The files, with versions, that the sentence rests on.
    solvers : tuple of str
        The solvers for which it can matter at all.
    """

    name: str
    title: str
    sentence: str
    sklearn: str
    keras: str
    source: str
    solvers: tuple[str, ...] = SOLVERS


def _difference(
    title: str, sentence: str, sklearn: str, keras: str, source: str, solvers: tuple[str, ...] = SOLVERS
) -> Any:
    metadata = {"title": title, "sentence": sentence, "sklearn": sklearn, "keras": keras, "source": source}
    return dataclasses.field(default=sklearn, metadata=metadata | {"solvers": solvers})


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, beyond its hyperparameters. A frozen value; the defaults are scikit-learn's.

    Parameters
    ----------
    name : str
        Title of the column.
    library : {"keras", "scikit-learn"}, default="keras"
        Who trains: Keras's layers and optimizer, or `MLPRegressor` itself.
    data_term, penalty_scale, penalised_kernels, kernel_start, bias_start, draws, stopping, epsilon, dtype, scalars
        The differences, each scikit-learn's value or Keras's, as text: see `DIFFERENCES`.

    Raises
    ------
    InputError
        If the name is no text, if a value is not one of a field's two, or if `library` is "scikit-learn" and a field
        is not scikit-learn's.
    """

    name: str
    library: Literal["keras", "scikit-learn"] = "keras"
    data_term: str = _difference(
        "data term",
        "scikit-learn minimises half the mean squared error, Keras's 'mse' the whole: twice the gradient.",
        "half",
        "full",
        "scikit-learn 1.9.1 neural_network/_base.py squared_loss; " + _KERAS + "losses/losses.py mean_squared_error",
    )
    penalty_scale: str = _difference(
        "penalty scale",
        "scikit-learn divides the penalty by the rows of the batch (the short last one too), a Keras kernel "
        "regularizer does not: about 200 times the penalty.",
        "per row",
        "whole",
        _MLP + " _backprop, _compute_loss_grad; " + _KERAS + "regularizers/regularizers.py L2, trainers/trainer.py",
    )
    penalised_kernels: str = _difference(
        "penalised kernels",
        "scikit-learn penalises every kernel, Keras those that are given a regularizer: the question's Keras 1 only "
        "the hidden ones.",
        "all",
        "hidden",
        _MLP + " _backprop; the question",
    )
    kernel_start: str = _difference(
        "kernel start",
        "Both draw the kernels uniformly within ±sqrt(f / (inputs + outputs)); Keras with f = 6, scikit-learn with "
        "f = 2 for logistic and 6 for the others.",
        "sklearn",
        "glorot_uniform",
        _MLP + " _init_coef; " + _KERAS + "layers/core/dense.py, initializers/random_initializers.py GlorotUniform",
    )
    bias_start: str = _difference(
        "bias start",
        "scikit-learn draws the biases as it draws the kernels, Keras starts them at zero.",
        "uniform",
        "zeros",
        _MLP + " _init_coef; " + _KERAS + "layers/core/dense.py",
    )
    draws: str = _difference(
        "random draws",
        "scikit-learn draws from NumPy's RandomState, layer by layer, then a shuffle an epoch; Keras from its own "
        "generator, within bounds rounded to float32, so equal seeds do not correspond.",
        "sklearn",
        "keras",
        _MLP
        + " _initialize, _fit_stochastic; "
        + _KERAS
        + "random/seed_generator.py, backend/tensorflow/random.py uniform",
    )
    stopping: str = _difference(
        "stopping",
        "scikit-learn stops once the training loss has not improved by 1e-4 for more than ten epochs, Keras trains "
        "every epoch it was asked for.",
        "tol",
        "never",
        _MLP + " _update_no_improvement_count; " + _KERAS + "backend/tensorflow/trainer.py fit",
    )
    epsilon: str = _difference(
        "epsilon",
        "Adam's epsilon is 1e-8 in scikit-learn and 1e-7 in Keras, unless one is given.",
        "1e-8",
        "1e-7",
        _MLP + " MLPRegressor; " + _KERAS + "optimizers/adam.py",
        solvers=("adam",),
    )
    dtype: str = _difference(
        "dtype",
        "scikit-learn computes in the dtype of its input, float64 as a rule, Keras in its floatx, float32 as a rule.",
        "input",
        "floatx",
        _MLP + " _validate_input; " + _KERAS + "backend/config.py floatx",
    )
    scalars: str = _difference(
        "scalar rounding",
        "Keras rounds a Python float for the momentum, for Adam's betas or for L2 to float32 even under float64 (0.9 "
        "becomes 0.8999999761581421), scikit-learn rounds nothing.",
        "exact",
        "float32",
        _KERAS + "backend/tensorflow/core.py cast, optimizers/sgd.py update_step, optimizers/adam.py update_step, "
        "regularizers/regularizers.py L2",
    )

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise InputError(f"a recipe's name is {self.name!r}, but it must be text: give such a name.")
        require_choice("library", self.library, ("keras", "scikit-learn"))
        for difference in DIFFERENCES.values():
            value = getattr(self, difference.name)
            require_choice(difference.name, value, (difference.sklearn, difference.keras))
            if self.library == "scikit-learn" and value != difference.sklearn:
                raise InputError(
                    f"{difference.name} is {value!r}, but scikit-learn itself can only train with "
                    f"{difference.sklearn!r}: leave it, or use library='keras'."
                )

    @property
    def data_factor(self) -> float:
        """What the mean squared error is multiplied by in the loss."""
        return 0.5 if self.data_term == "half" else 1.0

    def penalty_divisor(self, batch_rows: int) -> int:
        """What the penalty is divided by in the loss of a batch of so many rows."""
        return batch_rows if self.penalty_scale == "per row" else 1

    def differences(self, solver: str | None = None) -> tuple[Difference, ...]:
        """The differences in which this recipe departs from scikit-learn's, in order: those that `solver` knows."""
        departs = (d for d in DIFFERENCES.values() if getattr(self, d.name) != d.sklearn)
        return tuple(d for d in departs if solver is None or solver in d.solvers)

    def replace(self, **changes: Any) -> Recipe:
        """A copy with `changes`, validated again."""
        return dataclasses.replace(self, **changes)


DIFFERENCES: Mapping[str, Difference] = MappingProxyType(
    {f.name: Difference(name=f.name, **f.metadata) for f in dataclasses.fields(Recipe) if "sentence" in f.metadata}
)
"""Every difference by its field's name, in the order of the fields."""


def require_names(recipes: Sequence[Recipe]) -> None:
    """Make sure that there are recipes, each with a name of its own, by which columns and rows are told apart.

    Raises
    ------
    InputError
        If it is not so.
    """
    names = [recipe.name for recipe in recipes]
    if not names or len(set(names)) < len(names):
        raise InputError(f"recipes are {names}, but there must be one or more, each with its own name: rename them.")


def differences_table() -> pd.DataFrame:
    """`DIFFERENCES` as a table, a row a difference."""
    import pandas as pd

    rows = [(d.title, d.sentence, d.sklearn, d.keras, d.source) for d in DIFFERENCES.values()]
    return pd.DataFrame(rows, columns=["difference", "in a sentence", "scikit-learn", "Keras", "source"])


SKLEARN = Recipe("scikit-learn", library="scikit-learn")
KERAS_1 = Recipe("Keras 1", **{d.name: d.keras for d in DIFFERENCES.values()})  # type: ignore[arg-type]
KERAS_2 = KERAS_1.replace(name="Keras 2", penalised_kernels="all")
MATCHED = Recipe("Keras matched")
