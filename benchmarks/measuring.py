"""How the benchmarks measure and report: seconds and their ratios, in one run, printed and written as JSON.

Run them on a quiet machine: ``make bench``.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

REPEATS = 7


def seconds(call: Callable[[], Any]) -> float:
    """The time that one call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def median(call: Callable[[], Any]) -> float:
    """The median time of `REPEATS` calls."""
    return statistics.median(seconds(call) for _ in range(REPEATS))


def report(name: str, results: dict[str, float], ratios: dict[str, float]) -> None:
    """Print both tables, and write them to ``benchmarks/results-<name>.json``."""
    for title, rows, unit in ((f"{name}: seconds", results, " s"), (f"{name}: ratios", ratios, "x")):
        print(f"\n{title}")
        for row, value in rows.items():
            print(f"  {row:<72}{value:>10.3f}{unit}")
    write(name, {"seconds": results, "ratios": ratios})


def write(name: str, found: dict[str, Any], *packages: str) -> None:
    """Write ``benchmarks/results-<name>.json``, with the versions of further `packages` beside those always told."""
    told = ("mlpnb", "scikit-learn", "keras", "numpy", *packages)
    versions = {package: metadata.version(package) for package in told}
    machine = {"python": platform.python_version(), "machine": platform.machine(), "versions": versions}
    target = Path(__file__).with_name(f"results-{name}.json")
    target.write_text(json.dumps({"machine": machine, **found}, indent=2) + "\n")
    print(f"\nwritten: {target.name}")
