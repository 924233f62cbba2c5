from .data import Data, load_data, read_table
from .errors import InputError
from .estimators import KerasMLPClassifier, KerasMLPRegressor
from .explorer import Explorer, explore
from .export import save_grid
from .fit import Fit, NotFitted
from .grid import Grid, fit_grid, weight_difference
from .plots import plot_grid
from .recipe import DIFFERENCES, KERAS_1, KERAS_2, MATCHED, SKLEARN, Difference, Recipe, differences_table
from .settings import Settings

__version__: str
__all__ = [
    "DIFFERENCES",
    "KERAS_1",
    "KERAS_2",
    "MATCHED",
    "SKLEARN",
    "Data",
    "Difference",
    "Explorer",
    "Fit",
    "Grid",
    "InputError",
    "KerasMLPClassifier",
    "KerasMLPRegressor",
    "NotFitted",
    "Recipe",
    "Settings",
    "differences_table",
    "explore",
    "fit_grid",
    "load_data",
    "plot_grid",
    "read_table",
    "save_grid",
    "weight_difference",
]
