"""The whole product in one process: five services, their databases, the bus between them."""

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack

from shared.app import Edge
from shared.jobs import run_one
from shared.messaging.inbox import Settler
from shared.messaging.kafka import KafkaBus
from shared.messaging.outbox import pending, relay
from shared.messaging.postgres import PostgresBus
from shared.migrations import upgrade
from shared.run import bus_for, context_for, daily, edge_for, insistent, loops_of
from shared.service import Context, Service
from shared.settings import DatabaseUrls, Settings


class System:
    """Five services over their databases and a bus; `run` starts every loop, `run_until_quiet` is for tests."""

    def __init__(self, services: Sequence[Service], settings: Settings) -> None:
        self.services, self.settings = list(services), settings
        self.contexts: dict[str, Context] = {s.name: context_for(s, settings) for s in services}
        self.bus: PostgresBus | KafkaBus = bus_for(settings)
        self.edge: Edge = edge_for(services, self.contexts, settings, self.bus)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def migrate(self) -> None:
        """Bring every database to the newest revision."""
        for service in self.services:
            upgrade(service, DatabaseUrls.of(service.name).owner_url, f"{service.name}_app")
        if isinstance(self.bus, PostgresBus):
            self.bus.prepare()

    def seed(self) -> None:
        """Reference data that a service keeps in its database."""
        for service in self.services:
            if service.seed is not None:
                service.seed(self.contexts[service.name])

    def run(self) -> None:
        """Start the loops of every service as threads; a loop that fails starts again."""
        for service in self.services:
            for name, loop in loops_of(service, self.contexts[service.name], self.bus):
                thread = threading.Thread(target=insistent(name, loop), args=(self._stop,), name=name, daemon=True)
                thread.start()
                self._threads.append(thread)

    def stop(self) -> None:
        """Stop the loops and close the databases."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)
        for context in self.contexts.values():
            context.db.dispose()

    def daily(self) -> None:
        """The daily jobs of today, in every service, then whatever they set off."""
        for service in self.services:
            context = self.contexts[service.name]
            daily(service, context, context.clock.today())

    def run_until_quiet(self) -> None:
        """Relay, consume and do jobs until nothing is left: what a test calls instead of sleeping."""
        assert isinstance(self.bus, PostgresBus), "a test drives the embedded bus"
        moved = True
        while moved:
            moved = any([self._turn(service) for service in self.services])

    def _turn(self, service: Service) -> bool:
        assert isinstance(self.bus, PostgresBus)
        context, topics = self.contexts[service.name], service.handlers.topics
        moved = relay(context.db, self.bus) > 0
        if topics:
            self.bus.join(service.name, topics)
            settler = Settler(service.handlers, context.db, waits=(0.0,))
            moved = self.bus.poll(service.name, topics, settler.settle) > 0 or moved
        return run_one(service.jobs, context.db, context.clock) or moved

    @property
    def quiet(self) -> bool:
        """Whether no outbox holds anything and every service has settled what is on the bus."""
        waiting = any(pending(self.contexts[s.name].db)[0] for s in self.services)
        return not waiting and all(
            self.bus.lag(s.name, s.handlers.topics) == 0 for s in self.services if s.handlers.topics
        )


def with_environment(values: dict[str, str]) -> ExitStack:
    """Set environment variables until the stack closes."""
    stack, before = ExitStack(), dict(os.environ)

    def restore() -> None:
        os.environ.clear()
        os.environ.update(before)

    os.environ.update(values)
    stack.callback(restore)
    return stack
