// Makes routes and a request of arbitrary bytes, and compares the table's answer with that of a
// reader that tries every route on its own and sorts what matched.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "base/check.h"
#include "triggers/http/router.h"

namespace weft {
namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);
    parts.push_back(path.substr(0, path.find('/')));
    path.remove_prefix(parts.back().size());
  }
  return parts;
}

std::string plain(std::string_view text) {
  auto digit = [](char c) {
    std::size_t at = std::string_view("0123456789abcdef0123456789ABCDEF").find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at % 16);
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool escape =
        text[i] == '%' && text.size() - i > 2 && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    out += escape ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return out;
}

// How well a route's path fits: smaller is better. Empty: not at all.
std::string fit(const Route& route, std::string_view path) {
  auto pattern = split(route.path);
  auto parts = split(path);
  bool prefix = !pattern.empty() && pattern.back() == "...";
  if (prefix) pattern.pop_back();
  if (prefix ? parts.size() < pattern.size() : parts.size() != pattern.size()) return {};
  std::string rank;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    bool param = pattern[i].starts_with(':');
    if (param ? parts[i].empty() : plain(pattern[i]) != plain(parts[i])) return {};
    rank += param ? 'p' : 'l';
  }
  if (!prefix) return "0" + rank;
  // The more segments, the smaller.
  return "1" + std::string(1, static_cast<char>(255 - std::min<std::size_t>(rank.size(), 250))) +
         rank;
}

std::string host_of(std::string_view host) {
  std::string out(host.substr(0, host.find(':')));
  if (out.ends_with('.')) out.pop_back();
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return out;
}

bool names(const Route& route, std::string_view method) {
  return std::ranges::find(route.methods, method) != route.methods.end();
}

void check_find(const std::vector<Route>& routes, const RouteTable& table, std::string_view host,
                std::string_view path, std::string_view method) {
  RouteMatch match = table.find(host, path, method);
  auto* found = std::get_if<RouteFound>(&match);
  std::string_view bare = path.substr(0, path.find('?'));
  if (!bare.starts_with('/')) return CHECK(std::holds_alternative<RouteNotFound>(match));
  for (std::string_view part : split(bare)) {
    std::string text = plain(part);
    if (text == "." || text == "..") return CHECK(std::holds_alternative<RouteNotFound>(match));
  }
  using Rank = std::tuple<bool, std::string, int, std::size_t>;
  std::vector<Rank> served;
  bool seen = false;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const Route& route = routes[i];
    if (!route.host.empty() && host_of(route.host) != host_of(host)) continue;
    std::string rank = fit(route, bare);
    if (rank.empty()) continue;
    seen = true;
    int by_method = names(route, method)                      ? 0
                    : method == "HEAD" && names(route, "GET") ? 1
                    : route.methods.empty()                   ? 2
                                                              : 3;
    if (by_method < 3) served.emplace_back(route.host.empty(), rank, by_method, i);
  }
  if (served.empty()) {
    CHECK(found == nullptr);
    CHECK(std::holds_alternative<RouteMethodNotAllowed>(match) == seen);
    return;
  }
  CHECK(found != nullptr);
  CHECK(found->index == std::get<3>(*std::ranges::min_element(served)));
  for (const RouteParam& param : found->params) {
    CHECK(!param.value.empty() && param.value.find('/') == std::string_view::npos);
    CHECK(param.value.data() >= path.data() &&
          param.value.data() + param.value.size() <= path.data() + path.size());
  }
}

}  // namespace
}  // namespace weft

// Lines: "host path METHOD METHOD", and after an empty line requests: "host path method".
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<Route> routes;
  std::optional<RouteTable> table;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.empty() && !table) {
      auto made = RouteTable::make(routes);
      CHECK(made.has_value() == RouteTable::problems(routes).empty());
      if (!made) return 0;
      table = std::move(*made);
      continue;
    }
    std::vector<std::string> words(1);
    for (char c : line) {
      if (c == ' ') {
        words.emplace_back();
      } else {
        words.back() += c;
      }
    }
    words.resize(std::max<std::size_t>(words.size(), 2));
    if (table) {
      words.resize(3);
      // The reader of hosts above knows names alone.
      if (words[0].find_first_of("[]") == std::string::npos) {
        check_find(routes, *table, words[0], words[1], words[2]);
      }
    } else if (routes.size() < 64 && words[0].find_first_of("[]") == std::string::npos) {
      routes.push_back({words[0], words[1], {words.begin() + 2, words.end()}});
    }
  }
  return 0;
}
