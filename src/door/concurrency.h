#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>

#include "door/call.h"
#include "door/link_notes.h"
#include "door/waiting_call.h"

namespace weft {

// How many calls of a link are under way at once, over all loops; the others wait for their turn in
// the order in which they came, and go when their deadline passes or their caller goes.
//
// Shared by the loops' layers. One short lock.
class ConcurrencyLimit : public std::enable_shared_from_this<ConcurrencyLimit> {
 public:
  struct Bounds {
    std::size_t calls = 1;
    std::size_t waiting = kWaitingDefault;
  };
  static constexpr std::size_t kWaitingDefault = 1024;
  static constexpr std::size_t kCallsMax = 65536;
  static constexpr std::size_t kWaitingMax = 65536;

  explicit ConcurrencyLimit(Bounds bounds) : bounds_(bounds) {}

  enum class Entry : unsigned char { kIn, kWaits, kFull };
  // On the call's loop. What is in leaves once; what waits is resumed when it is in.
  Entry enter(Call& call);
  // From any thread.
  void leave();

  const Bounds& bounds() const { return bounds_; }
  std::size_t waiting() const;
  std::size_t running() const;

 private:
  void forget(const WaitingCall* gone);

  const Bounds bounds_;
  mutable std::mutex mutex_;
  std::size_t running_ = 0;                           // Guarded.
  std::deque<std::shared_ptr<WaitingCall>> waiting_;  // Guarded; shared with their loops.
};

// Has the calls of one loop pass the limit.
class ConcurrencyLayer final : public Layer {
 public:
  // `who` serves them, for messages: "provider inference". `notes` may be null.
  ConcurrencyLayer(std::shared_ptr<ConcurrencyLimit> limit, std::string who, LinkNotes* notes)
      : limit_(std::move(limit)), who_(std::move(who)), notes_(notes) {}

  Flow before(Call& call, State& state) override;
  Flow after(Call& call, State& state) override;

 private:
  std::shared_ptr<ConcurrencyLimit> limit_;  // Shared with the other loops.
  std::string who_;
  LinkNotes* notes_;
};

}  // namespace weft
