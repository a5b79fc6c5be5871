#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/deadline.h"
#include "io/task.h"
#include "node/object/key.h"
#include "node/object/proven_output.h"

namespace weft {
class Loop;
namespace remote {
class HttpResponse;
class HttpService;
}  // namespace remote
}  // namespace weft

namespace weft::node::wire {

// Where a node is, and which key it has to have.
struct NodeAddress {
  PublicKey key = {};
  std::string host = {};  // An address; of IPv6 without brackets.
  std::uint16_t port = 0;

  // "KEY@HOST:PORT", as people and the protocol write it.
  static Result<NodeAddress> parse(std::string_view text);
  std::string text() const;
};

// Without an answer to a question for so long, a node is given up. A stream is another matter: the
// deadline of who asked holds.
inline constexpr std::chrono::seconds kNodeSilenceMax{30};
// What comes of a stream behind what is enough of it, its receipt, is read to its end up to here.
inline constexpr std::size_t kTailBytesMax = std::size_t{64} << 10;
// Of an answer that is taken whole.
inline constexpr std::size_t kAnswerBytesMax = std::size_t{4} << 20;

// One loop's way to one node. Shared by whoever asks on the loop.
//
// Whatever it sends is sent once at most. Failures have the code that belongs to the node's status,
// and the node's own words.
class NodeClient {
 public:
  NodeClient(Loop& loop, NodeAddress address);
  NodeClient(const NodeClient&) = delete;

  const NodeAddress& address() const { return address_; }

  // The answer to a signed request that has a whole one: describe, fetch, store, cancel.
  Task<Bytes> ask(Bytes request, Bytes follows, Deadline deadline);
  enum class Until : std::uint8_t {
    kReceipt,
    kComplete,  // All frames are proven, and a result among them: what is left is the receipt.
  };
  // What somebody who pays for it wants to be told of a stream.
  struct Watch {
    // Bytes of the answer, proven or not, as they come. Where it fails, that is the end of it.
    std::function<Result<void>(std::size_t bytes)> came = {};
    // Where it is given, borrowed: set where what was asked surely never left.
    bool* unsent = nullptr;
  };
  // The answer to run, call and resume, to its receipt; `take` gets what is proven. kUnavailable
  // where the connection broke before it: `output` knows where a resume goes on. `begun`, where it
  // is given, is set once the node may have had the request.
  Task<void> follow(Bytes request, Bytes follows, ProvenOutput& output, ProvenOutput::Frame take,
                    Deadline deadline, Until until, bool* begun, Watch watch);
  Task<void> follow(Bytes request, Bytes follows, ProvenOutput& output, ProvenOutput::Frame take,
                    Deadline deadline) {
    return follow(std::move(request), std::move(follows), output, std::move(take), deadline,
                  Until::kReceipt, nullptr, {});
  }
  // A chunk of the module that the ticket is for.
  Task<Bytes> read_chunk(std::string ticket, std::uint32_t index, Deadline deadline);
  Task<void> write_chunk(std::string ticket, std::uint32_t index, Bytes chunk, Deadline deadline);
  // Which chunks are there: once there are more than so many, or the node has waited a while.
  Task<Bytes> have_chunks(std::string ticket, std::uint32_t more_than, Deadline deadline);

 private:
  Task<std::unique_ptr<remote::HttpResponse>> post(std::span<const Bytes> body, Deadline deadline,
                                                   bool* begun = nullptr);
  Task<Bytes> move_chunk(const char* method, std::string path, std::span<const Bytes> body,
                         Deadline deadline);
  Task<Bytes> answer_of(remote::HttpResponse& response, Deadline deadline, Watch watch);

  Loop& loop_;
  const NodeAddress address_;
  const std::string url_;
  std::shared_ptr<remote::HttpService> service_;  // Shared with its responses.
};

}  // namespace weft::node::wire
