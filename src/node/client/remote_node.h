#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/task.h"
#include "node/library/chunks.h"
#include "node/object/request.h"
#include "node/wire/node_client.h"

namespace weft::node::client {

// From the making of a request to when it is too late for it.
inline constexpr std::chrono::seconds kRequestLife{60};
// Chunks that are on their way at once.
inline constexpr std::size_t kChunksAtOnce = 8;
// How often a broken stream is resumed without anything new.
inline constexpr int kResumesMax = 5;

// What is to be executed, and where its module is, should the node want it.
struct RemoteRun {
  Hash module = {};
  // The module's bytes by chunk; null: the node has to have it.
  const library::ChunkList* list = nullptr;
  std::function<Result<Bytes>(std::uint32_t index)> chunk = {};
  std::string function = {};  // Empty: a program.
  Bytes arguments = {};
  RequestLimits limits = {};
  // kComplete: a call that returned a value has ended with it, and `execute` answers a receipt that
  // says nothing.
  wire::NodeClient::Until until = wire::NodeClient::Until::kReceipt;
  // Where it is given, borrowed: the request's name, as soon as it is signed.
  Hash* name = nullptr;
  // Told of all that comes for it, over however many connections.
  wire::NodeClient::Watch watch = {};
};

// How it ended, with what proves it.
struct RemoteEnd {
  Receipt receipt;
  Bytes request;        // As it was signed,
  Bytes receipt_bytes;  // and as the node signed it.
};

// One node, asked with one key. On one loop, which it is made and destroyed on; `key` outlives it.
class RemoteNode {
 public:
  RemoteNode(Loop& loop, wire::NodeAddress address, const SigningKey& key);
  RemoteNode(const RemoteNode&) = delete;

  const wire::NodeAddress& address() const { return client_.address(); }
  // What the node says of itself and of what the key may, as JSON.
  Task<std::string> describe(Deadline deadline);
  // The list of a module, then its chunks in order, each proven.
  Task<library::ChunkList> fetch(Hash module, std::function<Result<void>(BytesView chunk)> take,
                                 Deadline deadline);
  // Sends the chunks that the node does not have. How many those were.
  Task<std::size_t> store(const library::ChunkList& list,
                          std::function<Result<Bytes>(std::uint32_t)> chunk, Deadline deadline);
  // Runs or calls; `take` gets the proven output. Resumes where the connection breaks.
  Task<RemoteEnd> execute(RemoteRun run, ProvenOutput::Frame take, Deadline deadline);
  Task<void> cancel(Hash run, Deadline deadline);

  // The steps of fetch and store, for who moves chunks in an order of his own: a ticket for all of
  // these of `client()`, and what the node has.
  struct Opened {
    std::string ticket = {};
    library::ChunkBits there = {};
  };
  // `peers` are asked to store it too: the node takes chunks from those that it trusts.
  Task<Opened> open_store(const library::ChunkList& list, std::vector<wire::NodeAddress> peers,
                          Deadline deadline);
  // Of a module whose list is known.
  Task<std::string> open_fetch(const library::ChunkList& list, Deadline deadline);
  Task<library::ChunkBits> have(std::string ticket, const library::ChunkList& list,
                                std::uint32_t more_than, Deadline deadline);
  wire::NodeClient& client() { return client_; }

  // The name of what `execute` asked for last; absent before that, and while the module is sent.
  const std::optional<Hash>& last() const { return last_; }

 private:
  Bytes request(Request request) const;
  Task<Bytes> ask(Request wanted, Bytes follows, Deadline deadline);
  Task<void> follow(Bytes signed_request, Bytes follows, ProvenOutput& output,
                    const ProvenOutput::Frame& take, Deadline deadline,
                    wire::NodeClient::Until until, wire::NodeClient::Watch watch);

  Loop& loop_;
  const SigningKey& key_;
  wire::NodeClient client_;
  std::optional<Hash> last_;
};

}  // namespace weft::node::client
