"""python -m tests.fault.simulation --seeds N --from S: play seeds, stop at the first that fails and say how to repeat it."""

import argparse
import logging
import sys
import time

from shared import logs
from tests.conftest import running_cluster
from tests.fault.simulation.run import SeedFailed, play, world_on


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fault.simulation")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--from", type=int, default=1, dest="first")
    parser.add_argument("--trace", action="store_true", help="print what happened")
    parser.add_argument("--go-on", action="store_true", help="play the rest after a failure")
    given = parser.parse_args()
    logs.setup("CRITICAL")  # what the product says of the faults is no news here
    logging.disable(logging.CRITICAL)
    with running_cluster() as cluster, world_on(cluster) as world:
        began = time.monotonic()
        for seed in range(given.first, given.first + given.seeds):
            ended = play(world, seed)
            if given.trace:
                sys.stdout.write("\n".join(ended.trace) + "\n")
            if ended.wrong and given.go_on:
                sys.stdout.write(f"seed {seed}: {ended.wrong}\n")
            elif ended.wrong:
                sys.exit(str(SeedFailed(ended)))
        minutes = (time.monotonic() - began) / 60
        crashes = ", ".join(f"{point} {count}" for point, count in sorted(world.crashed.items()))
        sys.stdout.write(
            f"{given.seeds} seeds, {given.seeds / minutes:.0f} a minute; crashes: {crashes}; last {ended.mark}\n"
        )


if __name__ == "__main__":
    main()
