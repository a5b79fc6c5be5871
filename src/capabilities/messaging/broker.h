#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "capabilities/driver_backend.h"
#include "capabilities/messaging/message.h"
#include "capabilities/waking.h"
#include "door/answer.h"

namespace weft {
class Loop;
}  // namespace weft

// What a driver of messages implements. The README says what each operation promises; the
// conformance suite holds every driver to it.
namespace weft::messaging {

// Where an answer is wanted, and until when. Passed by value.
struct Request {
  Loop& loop;
  Deadline deadline;
};

struct BrokerName {
  std::string owner;  // whose broker: those of two owners never meet
  std::string name;   // what the guest calls it; the empty name is the default one
};

enum class Ordering : std::uint8_t { kNone, kTopic, kKey };

// Deliveries of one group that are not settled, at most.
inline constexpr std::size_t kConcurrencyMax = 512;

// What a group wants to be brought.
struct Wanted {
  std::string group;
  std::string pattern;
  Ordering ordering = Ordering::kNone;
  std::size_t at_once = 8;  // Deliveries that are not settled, at most.
};

struct Delivery {
  std::uint64_t id = 0;  // Of this delivery, for `settle`.
  Message message = {};
  unsigned attempt = 1;
};

// What became of a delivery.
struct Verdict {
  enum class Kind : std::uint8_t {
    kDone,
    kAgain,   // After `pause`. An attempt that does not count: there was no room.
    kFailed,  // After `pause`, as one attempt more.
    kDead,    // Never again: it is put among the dead letters, with the reason.
  };
  Kind kind = Kind::kDone;
  std::chrono::milliseconds pause{0};
  std::string reason = {};
};

// Who is brought a group's messages; outlives the queue.
class Receiver {
 public:
  virtual ~Receiver() = default;
  // From a handler of the loop, never inside a call of the queue.
  virtual void deliver(Delivery delivery) = 0;
};

// One group's messages on one loop. Dropped, what is not settled is brought to whoever comes next.
class Queue {
 public:
  virtual ~Queue() = default;
  virtual void settle(std::uint64_t id, Verdict verdict) = 0;
  // Brings nothing more; what is out may still be settled.
  virtual void stop() = 0;
  // Stopped, everything settled, and that written.
  virtual bool idle() const = 0;
};

// A dead letter, for operators.
struct DeadLetter {
  std::string group;
  std::string reason;
  Message message;
  unsigned attempts = 0;     // Made before it was one; 0: nobody knows.
  std::uint64_t number = 0;  // Among its group's, for `replay`.
};

// A group that a broker has, for operators.
struct KnownGroup {
  std::string name;
  std::string pattern = {};    // Empty: nobody knows.
  bool runs = false;           // Its trigger runs on this host.
  std::uint64_t backlog = 0;   // Messages that it is not done with.
  std::uint64_t dead = 0;      // Its dead letters.
  std::uint64_t position = 0;  // It has taken all before this number.
  std::int64_t seen_ms = 0;    // Since 1970, when its trigger ran last.
};

// Whether what is counted of groups is wanted, which takes longer.
enum class Counted : std::uint8_t { kNo, kYes };

// What went with a group that was forgotten.
struct Forgotten {
  std::uint64_t messages = 0;  // That waited for it.
  std::uint64_t letters = 0;   // Its dead letters.
};

// Who is shown what is published, beside the groups; dropped, no more is.
class Watch {
 public:
  virtual ~Watch() = default;
  // Messages that were not shown since this was asked last: there were too many.
  virtual std::uint64_t skipped() { return 0; }
};

// One loop's way to one broker. Its answers are values or promises, never tasks.
class Broker {
 public:
  virtual ~Broker() = default;

  // Answered when it is kept. kFull where no more is.
  virtual Answer<void> publish(Request request, Message message) = 0;
  // Publishes it with an address for replies, and waits for so many of them. At the deadline those
  // that came, or kTimeout when none did.
  virtual Answer<std::vector<Message>> request(Request request, Message message,
                                               std::size_t replies) = 0;
  virtual std::unique_ptr<Queue> subscribe(Wanted wanted, Receiver& receiver) = 0;
  // The first of them, at most `most`.
  virtual Answer<std::vector<DeadLetter>> dead(Request request, std::size_t most) = 0;

  // ---- for operators; kUnsupported where a driver has no such thing ----

  // Brings a dead letter to its group again, and to no other, and answers when a queue of that
  // group on this host has it. It stays among the dead letters until it is done: what ends before
  // that loses nothing. kNotFound: there is none of that number; kConflict: it is being brought
  // already; kUnavailable: no trigger of the group runs here.
  virtual Answer<void> replay(Request request, std::string group, std::uint64_t number);
  // Shows what is published from now on to topics of a pattern, on the loop and never inside a call
  // of the broker. Takes nothing from the groups. kInvalid: it is no pattern.
  virtual Result<std::unique_ptr<Watch>> watch(std::string pattern,
                                               std::function<void(Message)> saw);
  // The groups that are there, whether their triggers run or not.
  virtual Answer<std::vector<KnownGroup>> groups(Request request, Counted counted);
  // Forgets a group whose trigger does not run, with what waits for it and its dead letters.
  // kNotFound: there is none; kConflict: its trigger runs.
  virtual Answer<Forgotten> forget(Request request, std::string group);
};

// The brokers of a system: one backend for the process.
class Backend : public DriverBackend {
 public:
  // On any loop's thread, when it is open. Does not block. The broker holds what it needs of it.
  virtual std::unique_ptr<Broker> broker(Loop& loop, BrokerName name) = 0;
  // What waits for the groups of its brokers, where it knows that without asking. From any thread.
  virtual std::vector<Backlog> backlogs() const { return {}; }
};

}  // namespace weft::messaging
