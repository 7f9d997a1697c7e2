"""A study on the data that there are: found, downloaded, or simulated where neither can be."""

from amnl_tune.errors import DataNotFoundError
from amnl_tune.installation import as_typed_here
from amnl_tune.rul import fetch
from amnl_tune.rul.layouts import CHECKSUMS
from amnl_tune.rul.simulator import SIMULATED
from amnl_tune.rul.sources import FleetSource
from amnl_tune.service.listener import Listener
from amnl_tune.studies.spec import StudySpec


def on_available_data(spec: StudySpec, source: FleetSource, listener: Listener) -> StudySpec:
    """The study on its data set; on its simulated fallback, loudly, where the data can neither be found nor downloaded.

    Raises:
        DataNotFoundError: neither, and the file names no fallback.
    """
    missing = source.missing(spec.data.dataset)
    if not missing:
        return spec
    try:
        if not set(missing) <= set(CHECKSUMS):
            source.training(spec.data.dataset)  # not NASA's: one of these raises what is wrong with name or folders
            source.test(spec.data.dataset)
        listener.said(f"{spec.data.dataset} is not on this machine: downloading NASA's archive ...")
        with listener.downloading() as shown:
            fetch.fetch(source.directories[-1], progress=shown)
        return spec
    except DataNotFoundError as error:
        if spec.data.fallback is None:
            raise
        assert spec.data.fallback in SIMULATED
        simulated = spec.with_dataset(spec.data.fallback)
        listener.warned(
            "SIMULATED DATA",
            f"{spec.data.dataset} can neither be found nor downloaded, so this study runs on the simulated fleet "
            f"{spec.data.fallback} as study {simulated.name!r}. Its figures say nothing about real engines.\n"
            f"Reason: {as_typed_here(str(error))}",
        )
        return simulated
