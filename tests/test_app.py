"""The web page: its address, who gets in, and what is not served."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from mlpnb.app import serve
from mlpnb.cli import main
from mlpnb.errors import InputError

TOKEN = "a-token-of-the-tests"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def ask(port, path, token=TOKEN, method="GET"):
    """Status, Location and body of what is at this very path, which no client has tidied up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, path, skip_host=False)
        if token:
            connection.putheader("Authorization", f"token {token}")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location"), answer.read().decode(errors="replace")
    finally:
        connection.close()


@contextlib.contextmanager
def started(folder, port, visitors):
    """The page, started as a user does in `folder`, and ended by Ctrl-C."""
    (folder / "tmp").mkdir()
    command = [sys.executable, "-m", "mlpnb", "app", f"--port={port}", f"--visitors={visitors}", "--no-browser"]
    log = folder / "log"
    listening = {"start_new_session": True, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    environment = os.environ | {"JUPYTER_TOKEN": TOKEN, "TMPDIR": str(folder / "tmp")}
    with log.open("w") as file:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file, **listening)
    try:
        deadline = time.monotonic() + 120
        while "is running at" not in log.read_text():
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield server
        os.killpg(server.pid, signal.SIGINT)  # as a terminal does
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """A page with room for one visitor, in a folder with a secret."""
    folder, port = tmp_path_factory.mktemp("app"), free_port()
    (folder / "secret.png").write_text("the secret")
    (folder / "voila.json").write_text('{"VoilaConfiguration": {"file_allowlist": [".*"], "strip_sources": false}}')
    with started(folder, port, 1):
        yield port, folder, folder / "log"


def test_the_page_shows_no_code_and_the_next_visitor_is_told_that_it_is_full(app):
    port, _, _ = app
    status, _, page = ask(port, "/")
    assert status == 200
    assert "The same network, in scikit-learn and in Keras" in page
    assert "import mlpnb" not in page
    assert "application/vnd.jupyter.widget-view+json" in page
    assert "fontawesome" not in page
    status, _, page = ask(port, "/")
    assert status == 503
    assert "All places are taken" in page
    assert "room for one visitor" in page
    assert "Traceback" not in page


def test_nobody_gets_in_without_the_token(app):
    port, _, _ = app
    for token in ("", "wrong"):
        status, location, page = ask(port, "/", token)
        assert status in (302, 403), page
        assert status == 403 or location.startswith("/login")


@pytest.mark.parametrize("base", ["/", "/voila/files/", "/static/", "/voila/static/", "/voila/templates/lab/static/",
                                  "/voila/templates/", "/voila/labextensions/", "/voila/api/themes/", "/voila/render/",
                                  "/voila/tree/", "/voila/api/contents/", "/files/"])  # fmt: skip
def test_no_path_leads_to_a_file_outside(app, base):
    port, folder, log = app
    secret = str(folder / "secret.png").lstrip("/")
    served = folder / "link.png"
    if not served.is_symlink():
        served.symlink_to(folder / "secret.png")
    ups = ["../" * 12, "..%2f" * 12, "%2e%2e/" * 12, "%2e%2e%2f" * 12, "..%5c" * 12, "..%252f" * 12, "....//" * 12, "/"]
    paths = [base + up + target for up in ups for target in (secret, "etc/passwd")]
    paths += [base + name for name in ("secret.png", "link.png", "explorer.ipynb", "log", "voila.json", "%00", "..")]
    for path in paths:
        status, _, body = ask(port, path)
        assert status in (302, 400, 403, 404, 405, 500), (path, status)
        assert "the secret" not in body, path
        assert "root:" not in body, path
        assert "Traceback" not in body, path
    assert "the secret" not in log.read_text()


def test_a_link_within_the_served_folder_leads_nowhere(app):
    """Even what lies in the folder of the page itself is not handed out."""
    port, folder, _ = app
    ask(port, "/")
    (served,) = (folder / "tmp").glob("mlpnb-app-*")
    for name in ("secret.png", "secret.svg", "secret.ipynb"):
        (served / name).symlink_to(folder / "secret.png")
        for path in (f"/voila/files/{name}", f"/{name}", f"/voila/render/{name}"):
            status, _, body = ask(port, path)
            assert status in (302, 403, 404), (path, status)
            assert "the secret" not in body


def test_a_port_in_use_is_refused_if_named(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main(["app", "--no-browser", "--port", str(port)])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"mlpnb: port {port} on 127.0.0.1 cannot be used")
    assert "leave --port out" in error


def test_another_port_is_taken_where_the_first_is_in_use(tmp_path):
    """Voila itself goes on to the next one: what it ends up listening on is what it says."""
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # somebody else has it: as good
            taken.bind(("127.0.0.1", 8866))
            taken.listen()
        log = tmp_path / "log"
        with log.open("w") as file:
            server = subprocess.Popen([sys.executable, "-m", "mlpnb", "app", "--no-browser"], stdout=file, stderr=file)
        try:
            deadline = time.monotonic() + 120
            while "is running at" not in log.read_text():
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            said = log.read_text()
            assert "http://127.0.0.1:" in said
            assert "http://127.0.0.1:8866/" not in said
        finally:
            server.terminate()
            server.wait(60)


def test_another_address_is_asked_for_and_warned_of(capsys):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        with pytest.raises(SystemExit):
            main(["app", "--no-browser", "--ip", "0.0.0.0", "--port", str(taken.getsockname()[1])])
    assert "warning: on 0.0.0.0, everybody who reaches this machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"visitors": 0}, "visitors is 0"),
        ({"idle_minutes": 0.0}, "idle-minutes is 0"),
        ({"idle_minutes": float("nan")}, "idle-minutes is nan"),
        ({"ip": "192.0.2.1"}, "address '192.0.2.1' cannot be listened on"),
        ({"notebook": "01_the_qestion"}, "did you mean '01_the_question'"),
    ],
)
def test_what_cannot_be_served_is_named(given, words):
    with pytest.raises(InputError, match=words):
        serve(browser=False, **given)
