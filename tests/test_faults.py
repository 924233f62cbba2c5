"""Faults, each made for real: nothing written is lost, nothing is counted twice, and a sentence says what to do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from mlpnb import SKLEARN, InputError, SweepError, load_data, read_results, sweep
from mlpnb.workers import MOST_LOSSES, call_beside, compute

DATA = load_data("diabetes")
N_FITS = 120
AXES = {"random_state": range(N_FITS), "max_iter": 200, "activation": "relu"}
COMMAND = [
    sys.executable, "-m", "mlpnb", "sweep", "--data", "diabetes", "--seed", f"0:{N_FITS}", "--activation", "relu",
    "--recipe", "scikit-learn", "--out", "out",
]  # fmt: skip
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
needs_mounts = pytest.mark.skipif(not (IS_ROOT and sys.platform == "linux"), reason="only root mounts a file system")


@pytest.fixture(scope="module")
def undisturbed():
    """The rows of the sweep that all faults befall."""
    return without_time(sweep(DATA, AXES, [SKLEARN]))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


@pytest.fixture
def mounted(folder):
    """Mount a small file system there, with options."""
    folder.mkdir()

    def mount(options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)

    yield mount
    subprocess.run(["umount", str(folder)], check=True)


def without_time(table):
    return table.drop(columns="time [s]")


def parts(folder):
    return sorted(folder.glob("part-*.parquet"))


def started(*options):
    """A sweep under way that has written some of its results, and not all."""
    # Also where the tests run in a background that is deaf to Ctrl-C, as a shell's is.
    listen = {"start_new_session": True, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    run = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **listen)
    while run.poll() is None and len(parts(Path("out"))) < 2:
        time.sleep(0.02)
    assert run.poll() is None, run.communicate()
    return run


def ended(run):
    """What a sweep said and its exit code; never a traceback."""
    said = "".join(run.communicate(timeout=300))
    assert "Traceback" not in said
    return said, run.returncode


def assert_goes_on(folder, undisturbed, *options):
    """The same sweep again computes only what is missing, and then every fit is there once."""
    before = {path.name: path.stat().st_mtime_ns for path in parts(folder)}
    n_before = len(read_results(folder)) if before else 0
    said, code = ended(
        subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    )
    assert code == 0, said
    assert f"{n_before}/{N_FITS}" in said  # where the progress bar began
    assert {path.name: path.stat().st_mtime_ns for path in parts(folder) if path.name in before} == before
    assert sum(len(pd.read_parquet(path)) for path in parts(folder)) == N_FITS
    assert not [path for path in folder.iterdir() if path.name.startswith(".mlpnb-")]
    pd.testing.assert_frame_equal(without_time(read_results(folder)), undisturbed, check_exact=True)


def workers_of(run):
    """The processes that compute: those below the sweep that have worked most."""
    below = psutil.Process(run.pid).children(recursive=True)
    return sorted(below, key=lambda process: -sum(process.cpu_times()[:2]))[:2]


@pytest.mark.parametrize(
    "options", [["--workers", "2"], ["--workers", "2", "--scheduler", "local"]], ids=["own", "dask"]
)
def test_a_worker_that_is_killed_costs_its_task_alone(folder, undisturbed, options):
    run = started(*options)
    workers_of(run)[0].kill()
    said, code = ended(run)
    assert code == 0, said
    if "local" not in options:  # Dask starts another by itself
        assert "a worker process was killed" in said
    pd.testing.assert_frame_equal(without_time(read_results(folder)), undisturbed, check_exact=True)
    assert sum(len(pd.read_parquet(path)) for path in parts(folder)) == N_FITS


def test_workers_that_are_killed_again_and_again_end_the_sweep_in_a_sentence():
    with (
        pytest.warns(UserWarning, match="a worker process was killed"),
        pytest.raises(SweepError, match=f"killed {MOST_LOSSES} times in a row.*fewer workers"),
    ):
        list(compute(_suicide, range(4), n_jobs=2))


def test_the_process_beside_an_inline_sweep_that_is_killed_ends_it_in_a_sentence():
    with pytest.raises(SweepError, match=r"was killed.*it goes on from them"):
        call_beside(_suicide, None, print)


def _suicide(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_scheduler_that_is_killed_ends_the_sweep_in_a_sentence(folder, undisturbed):
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--port",
        "0",
        "--no-dashboard",
        "--scheduler-file",
    ]
    scheduler = subprocess.Popen([*command, "scheduler.json"], stderr=subprocess.DEVNULL)
    worker = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        "--nthreads",
        "1",
        "--no-dashboard",
        "--death-timeout",
        "20",
    ]
    worker = subprocess.Popen([*worker, "--scheduler-file", "scheduler.json"], stderr=subprocess.DEVNULL)
    try:
        while not Path("scheduler.json").exists():
            time.sleep(0.1)
        address = pd.read_json("scheduler.json", typ="series")["address"]
        run = started("--scheduler", address)
        scheduler.kill()
        said, code = ended(run)
        assert code == 1
        assert f"the Dask scheduler '{address}' is lost" in said
        assert "it goes on from them" in said
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
    assert_goes_on(folder, undisturbed)


def test_a_sweep_that_is_killed_loses_nothing_that_it_wrote_and_leaves_no_process(folder, undisturbed):
    run = started("--workers", "2")
    below = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    assert psutil.wait_procs(below, timeout=30)[1] == []
    run.communicate()
    (folder / ".mlpnb-part-left").write_bytes(b"half a file")  # what it may leave if killed while it writes
    assert 0 < len(read_results(folder)) < N_FITS
    assert_goes_on(folder, undisturbed)


def test_ctrl_c_ends_it_in_a_sentence(folder, undisturbed):
    run = started("--workers", "2")
    below = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, signal.SIGINT)
    said, code = ended(run)
    assert code == 1
    assert "interrupted: what had come is in 'out'; run it again, and it goes on." in said
    assert psutil.wait_procs(below, timeout=30)[1] == []
    assert_goes_on(folder, undisturbed)


@needs_mounts
def test_a_full_disk_keeps_what_was_written(folder, mounted, undisturbed):
    mounted("size=64k")
    said, code = ended(subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    assert code == 1
    assert "can't be written to 'out' (No space left on device)" in said
    assert "make room and run the same sweep again" in said
    kept = read_results(folder)
    assert 0 < len(kept) < N_FITS
    assert f"{len(kept)} fits are kept there" in said
    assert not [path for path in folder.iterdir() if path.name.startswith(".mlpnb-")]
    subprocess.run(["mount", "-o", "remount,size=16m", str(folder)], check=True)
    assert_goes_on(folder, undisturbed)


@needs_mounts
def test_a_read_only_folder_is_refused_before_anything_is_computed(mounted):
    mounted("ro")
    said, code = ended(subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    assert code == 2
    assert said.splitlines() == [
        "mlpnb: output folder 'out' cannot be written to (Read-only file system): choose another one."
    ]


@pytest.mark.parametrize("damage", ["truncated", "a byte altered", "empty", "overwritten"])
def test_a_damaged_file_is_set_aside_and_its_fits_are_computed_again(folder, undisturbed, damage):
    sweep(DATA, AXES, [SKLEARN], out=folder)
    victim = parts(folder)[1]
    content = bytearray(victim.read_bytes())
    n_lost = len(pd.read_parquet(victim))
    content[len(content) // 2] ^= 1
    damaged = {
        "truncated": content[: len(content) // 3], "a byte altered": content, "empty": b"",
        "overwritten": parts(folder)[0].read_bytes(),
    }  # fmt: skip
    victim.write_bytes(damaged[damage])
    with pytest.warns(UserWarning, match="is not as it was written: it is left out"):
        assert len(read_results(folder)) == N_FITS - n_lost
    with pytest.warns(
        UserWarning, match=f"{victim.name}.*is renamed to end in .corrupt, and its fits are computed again"
    ):
        table = sweep(DATA, AXES, [SKLEARN], out=folder)
    pd.testing.assert_frame_equal(without_time(table), undisturbed, check_exact=True)
    assert victim.with_name(victim.name + ".corrupt").read_bytes() == bytes(damaged[damage])
    assert sum(len(pd.read_parquet(path)) for path in parts(folder)) == N_FITS


def test_two_folders_copied_into_one_count_no_fit_twice(folder, undisturbed):
    sweep(DATA, AXES, [SKLEARN], out=folder)
    sweep(DATA, AXES | {"random_state": range(20)}, [SKLEARN], out=folder.with_name("other"))
    for path in parts(folder.with_name("other")):
        path.replace(folder / path.name)
    assert sum(len(pd.read_parquet(path)) for path in parts(folder)) > N_FITS
    pd.testing.assert_frame_equal(without_time(read_results(folder)), undisturbed, check_exact=True)


def test_a_second_sweep_to_one_folder_is_refused_and_harms_nothing(folder, undisturbed):
    run = started()
    with pytest.raises(InputError, match="'out' is being written to by another sweep: wait for it"):
        sweep(DATA, {"max_iter": 2}, [SKLEARN], out="out")
    said, code = ended(run)
    assert code == 0, said
    pd.testing.assert_frame_equal(without_time(read_results(folder)), undisturbed, check_exact=True)
