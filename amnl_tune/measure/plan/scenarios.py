"""A published scenario as a study file: a study's own question, trained as the scenario trains."""

import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from amnl_tune.errors import ConfigurationError
from amnl_tune.files import write_content
from amnl_tune.installation import typed_path
from amnl_tune.measure.plan.machines import Machines
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import load_study_spec, parse_study_spec


def write_scenario(machines: Machines, name: str, question: Path, place: Path) -> StudySpec:
    """Writes the study file of a scenario; the study is called as the file is.

    Args:
        machines: the published table. name: of the scenario.
        question: study file whose data, budget and space it takes. place: to write to.

    Raises:
        ConfigurationError: unknown scenario, no such study file, or there is a file at `place`. StorageError.
    """
    scenario = machines.scenario(name, option="--scenario")
    load_study_spec(question)  # what is wrong with it is told as of that file
    if place.exists():
        raise ConfigurationError(f"A scenario must be written to a new file, but there is {place}; name another one")
    document = tomllib.loads(question.read_text(encoding="utf-8").removeprefix("\ufeff"))
    document.pop("name", None)
    tables: dict[str, dict[str, Any]] = {"fixed": {}, "promotion": {}, "hardware": {}} | scenario.study
    tables["hardware"] = dict.fromkeys(("device", "precision", "data_path"), "auto") | {
        "workers": scenario.count,
        "price_per_hour": machines.gpus[scenario.gpu].price_per_hour,
        **tables["hardware"],
    }
    for table, values in tables.items():
        document[table] = document.get(table, {}) | values
    for said in (document["space"], document.get("incumbent", {}), document["promotion"].get("overrides", {})):
        for key in tables["fixed"]:  # what the question says about settings that the scenario fixes
            said.pop(key, None)
    text = f"{_head(machines, name, question, place)}\n{tomli_w.dumps(document)}"
    spec = parse_study_spec(text, name=place.stem, origin=str(place))
    write_content(place, text.encode())
    return spec


def _head(machines: Machines, name: str, question: Path, place: Path) -> str:
    one = machines.scenario(name)
    price = machines.gpus[one.gpu].price_per_hour
    lines = [
        f"The published scenario {name}: {one.count} x {one.gpu}, {one.options or 'as published'}.",
        f"There a run of {machines.epochs} epochs took {one.minutes:g} minutes, at {price:g} {machines.currency} an "
        "hour and GPU.",
        f"Its question is that of {typed_path(question)}.",
    ]
    if one.count > 1:
        lines.append(
            f"The search has a worker on each GPU; `amnl-tune promote {place.stem} --gpus {one.count}` trains each "
            "full run on all of them."
        )
    return "".join(f"# {line}\n" for line in lines)
