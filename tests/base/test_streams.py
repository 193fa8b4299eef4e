"""A standard stream that another program has made non-blocking loses nothing, and nothing raises."""

from __future__ import annotations

import os
import threading
from io import BufferedReader, BufferedWriter

from theta_tui.base.streams import _Descriptor

MUCH = b"0123456789abcdef" * 65536


def test_a_reader_that_is_slower_than_the_writer_gets_all_of_it() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def write() -> None:
        with BufferedWriter(_Descriptor(writing, "w")) as stream:
            stream.write(MUCH)

    thread = threading.Thread(target=write)
    thread.start()
    with open(reading, "rb") as stream:
        assert stream.read() == MUCH
    thread.join()


def test_a_writer_that_is_slower_than_the_reader_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    read: list[bytes] = []
    thread = threading.Thread(target=lambda: read.append(BufferedReader(_Descriptor(reading, "r")).read()))
    thread.start()
    with open(writing, "wb") as stream:
        stream.write(MUCH)
    thread.join()
    assert read == [MUCH]
