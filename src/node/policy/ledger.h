#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "node/object/request.h"
#include "node/policy/rate.h"
#include "node/policy/settings.h"

namespace weft::node {

// How often the daemon saves a ledger. After a kill -9 what was charged since the last save is
// forgotten: so much more than its quota somebody may have once, the most that is charged in this
// time. What was charged and not spent at that save stays spent.
inline constexpr std::chrono::seconds kLedgerSaveEvery{2};
// Groups in the file: those that are written of, those that have only keys, and as many that are
// no more and whose period runs on.
inline constexpr std::size_t kLedgerGroupsMax = 3 * kGroupsMax;

enum class QuotaKind : std::uint8_t {
  kCpu,  // Spent in a period...
  kCompile,
  kNetworkIn,
  kNetworkOut,
  kMemory,  // ...and held.
  kRuns,
  kStorage,
};
inline constexpr std::size_t kQuotaKinds = 7;
// As the key in node.toml: "network-in".
std::string_view to_string(QuotaKind kind);

// So much of each kind: nanoseconds, bytes, or runs.
struct Amounts {
  std::array<std::uint64_t, kQuotaKinds> of{};

  std::uint64_t& operator[](QuotaKind kind) { return of[static_cast<std::size_t>(kind)]; }
  std::uint64_t operator[](QuotaKind kind) const { return of[static_cast<std::size_t>(kind)]; }
  friend bool operator==(const Amounts&, const Amounts&) = default;
};

// Why a charge or a request was not taken.
struct Spent {
  // The key in node.toml: "cpu", "rate".
  std::string_view kind;
  // Of which group; empty: of the whole node.
  std::string group;
  // From now: when it is there again. Zero: when somebody lets it go, which no clock knows.
  std::chrono::milliseconds again{0};
  // It will never fit: the quota is smaller than what was asked for.
  bool never = false;

  // "the quota of processor time of group friends is spent, and there again in 12 s".
  std::string message() const;
};

class Ledger;

// What was taken for one request, before anything is done for it: the most that it may spend.
//
// One owner; from any thread, one at a time; gone before its ledger. Dropped without a word all of
// it counts as spent, and what was held, except storage, goes back.
class Charge {
 public:
  Charge() = default;
  Charge(Charge&& other) noexcept;
  Charge& operator=(Charge&& other) noexcept;
  ~Charge();

  const std::string& group() const { return group_; }
  // Taken so far.
  const Amounts& taken() const { return taken_; }
  // Takes more, all of it or nothing.
  std::expected<void, Spent> more(const Amounts& amounts, UnixMs now);
  // The end: of each kind so much was used, and the rest goes back. More than was taken is counted
  // too, as a run that was stopped late has spent it. Of storage, what was used stays, until
  // Ledger::free_storage.
  void settle(const Amounts& used);
  // Whether there is something to settle.
  explicit operator bool() const { return ledger_ != nullptr; }

 private:
  friend class Ledger;

  // What was taken in one period and can still come back to it.
  struct Part {
    std::uint64_t round = 0;
    Amounts taken;
  };

  Charge(Ledger& ledger, std::string_view group) : ledger_(&ledger), group_(group) {}

  Ledger* ledger_ = nullptr;
  std::string group_;
  Amounts taken_;
  Part of_total_;
  Part of_group_;
};

// What was spent, in total and by each group, against what settings allow.
//
// One a node; from any thread; a lock for some tens of nanoseconds. `now` is the node's own clock:
// where it goes back, what was spent stays spent and the period is the one of the new time.
class Ledger {
 public:
  // Reads FILE, where there is one. kCorrupt for one that is none: the message says what to do.
  static Result<std::unique_ptr<Ledger>> open(std::filesystem::path file,
                                              const NodeSettings& settings,
                                              UnixMs now = unix_now());
  ~Ledger();
  Ledger(const Ledger&) = delete;

  // Other quotas from now on. What was spent stays spent; of a group that is no more, until its
  // period is over, so that nobody gets a quota anew by a group that goes and comes again.
  void apply(const NodeSettings& settings, UnixMs now = unix_now());

  // In total and for the group, all of it or nothing.
  std::expected<Charge, Spent> take(std::string_view group, const Amounts& amounts, UnixMs now);
  // Storage that was used and is let go.
  void free_storage(std::string_view group, std::uint64_t bytes);

  // Whether the group may ask once more: `may_ask` only looks, for before the signature, `ask`
  // takes. Whoever is not who it says takes nothing from anybody.
  std::expected<void, Spent> may_ask(std::string_view group, SteadyNs now);
  std::expected<void, Spent> ask(std::string_view group, SteadyNs now);

  // What a group may have now, the least of its own and of the whole node's; UINT64_MAX: no bound.
  Amounts left(std::string_view group, UnixMs now);
  // What is spent in this period, or held; of an empty name: of the whole node.
  Amounts spent(std::string_view group, UnixMs now);

  // Writes the file anew, if anything changed. From one thread at a time; takes no lock while it
  // writes.
  Result<void> save();

 private:
  friend class Charge;

  // Of one group, or of the node.
  struct Account {
    Quota quota;
    Amounts spent = {};       // Or held.
    UnixMs began = 0;         // Of its period.
    std::uint64_t round = 0;  // Grows when what was spent is there again.
    Rate rate = {};

    void roll(UnixMs now);
    std::optional<std::uint64_t> most(QuotaKind kind) const;
    std::uint64_t left(QuotaKind kind) const;
    std::expected<void, Spent> fits(const Amounts& amounts, std::string_view name,
                                    UnixMs now) const;
    void take(const Amounts& amounts, Charge::Part& part);
    void settle(const Amounts& taken, const Amounts& used, const Charge::Part& part);
  };

  explicit Ledger(std::filesystem::path file) : file_(std::move(file)) {}
  // Under the lock, all of these.
  Account& account(std::string_view group);
  bool is_written(std::string_view group) const;
  std::expected<void, Spent> take(Charge& charge, const Amounts& amounts, UnixMs now);
  std::expected<void, Spent> wait_of(std::string_view group, SteadyNs now);
  std::string text() const;
  bool read_group(std::string_view line);
  Result<void> read(std::string_view text);

  const std::filesystem::path file_;
  std::mutex mutex_;
  Account total_;
  NodeSettings settings_;
  std::map<std::string, std::unique_ptr<Account>, std::less<>> groups_;
  // Above the round of every account that went: an old charge gives nothing back to a new one.
  std::uint64_t first_round_ = 0;
  bool changed_ = false;
};

}  // namespace weft::node
