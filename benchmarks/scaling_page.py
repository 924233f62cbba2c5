"""The page on growth, ``docs/scaling.md``: its tables, sentences and picture, from what `scaling` measured."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from trainers import BASE, BATCH_ROWS, CELL_EPOCHS, EPOCHS, LIBRARIES

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
AXES = {"rows": "rows", "features": "features", "hidden": "hidden units", "cells": "networks", "workers": "workers"}
CLUSTERS = (8, 64, 256)  # cores
Results = dict[str, Any]


class Growth(NamedTuple):
    """A power law, value = scale · size ** exponent, as fitted by least squares in the logarithms.

    Attributes
    ----------
    exponent, scale : float
    r2 : float
    first, last : float
        The sizes fitted to.
    """

    exponent: float
    scale: float
    r2: float
    first: float
    last: float

    def at(self, size: float) -> float:
        """The value at a size."""
        return float(self.scale * size**self.exponent)


def growth(sizes: Sequence[float], values: Sequence[float]) -> Growth:
    """Fit a power law to the upper part, in which overhead is small.

    That is where a value is at least ten times the smallest size's, and the three largest sizes in any case.
    """
    sizes, values = np.asarray(sizes, float), np.asarray(values, float)
    first = min(int(np.argmax(values >= 10 * values[0])) or len(values), len(values) - 3)
    x, y = np.log(sizes[max(first, 0) :]), np.log(values[max(first, 0) :])
    exponent, intercept = np.polyfit(x, y, 1)
    rest = y - (exponent * x + intercept)
    spread = np.sum((y - y.mean()) ** 2)
    r2 = 1 - np.sum(rest**2) / spread if spread else 1.0
    return Growth(float(exponent), float(np.exp(intercept)), float(r2), float(np.exp(x[0])), float(np.exp(x[-1])))


def flops(layer_units: Sequence[int]) -> int:
    """Floating-point operations of a row's forward and backward pass: the matrix products'.

    A layer's forward product takes 2·inputs·outputs, a multiplication and an addition each; the gradient by its kernel
    as many, and the gradient by its inputs as many again, which the first layer has no need of. Activations, the loss
    and the update, once a batch, are left out.
    """
    products = [2 * inputs * outputs for inputs, outputs in itertools.pairwise(layer_units)]
    return 3 * sum(products) - products[0]


def points(results: Results, axis: str, library: str) -> list[dict[str, float]]:
    """A library's points along an axis."""
    return [point for point in results["axes"][axis] if point["library"] == library]


def held(point: dict[str, float]) -> float:
    """Bytes at the peak: the data, and what was held beside it; a page of memory at least."""
    return max(4096.0, point["data"] + point["beside"])


VALUES: dict[str, Callable[[dict[str, float]], float]] = {"time": lambda point: point["later"], "memory": held}


def growths(results: Results, of: str) -> dict[str, dict[str, Growth]]:
    """The power laws of time or memory, by axis and library."""
    return {
        axis: {
            library: growth([p[axis] for p in its], [VALUES[of](p) for p in its])
            for library in LIBRARIES
            if (its := points(results, axis, library))
        }
        for axis in results["axes"]
    }


def figure(value: float) -> str:
    """Three significant digits, without an exponent where that can be read."""
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{float(f'{value:.3g}'):,.10g}"


def duration(seconds: float) -> str:
    """In the unit in which it can be read."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60), ("s", 1), ("ms", 1e-3)):
        if seconds >= size * (1 if unit in ("s", "ms") else 2):
            return f"{figure(seconds / size)} {unit}"
    return f"{figure(seconds * 1e6)} µs"


def size_of(n_bytes: float) -> str:
    """In MB or GB."""
    return f"{figure(n_bytes / 1e9)} GB" if n_bytes >= 1e9 else f"{figure(n_bytes / 1e6)} MB"


def giga(number: float) -> str:
    """In thousands of millions."""
    return f"{figure(number / 1e9)} · 10⁹"


def power(number: float) -> str:
    """A size, as a power of ten where it is one."""
    exponent = round(np.log10(number))
    superscript = str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{superscript}" if number == 10**exponent and exponent > 3 else f"{number:,.0f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown; all columns but the first to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows])


def paragraph(text: str, mark: str = "") -> str:
    """Markdown in lines of at most 120 characters; `mark` begins a list's item."""
    whole = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(text, 120, initial_indent=mark, subsequent_indent=" " * len(mark), **whole)


