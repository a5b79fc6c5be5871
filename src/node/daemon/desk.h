#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "node/daemon/run_desk.h"
#include "node/daemon/shared.h"
#include "node/wire/node_api.h"

namespace weft::node::daemon {

// So long who asks for more chunks than there are waits for them, and so often they are looked for.
inline constexpr std::chrono::milliseconds kHaveWaitMax{1'000};
inline constexpr std::chrono::milliseconds kHaveTurn{40};
// Those that wait on one loop; more of them are answered at once.
inline constexpr std::size_t kHaveWaitersMax = 64;

// What one loop does with what came over the wire. Made, used and destroyed on its loop.
class Desk final : public wire::NodeApi {
 public:
  Desk(NodeParts& parts, EngineLoop& engine, runs::ModulePlans& plans);

  std::expected<wire::Asked, wire::Refusal> admit(BytesView request,
                                                  std::string_view peer) override;
  std::expected<void, wire::Refusal> stands(const wire::Asked& asked) override;
  // What fails for a reason of the node's own is the operator's to see, now and then; who asked is
  // told that it did, without where the node keeps what.
  wire::Refusal told(const Error& why) override;
  std::size_t follows_max(const wire::Asked& asked) const override;
  wire::FollowsRoom::Part follows_room(const wire::Asked& asked) override;
  void cut_off(const wire::Asked& asked, wire::Cut why, std::size_t followed) override;
  Task<Bytes> answer(wire::Asked asked, wire::Follows follows) override;
  Task<std::unique_ptr<wire::OutputReader>> begin(wire::Asked asked, wire::Follows follows,
                                                  std::function<void()> ready) override;
  Task<Bytes> read_chunk(Bytes ticket, std::uint32_t index) override;
  Task<void> write_chunk(Bytes ticket, std::uint32_t index, Bytes chunk) override;
  Task<Bytes> have_chunks(Bytes ticket, std::uint32_t more_than) override;

  RunDesk& runs() { return runs_; }

 private:
  Task<std::unique_ptr<wire::OutputReader>> execute(wire::Asked asked, wire::Follows follows,
                                                    std::function<void()> ready);
  Task<std::unique_ptr<wire::OutputReader>> resume(wire::Asked asked, std::function<void()> ready);
  Task<Bytes> act(wire::Asked& asked, Bytes follows);
  bool owns(const Hash& module, const std::string& group) const;
  Bytes describe(const wire::Asked& asked) const;
  Task<Bytes> fetch(const wire::Asked& asked);
  Task<Bytes> store(const wire::Asked& asked, Bytes follows);
  Task<Bytes> cancel(const wire::Asked& asked);
  // So many bytes of the network, for the group; the failure says what is spent. From any
  // thread.
  Result<void> spend(const std::string& group, QuotaKind kind, std::size_t bytes);
  // The same of what has come or is there already, whatever is left.
  void count(const std::string& group, QuotaKind kind, std::size_t bytes);
  Result<Bytes> issue(const wire::Asked& asked, Tickets::Way way);

  NodeParts& parts_;
  Loop& loop_;
  std::size_t have_waiters_ = 0;
  RunDesk runs_;
};

}  // namespace weft::node::daemon
