#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "node/library/catalogue.h"

namespace weft::node::client {

// What a node says of itself to one key, as far as somebody here uses it.
struct Description {
  std::string name = {};
  std::string group = {};  // Which the key is in there; empty: it was not told.
  std::string may = {};  // "describe, call": the rights of the key's group; empty: it was not told.
  // What is left of the group's quota, by kind: "cpu" in nanoseconds, "runs", all others in bytes.
  std::vector<std::pair<std::string, std::uint64_t>> left = {};
  std::vector<library::Library> libraries = {};
  std::vector<library::Service> services = {};
};

// Of the answer to describe. What a later weft adds to it is passed over; kCorrupt for what is no
// description, or for a text that could be no name or type.
Result<Description> read_description(std::string_view text);
// For people: what follows the node's name, two spaces in.
std::string description_tree(const Description& description);

}  // namespace weft::node::client