def same_work(results: Results) -> str:
    """How far the four agree."""
    worst = max(results["disagreement"].values())
    bound = int(-np.log10(max(worst, 1e-16)))
    return paragraph(
        "From the same weights, and in the same order of rows, three epochs of each end in the same weights: none is "
        f"further off than 10<sup>−{bound}</sup> of the largest."
    )


def rates(results: Results) -> str:
    """The table of the most rows, and what it says."""
    most = {library: points(results, "rows", library)[-1] for library in LIBRARIES}
    header = [
        "",
        "rows a second",
        "an epoch",
        "the first",
        "beside the data",
        "as a share of it",
        "getting ready",
        "takes",
    ]
    rows = [
        [
            library,
            figure(p["rows"] / p["later"]),
            *(duration(p[key]) for key in ("later", "first")),
            size_of(p["beside"]),
            f"{p['beside'] / p['data']:.2f}",
            duration(p["ready"]),
            size_of(p["fixed"]),
        ]
        for library, p in most.items()
    ]
    mine, theirs = most["mlpnb"], most["scikit-learn"]
    said = paragraph(
        f"At {power(mine['rows'])} rows of {mine['features']} features ({size_of(mine['data'])}) and with "
        f"{mine['hidden']} hidden units, `KerasMLPRegressor.partial_fit` trains "
        f"**{figure(theirs['later'] / mine['later'])} times** as many rows a second as `MLPRegressor.partial_fit`; "
        f"with the data it holds **{held(mine) / mine['data']:.2f} times** the data."
    )
    return f"{table(header, rows)}\n\n{said}"


def exponents(results: Results) -> str:
    """A table for time and one for memory."""
    parts = []
    for of, words in (("time", "time against"), ("memory", "memory, with the data, against")):
        rows = [
            [
                AXES[axis],
                library,
                f"{law.exponent:.2f}",
                "–" if axis == "workers" else f"{law.r2:.3f}",  # a line through two points
                f"{power(round(law.first))} to {power(round(law.last))}",
            ]
            for axis, laws in growths(results, of).items()
            for library, law in laws.items()
        ]
        parts.append(table([words, "", "exponent", "R²", "fitted from"], rows))
    return "\n\n".join(parts)


