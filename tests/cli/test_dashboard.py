"""`amnl-tune dashboard` as a user starts it: options, refusals, a real process that ends in order."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from bounded import line_of
from typer.testing import CliRunner, Result

from amnl_tune.cli.app import app
from amnl_tune.dashboard.credentials import credentials_line, parse_credentials
from amnl_tune.database.schema import upgrade

PASSWORD = "correct horse battery"


def invoke(*arguments: object, **options: str) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)


def refused(*arguments: object, **options: str) -> str:
    result = invoke("dashboard", *arguments, **options)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0].removeprefix("Error: ")


@pytest.fixture
def storage(tmp_path: Path) -> str:
    """Of the default home, without studies."""
    url = f"sqlite:///{tmp_path / 'amnl_tune.db'}"
    upgrade(url)
    return url


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.txt"
    path.write_text(f"# people\n{credentials_line('ada', PASSWORD)}\n")
    return path


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "tune.example.org"])
def test_beyond_localhost_there_must_be_a_login(storage: str, host: str) -> None:
    message = refused("--host", host, "--port", 0)
    assert f"must have a login, but got --host {host} without credentials" in message
    assert "--hash-password" in message


def test_wrong_credentials_files_are_refused(storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "must be a readable file" in refused("--credentials", tmp_path / "none")
    assert "must be a readable file" in refused("--credentials", tmp_path)
    path = tmp_path / "users"
    path.write_bytes(b"\xff\xfe")
    assert "it is no UTF-8 text" in refused("--credentials", path)
    path.write_text("ada:secret\n")
    message = refused("--credentials", path)
    assert f"{path}:1 must be USER:scrypt" in message
    assert "secret" not in message
    monkeypatch.setenv("AMNL_TUNE_DASHBOARD_CREDENTIALS", "ada:secret")
    assert "AMNL_TUNE_DASHBOARD_CREDENTIALS:1 must be USER:scrypt" in refused("--host", "0.0.0.0")


def test_other_wrong_options_are_refused(storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "`--storage` must name" in refused("--storage", "mysql://u:pw@h/d")
    monkeypatch.setenv("AMNL_TUNE_DASHBOARD_SECRET", "short")
    assert "AMNL_TUNE_DASHBOARD_SECRET must have 32 characters or more, but has 5" in refused()


def test_a_password_is_hashed_and_never_an_argument() -> None:
    result = invoke("dashboard", "--hash-password", input=f"ada\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert parse_credentials(result.stdout, "line").check("ada", PASSWORD) == "ada"
    assert PASSWORD not in result.output
    assert "must have 8 characters or more, but got 5" in refused("--hash-password", input="ada\nshort\n")
    assert "A user must be" in refused("--hash-password", input="\n\n")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[object]:
    """Starts dashboards as processes; gives each with the line that it prints."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environ: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "amnl_tune", "dashboard", "--port", "0", *arguments],
            env=os.environ | environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        return process, line_of(process)

    yield start
    for process in processes:
        process.kill()
        process.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [signal.SIGTERM, signal.SIGINT], ids=lambda wanted: wanted.name)
def test_the_printed_link_works_and_a_signal_ends_it_in_order(
    storage: str, started: object, wanted: signal.Signals
) -> None:
    process, line = started()  # type: ignore[operator]
    match = re.fullmatch(r"Optuna dashboard: (http://127\.0\.0\.1:\d+/)\?token=(\S{32})  \(Ctrl-C ends it\)\n", line)
    assert match, line
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(f"{match[1]}?token={match[2]}", timeout=120) as page:
        assert page.url == f"{match[1]}dashboard"
    with opener.open(f"{match[1]}api/studies", timeout=120) as page:
        assert page.read() == b'{"study_summaries": []}'
    process.send_signal(wanted)
    out, errors = process.communicate(timeout=180)
    assert (process.returncode, out, errors) == (0, "", "")


@pytest.mark.slow
def test_everywhere_with_credentials(storage: str, started: object, users: Path) -> None:
    _, line = started(  # type: ignore[operator]
        "--host",
        "0.0.0.0",
        "--credentials",
        str(users),
        "--public-metrics",
        "--allow-host",
        "tune.x",
    )
    match = re.search(r"http://0\.0\.0\.0:(\d+)/  \(log in as ada\)", line)
    assert match, line
    base = f"http://127.0.0.1:{match[1]}"
    for path, name, status in (
        ("/metrics", "tune.x", 200),
        ("/metrics", "evil.example", 403),
        ("/csv/1", "tune.x", 401),
    ):
        request = urllib.request.Request(base + path, headers={"Host": name})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                assert answer.status == status
        except urllib.error.HTTPError as error:
            with error:
                assert error.code == status, (path, name)
