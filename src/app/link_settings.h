#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/link_layer_settings.h"
#include "app/problems.h"
#include "app/table_reader.h"
#include "app/toml.h"

namespace weft {

// What serves an interface that a component imports, as the developer wrote it:
//
//   links."acme:ml/inference" = "component:engine"
//   links."acme:ml/inference" = { to = "provider:inference", deadline = "2s" }
//   links.primary = { to = "component:engine", interface = "acme:ml/inference" }
//   links."acme:words/count" = "node:attic"       # a service of a node of the network
//   links."acme:words/count" = { to = "node:attic", library = "acme:words@1.2", how = "fetch" }
struct LinkSettings {
  enum class To : unsigned char { kComponent, kProvider, kNode };
  // Of a node's library: called where it is, or fetched once and linked as a component of the app.
  enum class How : unsigned char { kCall, kFetch };

  // With a version or without; or the plain name that it is imported by.
  Placed interface = {};
  To to = To::kComponent;
  Placed name = {};     // Of the component, the provider or the node.
  Placed library = {};  // Of a node; empty: what it serves.
  How how = How::kCall;
  // What the other end calls the interface; empty: the same.
  Placed as = {};
  // A call has so long; by function, where it has a line of its own.
  std::optional<std::chrono::milliseconds> deadline = {};
  struct Time {
    std::chrono::milliseconds time;
    Place place;
  };
  std::map<std::string, Time, std::less<>> deadlines = {};
  // Beside the time-out.
  LinkLayerSettings layers = {};

  // "component engine", "node attic", "library acme:words of node attic": for messages.
  std::string end_text() const;
  // Whether calls of it leave what weft runs here itself.
  bool serves_from_outside() const {
    return to == To::kProvider || (to == To::kNode && how == How::kCall);
  }
  std::optional<std::chrono::milliseconds> deadline_of(std::string_view function) const {
    auto own = deadlines.find(function);
    return own != deadlines.end() ? std::optional(own->second.time) : deadline;
  }

  static constexpr std::size_t kLinksMax = 64;

  // Of the table `links` of a component; `where`, for messages: [component.cart.links].
  static std::vector<LinkSettings> read(const TomlValue& table, const std::string& where,
                                        Problems& problems);
};

}  // namespace weft
