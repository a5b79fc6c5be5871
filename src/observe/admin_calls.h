#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weft {

// Calls under way at once; more are answered with 503.
inline constexpr std::size_t kAdminCallsMax = 8;
// What asks for one, its arguments included.
inline constexpr std::size_t kAdminCallBytesMax = std::size_t{1} << 20;
// Lines that wait for one client, in bytes: it reads slower than they come.
inline constexpr std::size_t kAdminCallLinesMax = std::size_t{4} << 20;
// The longest that a client may ask for: beyond a day nobody means what is written.
inline constexpr std::chrono::milliseconds kAdminCallTimeMost = std::chrono::hours(24);

// One call of what runs, as somebody asked for it at the admin address.
struct AdminCall {
  std::string target;     // APP/COMPONENT or APP/PROVIDER
  std::string function;   // As weft call has it: pkg:name/iface#func(args)
  std::string arguments;  // With json: an array.
  bool json = false;
  std::chrono::milliseconds time{0};  // 0: as long as what is called may take.
  // Given: not a function is called, but something asked of this capability of the host's, of what
  // the target names: `function` is what, `arguments` a JSON object.
  std::string capability = {};

  // What `weft call --at` sends: a JSON object. kInvalid for anything else.
  static Result<AdminCall> read(std::string_view written);
  std::string write() const;
};

// Whom one call tells; on any thread.
struct AdminCallEvents {
  // It runs, and ends within this time.
  std::function<void(std::chrono::milliseconds)> begun;
  // A line before the result. False: it is lost, as kAdminCallLinesMax wait for the client already.
  std::function<bool(std::string line)> told;
  // The result as text, or what came in its place. Once, and nothing after it.
  std::function<void(Result<std::string>)> ended;
};

// Makes the calls that the admin address is asked for. Asked on the admin server's thread, while
// the host lives.
class AdminCalls {
 public:
  virtual ~AdminCalls() = default;
  // Whether the operator lets anybody call.
  virtual bool may_call() const = 0;
  // Begins a call and returns its number. Waits for nothing.
  virtual std::uint64_t begin(AdminCall call, AdminCallEvents events) = 0;
  // Stops it, where it still runs: it has ended then too.
  virtual void cancel(std::uint64_t number) = 0;
};

}  // namespace weft
