"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import click

from mlpnb import __version__
from mlpnb.errors import InputError, ReportError, SweepError
from mlpnb.settings import Settings

_NOT_ON_THE_COMMAND_LINE = ("nesterovs_momentum",)
_DEFAULT_OUT = "report"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mlpnb")
def cli() -> None:
    """Why a neural network with the same hyperparameters fits differently in scikit-learn and in Keras."""


def _settings_options(command: Callable[..., Any], several: bool = False) -> Callable[..., Any]:
    """An option for each setting, with its help text and bounds from `Settings`' own table; `several` times, if so."""
    for field in reversed(fields(Settings)):
        if field.name in _NOT_ON_THE_COMMAND_LINE:
            continue
        rule = Settings.rule(field.name)
        text = f"{rule.help}; {rule.allowed()}"
        flags = [f"--{field.name.replace('_', '-')}"]
        if field.name == "random_state":
            flags.append("--seed")
        if field.name == "hidden_layer_sizes":
            text += ", with commas between layers"
        if field.name == "batch_size":
            text += ", or auto"
        default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
        command = click.option(
            *flags, field.name, metavar="VALUE", multiple=several, help=f"{text}.  [default: {default}]"
        )(command)
    return command


def _parse(name: str, text: str) -> Any:
    """An option's text as the value that `Settings` validates; what is no number stays text, to be named there."""
    if name == "hidden_layer_sizes":
        return tuple(_number(part) for part in text.split(",") if part.strip())
    rule = Settings.rule(name)
    return text if rule.choices else _number(text)


