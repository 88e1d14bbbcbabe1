"""python -m infra.topics: make the topics of every producer, and let all of them keep what they hold."""

import sys
import time

from shared.events import PRODUCERS, topic_of
from shared.messaging.kafka import KafkaBus
from shared.messaging.outbox import BusUnavailable
from shared.settings import Settings

WAIT_SECONDS = 60.0


def main() -> None:
    settings, end = Settings(), time.monotonic() + WAIT_SECONDS
    while True:
        try:
            KafkaBus(settings.kafka).prepare()
            break
        except BusUnavailable as error:
            if time.monotonic() > end:
                sys.exit(f"topics: no broker at {settings.kafka} after {WAIT_SECONDS:.0f} s: {error}")
            time.sleep(1.0)
    sys.stdout.write("".join(f"topic {topic_of(producer)}: ready\n" for producer in PRODUCERS))


if __name__ == "__main__":
    main()
