#include "node/links/net_node.h"

#include <fmt/format.h>

#include "base/check.h"
#include "io/loop.h"
#include "io/run_task.h"
#include "node/links/node_provider.h"
#include "node/links/offered.h"

namespace weft::node::links {
namespace {

// What `work` comes to with the node, on a loop of its own.
template <class T, class Work>
Result<T> on_own_loop(const std::shared_ptr<const SigningKey>& key,
                      const std::shared_ptr<Whereabouts>& where, Deadline deadline, Work work) {
  CHECK(Loop::current() == nullptr);
  Loop loop;
  auto asked = [](std::shared_ptr<Way> way, Deadline most, Work& ask) -> Task<T> {
    CO_TRY(Way::Remote node, co_await way->node(most));
    auto answer = co_await ask(*node, most);
    if (!answer && answer.error().code() == Errc::kUnavailable) way->lost(node);
    co_return answer;
  };
  return run_task(loop, asked(std::make_shared<Way>(loop, key, where), deadline, work));
}

}  // namespace

NetNode::NetNode(std::string at, std::shared_ptr<Whereabouts> where, SigningKey key,
                 std::filesystem::path modules)
    : at_(std::move(at)),
      where_(std::move(where)),
      key_(std::make_shared<const SigningKey>(std::move(key))),
      fetched_(std::move(modules)) {}

Result<client::Description> NetNode::describe(Deadline deadline) {
  TRY(std::string told, on_own_loop<std::string>(key_, where_, deadline,
                                                 [](client::RemoteNode& node, Deadline until) {
                                                   return node.describe(until);
                                                 }));
  return client::read_description(told);
}

Result<NodeOffer> NetNode::offer(const std::string& library, Deadline deadline) {
  TRY(auto description, describe(deadline));
  return offer_of(description, library);
}

Result<NodeLook> NetNode::look(std::span<const NodeWant> wants, Deadline deadline) {
  TRY(auto description, describe(deadline));
  auto has = [&](const NodeWant& want) -> Result<void> {
    bool fetches = want.how == LinkSettings::How::kFetch;
    TRY_VOID(check_right(description, fetches ? "fetch" : "call"));
    if (want.library.empty()) return {};
    TRY_VOID(find_library(description, want.library));
    return {};
  };
  NodeLook look{.name = description.name};
  for (const NodeWant& want : wants) look.wants.push_back(has(want));
  return look;
}

Result<Bytes> NetNode::bytes_of(const Hash& module, Deadline deadline) {
  Bytes all;
  auto take = [&](BytesView chunk) -> Result<void> {
    if (chunk.size() > kFetchedBytesMax - all.size()) {
      return failure(Errc::kLimit,
                     fmt::format("the module has more than {} bytes", kFetchedBytesMax));
    }
    all.insert(all.end(), chunk.begin(), chunk.end());
    return {};
  };
  TRY(auto list, on_own_loop<library::ChunkList>(key_, where_, deadline,
                                                 [&](client::RemoteNode& node, Deadline until) {
                                                   return node.fetch(module, take, until);
                                                 }));
  if (list.size() != all.size()) return failure(Errc::kCorrupt, "the module is not whole");
  return all;
}

Result<std::filesystem::path> NetNode::fetch(const std::string& library, Deadline deadline) {
  auto description = describe(deadline);
  if (!description) {
    Errc code = description.error().code();
    if (code == Errc::kUnavailable || code == Errc::kTimeout) {
      auto last = fetched_.last(at_, library);
      auto file = last ? fetched_.find(*last) : std::nullopt;
      if (file) return *file;
    }
    return std::unexpected(std::move(description).error());
  }
  TRY_VOID(check_right(*description, "fetch"));
  TRY(const library::Library* found, library.contains('/') ? find_exporter(*description, library)
                                                           : find_library(*description, library));
  auto file = fetched_.find(found->module);
  if (!file) {
    TRY(Bytes bytes, bytes_of(found->module, deadline));
    TRY(file, fetched_.keep(found->module, bytes));
  }
  TRY_VOID(fetched_.remember(at_, library, found->module));
  return *file;
}

std::shared_ptr<Way> NetNode::way_on(Loop& loop) {
  std::lock_guard hold(mutex_);
  std::weak_ptr<Way>& known = ways_[&loop];
  if (auto way = known.lock()) return way;
  auto way = std::make_shared<Way>(loop, key_, where_);
  known = way;
  return way;
}

std::unique_ptr<Provider> NetNode::provider_for(Loop& loop, NodeImport import,
                                                std::shared_ptr<const NodeOffer> offer) {
  return std::make_unique<NodeProvider>(way_on(loop), std::move(import), offer);
}

}  // namespace weft::node::links
