"""docker-compose.yml brought up for real, on the compose tool that AMNL_TUNE_COMPOSE names (`docker compose`).

TORCH_INDEX is handed on to the build. The first build takes minutes, everything after it two or three.
"""

import contextlib
import http.client
import json
import os
import shlex
import shutil
import socket
import subprocess
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from amnl_tune.dashboard.credentials import credentials_line

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TOOL = shlex.split(os.environ.get("AMNL_TUNE_COMPOSE", ""))  # read before the environment of each test is cleaned
PASSWORD = "p@ss:w/rd %$x#1"
LOGIN = {"user": "ada", "password": "correct horse & battery"}
TRIALS, EPOCHS = 4, 120
PATIENCE = 180.0
"""Seconds for anything that must happen."""


class Stack:
    """One project of the compose tool, with an .env, a study and data of its own."""

    def __init__(self, folder: Path, study: str, data: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (folder / "studies").mkdir()
        (folder / "studies" / "tiny.toml").write_text(study)
        self.settings = {
            "POSTGRES_PASSWORD": PASSWORD,
            "AMNL_TUNE_DASHBOARD_CREDENTIALS": credentials_line(**LOGIN),
            "AMNL_TUNE_STUDIES": str(folder / "studies"),
            "AMNL_TUNE_DATA": str(data),
            "DASHBOARD_PORT": str(self.port),
            "WORKERS": "2",
        }
        self.project = f"amnl{uuid.uuid4().hex[:8]}"

    def start(self, *words: str, without: str = "") -> "subprocess.Popen[str]":
        """The compose tool on this project; its process."""
        given = {name: value for name, value in self.settings.items() if name != without}
        file = self.folder / f"{without}.env"
        file.write_text("".join(f"{name}='{value}'\n" for name, value in given.items()))
        return subprocess.Popen(
            [*TOOL, "--env-file", str(file), "--project-name", self.project, "--profile", "tools", *words],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name not in self.settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, *words: str, without: str = "", patience: float = PATIENCE) -> tuple[int, str, str]:
        process = self.start(*words, without=without)
        try:
            out, err = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return process.returncode, out, err

    def do(self, *words: str, patience: float = PATIENCE) -> str:
        code, out, err = self.ask(*words, patience=patience)
        assert code == 0, f"{words}: {out[-2000:]}{err[-4000:]}"
        return out

    def up(self) -> None:
        """All at once: each service copes with those that come up after it, which an orderly start hides."""
        self.do("up", "--detach", "--no-deps", "db", "migrate", "worker", "dashboard", "caddy")
        until(lambda: self.sql("select 1 from amnl_schema_version"), "the database has its tables")

    def tune(self, *command: str) -> str:
        return self.do("run", "--rm", "-T", "--no-deps", "tune", *command)

    def sql(self, query: str) -> list[list[str]]:
        """Rows; none while the database is not there yet."""
        code, out, _ = self.ask("exec", "-T", "db", "psql", "-U", "amnl", "-d", "amnl", "-At", "-c", query)
        return [line.split("|") for line in out.splitlines()] if code == 0 else []

    def workers(self) -> dict[str, str]:
        """Which of the scaled workers has which host name."""
        hosts = {index: self.do("exec", "-T", "--index", index, "worker", "cat", "/etc/hostname") for index in "12"}
        return {host.strip(): index for index, host in hosts.items()}

    def http(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str, str]:
        """Status, cookie and text of what Caddy answers; 502 where nobody does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return reply.status, (reply.getheader("Set-Cookie") or "").split(";")[0], reply.read().decode()
        except OSError:
            return 502, "", ""
        finally:
            connection.close()


def until(look: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.5)
    return found


@pytest.fixture
def stack(tmp_path: Path, tiny_study: str, fleet_dir: Path) -> Iterator[Stack]:
    if not TOOL:
        pytest.skip('AMNL_TUNE_COMPOSE is not set: no compose tool to run the stack with ("docker compose")')
    assert shutil.which(TOOL[0]), f"AMNL_TUNE_COMPOSE must name a command, but there is no {TOOL[0]}"
    study = tiny_study.replace("trials = 4", f"trials = {TRIALS}").replace("epochs = 3", f"epochs = {EPOCHS}")
    made = Stack(tmp_path, study.replace("[fixed]", "[fixed]\npatience = 1000"), fleet_dir)
    for mounted in (fleet_dir, *fleet_dir.iterdir(), tmp_path / "studies"):
        mounted.chmod(0o755)  # the containers' user is another one
    try:
        yield made
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            made.ask("down", "--volumes")


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "AMNL_TUNE_DASHBOARD_CREDENTIALS"])
def test_a_missing_password_fails_at_once_by_name(stack: Stack, name: str) -> None:
    code, out, err = stack.ask("up", "--detach", without=name)
    assert code != 0
    assert name in out + err
    assert not stack.sql("select 1"), "nothing was started"


def test_a_study_goes_through_the_stack_and_outlives_it(stack: Stack) -> None:
    stack.do("build", "migrate", patience=1800)
    stack.up()
    workers = stack.workers()
    opened = stack.start("run", "--rm", "-T", "--no-deps", "tune", "run", "studies/tiny.toml", "--workers", "0")
    killed, worker = killed_mid_trial(stack, workers)
    out, err = opened.communicate(timeout=PATIENCE * 2)
    assert opened.returncode == 0, out + err

    runs = stack.sql("select slot, status from amnl_runs where promotion = 0 order by slot")
    assert runs == [[str(slot), "complete"] for slot in range(TRIALS)]
    curves = stack.sql(
        "select r.id, r.epochs_done, min(e.number), max(e.number), count(*) from amnl_runs r "
        "join amnl_epochs e on e.run = r.id group by r.id, r.epochs_done"
    )
    assert all(row[2:] == ["1", row[1], row[1]] for row in curves), curves
    resumed = stack.sql(f"select epochs_before, worker from amnl_attempts where run = {killed} order by fence")
    assert len(resumed) > 1
    assert int(resumed[-1][0]) > 0, "from its checkpoint"
    until(lambda: stack.ask("exec", "-T", "--index", worker, "worker", "true")[0] == 0, "the killed worker is back")

    looked_at_through_caddy(stack)

    facts = json.loads(stack.tune("study", "show", "tiny", "--json"))
    assert facts["trials"]["complete"] == TRIALS
    stack.do("down")
    stack.up()
    assert json.loads(stack.tune("study", "show", "tiny", "--json")) == facts
    assert len(stack.tune("predict", "exports/tiny", "/data/test_SIM1.txt.gz").splitlines()) == 1 + 10
    until(lambda: stack.http("GET", "/healthz")[0] == 200, "the dashboard is back")

    stack.do("down", "--volumes")
    stack.up()
    assert stack.sql("select count(*) from amnl_studies") == [["0"]]


def killed_mid_trial(stack: Stack, workers: dict[str, str]) -> tuple[str, str]:
    """Kills every process of a container whose worker is in the middle of a trial; that run, and which worker."""
    running = (
        "select r.id, split_part(w.host, '/', 1) from amnl_runs r join amnl_workers w on w.id = r.owner "
        f"where r.promotion = 0 and r.status = 'running' and r.epochs_done between 2 and {EPOCHS // 2}"
    )

    def killed() -> tuple[str, str] | None:
        for run, host in stack.sql(running)[:1]:
            # The end of the shell itself is an error to some tools.
            stack.ask("exec", "-T", "--index", workers[host], "worker", "sh", "-c", "kill -9 -1")
            if stack.sql(f"select 1 from amnl_runs where id = {run} and status = 'running'"):
                return run, workers[host]
        return None  # too late: the trial had ended by then

    found: tuple[str, str] = until(killed, "a worker dies in the middle of a trial")
    return found


def looked_at_through_caddy(stack: Stack) -> None:
    until(lambda: stack.http("GET", "/healthz")[0] == 200, "the dashboard answers")
    assert stack.http("GET", "/api/studies")[0] == 401
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{stack.port}"}
    wrong = urllib.parse.urlencode(LOGIN | {"password": "guess"})
    status, cookie, text = stack.http("POST", "/login", wrong, **form)
    assert (status, cookie) == (403, "")
    assert "Wrong user or password" in text
    status, cookie, _ = stack.http("POST", "/login", urllib.parse.urlencode(LOGIN), **form)
    assert status == 303
    status, _, text = stack.http("GET", "/api/studies", Cookie=cookie)
    assert status == 200
    assert '"tiny"' in text
    assert stack.http("DELETE", "/api/studies/1", "{}", Cookie=cookie)[0] in {403, 405}, "read-only"