def _number(text: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@cli.command()
@_settings_options
@click.option("--data", metavar="NAME", help="A named data set.  [default: friedman1]")
@click.option("--csv", metavar="FILE", help="Your own table, CSV or Parquet, in place of --data; needs --target.")
@click.option("--target", metavar="COLUMN", help="The numeric column of --csv to predict.")
@click.option("--out", metavar="DIR", default=_DEFAULT_OUT, show_default=True, help="Where to write.")
@click.option("--notebook", metavar="NAME", default="01_the_question", show_default=True, help="Which notebook to run.")
def report(
    data: str | None, csv: str | None, target: str | None, out: str, notebook: str, **options: str | None
) -> None:
    """Execute a notebook with your settings: an HTML page, the notebook, the figure and the numbers."""
    given = {name: _parse(name, text) for name, text in options.items() if text is not None}
    settings = Settings(**given)
    _check_one_source(data, csv, target)
    from mlpnb.data import load_data, read_table
    from mlpnb.report import default_parameters, write_report

    # Everything that can be refused is refused here, before anything is written.
    defaults = default_parameters(notebook)
    table = read_table(csv, target) if csv is not None and target is not None else load_data(data or defaults["data"])
    settings.batch_rows(len(table.y_train))
    # What is not given is left to the notebook, whose defaults may not be the question's.
    spelled = {"random_state": "seed"}
    own = {name: value for name, value in given.items() if spelled.get(name, name) in defaults}
    parameters: dict[str, Any] = {spelled.get(name, name): getattr(settings, name) for name in own}
    more = {name: getattr(settings, name) for name in given if name not in own}
    if more:
        parameters["more"] = {name: list(v) if isinstance(v, tuple) else v for name, v in more.items()}
    if data is not None:
        parameters["data"] = data
    if csv is not None:
        parameters |= {"csv": str(Path(csv).resolve()), "target": target}
    for path in write_report(parameters, out, notebook, progress=True):
        click.echo(path)


@cli.command()
@click.argument("notebooks", nargs=-1, metavar="[NOTEBOOK]...")
@click.option("--out", metavar="DIR", default="handouts", show_default=True, help="Where to write.")
def handout(notebooks: tuple[str, ...], out: str) -> None:
    """Execute notebooks and make pages of them that need no kernel and no network, and PDFs to print.

    NOTEBOOK is one of mlpnb's, or a file of yours; all of mlpnb's, if none is given. Sliders of the explorer still
    work in the pages: all they can ask for is trained beforehand. Cells tagged "solution" are left out of NAME.html and
    NAME.pdf, and shown in NAME-teacher.html and NAME-teacher.pdf.
    """
    from mlpnb.handouts import handout_sources, write_handout
    from mlpnb.page import find_browser

    sources, browser, failed = handout_sources(notebooks), find_browser(), False
    if browser is None:
        click.echo(
            "mlpnb: no PDFs, since neither Chromium nor Chrome is here to print them: install one (on Debian and "
            "Ubuntu: apt-get install chromium) and run this again.",
            err=True,
        )
    for source in sources:
        try:
            for path in write_handout(source, out, browser, progress=True):
                click.echo(path)
        except ReportError as error:  # the others are made all the same
            click.echo(f"mlpnb: {error}", err=True)
            failed = True
    if failed:
        sys.exit(1)


@cli.command()
@click.argument("file", required=False, metavar="[FILE.yaml | FILE.json]")
@partial(_settings_options, several=True)
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    metavar="NAME",
    help="scikit-learn, Keras 1, Keras 2, Keras matched.  [default: the first three]",
)
@click.option("--data", multiple=True, metavar="NAME", help="A named data set.  [default: friedman1]")
@click.option("--csv", metavar="FILE", help="Your own table, CSV or Parquet, in place of --data; needs --target.")
@click.option("--target", metavar="COLUMN", help="The numeric column of --csv to predict.")
@click.option("--out", metavar="DIR", default="sweep", show_default=True, help="Where to write, and to go on from.")
@click.option("--workers", type=int, metavar="NUMBER", default=1, show_default=True, help="Processes.")
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask scheduler; or local, to start one for this sweep.")
def sweep(
    file: str | None, recipes: tuple[str, ...], data: tuple[str, ...], csv: str | None, target: str | None, out: str,
    workers: int, scheduler: str | None, **options: tuple[str, ...],
) -> None:  # fmt: skip
    """Fit every combination of settings, recipes and data sets; what is in --out already is not computed again.

    Options of settings may be given several times, and hold several values with commas between them, or first:stop for
    whole numbers: --alpha 0,0.1,1 --seed 0:20. (--hidden-layer-sizes 20,5 is one network of two layers.) Or FILE holds
    them, in lines such as

    \b
        alpha: [0, 0.1, 1]
        random_state: "0:20"
        hidden_layer_sizes: [[10], [20, 5]]
        recipe: [scikit-learn, Keras 2, {name: Keras 2 halved, like: Keras 2, data_term: half}]
        data: [friedman1, diabetes]

    Results are Parquet files, written as they come. Interrupt it, run it again, and it goes on.
    """
    _check_one_source(data[0] if data else None, csv, target)
    given = {name: _parse_axis(name, texts) for name, texts in options.items() if texts}
    from mlpnb.axes import read_recipes, read_sweep, settings_grid

    if file is not None and (given or recipes or data or csv):
        raise InputError(f"{file!r} and options of settings exclude each other: write all into the file.")
    from mlpnb.data import load_data, read_table
    from mlpnb.sweeping import sweep as swept

    if file is not None:
        what = read_sweep(file)
    else:
        what = {"settings": settings_grid(given), "recipes": read_recipes(list(recipes) or None)}
        named = [load_data(name) for name in data or ("friedman1",)]
        what["data"] = read_table(csv, target) if csv is not None and target is not None else named
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: click.echo(f"\nmlpnb: {message}", err=True)
        try:
            table = swept(**what, out=out, n_jobs=workers, scheduler=scheduler, progress=True)
        except KeyboardInterrupt:
            raise SweepError(f"interrupted: what had come is in {out!r}; run it again, and it goes on.") from None
    rows = table.groupby(["data", "recipe", "alpha"], sort=False).agg(
        **{"fits": ("R²", "size"), "diverged": ("diverged at epoch", "count"), "median R²": ("R²", "median")}
    )
    click.echo(rows.to_string())
    click.echo(f"{len(table):,} fits in {out}")