def ceiling(results: Results) -> str:
    """The roofline: what the machine reaches, what training does, and what bounds it."""
    roof = results["roofline"]
    a_row = flops((BASE["features"], BASE["hidden"], 1))
    bytes_a_row = 8 * (BASE["features"] + 2)  # X, y, and the place in the order
    intensity, corner = a_row / bytes_a_row, roof["flops"] / roof["bandwidth"]
    lid = min(roof["flops"], intensity * roof["bandwidth"])
    side, limit = ("above", "arithmetic, not memory,") if intensity > corner else ("below", "memory")
    machine = paragraph(
        f"A product of large matrices reaches **{giga(roof['flops'])}** operations a second on this machine's "
        f"{roof['cores']} cores, and a copy of large arrays moves **{giga(roof['bandwidth'])}** bytes: the roof's "
        f"corner is at {figure(corner)} operations a byte. Training {BASE['features']}–{BASE['hidden']}–1 takes "
        f"{a_row:,} operations on the {bytes_a_row} bytes of a row, {figure(intensity)} a byte. That is {side} the "
        f"corner: {limit} would be the limit, at {giga(lid)} operations a second."
    )
    rows = []
    for library in LIBRARIES:
        ends = [points(results, axis, library)[-1] for axis in ("rows", "hidden")]
        reached = [flops((int(p["features"]), int(p["hidden"]), 1)) * p["rows"] / p["later"] for p in ends]
        rows.append([library, *(f"{figure(r / 1e9)} ({100 * r / roof['flops']:.0f} %)" for r in reached)])
    header = [
        "10⁹ operations a second (of the roof)",
        *(f"{power(p['rows'])} rows, {p['hidden']:,} hidden" for p in ends),
    ]
    alone = a_row * BATCH_ROWS / roof["products"]
    logistic = max(0.0, roof["batch"] - roof["identity"])
    products = min(roof["products"], roof["batch"] - logistic)
    pieces = {
        "the logistic function": logistic,
        "the matrix products": products,
        "the rest (gathering rows, loss, update, and the loop and its calls)": roof["batch"] - logistic - products,
    }
    told = ", ".join(f"{name} {duration(part)} ({100 * part / roof['batch']:.0f} %)" for name, part in pieces.items())
    bound = paragraph(
        f"What bounds it, then? The network's own products, {BATCH_ROWS} rows at a time, reach "
        f"{giga(alone)} by NumPy alone, {100 * alone / roof['flops']:.0f} % of the large one's. Of the "
        f"{duration(roof['batch'])} that `KerasMLPRegressor` takes for a batch, measured with and without the logistic "
        f"function and against NumPy's products, {told}. NumPy's products ({duration(roof['products'])}), SciPy's "
        f"logistic function ({duration(roof['logistic'])}) and the gathering of rows out of a large table "
        f"({duration(roof['gather'])}) are what `MLPRegressor` is made of. "
        f"So what bounds `KerasMLPRegressor` here most is **{max(pieces, key=pieces.__getitem__).partition(' (')[0]}**."
    )
    return f"{machine}\n\n{table(header, rows)}\n\n{bound}"


def cluster(results: Results) -> str:
    """What 10⁸ rows and 10⁶ fits take, from the exponents."""
    cores = results["roofline"]["cores"]
    time, most = growths(results, "time")["rows"]["mlpnb"], points(results, "rows", "mlpnb")[-1]
    data, share = 1e8 * most["data"] / most["rows"], held(most) / most["data"]
    one, two = (1 / point["later"] for point in points(results, "workers", "mlpnb"))
    measured = two / (2 * one)
    efficiency = min(1.0, measured)
    taken = ", taken as 100 %" if measured > 1 else ""
    header = ["cores", "10⁶ fits", "an epoch of 10⁸ rows, one fit", "such epochs a day, many fits"]
    rows = [
        [
            str(size),
            duration(1e6 / (one * efficiency * size)),
            duration(time.at(1e8)),
            figure(86400 / time.at(1e8) * size / cores * efficiency),
        ]
        for size in CLUSTERS
    ]
    assumed = [
        f"Every {cores} cores are as fast as this machine's {cores}, on which all was measured; a worker has one core. "
        f"The efficiency of workers is the {100 * measured:.0f} % measured from one to two{taken}; settings go out and "
        "a row of results comes back, so that the network between them is not the limit.",
        f"A worker makes {figure(one)} fits of the question's problem a second ({EPOCHS} epochs each), all it takes "
        "included, and 10⁶ take that many times as long.",
        f"An epoch of 10⁸ rows takes {duration(time.at(1e8))} by the exponent {time.exponent:.2f}, "
        f"{figure(1e8 / time.last)} times beyond the largest size measured.",
        f"One fit runs on one worker, whose memory must hold {size_of(data)} of data, and at most "
        f"{size_of(data * (share - 1))} beside them: the share that it was at {power(most['rows'])} rows, which falls "
        "with more.",
    ]
    return table(header, rows) + "\n\n" + "\n".join(paragraph(text, "- ") for text in assumed)


