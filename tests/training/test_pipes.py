"""What a loader's processes talk by, where one of them goes at the worst moment."""

import os
import pickle
import queue
import time
from typing import Any

import pytest

from amnl_tune.training.pipes import SIZE, loader_context


@pytest.fixture
def context() -> Any:
    made = loader_context()
    if made is None:
        pytest.skip("processes are not forked here")
    return made


def test_half_a_message_is_waited_for_as_long_as_is_said_and_kept(context: Any) -> None:
    """The stock queue waits for the other half without end."""
    made, message = context.Queue(), pickle.dumps([b"x" * 1000, 1])
    whole = SIZE.pack(len(message)) + message
    for sent, rest in ((whole[:3], whole[3:]), (whole[:500], whole[500:]), (whole[:-1], whole[-1:])):
        made._sem.acquire()  # as whoever puts a message
        os.write(made._writer.fileno(), sent)
        began = time.monotonic()
        with pytest.raises(queue.Empty):
            made.get(timeout=0.1)
        assert 0.1 <= time.monotonic() - began < 60
        with pytest.raises(queue.Empty):
            made.get(block=False)
        os.write(made._writer.fileno(), rest)
        assert made.get(timeout=60) == [b"x" * 1000, 1]
    assert made.empty()
    made.close()


def test_large_messages_arrive_in_order(context: Any) -> None:
    given, taken = context.Queue(), context.Queue()
    process = context.Process(target=_echo, args=(given, taken), daemon=True)
    process.start()
    messages = [bytes([number]) * (200_000 * number) for number in range(5)]
    for message in messages:
        given.put(message)
    assert [taken.get(timeout=120) for _ in messages] == messages
    process.join(120)
    assert process.exitcode == 0
    for made in (given, taken):
        made.close()
        made.join_thread()


def _echo(given: Any, taken: Any) -> None:
    for _ in range(5):
        taken.put(given.get())


def test_an_event_is_seen_by_what_was_forked_after_it(context: Any) -> None:
    event, taken = context.Event(), context.Queue()
    process = context.Process(target=_look, args=(event, taken), daemon=True)
    process.start()
    assert taken.get(timeout=120) is False
    event.set()
    assert taken.get(timeout=120) is True
    assert event.is_set()
    process.join(120)
    taken.close()


def _look(event: Any, taken: Any) -> None:
    taken.put(event.is_set())
    until = time.monotonic() + 100
    while not event.is_set() and time.monotonic() < until:
        time.sleep(0.01)
    taken.put(event.is_set())
