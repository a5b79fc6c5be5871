"""A command that counts its runs."""

import sys

from wit_world import exports
from wit_world.imports import atomics, store


class Run(exports.Run):
    def run(self) -> None:
        runs = atomics.increment(store.open("runs"), "all", 1)
        name = sys.argv[1] if len(sys.argv) > 1 else "world"
        print(f"Hello, {name}! This is run {runs}.")
