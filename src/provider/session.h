#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "door/call.h"
#include "io/timer.h"
#include "provider/channel.h"
#include "provider/numbers.h"
#include "provider/roster.h"
#include "provider/streams.h"
#include "values/type.h"

namespace weft::provider {

// Calls of a loop that wait for a process to be there, or for one of kCallsMax to end.
inline constexpr std::size_t kWaitingMax = 1024;
// How long one waits at most, where its deadline is later.
inline constexpr std::chrono::seconds kRestartWait{30};
// From a connection to its ready.
inline constexpr std::chrono::seconds kSessionStart{10};
// Arguments up to this are copied into the channel's buffer; more are sent from where they are.
inline constexpr std::size_t kCopiedMax = 16 * 1024;
// Bytes of replies that are not complete, on one connection; and of one that nobody waits for,
// until the process is taken for mad.
inline constexpr std::size_t kRepliesMax = 512UL * 1024 * 1024;

// The calls of one loop to one provider process, over a connection of their own. It outlives the
// process: when that is started again, it connects again.
//
// Shared by the providers of the loop and by the resources that came over it. On its loop's thread.
class Session : public ChannelOwner, public std::enable_shared_from_this<Session> {
 public:
  // Use Roster::join.
  Session(Loop& loop, std::shared_ptr<Roster> roster);
  ~Session() override;

  // Starts a call of the function `number`, counted over all that is offered.
  void begin(std::uint32_t number, Call& call, Completion done);
  // What the supervisor says, posted.
  void changed(const Presence& presence);

  const Roster& roster() const { return *roster_; }
  const std::string& who() const { return roster_->who(); }
  bool ready() const { return state_ == State::kReady; }
  // Calls that the provider owes a reply for, cancelled ones included; and calls that wait.
  std::size_t running() const { return running_; }
  std::size_t waiting() const { return waiting_.size(); }

  // For numbers.h.
  std::uint64_t incarnation() const { return incarnation_ == nullptr ? 0 : incarnation_->number; }
  ResourceKind kind() const { return &kind_; }
  Streams& streams() { return streams_; }
  std::unique_ptr<RemoteResource> wrap(std::uint32_t handle);
  void drop(std::uint64_t incarnation, std::uint32_t handle);

  // For the channel.
  Result<Buffer*> body_of(const FrameHead& head) override;
  Result<void> frame(const FrameHead& head, BytesView body) override;
  void broken(Error error) override;
  // Instead of connecting, for tests and fuzzers: goes on with a socket that is there.
  void connected(Fd socket);

 private:
  class Slot;
  struct Target {
    bool plain;
    Signature signature;
  };
  enum class State : std::uint8_t { kDown, kHello, kSetup, kReady, kStopped };

  void connect();
  void lost(const Error& error);
  void fail_waiting(const Error& error);
  Result<void> on_hello(const FrameHead& head);
  Result<void> on_ready(const FrameHead& head);
  Result<void> on_reply(const FrameHead& head, BytesView body);
  Slot* take_slot();
  void free_slot(Slot& slot);
  Result<Slot*> slot_of(std::uint32_t id);
  void send(Slot& slot);
  void send_waiting();
  void give_up(Slot& slot, Error error);
  void answer(Slot& slot, BytesView body);

  Loop& loop_;
  // Shared with the process and the other loops' sessions.
  std::shared_ptr<Roster> roster_;
  std::vector<Target> targets_;
  const char kind_ = 0;  // Its address tells this provider's resources from others.
  State state_ = State::kDown;
  std::shared_ptr<const Incarnation> incarnation_;
  // Shared with the operations of asio that are under way on it.
  std::shared_ptr<Channel> channel_;
  Streams streams_;
  Buffer handshake_;
  Timer patience_;  // For connecting, and for the handshake.
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> free_;
  std::deque<Slot*> waiting_;
  std::size_t running_ = 0;
  std::size_t replies_ = 0;  // Bytes of those that are not complete.
};

// Serves one interface of a provider process on one loop.
class ProcessProvider : public Provider {
 public:
  // `first` is the number of the interface's first function.
  ProcessProvider(std::shared_ptr<Session> session, std::uint32_t first)
      : session_(std::move(session)), first_(first) {}

  void begin(Call& call, Completion done) override {
    std::uint32_t number = first_ + call.function().ordinal;
    session_->begin(number, call, std::move(done));
  }
  Session& session() { return *session_; }

 private:
  // Shared by the interfaces that the process serves on this loop.
  std::shared_ptr<Session> session_;
  std::uint32_t first_;
};

}  // namespace weft::provider
