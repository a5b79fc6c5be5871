#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "io/task.h"
#include "node/object/request.h"
#include "node/wire/follows_room.h"

namespace weft::node::wire {

// Why a request is not done: a status of HTTP, a word for programs, a sentence for people.
struct Refusal {
  unsigned status = 400;
  std::string error;
  std::string message;
  std::chrono::milliseconds again{0};  // When to come again; zero where nobody knows.
};

// A request that may be done: signed by who it says, for this node, seen for the first time.
struct Asked {
  Request request;
  PublicKey signer;
  std::string group;  // Whose quota it spends: "strangers" for a key in none.
  Hash name;
  Bytes bytes;  // As it was signed.
};

// Why a request that was admitted is not done: for what came behind it.
enum class Cut : std::uint8_t {
  kGone,  // The client left before all of it came.
  kTooLong,
  kNoRoom,    // Of FollowsRoom.
  kMismatch,  // It is not what the request names.
  kLate,      // It took longer than the request's life, or than its key was trusted.
};

// The stream of one run, as one client takes it. On the run's loop; dropping it leaves the run be.
class OutputReader {
 public:
  virtual ~OutputReader() = default;
  // Records that follow what was given before, at most about kRecordBytesMax of them, borrowed
  // until the next call. Empty: nothing now, and `ready` is told when there is.
  virtual BytesView next() = 0;
  // Whether the receipt was given.
  virtual bool over() const = 0;
};

inline constexpr std::size_t kTicketBytes = 16;

// What a node does with what comes over the wire. One a loop, called on it; outlives the calls.
class NodeApi {
 public:
  virtual ~NodeApi() = default;

  // Of the first bytes of a body. `peer` is where it came from: "192.0.2.1:4711".
  virtual std::expected<Asked, Refusal> admit(BytesView request, std::string_view peer) = 0;
  // Once what follows it has come: whether it still may.
  virtual std::expected<void, Refusal> stands(const Asked& asked) = 0;
  // What a failure is for who asked. What is the node's own matter goes to its log.
  virtual Refusal told(const Error& why) = 0;
  // How much may follow it.
  virtual std::size_t follows_max(const Asked& asked) const = 0;
  // Where the room for it is taken from, while it comes.
  virtual FollowsRoom::Part follows_room(const Asked& asked) = 0;
  // In the place of `answer` and `begin`: so many bytes followed, and it ends there.
  virtual void cut_off(const Asked& asked, Cut why, std::size_t followed) = 0;
  // describe, fetch, store, cancel: the answer's bytes.
  virtual Task<Bytes> answer(Asked asked, Follows follows) = 0;
  // run, call, resume. `ready` is called on the loop, never from inside `next`, and may be called
  // until the reader is dropped.
  virtual Task<std::unique_ptr<OutputReader>> begin(Asked asked, Follows follows,
                                                    std::function<void()> ready) = 0;
  virtual Task<Bytes> read_chunk(Bytes ticket, std::uint32_t index) = 0;
  virtual Task<void> write_chunk(Bytes ticket, std::uint32_t index, Bytes chunk) = 0;
  // A bit for each chunk that is there: once there are more than so many, or a while has passed.
  virtual Task<Bytes> have_chunks(Bytes ticket, std::uint32_t more_than) = 0;
};

// The status that belongs to a failure, and what whoever is answered with a status makes of it.
unsigned status_of(Errc code);
Errc code_of(unsigned status);

}  // namespace weft::node::wire
