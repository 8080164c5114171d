"""Signals enter like everything else from outside, and replay where they entered."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
import time

import pytest

from replay.errors import UsageError
from replay.session.opening import open_run
from replay.session.record import record_program
from replay.session.replay import replay_log


def run_both(program, tmp_path):
    recording = record_program(program, workspace=tmp_path, entry="t", dialects=())
    reader = open_run(recording.run_id, workspace=tmp_path)
    report = replay_log(reader, program, dialects=())
    reader.close()
    assert report.verdict == "identical", (report.divergence, report.notes)
    return recording


class Sender:
    """Sends this process a signal from outside of the run, each time once the program is ready."""

    def __init__(self, *numbers: int) -> None:
        self.ready = threading.Event()
        self._thread = threading.Thread(target=self._send, args=(numbers,))
        self._thread.start()

    def _send(self, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            assert self.ready.wait(20)
            time.sleep(0.05)
            os.kill(os.getpid(), number)

    def join(self) -> None:
        self._thread.join()


def test_a_handler_runs_on_the_main_thread_and_the_sleep_goes_on(tmp_path, capsys):
    sender = Sender(signal.SIGUSR1)

    def program():
        def handle(number, _frame):
            print("handled", signal.Signals(number).name, threading.current_thread().name)

        signal.signal(signal.SIGUSR1, handle)
        sender.ready.set()
        began = time.monotonic()
        time.sleep(0.2)
        return time.monotonic() - began >= 0.2

    assert run_both(program, tmp_path).result()
    sender.join()
    assert capsys.readouterr().out.count("handled SIGUSR1 MainThread") == 2


def test_a_loop_hears_of_a_signal_that_it_alone_waits_for(tmp_path):
    sender = Sender(signal.SIGTERM)

    async def main():
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, asked.set)
        sender.ready.set()
        await asked.wait()
        return loop.remove_signal_handler(signal.SIGTERM)

    assert run_both(lambda: asyncio.run(main()), tmp_path).result()
    sender.join()


def test_an_interrupted_program_replays_with_its_clean_up(tmp_path, capsys):
    sender = Sender(signal.SIGINT)

    async def main():
        sender.ready.set()
        try:
            await asyncio.sleep(20)
        finally:
            print("cleaned up")

    recording = run_both(lambda: asyncio.run(main()), tmp_path)
    sender.join()
    assert recording.reason == "cancelled"
    assert isinstance(recording.error, KeyboardInterrupt)
    assert capsys.readouterr().out.count("cleaned up") == 2


def test_a_synchronous_program_may_catch_its_interrupt(tmp_path):
    sender = Sender(signal.SIGINT)

    def program():
        sender.ready.set()
        try:
            time.sleep(20)
        except KeyboardInterrupt:
            return "caught"

    assert run_both(program, tmp_path).result() == "caught"
    sender.join()


def test_interrupts_end_a_program_that_never_rests_unsealed(tmp_path):
    def program():
        sender.ready.set()
        # A minute or more, no endless one: what stops a test is swallowed here too.
        for _ in range(10_000_000):
            try:
                sum(range(1000))
            except BaseException:  # it would have none of it
                # As in any Python program, one that lands here is lost, and the next is raised.
                os.write(swallowed, b"x")

    def interrupt():
        while True:
            # Two that come at once are one to the process; then nothing is heard of the second.
            heard, _, _ = select.select([takes], [], [], 3)
            if heard and not os.read(takes, 1):
                return
            os.kill(os.getpid(), signal.SIGINT)

    takes, swallowed = os.pipe()
    sender = Sender(signal.SIGINT, signal.SIGINT)
    more = threading.Thread(target=interrupt)
    more.start()
    with pytest.raises(KeyboardInterrupt):
        record_program(program, workspace=tmp_path, entry="t", dialects=())
    os.close(swallowed)
    sender.join()
    more.join()
    os.close(takes)
    (directory,) = (tmp_path / "runs").iterdir()
    reader = open_run(directory.name, workspace=tmp_path)
    assert [entry.header.kind for entry in reader.entries()][-1] != "RunSealed"
    reader.close()


def test_handlers_are_the_processes_again_after_the_run(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGUSR2)

    def program():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, lambda *_: None)
        return signal.getsignal(signal.SIGINT) is signal.SIG_IGN

    assert run_both(program, tmp_path).result()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGUSR2)) == before


def test_what_the_signal_module_refuses_is_refused_here(tmp_path):
    def program():
        with pytest.raises(ValueError, match="out of range"):
            signal.signal(12345, signal.SIG_DFL)
        with pytest.raises(TypeError, match="callable"):
            signal.signal(signal.SIGUSR1, "no handler")
        with pytest.raises(OSError, match="Invalid argument"):
            signal.signal(signal.SIGKILL, signal.SIG_DFL)
        with pytest.raises(UsageError, match="waits for the system"):
            signal.alarm(1)
        failed = []

        def elsewhere():
            try:
                signal.signal(signal.SIGUSR1, signal.SIG_DFL)
            except ValueError as error:
                failed.append(str(error))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return failed

    assert "main thread" in run_both(program, tmp_path).result()[0]
