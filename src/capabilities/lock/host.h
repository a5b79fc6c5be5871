#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "capabilities/capability.h"
#include "capabilities/lock/acquisition.h"
#include "capabilities/lock/hold.h"
#include "wit/weft/lock_0_1_0/locks.h"

// What the host classes of both interfaces have in common. `Wit` names the generated types of one:
// Guard and Host.
namespace weft::lock {

using Failure = ::weft::wit::weft::lock_0_1_0::locks::Error;
template <class T>
using Or = std::expected<T, Failure>;

// The locks of a space, and who shares them.
struct Space {
  std::shared_ptr<Locks> locks;  // Shared with its holds.
  std::string scope;             // Empty: the app's own.
};

// The spaces of one component on one loop, each opened when it is asked for first. Its end ends
// those who wait.
class Spaces {
 public:
  virtual ~Spaces() = default;
  // kDenied for one that is not granted.
  virtual Result<const Space*> find(std::string_view name) = 0;
};

// The first part of a lock's name.
inline std::string_view space_of(std::string_view lock) {
  return lock.substr(0, lock.find('/'));
}

Failure failure_of(const Error& error);
// A guest's nanoseconds, bounded to what is no wrap-around.
std::chrono::nanoseconds nanoseconds_of(std::uint64_t duration);

template <class Wit>
class HostGuard : public Wit::Guard {
 public:
  explicit HostGuard(std::unique_ptr<Hold> hold) : hold_(std::move(hold)) {}

  Answer<std::uint64_t> token(Call&) override { return hold_->token(); }
  Answer<std::uint64_t> remaining(Call&) override {
    return static_cast<std::uint64_t>(hold_->remaining().count());
  }
  Answer<bool> is_held(Call&) override { return hold_->held(); }
  Answer<Or<void>> renew(Call& call, std::uint64_t ttl) override {
    std::chrono::nanoseconds time = nanoseconds_of(ttl);
    if (Result<void> fits = check_ttl(time); !fits) return refused(fits.error());
    return held(hold_->renew(call.deadline(), std::chrono::floor<Milliseconds>(time)));
  }
  Answer<Or<void>> release(Call& call) override { return held(hold_->release(call.deadline())); }

 protected:
  Hold& hold() { return *hold_; }

 private:
  static Or<void> refused(const Error& error) { return std::unexpected(failure_of(error)); }
  static Answer<Or<void>> held(Answer<bool> answer) {
    return std::move(answer).settle([](Result<bool> still) -> Or<void> {
      if (!still) return refused(still.error());
      if (!*still) return std::unexpected(Failure::lost());
      return {};
    });
  }

  std::unique_ptr<Hold> hold_;
};

template <class Wit, class GuardClass>
class LocksHost final : public Wit::Host {
 public:
  using Made = std::unique_ptr<typename Wit::Guard>;

  explicit LocksHost(std::unique_ptr<Spaces> spaces) : spaces_(std::move(spaces)) {}

  Answer<Or<Made>> acquire(Call& call, std::string_view name, std::uint64_t ttl,
                           std::uint64_t wait) override {
    std::chrono::nanoseconds time = nanoseconds_of(wait);
    if (Result<void> fits = check_wait(time); !fits) return refused(fits.error());
    Result<Asked> asked = asked_for(call, name, ttl);
    if (!asked) return refused(asked.error());
    Wanted wanted{asked->lock, asked->ttl, std::chrono::ceil<Milliseconds>(time)};
    return answer(lock::acquire(asked->locks, std::move(wanted), call.deadline()))
        .settle([](Result<std::unique_ptr<Hold>> hold) -> Or<Made> {
          if (!hold) return std::unexpected(failure_of(hold.error()));
          return Made(std::make_unique<GuardClass>(*std::move(hold)));
        });
  }

  Answer<Or<std::optional<Made>>> try_acquire(Call& call, std::string_view name,
                                              std::uint64_t ttl) override {
    using Tried = Or<std::optional<Made>>;
    Result<Asked> asked = asked_for(call, name, ttl);
    if (!asked) return Tried(std::unexpected(failure_of(asked.error())));
    return lock::try_acquire(asked->locks, asked->lock, asked->ttl, call.deadline())
        .settle([](Result<std::unique_ptr<Hold>> hold) -> Tried {
          if (!hold) return std::unexpected(failure_of(hold.error()));
          if (*hold == nullptr) return std::optional<Made>();
          return std::optional<Made>(std::make_unique<GuardClass>(*std::move(hold)));
        });
  }

 private:
  struct Asked {
    std::shared_ptr<Locks> locks;
    LockName lock;
    Milliseconds ttl;
  };

  static Or<Made> refused(const Error& error) { return std::unexpected(failure_of(error)); }

  Result<Asked> asked_for(Call& call, std::string_view name, std::uint64_t ttl) {
    TRY_VOID(check_name(name));
    std::chrono::nanoseconds time = nanoseconds_of(ttl);
    TRY_VOID(check_ttl(time));
    TRY(const Space* space, spaces_->find(space_of(name)));
    std::string scope = space->scope.empty() ? std::string(call.context().app()) : space->scope;
    return Asked{space->locks,
                 {std::move(scope), std::string(name)},
                 std::chrono::floor<Milliseconds>(time)};
  }

  std::unique_ptr<Spaces> spaces_;
};

// The providers of one interface each, as lock.cc lists them.
std::unique_ptr<Provider> locks_provider(std::unique_ptr<Spaces> spaces);
std::unique_ptr<Provider> async_locks_provider(std::unique_ptr<Spaces> spaces);

}  // namespace weft::lock
