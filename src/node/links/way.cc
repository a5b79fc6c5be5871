#include "node/links/way.h"

#include <fmt/format.h>

#include <utility>

#include "io/loop.h"
#include "node/client/find_node.h"
#include "remote/http/signal.h"

namespace weft::node::links {
namespace {

constexpr std::size_t kWhoMax = 100;
constexpr std::chrono::milliseconds kLookAgain{20};
constexpr std::chrono::seconds kCancelMax{5};

Task<void> cancel_there(std::shared_ptr<Way>, Way::Remote node, Hash run) {
  co_return co_await node->cancel(run, Deadline::after(kCancelMax));
}

}  // namespace

Result<std::shared_ptr<Whereabouts>> Whereabouts::of(const std::string& at) {
  std::shared_ptr<Whereabouts> where(new Whereabouts());
  if (at.contains('@')) {
    TRY(where->address_, wire::NodeAddress::parse(at));
    where->who_ = where->address_->key.text();
    where->written_ = true;
    return where;
  }
  if (at.empty() || at.size() > kWhoMax) {
    return failure(Errc::kInvalid, "at names no node: write KEY@ADDRESS:PORT, or a name or a key");
  }
  where->who_ = at;
  return where;
}

std::optional<wire::NodeAddress> Whereabouts::known() const {
  std::lock_guard hold(mutex_);
  return address_;
}

std::string Whereabouts::who() const {
  std::lock_guard hold(mutex_);
  return who_;
}

void Whereabouts::found(const wire::NodeAddress& address) {
  std::lock_guard hold(mutex_);
  address_ = address;
  who_ = address.key.text();
}

void Whereabouts::lost(const wire::NodeAddress& address) {
  std::lock_guard hold(mutex_);
  if (!written_ && address_ && address_->text() == address.text()) address_.reset();
}

Task<Way::Remote> Way::node(Deadline deadline) {
  auto address = where_->known();
  while (!address && searching_) {
    CO_TRY_VOID(co_await remote::pause(loop_, Deadline::after(kLookAgain)));
    if (deadline.passed()) co_return failure(Errc::kTimeout, "the node was not found in time");
    address = where_->known();
  }
  if (!address && failed_ && !again_.passed()) co_return std::unexpected(*failed_);
  if (!address) {
    struct Searching {
      bool& flag;
      explicit Searching(bool& mark) : flag(mark) { flag = true; }
      ~Searching() { flag = false; }
    } searching(searching_);
    auto found = co_await search(deadline);
    again_ = Deadline::after(kSearchPause);
    failed_ = found ? std::nullopt : std::optional(found.error());
    if (!found) co_return std::unexpected(std::move(found).error());
    where_->found(*found);
    address = *std::move(found);
  }
  if (remote_ == nullptr || remote_->address().text() != address->text()) {
    remote_ = std::make_shared<client::RemoteNode>(loop_, *address, *key_);
  }
  co_return remote_;
}

Task<wire::NodeAddress> Way::search(Deadline deadline) {
  CO_TRY(auto places, co_await client::hear_node(loop_, where_->who(), deadline));
  Error why(Errc::kUnavailable, fmt::format("nothing of {} answers", where_->who()));
  for (const wire::NodeAddress& each : places) {
    client::RemoteNode tried(loop_, each, *key_);
    auto told = co_await tried.describe(earlier(deadline, Deadline::after(kTryMax)));
    if (told || told.error().code() == Errc::kLimit) co_return each;
    why = std::move(told).error();
  }
  co_return std::unexpected(std::move(why));
}

void Way::lost(const Remote& node) {
  where_->lost(node->address());
}

void Way::cancel(const std::shared_ptr<Way>& way, Remote node, Hash run) {
  way->loop_.spawn(cancel_there(way, std::move(node), run), [](Result<void>) {});
}

}  // namespace weft::node::links
