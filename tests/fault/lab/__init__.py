"""The fault lab: the production topology as processes, faults on every link, and a checker of what must hold."""