def sweeps(results: Results) -> str:
    """Fits by one worker and by two."""
    rows = [
        [
            "`mlpnb.sweep`" if p["library"] == "mlpnb" else f"{p['library']} by joblib",
            *(str(p["workers"]), f"{p['fits']:,}", duration(p["later"] * p["fits"])),
            *(figure(1 / p["later"]), size_of(p["beside"])),
        ]
        for p in results["axes"]["workers"]
    ]
    one, two = points(results, "workers", "mlpnb")
    others = [(library, points(results, "workers", library)[-1]["later"] / two["later"]) for library in LIBRARIES[1:]]
    said = paragraph(
        f"Two workers of `mlpnb.sweep` are **{one['later'] / two['later']:.2f} times** as fast as one, and make "
        f"{', '.join(f'**{figure(times)} times** ({library})' for library, times in others)} as many fits a second as "
        "joblib's on the same cores. The sweep's time is all of it, starting processes, importing TensorFlow, "
        "compiling and writing results; joblib's processes were there already, with the library imported. Memory is "
        "all processes' together."
    )
    return f"{table(['', 'workers', 'fits', 'in', 'fits a second', 'memory'], rows)}\n\n{said}"


def picture(results: Results) -> str:
    """``docs/scaling.png``: time above, memory below, an axis a column."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colours = dict(zip(LIBRARIES, ("#D55E00", "#0072B2", "#009E73", "#444444"), strict=True))
    markers = dict(zip(LIBRARIES, "osD^", strict=True))
    drawn = Figure(figsize=(13, 5.6), layout="constrained")
    titles = {"cells": f"{CELL_EPOCHS} epochs of each network", "workers": f"a fit of {EPOCHS} epochs"}
    panels = drawn.subplots(2, len(results["axes"]), squeeze=False)
    for column, axis in enumerate(results["axes"]):
        for row, (of, unit) in enumerate((("time", 1.0), ("memory", 1e6))):
            panel = panels[row, column]
            panel.set(xscale="log", yscale="log", xlabel=AXES[axis])
            for library in LIBRARIES:
                its = points(results, axis, library)
                values = [VALUES[of](point) / unit for point in its]
                sizes = [point[axis] for point in its]
                style = {"marker": markers[library], "color": colours[library], "markersize": 4, "linewidth": 1.4}
                panel.plot(sizes, values, label=library, **style)
            panel.grid(alpha=0.3)
            panel.spines[["top", "right"]].set_visible(False)
            if axis == "workers":  # one and two, which are no decades
                panel.set_xticks(sizes, sizes)
                panel.set_xticks([], minor=True)
        panels[0, column].set_title(titles.get(axis, "an epoch"), fontsize="medium")
    panels[0, 0].set_ylabel("seconds")
    panels[1, 0].set_ylabel("MB: data and beside it")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=len(LIBRARIES), frameon=False)
    FigureCanvasAgg(drawn).print_png(PAGE.with_suffix(".png"), metadata={"Software": None})
    return (
        "![Time and memory against rows, features, hidden units, networks and workers, a line for each library, in "
        f"logarithmic axes.]({PAGE.stem}.png)"
    )


BLOCKS = {
    "same-work": same_work, "rates": rates, "sweeps": sweeps, "picture": picture, "exponents": exponents,
    "roofline": ceiling, "cluster": cluster,
}  # fmt: skip


def make_page(results: Results) -> None:
    """Write the tables and sentences into the page, and the picture beside it."""
    text = PAGE.read_text(encoding="utf-8")
    for name, block in BLOCKS.items():
        made = block(results)
        print(f"\n{made}")
        marks = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        filled = f"{marks[0]}{made}\n{marks[1]}"
        text, found = re.subn(".*?".join(marks), lambda _, filled=filled: filled, text, flags=re.DOTALL)
        assert found == 1, name
    PAGE.write_text(text, encoding="utf-8")
