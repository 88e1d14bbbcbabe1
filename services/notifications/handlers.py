"""What notifications does about events. One line of thought per handler; the work is in actions."""

from shared.messaging.inbox import Handlers

handlers = Handlers("notifications")
