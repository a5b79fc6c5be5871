#include "node/discovery/net_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include "base/console.h"
#include "base/json_text.h"
#include "base/shown_text.h"

namespace weft::node::discovery {
namespace {

using Time = Deadline::Clock::time_point;

constexpr std::size_t kKeyDigitsShown = 16;
// Of what a node offers, in a line of the table.
constexpr std::size_t kOffersShown = 60;

std::int64_t ms_between(Time from, Time to) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
}

// "14 s", "3 min", "5 h", "2 d".
std::string duration_text(std::int64_t ms) {
  std::int64_t s = ms / 1000;
  if (s < 120) return fmt::format("{} s", s);
  if (s < 120 * 60) return fmt::format("{} min", s / 60);
  if (s < 48 * 3600) return fmt::format("{} h", s / 3600);
  return fmt::format("{} d", s / 86400);
}

// Where its TLS is, by each of its addresses.
std::string tls_address(const NeighbourAddress& address, std::uint16_t port) {
  UdpEndpoint tls = address.udp;
  tls.port = port;
  return tls.text();
}

std::vector<std::string_view> lines(std::string_view text) {
  std::vector<std::string_view> all;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) all.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return all;
}

// A foreign text in one line.
std::string plain(std::string_view text) {
  std::string shown = without_controls(text);
  std::ranges::replace_if(shown, [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return shown;
}

// Counts what a terminal shows, not bytes.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & '\xc0') != '\x80'; }));
}

using Row = std::array<std::string, 5>;

Row row_of(const Neighbour& node, Time now) {
  std::string offers;
  for (std::string_view each : lines(node.beacon.offers)) {
    if (!offers.empty()) offers += ", ";
    offers += plain(each);
    if (offers.size() > kOffersShown) {
      offers = offers.substr(0, kOffersShown) + "...";
      break;
    }
  }
  std::string address =
      node.addresses.empty() ? "" : tls_address(node.addresses.front(), node.beacon.port);
  if (node.addresses.size() > 1) address += fmt::format(" +{}", node.addresses.size() - 1);
  return {plain(node.beacon.name) + (node.twin ? " (!)" : ""),
          node.key.text().substr(0, kKeyDigitsShown), address,
          duration_text(ms_between(node.since, now)), offers};
}

}  // namespace

std::string net_table(std::span<const Neighbour> nodes, Time now) {
  std::vector<Row> rows{{"NAME", "KEY", "ADDRESS", "HERE FOR", "OFFERS"}};
  for (const Neighbour& each : nodes) rows.push_back(row_of(each, now));
  std::array<std::size_t, 5> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string net_tree(std::span<const Neighbour> nodes, Time now) {
  std::string out;
  for (const Neighbour& node : nodes) {
    out += fmt::format("{} {}\n", plain(node.beacon.name), node.key.text());
    if (node.twin) out += "  another node has the same key\n";
    for (const NeighbourAddress& each : node.addresses) {
      out += fmt::format("  at {}\n", tls_address(each, node.beacon.port));
    }
    out += fmt::format("  here for {}, heard {} ms ago\n",
                       duration_text(ms_between(node.since, now)), ms_between(node.heard, now));
    for (std::string_view each : lines(node.beacon.offers)) {
      out += fmt::format("  offers {}\n", plain(each));
    }
  }
  return out;
}

std::string net_json(std::span<const Neighbour> nodes, Time now) {
  std::string out = R"({"nodes":[)";
  auto list = [&](std::string_view key, const auto& items, auto text) {
    out += fmt::format(R"(,"{}":[)", key);
    for (bool first = true; const auto& each : items) {
      if (!std::exchange(first, false)) out += ',';
      append_json_string(out, text(each));
    }
    out += ']';
  };
  for (bool first = true; const Neighbour& node : nodes) {
    if (!std::exchange(first, false)) out += ',';
    out += R"({"name":)";
    append_json_string(out, without_controls(node.beacon.name));
    append_json_member(out, "key", node.key.text());
    out += fmt::format(R"(,"port":{})", node.beacon.port);
    list("addresses", node.addresses,
         [&](const NeighbourAddress& each) { return tls_address(each, node.beacon.port); });
    append_json_member(out, "boot", fmt::to_string(node.beacon.boot));
    append_json_member(out, "sequence", fmt::to_string(node.beacon.sequence));
    append_json_member(out, "catalogue", node.beacon.catalogue.text());
    list("offers", lines(node.beacon.offers), [](std::string_view each) { return plain(each); });
    out += fmt::format(R"(,"here_ms":{},"heard_ms_ago":{},"twin":{}}})",
                       ms_between(node.since, now), ms_between(node.heard, now), node.twin);
  }
  out += "]}\n";
  return out;
}

}  // namespace weft::node::discovery
