#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/linked_node.h"
#include "node/client/description.h"
#include "node/object/hash.h"

namespace weft::node::links {

// The library that is meant by NAME, the newest; by NAME@1.2, the newest of 1.2 and 1.2.x.
// kNotFound tells which there are.
Result<const library::Library*> find_library(const client::Description& description,
                                             std::string_view library);
// The newest that exports the interface, or a later version on its track. kNotFound: none does.
Result<const library::Library*> find_exporter(const client::Description& description,
                                              std::string_view interface);

// What a node that described itself so offers to a link; without a library its services. kDenied:
// the key has not the right that this takes.
Result<NodeOffer> offer_of(const client::Description& description, const std::string& library);
Result<void> check_right(const client::Description& description, std::string_view right);

// An import and what it calls there.
struct Bound {
  Hash module = {};                         // Zero: services.
  std::vector<std::string> functions = {};  // By the import's numbers: "acme:math/add@1.0.0#sum".
};
// kUnsupported, with wanted and offered side by side, where they do not fit.
Result<Bound> bind(const NodeImport& import, const NodeOffer& offer);

}  // namespace weft::node::links