def _parse_axis(name: str, texts: tuple[str, ...]) -> Any:
    """The values of a sweep's option, as `mlpnb.axes.settings_grid` takes them."""
    if name == "hidden_layer_sizes":
        return [_parse(name, text) for text in texts]
    parts = [part.strip() for text in texts for part in text.split(",")]
    return parts[0] if len(parts) == 1 and ":" in parts[0] else [_parse(name, part) for part in parts]


@cli.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--dir", "folder", metavar="DIR", default="mlpnb-notebooks", show_default=True, help="Your working folder."
)
@click.argument("jupyter_options", nargs=-1, type=click.UNPROCESSED)
def lab(folder: str, jupyter_options: tuple[str, ...]) -> None:
    """Copy the notebooks to a folder of yours and open them in JupyterLab.

    A notebook that is there already is never overwritten. JUPYTER_OPTIONS, such as --no-browser or --port 8890, are
    handed on.
    """
    from mlpnb.lab import copy_notebooks, open_lab

    copied, kept = copy_notebooks(folder)
    click.echo(f"Notebooks in {Path(folder).resolve()}: {len(copied)} new.")
    for path in kept:
        click.echo(
            f"Kept yours, which differs from version {__version__}'s: {path.name} (move it away to get that one)."
        )
    open_lab(folder, jupyter_options)


