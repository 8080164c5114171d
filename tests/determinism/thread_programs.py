"""Synchronous programs of threads, drawn at random; run as a script it replays them under noise."""

import json
import queue
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from pathlib import Path

import replay
from replay.session.opening import open_run
from replay.session.record import record_program
from replay.session.replay import replay_log
from tests.determinism.rerun import _make_noise

STEPS = (
    "sleep",
    "lock",
    "rlock",
    "nested",
    "put",
    "get",
    "simple_put",
    "simple_get",
    "notify",
    "wait",
    "set",
    "wait_event",
    "semaphore",
    "pool",
    "map",
    "spawn",
    "try_lock",
    "outside",
    "say",
    "timer",
)


def draw(seed: int) -> list:
    """Return a program: for each thread its steps."""
    rng = random.Random(seed)
    return [_steps(rng, 0) for _ in range(rng.randrange(2, 5))]


def _steps(rng: random.Random, depth: int) -> list:
    names = [name for name in STEPS if depth < 2 or name not in {"spawn", "pool"}]
    drawn = [[rng.choice(names), rng.randrange(3), rng.randrange(1, 9)] for _ in range(5)]
    for step in drawn:
        if step[0] in {"spawn", "nested"}:
            step.append(_steps(rng, depth + 1)[:2])
    return drawn


@replay.effect
def look(number: int) -> int:
    """Answer at a moment that no schedule knows."""
    time.sleep(random.SystemRandom().random() / 300)
    return number * 2


class Program:
    """Runs a drawn program; every step that can wait gives up in the end."""

    def __init__(self, threads: list) -> None:
        self.threads = threads
        self.locks = [threading.Lock() for _ in range(3)]
        self.rlocks = [threading.RLock() for _ in range(3)]
        self.queues = [queue.Queue(2) for _ in range(3)]
        self.simple = [queue.SimpleQueue() for _ in range(3)]
        self.conditions = [threading.Condition() for _ in range(3)]
        self.events = [threading.Event() for _ in range(3)]
        self.semaphores = [threading.BoundedSemaphore(2) for _ in range(3)]
        self.executor: ThreadPoolExecutor

    def __call__(self) -> None:
        with ThreadPoolExecutor(2) as self.executor:
            started = [
                threading.Thread(target=self.run, args=(f"t{number}", steps))
                for number, steps in enumerate(self.threads)
            ]
            for thread in started:
                thread.start()
            while any(thread.is_alive() for thread in started):
                started[0].join(0.002)
                time.sleep(0.001)
        print("main", threading.active_count() > 0)

    def run(self, who: str, steps: list) -> None:
        for number, step in enumerate(steps):
            print(who, number, step[0], getattr(self, step[0])(who, *step[1:]))

    def sleep(self, who, which, size):
        time.sleep(size / 2000 + random.random() / 1000)

    def lock(self, who, which, size):
        with self.locks[which]:
            return look(size) if size % 2 else time.sleep(size / 4000)

    def rlock(self, who, which, size):
        with self.rlocks[which], self.rlocks[which]:
            return look(size)

    def nested(self, who, which, size, steps):
        with self.rlocks[which]:
            self.run(who + ".n", steps)

    def put(self, who, which, size):
        try:
            self.queues[which].put(who, timeout=size / 1000)
        except queue.Full:
            return "full"

    def get(self, who, which, size):
        try:
            return self.queues[which].get(timeout=size / 1000)
        except queue.Empty:
            return "empty"

    def simple_put(self, who, which, size):
        self.simple[which].put((who, size))

    def simple_get(self, who, which, size):
        try:
            return self.simple[which].get(timeout=size / 1000)
        except queue.Empty:
            return "empty"

    def notify(self, who, which, size):
        with self.conditions[which]:
            self.conditions[which].notify(size % 3)

    def wait(self, who, which, size):
        with self.conditions[which]:
            return self.conditions[which].wait(size / 1000)

    def set(self, who, which, size):
        self.events[which].set() if size % 2 else self.events[which].clear()

    def wait_event(self, who, which, size):
        return self.events[which].wait(size / 1000)

    def semaphore(self, who, which, size):
        with self.semaphores[which]:
            time.sleep(size / 4000)

    def map(self, who, which, size):
        return list(self.executor.map(self._work, range(size % 4)))

    def spawn(self, who, which, size, steps):
        thread = threading.Thread(target=self.run, args=(who + ".s", steps), daemon=bool(size % 2))
        thread.start()
        thread.join(size / 1000)
        return thread.is_alive(), thread.name

    def try_lock(self, who, which, size):
        taken = self.locks[which].acquire(timeout=size / 2000) if size % 2 else False
        taken = taken or self.locks[which].acquire(blocking=False)
        if taken:
            self.locks[which].release()
        return taken

    def outside(self, who, which, size):
        return look(size)

    def say(self, who, which, size):
        return threading.current_thread().name

    def timer(self, who, which, size):
        threading.Timer(size / 2000, self.events[which].set).start()

    def _work(self, number):
        time.sleep(number / 3000)
        return threading.current_thread().name, look(number)

    def pool(self, who, which, size):
        futures = {self.executor.submit(self._work, number) for number in range(size % 5)}
        done, left = wait(futures, timeout=size / 2000)
        return len(done), len(left), [future.result() for future in as_completed(futures)]


def program(seed: int) -> Program:
    """Return the program of a seed."""
    return Program(draw(seed))


def record_drawn(seeds, workspace: Path) -> list[dict]:
    """Record the programs of some seeds."""
    made = []
    for seed in seeds:
        done = record_program(program(seed), workspace=workspace, entry="drawn", dialects=())
        done.result()
        made.append({"seed": seed, "run": done.run_id, "events": done.events})
    return made


def differences(recorded: list[dict], workspace: Path) -> list[str]:
    """Replay recorded programs and say what is not identical."""
    wrong = []
    for each in recorded:
        reader = open_run(each["run"], workspace=workspace)
        report = replay_log(reader, program(each["seed"]), dialects=())
        reader.close()
        if report.verdict != "identical":
            wrong.append(f"{each['seed']}: {report.verdict} {report.divergence} {report.notes}")
    return wrong


def main(job_file: str) -> int:
    job = json.loads(Path(job_file).read_text())
    noise = _make_noise(job["noise"], job["collect_every"])
    wrong = differences(job["recorded"], Path(job["workspace"]))
    sys.__stdout__.write(
        "\nRESULT "
        + json.dumps({"replayed": len(job["recorded"]), "wrong": wrong, "noise": len(noise)})
        + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
