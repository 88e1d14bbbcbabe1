"""A consumer in a process of its own, as a worker runs it: `python -m tests.fault.consuming <action on poison>`."""

import os
import signal
import sys
import threading
import time

from sqlmodel import Session

from shared.db import Database
from shared.events import Envelope, load_catalogue
from shared.messaging.inbox import Handlers, Settler, redrive
from shared.messaging.kafka import KafkaBus
from shared.messaging.postgres import PostgresBus
from shared.messaging.quarantine import Quarantine
from shared.run import bus_for
from shared.settings import Settings

GROUP, TOPICS = "credit", ["registry.events"]


def handlers(poison: str) -> Handlers:
    """One handler, whose effect is its row in the inbox; `poison` says what an event named 毒 does to it."""
    found = Handlers(GROUP)

    @found.on_every_event
    def note(envelope: Envelope, tx: Session) -> None:
        if envelope.data.get("name") != "毒":
            return
        if poison == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if poison == "raise":
            raise ValueError("poison")
        if poison.startswith("sleep "):
            time.sleep(float(poison.split()[1]))

    return found


def bus() -> PostgresBus | KafkaBus:
    return bus_for(Settings())


def main(poison: str) -> None:
    load_catalogue()
    db = Database(os.environ["CREDIT_DATABASE_URL"])
    settler = Settler(handlers(poison), db, waits=(0.0,))
    bus().consume(GROUP, TOPICS, Quarantine(settler).settle, threading.Event())


def mended(subject: str) -> int:
    """Redrive with a handler that no longer minds."""
    return redrive(subject, handlers("none"), Database(os.environ["CREDIT_DATABASE_URL"], pool=2))


if __name__ == "__main__":
    main(sys.argv[1])
