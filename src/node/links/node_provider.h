#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/linked_node.h"
#include "door/call.h"
#include "node/links/offered.h"
#include "node/links/way.h"
#include "values/type.h"

namespace weft {
class LateCall;
}

namespace weft::node::links {

// Calls of one import on a loop that have not ended.
inline constexpr std::size_t kNodeCallsMax = 1'024;
// A call that has no deadline of its own.
inline constexpr std::chrono::seconds kNodeCallMax{60};
// Bytes of a result.
inline constexpr std::size_t kResultBytesMax = std::size_t{16} << 20;

// Serves one import on one loop by calls of a node. On its loop; what is under way outlives it.
class NodeProvider final : public Provider {
 public:
  // `offer`: what the import was checked against; null: the first call asks for it.
  NodeProvider(std::shared_ptr<Way> way, NodeImport import,
               const std::shared_ptr<const NodeOffer>& offer);

  void begin(Call& call, Completion done) override;

 private:
  // Shared by the calls.
  struct Served {
    std::shared_ptr<Way> way;
    NodeImport import;
    std::vector<weft::Signature> signatures;
    std::optional<Bound> bound;  // Absent: what the node has is not known, or no longer true.
    std::size_t busy = 0;
  };
  // One of them, while it is under way.
  struct Busy;

  // Who pays for what it moves, as long as it waits.
  struct Paying;

  static Task<void> serve(std::shared_ptr<Served> served, std::uint32_t number, Bytes arguments,
                          Deadline deadline, Paying paying);
  static Task<Bytes> call(std::shared_ptr<Served> served, std::uint32_t number, Bytes arguments,
                          Deadline deadline, Paying paying);
  static Task<Bound> bound(std::shared_ptr<Served> served, Way::Remote node, Deadline deadline);
  static Task<Bytes> execute(std::shared_ptr<Served> served, Way::Remote node,
                             client::RemoteRun run, std::uint32_t number, Deadline deadline,
                             Paying paying);

  std::shared_ptr<Served> served_;
};

}  // namespace weft::node::links
