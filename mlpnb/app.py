"""The explorer as a web page: Voila, for one notebook, with a bounded number of visitors.

Voila's own protections stay as they are: a token in the link, no code from the page (its kernels take only messages
between widgets), no files. Nothing but the one notebook lies in the folder that is served.
"""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

from mlpnb.errors import InputError
from mlpnb.lab import notebook_path

LOCAL = ("127.0.0.1", "localhost", "::1")
FIRST_PORT = 8866  # Voila's own
VISITORS = 10
IDLE_MINUTES = 20.0
_TEMPLATES = Path(__file__).parent / "voila"

_STORY = (
    "# The same network, in scikit-learn and in Keras",
    "Move **alpha**, the L2 penalty, and choose what Keras computes in and the activation. Every point is one row of "
    "the test part: its true value to the right, its prediction up; on the dashed line the prediction is perfect. The "
    "upper row is without the penalty, the lower row with it. All of it is trained as you move, by scikit-learn and by "
    "Keras.",
)


def serve(
    notebook: str | None = None,
    *,
    port: int | None = None,
    ip: str = LOCAL[0],
    visitors: int = VISITORS,
    idle_minutes: float = IDLE_MINUTES,
    base_url: str = "/",
    browser: bool = True,
) -> None:
    """Serve a notebook as a web page until it is ended.

    Parameters
    ----------
    notebook : str, optional
        One of mlpnb's; the explorer alone, if left out.
    port : int, optional
        If left out, 8866, or where that is in use another one near it.
    ip : str, default="127.0.0.1"
        The address to listen on.
    visitors : int, default=10
        Kernels at most, one a visitor; who comes beyond is told so.
    idle_minutes : float, default=20.0
        A kernel that nothing was asked of for so many minutes is ended.
    base_url : str, default="/"
        The path under which a reverse proxy hands requests on.
    browser : bool, default=True
        Whether to open the page.

    Raises
    ------
    InputError
        If Voila is not installed, the port is in use, the address is not this machine's, or there is no such notebook.
    """
    if visitors < 1:
        raise InputError(f"visitors is {visitors}, but there must be room for one at least: give 1 or more.")
    if not idle_minutes > 0:
        raise InputError(f"idle-minutes is {idle_minutes:g}, but must be above 0: give the minutes, such as 20.")
    _check_address(ip, port)
    server_class = _server_class()
    with tempfile.TemporaryDirectory(prefix="mlpnb-app-") as folder:
        page = _page(Path(folder), notebook)
        server = server_class(
            config_file_paths=[],  # what a folder's voila.json says must not undo what the help says
            ip=ip,
            port=FIRST_PORT if port is None else port,
            port_retries=50 if port is None else 0,
            base_url="/" + "".join(f"{part}/" for part in base_url.split("/") if part),
            open_browser=browser,
            auto_token=True,
            config=_config(visitors, idle_minutes),
        )
        server.initialize([str(page)])
        server.start()


def _config(visitors: int, idle_minutes: float) -> Any:
    from traitlets.config import Config

    return Config(
        {
            "VoilaConfiguration": {
                "multi_kernel_manager_class": _manager_class(),
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
                "file_allowlist": [],  # the page holds all that it needs
            },
            "BoundedKernelManager": {
                "max_kernels": visitors,
                "cull_idle_timeout": max(1, round(60 * idle_minutes)),
                "cull_interval": max(1, min(60, round(60 * idle_minutes / 4))),
                "cull_connected": True,  # a page left open must not hold a place for ever
            },
        }
    )


def _page(folder: Path, name: str | None) -> Path:
    """The notebook to serve, the only file in `folder`."""
    if name is not None:
        source = notebook_path(name)
        return Path(shutil.copyfile(source, folder / source.name))
    import nbformat

    cells = [nbformat.v4.new_markdown_cell("\n\n".join(_STORY))]
    cells += [nbformat.v4.new_code_cell("import mlpnb\n\nmlpnb.explore()")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page = folder / "explorer.ipynb"
    metadata = {"kernelspec": kernel, "title": "mlpnb: the same network, in scikit-learn and in Keras"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), page)
    return page


def _check_address(ip: str, port: int | None) -> None:
    """Refuse an address that cannot be listened on, before anything is started."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(ip, port or 0, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError) as error:
        raise InputError(f"address {ip!r} is not known ({error}): give one of this machine's, or 0.0.0.0.") from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does, or a port just left is busy
        try:
            probe.bind(address)
        except OSError as error:
            if port is None:
                raise InputError(
                    f"address {ip!r} cannot be listened on ({error.strerror}): give one of this machine's."
                ) from error
            raise InputError(
                f"port {port} on {ip} cannot be used ({error.strerror}): choose another one, or leave --port out for "
                "the next free one."
            ) from error


def _manager_class() -> type[Any]:
    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
    from tornado.web import HTTPError
    from traitlets import Integer

    class BoundedKernelManager(AsyncMappingKernelManager):  # type: ignore[misc]
        """Kernels up to a number; whoever wants one more is told so."""

        max_kernels = Integer(VISITORS, config=True)

        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self._starting: set[str] = set()

        async def start_kernel(self, **kwargs: Any) -> str:
            if len({*self.list_kernel_ids(), *self._starting}) >= self.max_kernels:
                room = "one visitor" if self.max_kernels == 1 else f"{self.max_kernels} visitors at once"
                raise HTTPError(
                    503,
                    f"This page has room for {room}, each with a Python process of their own. A place becomes free as "
                    "soon as somebody closes the page, or moves nothing for a while.",
                )
            kernel_id = self.new_kernel_id(**kwargs)
            self._starting.add(kernel_id)  # not yet in the list while it starts
            try:
                return str(await super().start_kernel(kernel_id=kernel_id, **kwargs))
            finally:
                self._starting.discard(kernel_id)

    return BoundedKernelManager


def _server_class() -> type[Any]:
    try:
        from voila.app import Voila
    except ImportError as error:
        python = Path(sys.executable).name
        raise InputError(f"Voila can't be imported ({error}): run `{python} -m pip install 'mlpnb[app]'`.") from error

    class AppServer(Voila):  # type: ignore[misc]
        """Voila with mlpnb's page, and a browser that is given the token."""

        name = "voila"

        def setup_template_dirs(self) -> None:
            super().setup_template_dirs()
            self.template_paths.insert(0, str(_TEMPLATES))

        def launch_browser(self) -> None:
            # by way of a file that only its owner reads, as JupyterLab does: other users see a command's arguments
            with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False) as file:
                file.write(f'<meta http-equiv="refresh" content="0; url={self.display_url}">')
            webbrowser.open(Path(file.name).as_uri())

    return AppServer
