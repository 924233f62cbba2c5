from .attribution import Subsets, attribute, fit_subsets
from .axes import read_sweep, settings_grid
from .climb import ladder, variants
from .comparison import Comparison, compare
from .custom import DensePerRow, PoissonDeviance
from .data import Data, load_data, read_table
from .divergence import (
    StabilityMap,
    boundary_factors,
    critical_learning_rate,
    curvature,
    describe_replay,
    linear_boundaries,
    momentum_limit,
    remedies,
    replay,
    stability,
    stability_by_activation,
)
from .errors import InputError, SweepError
from .estimators import KerasMLPClassifier, KerasMLPRegressor
from .example import example_models
from .explorer import Explorer, explore
from .export import save_grid, save_results
from .fit import Fit, NotFitted
from .grid import Grid, fit_grid, weight_difference
from .history import GridHistory, History, legend, record_grid
from .hypotheses import examine_hypotheses
from .player import Player, animate
from .plots import plot_grid, plot_history, plot_ladder, plot_replay, plot_stability, plot_sweep, plot_waterfall
from .recipe import DIFFERENCES, KERAS_1, KERAS_2, MATCHED, SKLEARN, Difference, Recipe, differences_table
from .results import read_results
from .settings import Settings
from .spread import describe_sweep, spread_over_seeds
from .sweeping import sweep
from .switchboard import Switches, switches
from .translate import Translation, from_keras, to_keras

__version__: str
__all__ = [
    "DIFFERENCES",
    "KERAS_1",
    "KERAS_2",
    "MATCHED",
    "SKLEARN",
    "Comparison",
    "Data",
    "DensePerRow",
    "Difference",
    "Explorer",
    "Fit",
    "Grid",
    "GridHistory",
    "History",
    "InputError",
    "KerasMLPClassifier",
    "KerasMLPRegressor",
    "NotFitted",
    "Player",
    "PoissonDeviance",
    "Recipe",
    "Settings",
    "StabilityMap",
    "Subsets",
    "SweepError",
    "Switches",
    "Translation",
    "animate",
    "attribute",
    "boundary_factors",
    "compare",
    "critical_learning_rate",
    "curvature",
    "describe_replay",
    "describe_sweep",
    "differences_table",
    "examine_hypotheses",
    "example_models",
    "explore",
    "fit_grid",
    "fit_subsets",
    "from_keras",
    "ladder",
    "legend",
    "linear_boundaries",
    "load_data",
    "momentum_limit",
    "plot_grid",
    "plot_history",
    "plot_ladder",
    "plot_replay",
    "plot_stability",
    "plot_sweep",
    "plot_waterfall",
    "read_results",
    "read_sweep",
    "read_table",
    "record_grid",
    "remedies",
    "replay",
    "save_grid",
    "save_results",
    "settings_grid",
    "spread_over_seeds",
    "stability",
    "stability_by_activation",
    "sweep",
    "switches",
    "to_keras",
    "variants",
    "weight_difference",
]
