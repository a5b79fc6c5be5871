#include "node/policy/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace weft::node {
namespace {

constexpr std::array kAll{QuotaKind::kCpu,        QuotaKind::kCompile, QuotaKind::kNetworkIn,
                          QuotaKind::kNetworkOut, QuotaKind::kMemory,  QuotaKind::kRuns,
                          QuotaKind::kStorage};
static_assert(kAll.size() == kQuotaKinds);

bool is_held(QuotaKind kind) {
  return kind == QuotaKind::kMemory || kind == QuotaKind::kRuns || kind == QuotaKind::kStorage;
}

std::string_view words_of(std::string_view kind) {
  if (kind == "cpu") return "processor time";
  if (kind == "compile") return "time for compiling";
  if (kind == "network-in") return "bytes in";
  if (kind == "network-out") return "bytes out";
  if (kind == "rate") return "requests a second";
  return kind;
}

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

}  // namespace

std::string_view to_string(QuotaKind kind) {
  switch (kind) {
    case QuotaKind::kCpu: return "cpu";
    case QuotaKind::kCompile: return "compile";
    case QuotaKind::kNetworkIn: return "network-in";
    case QuotaKind::kNetworkOut: return "network-out";
    case QuotaKind::kMemory: return "memory";
    case QuotaKind::kRuns: return "runs";
    case QuotaKind::kStorage: return "storage";
  }
  return "?";
}

std::string Spent::message() const {
  std::string of = group.empty() ? "of this node" : fmt::format("of group {}", group);
  std::string_view what = words_of(kind);
  if (never) return fmt::format("more is asked for than the whole quota of {} {}", what, of);
  if (again.count() == 0) {
    return fmt::format("the quota of {} {} is taken, until some is let go", what, of);
  }
  if (again < std::chrono::seconds(1)) {
    return fmt::format("the quota of {} {} is spent, and there again in {} ms", what, of,
                       again.count());
  }
  return fmt::format("the quota of {} {} is spent, and there again in {} s", what, of,
                     std::chrono::ceil<std::chrono::seconds>(again).count());
}

Charge::Charge(Charge&& other) noexcept
    : ledger_(std::exchange(other.ledger_, nullptr)),
      group_(std::move(other.group_)),
      taken_(other.taken_),
      of_total_(other.of_total_),
      of_group_(other.of_group_) {}

Charge& Charge::operator=(Charge&& other) noexcept {
  if (this == &other) return *this;
  settle(taken_);
  ledger_ = std::exchange(other.ledger_, nullptr);
  group_ = std::move(other.group_);
  taken_ = other.taken_;
  of_total_ = other.of_total_;
  of_group_ = other.of_group_;
  return *this;
}

Charge::~Charge() {
  settle(taken_);
}

std::expected<void, Spent> Charge::more(const Amounts& amounts, UnixMs now) {
  CHECK(ledger_ != nullptr);
  std::lock_guard hold(ledger_->mutex_);
  return ledger_->take(*this, amounts, now);
}

void Charge::settle(const Amounts& used) {
  Ledger* ledger = std::exchange(ledger_, nullptr);
  if (ledger == nullptr) return;
  std::lock_guard hold(ledger->mutex_);
  ledger->total_.settle(taken_, used, of_total_);
  ledger->account(group_).settle(taken_, used, of_group_);
  ledger->changed_ = true;
}

void Ledger::Account::roll(UnixMs now) {
  auto per = static_cast<std::uint64_t>(quota.per.count());
  UnixMs begins = now - now % per;
  if (begins > began) {
    for (QuotaKind kind : kAll) {
      if (!is_held(kind)) spent[kind] = 0;
    }
    ++round;
  }
  // Where the clock went back what was spent stays spent.
  began = begins;
}

std::optional<std::uint64_t> Ledger::Account::most(QuotaKind kind) const {
  switch (kind) {
    case QuotaKind::kCpu: return quota.cpu_ns_of_period();
    case QuotaKind::kCompile: return quota.compile_ns;
    case QuotaKind::kNetworkIn: return quota.network_in_bytes;
    case QuotaKind::kNetworkOut: return quota.network_out_bytes;
    case QuotaKind::kMemory: return quota.memory_bytes;
    case QuotaKind::kRuns: return quota.runs;
    case QuotaKind::kStorage: return quota.storage_bytes;
  }
  return std::nullopt;
}

std::uint64_t Ledger::Account::left(QuotaKind kind) const {
  // Without a bound it is only that the sum does not wrap.
  std::uint64_t bound = most(kind).value_or(UINT64_MAX);
  return bound - std::min(bound, spent[kind]);
}

std::expected<void, Spent> Ledger::Account::fits(const Amounts& amounts, std::string_view name,
                                                 UnixMs now) const {
  for (QuotaKind kind : kAll) {
    if (amounts[kind] <= left(kind)) continue;
    Spent why{.kind = to_string(kind), .group = std::string(name)};
    why.never = amounts[kind] > most(kind).value_or(UINT64_MAX);
    if (!is_held(kind)) {
      why.again = std::chrono::milliseconds(began + static_cast<UnixMs>(quota.per.count()) - now);
    }
    return std::unexpected(std::move(why));
  }
  return {};
}

