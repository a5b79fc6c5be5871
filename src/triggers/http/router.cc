#include "triggers/http/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "io/http/parser.h"

namespace weft {
namespace {

constexpr std::string_view kRest = "...";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Appends `text` percent-decoded; what is not an escape stays as it is.
void decode(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
}

// The segments of a path, one after the other: "/a/" has "a" and "".
class Segments {
 public:
  explicit Segments(std::string_view path) : rest_(path) {}

  bool done() const { return rest_.empty(); }
  std::string_view next() {
    rest_.remove_prefix(1);
    std::string_view segment = rest_.substr(0, rest_.find('/'));
    rest_.remove_prefix(segment.size());
    return segment;
  }

 private:
  std::string_view rest_;  // Empty, or begins with the slash before the next segment.
};

bool is_dots(std::string_view segment) {
  if (segment.size() > 6 || segment.empty()) return false;
  if (segment[0] != '.' && segment[0] != '%') return false;
  std::string plain;
  decode(plain, segment);
  return plain == "." || plain == "..";
}

bool has_dots(std::string_view path) {
  for (Segments segments(path); !segments.done();) {
    if (is_dots(segments.next())) return true;
  }
  return false;
}

std::string describe(const Route& route) {
  std::string text = fmt::format("route {}{}", route.host, route.path);
  if (!route.methods.empty()) text += fmt::format(" ({})", fmt::join(route.methods, ", "));
  return text;
}

std::string host_problem(std::string_view host) {
  if (host.empty()) return {};
  if (host.find("://") != std::string_view::npos || host.find('/') != std::string_view::npos) {
    return "the host is a name alone: leave out scheme and path";
  }
  bool v6 = host.front() == '[' && host.back() == ']' && host.size() > 2;
  if (!v6 && host.find(':') != std::string_view::npos) {
    return "the host is a name alone: leave out the port";
  }
  for (char c : v6 ? host.substr(1, host.size() - 2) : host) {
    bool plain = (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                 c == '.' || c == '_' || (v6 && c == ':');
    if (!plain) return fmt::format("'{}' cannot stand in a host: write one like example.com", c);
  }
  return {};
}

bool is_param_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string literal_problem(std::string_view segment) {
  if (segment.find("...") != std::string_view::npos) {
    return "\"...\" stands alone at the end of a path: write it like /files/...";
  }
  if (is_dots(segment)) return "the segments \".\" and \"..\" match nothing: leave them out";
  for (std::size_t i = 0; i < segment.size(); ++i) {
    char c = segment[i];
    if (c == '*')
      return "'*' is not a wildcard: write /x/... for all below /x, /:name for one part";
    if (c == '{' || c == '}') return "a parameter is written :name, without braces";
    if (c == '?' || c == '#') return "a route is a path alone: leave out what '?' or '#' begins";
    if (c <= ' ' || c == 0x7f) return "there is a space or a control character in the path";
    bool escape = i + 2 < segment.size() && hex(segment[i + 1]) >= 0 && hex(segment[i + 2]) >= 0;
    if (c == '%' && !escape) return "'%' begins an escape like %20: write it as %25";
  }
  return {};
}

std::string path_problem(std::string_view path) {
  if (!path.starts_with('/')) return "a path begins with '/'";
  std::set<std::string_view> names;
  for (Segments segments(path); !segments.done();) {
    std::string_view segment = segments.next();
    if (segment == kRest) {
      if (!segments.done()) return "\"...\" stands at the end of a path: nothing comes after it";
    } else if (segment.starts_with(':')) {
      std::string_view name = segment.substr(1);
      if (!is_param_name(name)) {
        return fmt::format(
            "\"{}\" is not a parameter: a name of letters, digits, '_' and '-' "
            "follows ':'",
            segment);
      }
      if (!names.insert(name).second) return fmt::format("there are two parameters :{}", name);
    } else if (segment.empty() && !segments.done()) {
      return "there are two slashes beside each other";
    } else if (std::string problem = literal_problem(segment); !problem.empty()) {
      return problem;
    }
  }
  if (names.size() > RouteTable::kParamsMax) {
    return fmt::format("there are more than {} parameters", RouteTable::kParamsMax);
  }
  return {};
}

std::string methods_problem(const std::vector<std::string>& methods) {
  std::set<std::string_view> seen;
  for (const std::string& method : methods) {
    if (!is_token(method) ||
        std::ranges::any_of(method, [](char c) { return c >= 'a' && c <= 'z'; })) {
      return fmt::format("\"{}\" is not a method: write it in capitals, like GET", method);
    }
    if (!seen.insert(method).second) return fmt::format("{} is named twice", method);
  }
  return {};
}

// A host as it is compared: in lower case, without a port and the root's dot.
void normalize_host(std::string& out, std::string_view host) {
  std::size_t end = host.starts_with('[') ? host.find(']') : host.find(':');
  if (end != std::string_view::npos) host = host.substr(0, host[end] == ']' ? end + 1 : end);
  if (host.ends_with('.')) host.remove_suffix(1);
  for (char c : host) out.push_back(lower(c));
}

// One route that ends at a node.
struct Ending {
  std::size_t index;
  std::vector<std::string> methods;
  std::vector<std::string> names;  // Of its parameters, in the path's order.

  bool takes(std::string_view method) const {
    return std::ranges::find(methods, method) != methods.end();
  }
};

// A segment's place in the tree of paths. What two routes share they have in common.
struct Node {
  std::map<std::string, Node, std::less<>> literals;
  std::unique_ptr<Node> param;
  std::vector<Ending> whole;   // Paths that end here.
  std::vector<Ending> prefix;  // Paths that go on with anything.
};

// The route of these that serves the method: one that names it, HEAD also by GET, then one for all.
const Ending* choose(const std::vector<Ending>& endings, std::string_view method) {
  const Ending* any = nullptr;
  const Ending* get = nullptr;
  for (const Ending& each : endings) {
    if (each.methods.empty()) {
      any = &each;
    } else if (each.takes(method)) {
      return &each;
    } else if (method == "HEAD" && each.takes("GET")) {
      get = &each;
    }
  }
  return get != nullptr ? get : any;
}

// One look-up. Visits a node at most once, so it is bounded by the table and not by the path.
class Search {
 public:
  Search(std::string_view path, std::string_view method) : path_(path), method_(method) {}

  // Whether one was found.
  bool run(const Node& root) {
    walk(root, Segments(path_), 0, 0);
    if (whole_ != nullptr) {
      best_ = whole_;
      count_ = whole_->names.size();
      values_ = whole_values_;
    }
    return best_ != nullptr;
  }

  RouteMatch result() const {
    if (best_ != nullptr) {
      RouteFound found{best_->index, {}};
      found.params.reserve(count_);
      for (std::size_t i = 0; i < count_; ++i) {
        found.params.push_back({best_->names[i], values_[i]});
      }
      return found;
    }
    if (allowed_.empty()) return RouteNotFound{};
    return RouteMethodNotAllowed{fmt::format("{}", fmt::join(allowed_, ", "))};
  }

 private:
  using Values = std::array<std::string_view, RouteTable::kParamsMax>;

  void walk(const Node& node, Segments segments, std::size_t depth, std::size_t params) {
    if (segments.done()) take_whole(node);
    if (whole_ != nullptr) return;
    Segments rest = segments;
    if (!segments.done()) {
      std::string_view segment = rest.next();
      walk_literal(node, segment, rest, depth, params);
      if (whole_ != nullptr) return;
      if (node.param != nullptr && !segment.empty()) {
        now_[params] = segment;
        walk(*node.param, rest, depth + 1, params + 1);
        if (whole_ != nullptr) return;
      }
    }
    take_prefix(node, depth);
  }

  void walk_literal(const Node& node, std::string_view segment, Segments rest, std::size_t depth,
                    std::size_t params) {
    if (node.literals.empty()) return;
    auto found = node.literals.end();
    if (segment.find('%') == std::string_view::npos) {
      found = node.literals.find(segment);
    } else {
      std::string plain;
      decode(plain, segment);
      found = node.literals.find(plain);
    }
    if (found != node.literals.end()) walk(found->second, rest, depth + 1, params);
  }

  void take_whole(const Node& node) {
    if (node.whole.empty()) return;
    whole_ = choose(node.whole, method_);
    if (whole_ != nullptr) {
      whole_values_ = now_;
    } else {
      allow(node.whole);
    }
  }

  // Literals were walked before parameters: of two prefixes as long as each other the first wins.
  void take_prefix(const Node& node, std::size_t depth) {
    if (node.prefix.empty()) return;
    const Ending* chosen = choose(node.prefix, method_);
    if (chosen == nullptr) return allow(node.prefix);
    if (best_ != nullptr && depth <= depth_) return;
    best_ = chosen;
    depth_ = depth;
    count_ = chosen->names.size();
    values_ = now_;
  }

  void allow(const std::vector<Ending>& endings) {
    for (const Ending& each : endings) {
      allowed_.insert(each.methods.begin(), each.methods.end());
      if (each.takes("GET")) allowed_.insert("HEAD");
    }
  }

  std::string_view path_;
  std::string_view method_;
  Values now_{};
  const Ending* whole_ = nullptr;
  Values whole_values_{};
  const Ending* best_ = nullptr;
  Values values_{};
  std::size_t count_ = 0;
  std::size_t depth_ = 0;
  std::set<std::string> allowed_;
};

}  // namespace

struct RouteTable::Impl {
  std::map<std::string, Node, std::less<>> hosts;
  Node any;
};

RouteTable::RouteTable(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;
RouteTable::~RouteTable() = default;

std::vector<RouteProblem> RouteTable::problems(std::span<const Route> routes) {
  std::vector<RouteProblem> problems;
  // By what a request cannot tell apart: host, shape of the path, method.
  std::map<std::string, std::size_t> taken;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const Route& route = routes[i];
    bool sound = true;
    for (const std::string& problem :
         {host_problem(route.host), path_problem(route.path), methods_problem(route.methods)}) {
      if (problem.empty()) continue;
      sound = false;
      problems.push_back({i, std::nullopt, fmt::format("{}: {}", describe(route), problem)});
    }
    if (!sound) continue;
    std::string shape;
    normalize_host(shape, route.host);
    for (Segments segments(route.path); !segments.done();) {
      std::string_view segment = segments.next();
      shape += '\0';
      // No literal begins with these: a decoded one is preceded by '='.
      if (segment == kRest || segment.starts_with(':')) {
        shape += segment == kRest ? "..." : ":";
      } else {
        shape += '=';
        decode(shape, segment);
      }
    }
    std::vector<std::string> methods = route.methods;
    if (methods.empty()) methods.emplace_back("*");
    for (const std::string& method : methods) {
      auto [at, fresh] = taken.emplace(shape + '\0' + '\0' + method, i);
      if (fresh) continue;
      problems.push_back({i, at->second,
                          fmt::format("{} and {} match the same requests: take one of them out, or "
                                      "give them different methods",
                                      describe(routes[at->second]), describe(route))});
      break;
    }
  }
  return problems;
}

Result<RouteTable> RouteTable::make(std::span<const Route> routes) {
  if (auto wrong = problems(routes); !wrong.empty()) {
    std::string text;
    for (const RouteProblem& each : wrong) {
      text += fmt::format("{}{}", text.empty() ? "" : "\n", each.message);
    }
    return failure(Errc::kInvalid, std::move(text));
  }
  auto impl = std::make_unique<Impl>();
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const Route& route = routes[i];
    Node* node = &impl->any;
    if (!route.host.empty()) {
      std::string host;
      normalize_host(host, route.host);
      node = &impl->hosts[host];
    }
    Ending ending{i, route.methods, {}};
    bool prefix = false;
    for (Segments segments(route.path); !segments.done();) {
      std::string_view segment = segments.next();
      if (segment == kRest) {
        prefix = true;
      } else if (segment.starts_with(':')) {
        ending.names.emplace_back(segment.substr(1));
        if (node->param == nullptr) node->param = std::make_unique<Node>();
        node = node->param.get();
      } else {
        std::string plain;
        decode(plain, segment);
        node = &node->literals[plain];
      }
    }
    (prefix ? node->prefix : node->whole).push_back(std::move(ending));
  }
  return RouteTable(std::move(impl));
}

RouteMatch RouteTable::find(std::string_view host, std::string_view path,
                            std::string_view method) const {
  path = path.substr(0, path.find('?'));
  if (!path.starts_with('/') || has_dots(path)) return RouteNotFound{};
  Search search(path, method);
  if (!impl_->hosts.empty()) {
    std::string name;
    normalize_host(name, host);
    auto found = impl_->hosts.find(name);
    if (found != impl_->hosts.end() && search.run(found->second)) return search.result();
  }
  search.run(impl_->any);
  return search.result();
}

}  // namespace weft
