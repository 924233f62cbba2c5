"""Does long work grow? A thousand slider moves in one kernel, and two hundred reports in sequence.

``python benchmarks/soak.py [MOVES [REPORTS]]`` measures, prints, and writes the table of ``docs/trust.md``.
"""

from __future__ import annotations

import gc
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import psutil
from jupyter_client.manager import start_new_kernel
from matplotlib.figure import Figure
from measuring import write
from scipy.stats import linregress

from mlpnb import SKLEARN, load_data
from mlpnb.explorer import ALPHAS, LEARNING_RATES
from mlpnb.fit import fit_sklearn
from mlpnb.report import write_report
from mlpnb.settings import ACTIVATIONS, DTYPES, SOLVERS, Settings

ROUND = 10  # moves between two samples
DATA = ("friedman1", "friedman2", "friedman3", "diabetes")  # without those that are fetched from the network
PAGE = Path(__file__).parents[1] / "docs" / "trust.md"
TABLE = re.compile(r"(?<=<!-- soak -->\n).*?(?=<!-- /soak -->)", re.DOTALL)

HOME: dict[str, Any] = {
    "alpha": 1.0, "learning_rate_init": 1e-3, "momentum": 0.9, "max_iter": 200, "dtype": "float32",
    "activation": "logistic", "data": "friedman1", "solver": "sgd", "hidden_units": 10, "matched": False,
    "random_state": 0,
}  # fmt: skip
LEFT_OVER = ("processes left over", "files left over")

# What runs in the kernel: a move is over when the picture is the state's.
CELL = """
import asyncio, gc, html, json, os, time
from matplotlib.figure import Figure
import mlpnb

explorer = mlpnb.explore()
print(os.getpid())

async def move(name, value):
    started = time.perf_counter()
    explorer._controls[name].value = value
    while explorer.busy:
        await asyncio.sleep(0.002)
    await asyncio.sleep(0)  # what the last fit has posted
    seconds = time.perf_counter() - started
    assert getattr(explorer.state.settings, name, value) == value, explorer.describe()
    assert explorer._words.value == html.escape(explorer.describe()), explorer._words.value
    return seconds

async def play(moves):
    for one in moves:
        latency = await move(*one)
    gc.collect()
    figures = sum(isinstance(thing, Figure) for thing in gc.get_objects())
    print(json.dumps({"latency [s]": latency, "figures": figures}))
"""


def footprint(process: psutil.Process) -> dict[str, float]:
    """What a process holds."""
    memory = process.memory_full_info()
    return {
        "RSS [kB]": memory.rss / 1024,
        "USS [kB]": memory.uss / 1024,
        "open files": process.num_fds(),
        "threads": process.num_threads(),
        "mappings": len(Path(f"/proc/{process.pid}/maps").read_bytes().splitlines()),
    }


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for all that is temporary: what is in it after the work was left over by the work."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name, "temporary")
        folder.mkdir()
        environment = {"TMPDIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
        with mock.patch.dict(os.environ, environment), mock.patch.object(tempfile, "tempdir", str(folder)):
            yield folder


def left_over(folder: Path) -> tuple[int, int]:
    """Processes started with this temporary folder, and files in it."""

    def ours(process: psutil.Process) -> bool:
        try:
            return process.environ().get("TMPDIR") == str(folder)
        except psutil.Error:
            return False

    return sum(map(ours, psutil.process_iter())), sum(not path.is_dir() for path in folder.rglob("*"))


def mlp_regressor() -> float:
    """The seconds of a fit by `MLPRegressor`, now, the median of five: what the machine is worth at the moment."""
    data, settings = load_data(), Settings()
    return statistics.median(fit_sklearn(data, settings, SKLEARN).seconds for _ in range(5))


def reports(count: int) -> pd.DataFrame:
    """Write reports one after the other from this process; a row a report."""
    rows = []
    with own_folder() as folder, tempfile.TemporaryDirectory(dir=folder.parent) as out:
        for number in range(1, count + 1):
            started = time.perf_counter()
            written = write_report({"data": "diabetes", "max_iter": 3, "seed": number}, out)
            latency = time.perf_counter() - started
            gc.collect()
            processes, files = left_over(folder)
            others = set(Path(out).iterdir()) - {*written, Path(out, ".mlpnb.lock")}
            rows.append(
                {
                    "number": number,
                    **footprint(psutil.Process()),
                    "figures": sum(isinstance(thing, Figure) for thing in gc.get_objects()),
                    "latency [s]": latency,
                    "latency [fits]": latency / mlp_regressor(),
                    **dict(zip(LEFT_OVER, (processes, files + len(others)), strict=True)),
                }
            )
            print(rows[-1], file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


@contextmanager
def kernel() -> Iterator[Callable[[str], str]]:
    """One real Jupyter kernel, as a call that executes a cell in it and gives what that prints."""
    manager, client = start_new_kernel(kernel_name="python3")

    def execute(cell: str) -> str:
        printed = []

        def output(message: dict[str, Any]) -> None:  # all are read, as a browser does, or they would pile up
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                printed.append(message["content"]["text"])

        reply = client.execute_interactive(cell, store_history=False, timeout=600, output_hook=output)["content"]
        if reply["status"] != "ok":
            raise RuntimeError("\n".join(reply["traceback"]))
        return "".join(printed)

    try:
        yield execute
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def walk(count: int) -> Iterator[list[tuple[str, Any]]]:
    """What a person does: now and then something else, mostly alpha; at the end of each round the question again.

    The last move of each round is one and the same, a seed not seen before, so that its latency can be compared.
    """
    stops: dict[str, Sequence[Any]] = {
        "alpha": ALPHAS, "learning_rate_init": LEARNING_RATES[3:10], "momentum": (0.0, 0.5, 0.8, 0.9, 0.95),
        "max_iter": range(50, 400, 50), "dtype": DTYPES, "activation": ACTIVATIONS, "data": DATA,
        "solver": SOLVERS, "hidden_units": range(1, 31), "matched": (False, True), "random_state": range(1, 20),
    }  # fmt: skip
    names = ["alpha"] * 6 + ["learning_rate_init", "hidden_units"] * 2 + [*stops]
    chance = random.Random(0)
    for first in range(0, count, ROUND):
        n_moves = min(ROUND, count - first)
        moves: list[tuple[str, Any]] = []
        state = dict(HOME)
        while len(moves) + sum(state[name] != HOME[name] for name in HOME) < n_moves - 2:  # one more, and its way home
            name = chance.choice(names)
            value = chance.choice([stop for stop in stops[name] if stop != state[name]])
            state[name] = value
            moves.append((name, value))
        moves += [(name, HOME[name]) for name in HOME if state[name] != HOME[name]]
        yield [*moves, *(("random_state", 1000 + first + left) for left in range(n_moves - len(moves)))]


def slider_moves(count: int, before: str = "") -> pd.DataFrame:
    """Move the sliders of an explorer in one kernel, after the cell `before`; a row every `ROUND` moves."""
    rows = []
    with own_folder() as folder:
        with kernel() as execute:
            execute(before)
            process = psutil.Process(int(execute(CELL)))
            number = 0
            for moves in walk(count):
                found = json.loads(execute(f"await play({moves!r})"))
                number += len(moves)
                found["latency [fits]"] = found["latency [s]"] / mlp_regressor()
                rows.append({"number": number, **footprint(process), **found})
                print(rows[-1], file=sys.stderr, flush=True)
        left = left_over(folder)
    return pd.DataFrame(rows).assign(**dict(zip(LEFT_OVER, left, strict=True)))


def summary(rows: pd.DataFrame) -> dict[str, Any]:
    """What a table of samples says: where each quantity began and ended, its slope, and the latency's ratio.

    Slopes are by least squares over the second half, when all that is made once has been made.
    """
    half, tenth = rows[len(rows) // 2 :], max(1, len(rows) // 10)
    found: dict[str, Any] = {"count": int(rows["number"].iloc[-1])}
    for name in rows.columns.drop("number"):
        fitted = linregress(half["number"], half[name])
        found[name] = {
            "first": float(rows[name].iloc[0]),
            "half way": float(half[name].iloc[0]),
            "last": float(rows[name].iloc[-1]),
            "slope": float(fitted.slope),
            "standard error": float(np.nan_to_num(fitted.stderr)),  # of what never changes it is 0 / 0
        }
    for name in ("latency [s]", "latency [fits]"):
        found[name]["ratio"] = float(rows[name].tail(tenth).median() / rows[name].head(tenth).median())
    return found


def table(moves: dict[str, Any], reports: dict[str, Any]) -> str:
    """Both summaries as a table in Markdown."""

    def way(found: dict[str, float], unit: float = 1.0) -> str:
        return " → ".join(f"{found[when] / unit:.0f}" for when in ("first", "half way", "last"))

    def slope(found: dict[str, float]) -> str:
        return f"{found['slope']:+.1f} ± {found['standard error']:.1f}".replace("-", "−")

    def ratio(found: dict[str, float]) -> str:
        return f"{found['ratio']:.2f}"

    columns = moves, reports
    rows = {
        "": [f"{moves['count']:,} slider moves, one kernel", f"{reports['count']:,} reports, one process"],
        "---": ["--:", "--:"],
        "RSS after the first, half way, at the end [MB]": [way(column["RSS [kB]"], 1000) for column in columns],
        "its slope in the second half [kB each]": [slope(column["RSS [kB]"]) for column in columns],
        "the slope of USS, what no other process shares [kB each]": [slope(column["USS [kB]"]) for column in columns],
        **{
            f"{name} after the first, half way, at the end": [way(column[name]) for column in columns]
            for name in ("open files", "threads", "mappings", "figures")
        },
        "latency: median of the last tenth by that of the first": [ratio(column["latency [s]"]) for column in columns],
        "the same, latency in fits of `MLPRegressor` made beside": [
            ratio(column["latency [fits]"]) for column in columns
        ],
        **{name: [f"{column[name]['last']:.0f}" for column in columns] for name in LEFT_OVER},
    }
    return "\n".join(f"| {' | '.join([name, *cells])} |" for name, cells in rows.items())


def main(arguments: list[str]) -> None:
    """Measure, print, write."""
    counts = [int(argument) for argument in arguments] + [1000, 200][len(arguments) :]
    results = {"moves": summary(slider_moves(counts[0])), "reports": summary(reports(counts[1]))}
    write("soak", results)
    made = table(**results)
    print(made)
    PAGE.write_text(TABLE.sub(lambda _: f"{made}\n", PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
