"""docker-compose.yml and what it builds and mounts, read without an engine; test_stack.py runs them."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import create_engine
from typer.main import get_command

from amnl_tune.cli.app import app
from amnl_tune.database.urls import parse_url

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
CADDYFILE = (ROOT / "deploy" / "Caddyfile").read_text()
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<text>[^}]*))?\}")
SECRETS = {"POSTGRES_PASSWORD", "AMNL_TUNE_DASHBOARD_CREDENTIALS"}
RAW: dict[str, Any] = yaml.safe_load(COMPOSE)
"""Before variables are put in."""


def filled(value: Any) -> Any:
    """With every variable's default, and its name for those that must be set."""
    if isinstance(value, dict):
        return {key: filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item) for item in value]
    if not isinstance(value, str):
        return value
    return VARIABLE.sub(lambda match: match["text"] if match["kind"] == "-" else match["name"], value)


SERVICES: dict[str, dict[str, Any]] = filled(RAW)["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("amnl-tune:"))


def instructions(word: str) -> list[str]:
    return re.findall(rf"^{word}\s+(.*)$", DOCKERFILE, flags=re.MULTILINE)


def from_context() -> list[str]:
    """What the Dockerfile copies out of the checkout."""
    return [path for line in instructions("COPY") if "--from" not in line for path in shlex.split(line)[:-1]]


def test_the_services_are_those_of_the_readme() -> None:
    assert set(SERVICES) == {"db", "migrate", "worker", "worker-gpu", "tune", "dashboard", "caddy"}
    assert OURS == ["dashboard", "migrate", "tune", "worker", "worker-gpu"]
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "worker-gpu": ["gpu"],
        "tune": ["tools"],
    }


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_that_amnl_tune_takes(name: str) -> None:
    command: Any = get_command(app)
    context: Any = None
    words, said = list(SERVICES[name]["command"]), "amnl-tune"
    while hasattr(command, "commands"):
        context = command.make_context(said, words, parent=context)
        said, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
    command.make_context(said, words, parent=context)  # raises for an option or a value that it does not know


def test_the_example_names_every_variable_and_no_other() -> None:
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^#?([A-Z_]+)=", example, flags=re.MULTILINE)) == {
        match["name"] for match in VARIABLE.finditer(COMPOSE)
    }
    unset = {line.removesuffix("=") for line in example.splitlines() if re.fullmatch(r"[A-Z_]+=", line)}
    assert unset == SECRETS, "what a user must set stands there uncommented and empty"
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_examples_defaults_are_those_of_the_compose_file() -> None:
    example = dict(re.findall(r"^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    used = {(match["name"], match["text"]) for match in VARIABLE.finditer(COMPOSE) if match["kind"] == "-"}
    assert used == set(example.items())


def test_a_secret_must_be_set_and_travels_in_the_environment_only() -> None:
    for match in VARIABLE.finditer(COMPOSE):
        assert (match["name"] in SECRETS) == (match["kind"] == "?"), match[0]
        if match["kind"] == "?":
            assert ".env" in match["text"], "the message tells where"
    for name, service in SERVICES.items():
        for key, value in service.items():
            if key != "environment":
                assert not any(secret in repr(value) for secret in SECRETS), (name, key)
    assert not re.search(r"(?i)password|credential|secret|token", DOCKERFILE)


def test_the_storage_url_holds_no_password_so_that_none_needs_encoding() -> None:
    for name in OURS:
        environment = SERVICES[name]["environment"]
        url = parse_url(environment["AMNL_TUNE_STORAGE"])
        assert (url.host, url.username, url.password) == ("db", None, None)
        assert environment["PGUSER"] == SERVICES["db"]["environment"]["POSTGRES_USER"]
        assert environment["PGPASSWORD"] == SERVICES["db"]["environment"]["POSTGRES_PASSWORD"]
        assert url.database == SERVICES["db"]["environment"]["POSTGRES_DB"]
        create_engine(url).dispose()


def test_only_caddy_is_published_and_by_default_to_this_machine() -> None:
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "caddy": ["127.0.0.1:8080:8080"]
    }
    assert not any("network_mode" in service or "expose" in service for service in SERVICES.values())


def test_the_database_is_on_a_network_without_a_way_out() -> None:
    networks = RAW["networks"]
    assert networks["database"]["internal"] is True
    assert SERVICES["db"]["networks"] == ["database"]
    assert sorted(name for name, service in SERVICES.items() if "database" in service["networks"]) == [
        *OURS[:1],
        "db",
        *OURS[1:],
    ]
    assert "database" not in SERVICES["caddy"]["networks"]
    assert networks["web"]["internal"] is True
    # Whoever shares a network with the dashboard could pretend to be its proxy.
    assert {name for name, service in SERVICES.items() if "web" in service["networks"]} == {"dashboard", "caddy"}


def test_an_image_of_ours_is_built_by_what_the_others_wait_for_and_never_pulled() -> None:
    built = {name for name in OURS if "build" in SERVICES[name]}
    assert built == {"migrate", "tune", "worker-gpu"}
    for name in OURS:
        assert (name in built) != (SERVICES[name].get("pull_policy") == "never"), name
        assert name in built or "migrate" in SERVICES[name]["depends_on"], name


def test_the_order_of_the_start() -> None:
    after = {"db": {"condition": "service_healthy"}}
    migrated = after | {"migrate": {"condition": "service_completed_successfully"}}
    assert SERVICES["migrate"]["depends_on"] == after
    for name in ("worker", "worker-gpu", "tune", "dashboard"):
        assert SERVICES[name]["depends_on"] == migrated
    assert SERVICES["caddy"]["depends_on"] == {"dashboard": {"condition": "service_healthy"}}
    assert "pg_isready" in SERVICES["db"]["healthcheck"]["test"]
    assert "/healthz" in SERVICES["dashboard"]["healthcheck"]["test"][-1]


def test_workers_have_time_to_leave_and_come_back_when_they_die() -> None:
    for name in ("worker", "worker-gpu"):
        service = SERVICES[name]
        assert service["restart"] == "unless-stopped"
        assert service["stop_grace_period"] == "30s"
        assert "container_name" not in service, "a fixed name forbids --scale"
        assert "artifacts:/app/storage/local" in service["volumes"], "another worker needs the checkpoints"
    (device,) = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]
    assert SERVICES["worker-gpu"]["build"]["args"]["TORCH"] == "cuda"


