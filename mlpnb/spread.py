"""A sweep's rows, summed up over seeds: scores, the gap to a reference, and how far both spread."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlpnb.errors import InputError, require_choice
from mlpnb.markdown import literal
from mlpnb.recipe import MATCHED, SKLEARN
from mlpnb.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

LOW, HIGH = 0.1, 0.9
_ROUNDING = 1e-6
_SETTINGS = [field.name for field in dataclasses.fields(Settings)]


def spread_over_seeds(table: pd.DataFrame, reference: str | None = None) -> pd.DataFrame:
    """Medians over seeds of R² and of its gap to a reference recipe, for each recipe and whatever else varies.

    Parameters
    ----------
    table : DataFrame
        From `sweep` or `read_results`.
    reference : str, optional
        The recipe that the gap is measured from, seed by seed; "scikit-learn" if it is there and has all activations,
        else "Keras matched", else the first.

    Returns
    -------
    DataFrame
        A row for each recipe and each combination of "data" and of the settings that vary, but for the seed. "fits";
        "diverged", how many of them did; then of those that did not, "R²" and "R² gap" (the reference's less the
        recipe's), each the median, with its 10th and 90th percentile over seeds. ``attrs["reference"]`` is the
        reference.

    Raises
    ------
    InputError
        If it is no sweep's table, or the reference is not in it.
    """
    import pandas as pd

    missing = [name for name in ("data", *_SETTINGS, "recipe", "R²", "note") if name not in table]
    if missing or table.empty:
        raise InputError(
            f"the table has no rows of a sweep (no {missing or 'rows'}): give what `mlpnb.sweep` returned."
        )
    recipes = list(table["recipe"].unique())
    unfitted = set(table.loc[table["note"] != "", "recipe"])
    whole = [name for name in (SKLEARN.name, MATCHED.name) if name in recipes and name not in unfitted]
    reference = reference or [*whole, *recipes][0]
    require_choice("recipe", reference, recipes)
    place = ["data", *_SETTINGS]
    varies = [name for name in place if name in ("data", "alpha") or table[name].nunique() > 1]
    by = ["recipe", *(name for name in varies if name != "random_state")]
    own = table.loc[table["recipe"] == reference, [*place, "R²"]].drop_duplicates(place)
    rows = table.merge(own, on=place, how="left", suffixes=("", " there"))
    rows["R² gap"] = rows["R² there"] - rows["R²"]
    groups = rows.groupby(by, sort=False)
    parts = {"fits": groups["R²"].size(), "diverged": groups["diverged at epoch"].count()}
    for name in ("R²", "R² gap"):
        parts[name] = groups[name].median()
        for edge in (LOW, HIGH):
            parts[f"{name} {edge:.0%}"] = groups[name].quantile(edge)
    frame = rows[by].drop_duplicates().merge(pd.DataFrame(parts).reset_index(), on=by)
    frame.attrs = {"reference": reference, "seeds": int(table["random_state"].nunique())}
    return frame


def describe_sweep(table: pd.DataFrame, reference: str | None = None) -> str:
    """What a sweep shows, as Markdown with the figures in it: where each recipe's gap is widest, and what diverged.

    The parameters are those of `spread_over_seeds`.
    """
    spread = spread_over_seeds(table, reference)
    base = literal(spread.attrs["reference"])
    lines = []
    for recipe, rows in spread.groupby("recipe", sort=False):
        n_fits, n_diverged = int(rows["fits"].sum()), int(rows["diverged"].sum())
        words = f"- **{literal(str(recipe))}**: "
        known = rows.dropna(subset="R² gap")
        if recipe == spread.attrs["reference"]:
            words += f"the reference; its R² is from {rows['R²'].min():.3f} to {rows['R²'].max():.3f}."
        elif known.empty:
            words += "there is no fit to measure."
        elif known["R² gap"].abs().max() < _ROUNDING:
            off = known["R² gap"].abs().max()
            words += f"its R² is {base}'s at every alpha, {f'to {off:.0e}' if off else 'exactly'}."
        else:
            widest = known.sort_values("R² gap", key=abs).iloc[-1].to_dict()
            words += (
                f"its R² is furthest from {base}'s at alpha = {widest['alpha']:g}, by "
                f"{-widest['R² gap']:+.3g} (median over seeds; for four seeds in five between "
                f"{-widest[f'R² gap {HIGH:.0%}']:+.3g} and {-widest[f'R² gap {LOW:.0%}']:+.3g})."
            )
        lines.append(words + (f" {n_diverged} of its {n_fits} fits diverged." if n_diverged else ""))
    return "\n".join("- " + line[2:].replace(" -", " −") for line in lines)
