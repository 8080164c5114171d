"""A fresh process that replays many drawn programs under noise; its argument is a job file."""

import gc
import json
import random
import sys
from pathlib import Path

from tests.determinism.programs import difference, replay_tree


class _Collector:
    """A profiler that collects garbage at moments that have nothing to do with the program."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._left = every

    def __call__(self, frame, event, argument) -> None:
        self._left -= 1
        if not self._left:
            self._left = self._every
            gc.collect(0)


def _make_noise(seed: int, collect_every: int) -> list[object]:
    """Shift addresses and collection counts; what is returned keeps half of it alive."""
    rng = random.Random(seed)
    kept = [[] for _ in range(rng.randrange(50_000))]
    kept += [object() for _ in range(rng.randrange(5_000))]
    del kept[:: rng.choice((2, 3, 5))]
    if collect_every:
        gc.enable()
        gc.set_threshold(1)
        sys.setprofile(_Collector(collect_every))
    else:
        gc.set_threshold(*rng.choice(((700, 10, 10), (5, 2, 2), (0, 0, 0))))
    return kept


def main(job_file: str) -> int:
    job = json.loads(Path(job_file).read_text())
    noise = _make_noise(job["noise"], job["collect_every"])
    recorded = job["recorded"]
    if job["backwards"]:
        recorded = recorded[::-1]
    wrong = [text for each in recorded if (text := difference(each, replay_tree(each)))]
    print(json.dumps({"replayed": len(recorded), "wrong": wrong, "noise": len(noise)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
