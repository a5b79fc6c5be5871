#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "io/task.h"
#include "node/client/remote_node.h"

namespace weft::node::links {

// From a search that found nobody to the next one.
inline constexpr std::chrono::seconds kSearchPause{1};
// What one of several addresses has, to answer.
inline constexpr std::chrono::seconds kTryMax{2};

// Where a node is. From any thread; shared by its ways.
class Whereabouts {
 public:
  // "KEY@ADDRESS:PORT", which it stays; or a name, or a key with its first digits at least, which
  // is heard on the network. kInvalid: none of these.
  static Result<std::shared_ptr<Whereabouts>> of(const std::string& at);

  std::optional<wire::NodeAddress> known() const;
  // Whom to listen for: its key, once that is known.
  std::string who() const;
  void found(const wire::NodeAddress& address);
  // Nothing of it answers there. One that was written down stays there.
  void lost(const wire::NodeAddress& address);

 private:
  Whereabouts() = default;

  mutable std::mutex mutex_;
  bool written_ = false;
  std::string who_;
  std::optional<wire::NodeAddress> address_;
};

// One loop's way to a node. Made, used and destroyed on its loop; shared by the providers there.
class Way {
 public:
  // Shared: what is under way may outlive the node's links.
  using Remote = std::shared_ptr<client::RemoteNode>;

  Way(Loop& loop, std::shared_ptr<const SigningKey> key, std::shared_ptr<Whereabouts> where)
      : loop_(loop), key_(std::move(key)), where_(std::move(where)) {}

  Loop& loop() const { return loop_; }
  // The node, searched for where nobody knows where it is. kUnavailable: it is not found.
  Task<Remote> node(Deadline deadline);
  // It did not answer: it may be elsewhere now.
  void lost(const Remote& node);
  // Ends what it was asked for, if it is still at it; waits for nothing.
  static void cancel(const std::shared_ptr<Way>& way, Remote node, Hash run);

 private:
  Task<wire::NodeAddress> search(Deadline deadline);

  Loop& loop_;
  const std::shared_ptr<const SigningKey> key_;  // Shared by the ways of all loops.
  const std::shared_ptr<Whereabouts> where_;
  Remote remote_;
  bool searching_ = false;
  std::optional<Error> failed_;         // Of the last search,
  Deadline again_ = Deadline::never();  // and when there may be another.
};

}  // namespace weft::node::links