@cli.command()
@click.option("--notebook", metavar="NAME", help="One of mlpnb's notebooks in place of the explorer.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="PORT", help="Default: 8866, or the next free one.")
@click.option("--ip", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="0.0.0.0 to let others in.")
@click.option("--visitors", type=int, metavar="NUMBER", default=10, show_default=True, help="At most, at once.")
@click.option(
    "--idle-minutes", type=float, metavar="MINUTES", default=20.0, show_default=True,
    help="A visitor who moved nothing for so long makes room.",
)  # fmt: skip
@click.option("--base-url", metavar="PATH", default="/", show_default=True, help="The path behind a reverse proxy.")
@click.option("--no-browser", is_flag=True, help="Do not open the page here.")
def app(
    notebook: str | None, port: int | None, ip: str, visitors: int, idle_minutes: float, base_url: str, no_browser: bool
) -> None:
    """Serve the explorer as a web page, by Voila: no code is seen, and none is taken.

    Every visitor has a Python process of their own, of some 0.5 GB once TensorFlow runs. The page is on this machine
    only, and asks for the token in the link that is printed (or for yours, in the environment variable JUPYTER_TOKEN).

    To let others in, leave it on 127.0.0.1 and put a reverse proxy with TLS before it, which hands on the Host header
    and WebSockets. For nginx and `mlpnb app --base-url /mlpnb/`:

    \b
        location /mlpnb/ {
            proxy_pass http://127.0.0.1:8866;
            proxy_set_header Host $http_host;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_buffering off;
            proxy_read_timeout 1h;
        }
    """
    from mlpnb.app import LOCAL, serve

    if ip not in LOCAL:
        click.echo(
            f"mlpnb: warning: on {ip}, everybody who reaches this machine and has the link gets in, and what they send "
            "is not encrypted: on a network you don't trust, put a reverse proxy before it (mlpnb app --help).",
            err=True,
        )
    serve(
        notebook, port=port, ip=ip, visitors=visitors, idle_minutes=idle_minutes, base_url=base_url,
        browser=not no_browser,
    )  # fmt: skip


@cli.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE.py | ESTIMATOR MODEL.keras")
@click.option("--batch-size", metavar="ROWS", help="What model.fit is given.  [default: Keras's, 32]")
@click.option("--epochs", metavar="NUMBER", help="What model.fit is given.  [default: Keras's, 1]")
@click.option("--data", metavar="NAME", help="A named data set to measure on.")
@click.option("--csv", metavar="FILE", help="Your own table to measure on, CSV or Parquet; needs --target.")
@click.option("--target", metavar="COLUMN", help="The numeric column of --csv to predict.")
@click.option("--unpickle", is_flag=True, help="Load a pickled ESTIMATOR, which runs whatever code is in it.")
@click.option("--out", metavar="FILE", multiple=True, help="Write what is printed as .html or .json as well.")
def compare(
    files: tuple[str, ...], batch_size: str | None, epochs: str | None, data: str | None, csv: str | None,
    target: str | None, unpickle: bool, out: tuple[str, ...],
) -> None:  # fmt: skip
    """List what differs between a scikit-learn MLP and a Keras model, and the lines that close it.

    FILE.py is your own code, and is run; it defines `estimator` and `model`, and, for effects measured on your data,
    `X` and `y`; for what model.fit is given, `fit_arguments = {"batch_size": 200, "epochs": 200}`. Its __name__ is not
    "__main__", so that what trains them can stay in it under `if __name__ == "__main__":`.

    Or give two saved models: a pickle (.pkl, .joblib) of the estimator, with --unpickle, and a .keras file.
    """
    _check_one_source(data, csv, target)
    fit_arguments = {name: _number(text) for name, text in (("batch_size", batch_size), ("epochs", epochs)) if text}
    from mlpnb.given import check_outputs, read_given, write

    check_outputs(out)
    given = read_given(files, unpickle=unpickle)
    if data is not None or csv is not None:
        from mlpnb.data import load_data, read_table

        table = read_table(csv, target) if csv is not None and target is not None else load_data(str(data))
        given |= {"X": table.X_train, "y": table.y_train, "X_test": table.X_test, "y_test": table.y_test}
    given["fit_arguments"] = dict(given.get("fit_arguments") or {}) | fit_arguments
    from mlpnb.comparison import compare as compared

    try:
        comparison = compared(**given)
    except InputError:
        raise
    except (ValueError, TypeError) as error:  # scikit-learn's words for what it rejects
        raise InputError(f"scikit-learn rejects the estimator or its data: {error}") from error
    write(comparison, out)
    click.echo(str(comparison))


def _check_one_source(data: str | None, csv: str | None, target: str | None) -> None:
    """Refuse options of the data that do not go together."""
    if csv is None and target is not None:
        raise InputError(f"--target {target!r} is the column of a table, but there is no --csv: give one.")
    if csv is not None and target is None:
        raise InputError(f"--csv {csv!r} needs to know what to predict: give --target COLUMN.")
    if csv is not None and data is not None:
        raise InputError(f"--data {data!r} and --csv {csv!r} exclude each other: give one of them.")


@cli.command()
def doctor() -> None:
    """Say what is installed, whether TensorFlow works, what is missing and how to get it."""
    from mlpnb.doctor import examine

    findings = examine()
    click.echo(f"mlpnb {__version__}, {sys.executable}")
    for finding in findings:
        mark = "ok     " if finding.ok else ("MISSING" if finding.needed else "absent ")
        click.echo(f"{mark} {finding.name}: {finding.detail}")
    for needed, words in ((True, "To get what is missing"), (False, "For the extras, if you want them")):
        wanted = [finding.install for finding in findings if finding.install and finding.needed is needed]
        if wanted:
            click.echo(f"{words}: {Path(sys.executable).name} -m pip install " + " ".join(f'"{w}"' for w in wanted))
    if not all(finding.ok for finding in findings if finding.needed):
        sys.exit(1)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; what cannot be used is one sentence and exit code 2, what fails on the way exit code 1."""
    try:
        cli.main(arguments, prog_name="mlpnb")
    except InputError as error:
        click.echo(f"mlpnb: {error}", err=True)
        sys.exit(2)
    except (ReportError, SweepError) as error:
        click.echo(f"mlpnb: {error}", err=True)
        sys.exit(1)
