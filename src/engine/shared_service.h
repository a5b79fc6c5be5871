#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/trace_context.h"
#include "io/inbox.h"
#include "values/type.h"

namespace weft {

// A provider that lives on one loop, its home, and serves callers on every loop.
//
// A call from elsewhere is a message to the home, where a ServiceHome makes a call of it, and its
// outcome a message back; nothing is waited for on either side. Who owns what:
//   the provider, and what it keeps for each caller      the home's thread (service_home.h)
//   calls that wait for an outcome, callers' handles      the caller's thread (service_caller.h)
//   this                                                  nobody: messages and counts alone
// Shared by the home, by those who call and by the handles that they got; any may go first.
class SharedService {
 public:
  // Calls from other loops under way at once; more are refused.
  static constexpr std::size_t kCallsMax = 1024;

  struct Outcome {
    std::uint64_t call;
    Result<Bytes> reply;
  };
  struct Begin {
    std::uint64_t caller;
    std::uint64_t call;
    std::uint32_t function;  // The provider's ordinal.
    Bytes arguments;         // Handles in them are numbers of the caller's at home.
    Deadline deadline;
    std::uint64_t request_id;
    TraceContext trace;
    std::string trace_state;
    std::shared_ptr<Inbox<Outcome>> reply_to;  // Shared with the caller's side.
  };
  // Each call has one outcome, a cancelled one too.
  struct Cancel {
    std::uint64_t call;
  };
  struct Drop {
    std::uint64_t caller;
    std::uint32_t handle;
  };
  // An instance that called has ended, and with it everything that it held.
  struct Gone {
    std::uint64_t caller;
  };
  using Message = std::variant<Begin, Cancel, Drop, Gone>;

  // Names for messages.
  SharedService(std::string app, std::string component)
      : app_(std::move(app)),
        component_(std::move(component)),
        inbox_(std::make_shared<Inbox<Message>>()) {}

  const std::string& app() const { return app_; }
  const std::string& component() const { return component_; }
  // To the home.
  Inbox<Message>& inbox() { return *inbox_; }
  // Of calls and of callers: used once.
  std::uint64_t next_number() { return ++number_; }

  // Room for one more call; whoever gives its outcome leaves again.
  bool enter() {
    if (under_way_.fetch_add(1) < kCallsMax) return true;
    leave();
    return false;
  }
  void leave() { under_way_.fetch_sub(1); }

  // Those who may call from other loops.
  void join() { callers_.fetch_add(1); }
  void part() { callers_.fetch_sub(1); }
  std::size_t callers() const { return callers_.load(); }

 private:
  const std::string app_;
  const std::string component_;
  const std::shared_ptr<Inbox<Message>> inbox_;  // Shared with the loop's own work.
  std::atomic<std::uint64_t> number_ = 0;
  std::atomic<std::size_t> under_way_ = 0;
  std::atomic<std::size_t> callers_ = 0;
};

// What in a function's type cannot go from one loop to another, as text: a stream, a future, a
// stream of wasi:io. Nothing: it can be called from everywhere.
std::optional<std::string> bound_to_its_loop(const Signature& signature);

}  // namespace weft