void Ledger::Account::take(const Amounts& amounts, Charge::Part& part) {
  if (part.round != round) part = {.round = round, .taken = {}};
  for (QuotaKind kind : kAll) {
    spent[kind] += amounts[kind];
    part.taken[kind] = sum(part.taken[kind], amounts[kind]);
  }
}

void Ledger::Account::settle(const Amounts& taken, const Amounts& used, const Charge::Part& part) {
  for (QuotaKind kind : kAll) {
    bool goes = kind == QuotaKind::kMemory || kind == QuotaKind::kRuns;
    std::uint64_t keep = goes ? 0 : used[kind];
    if (keep >= taken[kind]) {
      spent[kind] = sum(spent[kind], keep - taken[kind]);
      continue;
    }
    std::uint64_t back = taken[kind] - keep;
    // What another period was charged with has gone with it.
    if (!is_held(kind)) back = part.round == round ? std::min(back, part.taken[kind]) : 0;
    spent[kind] -= std::min(back, spent[kind]);
  }
}

Ledger::~Ledger() = default;

bool Ledger::is_written(std::string_view group) const {
  return group == kStrangers || settings_.group.contains(group);
}

void Ledger::apply(const NodeSettings& settings, UnixMs now) {
  std::lock_guard hold(mutex_);
  settings_ = settings;
  total_.quota = settings_.total;
  std::erase_if(groups_, [&](const auto& each) {
    const auto& [name, account] = each;
    if (is_written(name)) return false;
    // Nobody else rolls one that no request names.
    account->roll(now);
    if (account->spent != Amounts()) return false;
    first_round_ = std::max(first_round_, account->round + 1);
    changed_ = true;
    return true;
  });
  for (auto& [name, account] : groups_) {
    auto per = account->quota.per;
    account->quota = settings_.of_group(name).quota;
    // What it has spent is of the period that it had.
    if (!is_written(name)) account->quota.per = per;
  }
}

Ledger::Account& Ledger::account(std::string_view group) {
  auto found = groups_.find(group);
  if (found == groups_.end()) {
    auto made = std::make_unique<Account>();
    made->quota = settings_.of_group(group).quota;
    made->round = first_round_;
    found = groups_.emplace(std::string(group), std::move(made)).first;
  }
  return *found->second;
}

std::expected<void, Spent> Ledger::take(Charge& charge, const Amounts& amounts, UnixMs now) {
  Account& group = account(charge.group_);
  group.roll(now);
  total_.roll(now);
  if (auto fits = group.fits(amounts, charge.group_, now); !fits) return fits;
  if (auto fits = total_.fits(amounts, "", now); !fits) return fits;
  group.take(amounts, charge.of_group_);
  total_.take(amounts, charge.of_total_);
  for (QuotaKind kind : kAll) charge.taken_[kind] += amounts[kind];
  changed_ = true;
  return {};
}

std::expected<Charge, Spent> Ledger::take(std::string_view group, const Amounts& amounts,
                                          UnixMs now) {
  Charge charge(*this, group);
  std::expected<void, Spent> taken;
  {
    std::lock_guard hold(mutex_);
    taken = take(charge, amounts, now);
  }
  if (!taken) return std::unexpected(std::move(taken).error());
  return charge;
}

void Ledger::free_storage(std::string_view group, std::uint64_t bytes) {
  std::lock_guard hold(mutex_);
  for (Account* each : {&total_, &account(group)}) {
    std::uint64_t& held = each->spent[QuotaKind::kStorage];
    held -= std::min(held, bytes);
  }
  changed_ = true;
}

std::expected<void, Spent> Ledger::wait_of(std::string_view group, SteadyNs now) {
  for (auto [account, name] :
       {std::pair(&account(group), group), std::pair(&total_, group.substr(0, 0))}) {
    auto wait = account->rate.wait(account->quota.rate, now);
    if (wait.count() == 0) continue;
    return std::unexpected(Spent{.kind = "rate",
                                 .group = std::string(name),
                                 .again = std::chrono::ceil<std::chrono::milliseconds>(wait)});
  }
  return {};
}

std::expected<void, Spent> Ledger::may_ask(std::string_view group, SteadyNs now) {
  std::lock_guard hold(mutex_);
  return wait_of(group, now);
}

std::expected<void, Spent> Ledger::ask(std::string_view group, SteadyNs now) {
  std::lock_guard hold(mutex_);
  // Both or none: nobody else takes from them but under this lock.
  if (auto may = wait_of(group, now); !may) return may;
  Account& mine = account(group);
  CHECK(mine.rate.take(mine.quota.rate, now) && total_.rate.take(total_.quota.rate, now));
  return {};
}

Amounts Ledger::left(std::string_view group, UnixMs now) {
  std::lock_guard hold(mutex_);
  Account& mine = account(group);
  mine.roll(now);
  total_.roll(now);
  Amounts left;
  for (QuotaKind kind : kAll) {
    bool bounded = mine.most(kind) || total_.most(kind);
    left[kind] = bounded ? std::min(mine.left(kind), total_.left(kind)) : UINT64_MAX;
  }
  return left;
}

Amounts Ledger::spent(std::string_view group, UnixMs now) {
  std::lock_guard hold(mutex_);
  Account& mine = group.empty() ? total_ : account(group);
  mine.roll(now);
  return mine.spent;
}

}  // namespace weft::node
