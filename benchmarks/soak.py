"""Does long work grow? A thousand slider moves in one kernel, and two hundred reports in sequence.

``python benchmarks/soak.py [MOVES [REPORTS]]`` measures, prints, and writes the table of ``docs/trust.md``.
"""

from __future__ import annotations

import gc
import json
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
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

from mlpnb.report import write_report

ROUND = 10  # moves between two samples
PAGE = Path(__file__).parents[1] / "docs" / "trust.md"
TABLE = re.compile(r"(?<=<!-- soak -->\n).*?(?=\n<!-- /soak -->)", re.DOTALL)

# What runs in the kernel: a move is over when the picture is the state's.
CELL = """
import asyncio, gc, json, time
from matplotlib.figure import Figure
import mlpnb

explorer = mlpnb.explore()

async def move(name, value):
    started = time.perf_counter()
    explorer._controls[name].value = value
    while explorer.busy:
        await asyncio.sleep(0.002)
    await asyncio.sleep(0)  # what the last fit has posted
    seconds = time.perf_counter() - started
    assert getattr(explorer.state.settings, name, value) == value, explorer.describe()
    assert explorer._words.value == explorer.describe() != "", explorer._words.value
    return seconds

async def play(moves):
    seconds = [await move(*one) for one in moves]
    gc.collect()
    figures = sum(isinstance(thing, Figure) for thing in gc.get_objects())
    print(json.dumps({"latency [s]": seconds[-1], "figures": figures}))
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


def reports(count: int) -> pd.DataFrame:
    """Write reports one after the other from this process; a row a report."""
    rows = []
    with own_folder() as folder, tempfile.TemporaryDirectory(dir=folder.parent) as out:
        for number in range(1, count + 1):
            started = time.perf_counter()
            written = write_report({"data": "diabetes", "max_iter": 3, "seed": number}, out)
            seconds = time.perf_counter() - started
            gc.collect()
            processes, files = left_over(folder)
            rows.append(
                {
                    "number": number,
                    **footprint(psutil.Process()),
                    "figures": sum(isinstance(thing, Figure) for thing in gc.get_objects()),
                    "latency [s]": seconds,
                    "processes left over": processes,
                    "files left over": files + len(set(Path(out).iterdir()) - {*written, Path(out, ".mlpnb.lock")}),
                }
            )
            print(rows[-1], file=sys.stderr, flush=True)
    return pd.DataFrame(rows)
