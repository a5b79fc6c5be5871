"""What wit/world.wit offers."""

from wit_world import exports


class Greetings(exports.Greetings):
    def greet(self, name: str) -> str:
        return f"Hello, {name}!"
