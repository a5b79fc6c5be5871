#include "cli/net_list.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <optional>

#include "base/console.h"
#include "base/net_address.h"
#include "base/shown_text.h"
#include "cli/find_nodes.h"
#include "cli/standard_output.h"
#include "io/run_task.h"
#include "node/client/description.h"
#include "node/client/remote_node.h"
#include "node/discovery/net_table.h"

namespace weft {
namespace {

namespace json = boost::json;
using node::discovery::Neighbour;

constexpr std::chrono::seconds kDescribeMax{30};
// Of several that are asked together one is not waited for so long.
constexpr std::chrono::seconds kDescribeAlsoMax{3};

// By the first of its addresses that answers; those of a link would need its interface.
Task<std::string> ask(Loop& loop, const Neighbour& who, const node::SigningKey& key) {
  Error last(Errc::kUnavailable, "no address of it can be asked");
  for (const auto& each : who.addresses) {
    if (kind_of(each.udp.address) == AddressKind::kLinkLocal) continue;
    node::client::RemoteNode remote(
        loop, {.key = who.key, .host = each.udp.address.text(), .port = who.beacon.port}, key);
    auto told = co_await remote.describe(Deadline::after(kDescribeAlsoMax));
    if (told) co_return *std::move(told);
    last = std::move(told).error();
  }
  co_return std::unexpected(std::move(last));
}

using Told = std::vector<Result<std::string>>;

// Of each, in their order, what it tells.
Told ask_all(Loop& loop, const Heard& nodes, const node::SigningKey& key) {
  Told told(nodes.size(), failure(Errc::kLimit, fmt::format("only {} are asked", kDescribedMax)));
  std::size_t asked = std::min(nodes.size(), kDescribedMax);
  std::size_t open = asked;
  auto keep = [](Task<std::string> work, Result<std::string>* into) -> Task<void> {
    *into = co_await std::move(work);
    co_return Result<void>();
  };
  for (std::size_t i = 0; i < asked; ++i) {
    loop.spawn(keep(ask(loop, nodes[i], key), &told[i]), [&](Result<void>) {
      if (--open == 0) loop.stop();
    });
  }
  if (open > 0) loop.run();
  loop.context().restart();
  return told;
}

// A node a tree of its own, with what it tells or why nothing.
std::string tree_of(const Heard& nodes, const Told& told, Deadline::Clock::time_point now) {
  std::string out;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    out += node::discovery::net_tree(std::span(&nodes[i], 1), now);
    Result<node::client::Description> description =
        told[i] ? node::client::read_description(*told[i]) : std::unexpected(told[i].error());
    out += description ? node::client::description_tree(*description)
                       : fmt::format("  tells us nothing: {}\n",
                                     on_one_line(description.error().message()));
  }
  return out;
}

// What is heard, and in each node's "description" what it tells, or null.
std::string json_of(const Heard& nodes, const Told& told, Deadline::Clock::time_point now) {
  json::value all = json::parse(node::discovery::net_json(nodes, now));
  json::array& each = all.as_object()["nodes"].as_array();
  for (std::size_t i = 0; i < each.size(); ++i) {
    json::error_code bad;
    json::value description = told[i] && node::client::read_description(*told[i])
                                  ? json::parse(*told[i], bad)
                                  : json::value();
    each[i].as_object()["description"] = bad ? json::value() : std::move(description);
  }
  return json::serialize(all) + '\n';
}

}  // namespace

Result<int> list_nodes(const NetWords& words, const node::SigningKey* key) {
  Loop loop;
  TRY(auto nodes, listen(loop, words));
  bool deep = key != nullptr && (words.tree || words.json);
  Told told;
  if (deep) told = ask_all(loop, nodes, *key);
  auto now = Deadline::Clock::now();
  fmt::print("{}",
             words.json   ? deep ? json_of(nodes, told, now) : node::discovery::net_json(nodes, now)
             : words.tree ? deep ? tree_of(nodes, told, now) : node::discovery::net_tree(nodes, now)
                          : node::discovery::net_table(nodes, now));
  TRY_VOID(finish_output());
  if (nodes.empty() && !words.json) {
    say("weft: nobody answered: nodes say who they are to UDP port 7420 of 239.255.74.20 and "
        "ff02::7420; name one that does not as KEY@ADDRESS:PORT, which weft node start prints");
  }
  return 0;
}

Result<int> describe_node(const NetWords& words, const node::SigningKey& key) {
  Loop loop;
  TRY(auto address, find_node(loop, words, words.rest[0]));
  node::client::RemoteNode remote(loop, address, key);
  TRY(std::string text, run_task(loop, remote.describe(Deadline::after(kDescribeMax))));
  if (words.json) {
    TRY_VOID(print_line(json_without_controls(text)));
    return 0;
  }
  TRY(auto description, node::client::read_description(text));
  fmt::print("{} {}\n{}", description.name, address.text(),
             node::client::description_tree(description));
  TRY_VOID(finish_output());
  return 0;
}

}  // namespace weft
