#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace weft {

// What a route answers to, as people write it.
struct Route {
  std::string host;                  // Empty: any. Without a port: "shop.example.com".
  std::string path;                  // "/x", "/users/:id", "/x/..." (also "/x" itself), "/...".
  std::vector<std::string> methods;  // Empty: all. GET takes in HEAD.
};

// A value that a `:name` of the route stands for: as it came, percent-encoded, borrowed from the
// path. The name is borrowed from the table.
struct RouteParam {
  std::string_view name;
  std::string_view value;

  friend bool operator==(const RouteParam&, const RouteParam&) = default;
};

struct RouteFound {
  std::size_t index;  // In what the table was made of.
  std::vector<RouteParam> params;
};
struct RouteNotFound {};
struct RouteMethodNotAllowed {
  std::string allow;  // "GET, HEAD, POST": the value of the Allow header.
};
using RouteMatch = std::variant<RouteFound, RouteNotFound, RouteMethodNotAllowed>;

// What is wrong with one route, or with two that the same request would match.
struct RouteProblem {
  std::size_t index;
  std::optional<std::size_t> other;  // The earlier route of a conflict.
  std::string message;
};

// Which route serves a request. Immutable, so loops share it.
//
// Of the routes that match host, path and method the most specific one wins: one with a host before
// one without; then a path without parameters before one with them before a prefix, the longer
// prefix first, and of two that are alike so far the one with a literal where the other has a
// parameter; last, one that names the method before one for all methods. Segments are compared
// percent-decoded. A path with a segment "." or ".." matches nothing, however it is encoded: the
// reader behind us might resolve it to another route's path.
class RouteTable {
 public:
  static constexpr std::size_t kParamsMax = 16;  // Of one route.

  // Everything that is wrong with the routes; empty when a table can be made of them.
  static std::vector<RouteProblem> problems(std::span<const Route> routes);
  // kInvalid with all problems, each naming its route.
  static Result<RouteTable> make(std::span<const Route> routes);

  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;
  ~RouteTable();

  // `host` may have a port, and be empty; what `path` has from '?' on is not looked at.
  RouteMatch find(std::string_view host, std::string_view path, std::string_view method) const;

 private:
  struct Impl;
  explicit RouteTable(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft
