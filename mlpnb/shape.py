"""The shape of a training: what is compiled into a program, so that networks which agree in it train together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mlpnb.data import Data
    from mlpnb.recipe import Recipe
    from mlpnb.settings import Settings

CELLS_A_PROGRAM = 64  # more are no faster a fit (measured), and take longer to compile


@dataclass(frozen=True)
class Shape:
    """What is compiled into a program; cells that agree in it train together."""

    layer_sizes: tuple[int, ...]  # inputs, hidden units, outputs
    activation: str
    optimizer: Literal["SGD", "Nesterov", "Adam"]
    dtype: str
    n_rows: int
    batch_rows: int


def shape_of(data: Data, settings: Settings, recipe: Recipe) -> Shape:
    """The program that a fit needs."""
    n_rows, n_features = data.X_train.shape
    return Shape(
        layer_sizes=(n_features, *settings.hidden_layer_sizes, 1),
        activation=settings.activation,
        optimizer="Adam" if settings.solver == "adam" else "Nesterov" if settings.nesterovs_momentum else "SGD",
        dtype=settings.dtype if recipe.dtype == "floatx" else data.X_train.dtype.name,
        n_rows=n_rows,
        batch_rows=settings.batch_rows(n_rows),
    )
