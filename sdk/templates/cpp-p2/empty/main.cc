// Written against "guest.hpp", the bindings of wit/world.wit: what it exports is implemented here.

#include "guest.hpp"

namespace greetings = weft::wit::example::greeter::greetings;

std::string greetings::exports::greet(std::string_view name) {
  return "Hello, " + std::string(name) + "!";
}
