// A map of the network, as its nodes see it. Without words, on a node: whom this node hears, a line
// each. With the word `draw`: reads the lines of many nodes and draws who hears whom; anywhere.
#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "guest.h"

namespace {

// Of a node's key, enough to tell nodes of one name apart.
constexpr std::size_t kDigits = 8;
constexpr std::size_t kLineMax = 1'024;

std::string text(const guest_string_t& from) {
  return {reinterpret_cast<const char*>(from.ptr), from.len};
}

// A name is anybody's to take, the digits of the key are not.
std::string shown(const weft_node_neighbours_node_t& node) {
  std::string name = text(node.name);
  std::ranges::replace(name, ' ', '_');
  return name + "/" + text(node.key).substr(0, kDigits);
}

int report() {
  weft_node_neighbours_error_t error{};
  weft_node_neighbours_node_t own{};
  weft_node_neighbours_list_node_t heard{};
  if (!weft_node_neighbours_this_node(&own, &error) ||
      !weft_node_neighbours_heard(&heard, &error)) {
    std::fprintf(stderr, "network_map: the node %s\n",
                 error == WEFT_NODE_RESOURCES_ERROR_DENIED
                     ? "does not let its runs observe: its owner grants it with may = [\"observe\"]"
                     : "has no processor time left for this run");
    return 1;
  }
  std::string self = shown(own);
  if (heard.len == 0) std::printf("%s hears nobody\n", self.c_str());
  for (std::size_t i = 0; i < heard.len; ++i) {
    std::printf("%s hears %s at %s\n", self.c_str(), shown(heard.ptr[i]).c_str(),
                text(heard.ptr[i].address).c_str());
  }
  return 0;
}

// A row a node that reported, a column a node that is known: x where the row hears the column.
int draw() {
  std::map<std::string, std::set<std::string>> hears;
  std::set<std::string> all;
  char line[kLineMax];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    char from[kLineMax];
    char to[kLineMax];
    if (std::sscanf(line, "%s hears %s", from, to) != 2) continue;
    all.insert(from);
    auto& row = hears[from];
    if (std::string_view(to) == "nobody") continue;
    all.insert(to);
    row.insert(to);
  }
  std::size_t widest = 0;
  for (const auto& each : all) widest = std::max(widest, each.size());
  std::size_t number = 0;
  for (const auto& row : all) {
    std::printf("%3zu %-*s ", ++number, static_cast<int>(widest), row.c_str());
    auto found = hears.find(row);
    for (const auto& column : all) {
      bool told = found != hears.end();
      std::printf(" %c", row == column                    ? '\\'
                         : !told                          ? '?'
                         : found->second.contains(column) ? 'x'
                                                          : '.');
    }
    std::printf("\n");
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count > 1 && std::string_view(words[1]) == "draw") return draw();
  return report();
}
