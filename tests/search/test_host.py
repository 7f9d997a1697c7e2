"""One decision for workers x threads x cores."""

import logging

import pytest

from amnl_tune.search import host
from amnl_tune.search.host import threads_for


@pytest.mark.parametrize(
    ("workers", "wanted", "threads"), [(1, None, 8), (3, None, 2), (9, None, 1), (0, None, 8), (2, 3, 3), (2, 6, 4)]
)
def test_threads_and_workers_together_never_exceed_the_cores(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, workers: int, wanted: int | None, threads: int
) -> None:
    monkeypatch.setattr(host, "physical_cores", lambda: 8)
    with caplog.at_level(logging.WARNING):
        assert threads_for(workers, wanted) == threads
    told = "must fit this machine's 8 cores, but got 2 workers of 6 threads; each has 4"
    assert (told in caplog.text) is (wanted == 6)