def test_named_volumes_are_declared_and_used_and_the_data_are_read_only() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert {name for name in used if not name.startswith(".")} == set(RAW["volumes"])
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            if volume.startswith("."):
                assert volume.endswith(":ro"), (name, volume)
    home, data = (re.search(rf"{name}=(\S+)", DOCKERFILE) for name in ("AMNL_TUNE_HOME", "AMNL_TUNE_DATA"))
    assert home and data
    assert all(f":{place[1]}" in str(SERVICES["worker"]["volumes"]) for place in (home, data))


def test_images_are_pinned_to_a_version() -> None:
    images = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    bases = [line.split()[0] for line in instructions("FROM")]
    stages = {line.split()[-1] for line in instructions("FROM") if " AS " in line}
    for image in [*images, *(base for base in bases if base not in stages)]:
        assert re.fullmatch(r"(postgres|caddy|python):\d+\.\d+(\.\d+)?-\w+(-\w+)?", image), image
    assert "latest" not in COMPOSE + DOCKERFILE
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)


def test_the_image_has_what_the_package_needs_and_the_ignore_file_lets_it_through() -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel, project = hatch["tool"]["hatch"]["build"]["targets"]["wheel"], hatch["project"]
    needed = {*wheel["packages"], *wheel["force-include"], project["readme"], *project["license-files"]}
    assert needed | {"pyproject.toml", "constraints.txt", "studies"} == set(from_context())
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {line[1:] for line in ignored if line.startswith("!")} == set(from_context())
    assert all((ROOT / path).exists() for path in from_context())


def test_the_image_runs_as_nobody_in_particular() -> None:
    assert instructions("USER") == ["amnl"]
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert last.rindex("\nUSER ") > max(last.rindex("\nRUN "), last.rindex("\nCOPY "))
    assert re.search(r"useradd .*--uid [1-9]\d+ .*\bamnl\b", last)
    assert instructions("ENTRYPOINT") == ['["amnl-tune"]']
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and "user" not in service, name


def test_caddy_hands_on_to_the_dashboards_port_and_asks_for_no_login_of_its_own() -> None:
    command = SERVICES["dashboard"]["command"]
    assert f"reverse_proxy dashboard:{command[command.index('--port') + 1]}" in CADDYFILE
    assert "basic" not in CADDYFILE
    assert {match[1] for match in re.finditer(r"\{\$(\w+)", CADDYFILE)} == set(SERVICES["caddy"]["environment"])
    mounted = next(volume for volume in SERVICES["caddy"]["volumes"] if "Caddyfile" in volume)
    assert (ROOT / mounted.split(":")[0]).samefile(ROOT / "deploy" / "Caddyfile")
