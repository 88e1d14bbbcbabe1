"""The whole product on one thread: a seeded bus, a seeded history, crashes where the seed says, and a checker."""
