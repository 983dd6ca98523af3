"""Progress that remembers what a user would have been told."""

from contextlib import contextmanager

from saecli.progress import SILENT


class Heard:
    """A `Progress` whose lines are kept in ``said``."""

    def __init__(self):
        self.said = []

    @contextmanager
    def task(self, name, total, unit):
        with SILENT.task(name, total, unit) as task:
            yield task

    def say(self, message):
        self.said.append(message)
