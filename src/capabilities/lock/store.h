#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/error.h"
#include "capabilities/driver_backend.h"
#include "door/answer.h"

namespace weft {
class Loop;
}  // namespace weft

// What a driver of locks implements. The README says what each promises; the conformance suite
// holds every driver to it.
namespace weft::lock {

class Turns;

using Clock = Deadline::Clock;
using Milliseconds = std::chrono::milliseconds;

// Bounds that hold for every driver.
inline constexpr std::size_t kNameBytesMax = 250;
inline constexpr Milliseconds kTtlMin{100};
inline constexpr Milliseconds kTtlMax{std::chrono::hours(1)};
inline constexpr Milliseconds kWaitMax{std::chrono::hours(1)};
// After so long a lock on a server is asked for again, give or take half of it.
inline constexpr Milliseconds kAskAgain{100};

// Where an answer is wanted, and until when. Passed by value.
struct Request {
  Loop& loop;
  Deadline deadline;
};

// Which lock: locks of two scopes never meet.
struct LockName {
  std::string scope;
  std::string name;
};

// What came of asking for a lock.
struct Attempt {
  std::uint64_t token = 0;  // 0: somebody else has it.
  Milliseconds again{0};    // When to ask again then, at the latest.
};

// The locks of one backend, as one loop reaches them. `holder` is a text of hexadecimal digits that
// nobody used before: each function may be repeated with it, and does then what it did.
//
// Never blocks. Parameters are borrowed until the method returns; answers are promises, or there.
class Store {
 public:
  virtual ~Store() = default;
  virtual Answer<Attempt> take(Request request, const LockName& lock, const std::string& holder,
                               Milliseconds ttl) = 0;
  // Has `ttl` begin anew, for the holder alone. False: it does not hold it any more.
  virtual Answer<bool> renew(Request request, const LockName& lock, const std::string& holder,
                             Milliseconds ttl) = 0;
  // Nobody holds it from now on, if this holder did. False: it did not any more. Asks the server
  // once: whoever asks again knows that the first one may have been done.
  virtual Answer<bool> release(Request request, const LockName& lock,
                               const std::string& holder) = 0;
};

// Where locks are kept, and who waits for them in this process.
class Backend : public DriverBackend {
 public:
  Backend();
  ~Backend() override;

  // On any loop's thread, when it is open. Does not block.
  virtual std::unique_ptr<Store> store(Loop& loop) = 0;

  const std::shared_ptr<Turns>& turns() const { return turns_; }

 private:
  const std::shared_ptr<Turns> turns_;  // Shared with waits and holds, which may outlive it.
};

// kInvalid, and says the bound.
Result<void> check_name(std::string_view name);
Result<void> check_ttl(std::chrono::nanoseconds ttl);
Result<void> check_wait(std::chrono::nanoseconds wait);

// A holder that nobody was before: 32 hexadecimal digits.
std::string new_holder();
// About kAskAgain, so that hosts do not ask in step.
Milliseconds ask_again();
// Microseconds of the calendar: what tokens begin with where nothing else is known of them.
std::uint64_t calendar_microseconds();

}  // namespace weft::lock
