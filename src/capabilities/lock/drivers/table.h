#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "capabilities/keyvalue/backend.h"
#include "capabilities/lock/store.h"

namespace weft::lock {

// Tokens that are written down at once, so that one flush of the disk is enough for so many.
inline constexpr std::uint64_t kTokensAtOnce = 1024;

// Who holds which lock, in memory: what a host knows of its own guests. Not thread-safe; time is
// the caller's. As large as there are guards, which all let go in the end.
class LockTable {
 public:
  using Time = Clock::time_point;

  // The holder's token, an absent one where it needs a token that `tokens` has not, or until when
  // somebody else has it.
  struct Taken {
    std::uint64_t token = 0;
    bool needs_tokens = false;
    Time until{};
  };
  Taken take(const std::string& lock, const std::string& holder, Milliseconds ttl, Time now);
  bool renew(const std::string& lock, const std::string& holder, Milliseconds ttl, Time now);
  bool release(const std::string& lock, const std::string& holder, Time now);

  // More tokens: those after `last` - kTokensAtOnce, up to `last`. Nobody else gives these out, and
  // such as are not above all that it has given out are left.
  void add_tokens(std::uint64_t last);

  std::size_t size() const { return held_.size(); }

 private:
  struct Entry {
    std::string holder;
    std::uint64_t token;
    Time until;
  };

  std::map<std::string, Entry> held_;
  std::uint64_t next_ = 1;
  std::uint64_t end_ = 1;
};

// Locks of this process alone, with tokens that are counted in a key-value store, so that they grow
// over restarts where that is durable. The store outlives it.
std::unique_ptr<Backend> embedded_backend(keyvalue::Backend& tokens);
// Gone with the process; tokens begin with the calendar's time.
std::unique_ptr<Backend> memory_backend();

}  // namespace weft::lock
