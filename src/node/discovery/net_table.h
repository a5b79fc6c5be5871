#pragma once

#include <span>
#include <string>

#include "node/discovery/neighbours.h"

namespace weft::node::discovery {

// Neighbours as text for people and programs, in the order they are given. Whatever nodes say of
// themselves is shown without control characters. Lines end in a newline; JSON is one line.

// A line a node: name, key (its first digits), address, how long it is there, what it offers.
std::string net_table(std::span<const Neighbour> nodes, Deadline::Clock::time_point now);
// A node with its whole key, below it its addresses and what it offers, a line each.
std::string net_tree(std::span<const Neighbour> nodes, Deadline::Clock::time_point now);
// {"nodes": [{"name", "key", "port", "addresses" (of its TLS), "boot", "sequence", "catalogue",
// "offers", "here_ms", "heard_ms_ago", "twin"}]}; boot and sequence as text, for they have 64 bits.
std::string net_json(std::span<const Neighbour> nodes, Deadline::Clock::time_point now);

}  // namespace weft::node::discovery
