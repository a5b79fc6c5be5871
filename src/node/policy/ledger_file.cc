// How a ledger outlives its process: a line for the node and for each group that has spent
// anything. Behind that of a group that is no more stands its period, in milliseconds.
//
//     weft ledger 1
//     total 1700000000000 cpu compile network-in network-out
//     group friends 1700000000000 cpu compile network-in network-out
//     group former 1700000000000 cpu compile network-in network-out 3600000
//     end
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/read_file.h"
#include "base/whole_file.h"
#include "node/policy/ledger.h"

namespace weft::node {
namespace {

constexpr std::string_view kHead = "weft ledger 1";
constexpr std::size_t kLedgerBytesMax = 1 << 20;
// What is held goes with the process; what is stored, the store says when it opens.
constexpr std::array kKept{QuotaKind::kCpu, QuotaKind::kCompile, QuotaKind::kNetworkIn,
                           QuotaKind::kNetworkOut};
// What is written reads back: "group", a name, when its period began, what is kept, the period.
constexpr std::size_t kNumberBytesMax = 20;
constexpr std::size_t kLineBytesMax =
    5 + 1 + kGroupNameMax + (kKept.size() + 2) * (1 + kNumberBytesMax) + 1;
static_assert((kLedgerGroupsMax + 3) * kLineBytesMax <= kLedgerBytesMax);

std::string_view word(std::string_view& line) {
  std::size_t end = std::min(line.find(' '), line.size());
  std::string_view found = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return found;
}

bool read_number(std::string_view& line, std::uint64_t& into) {
  std::string_view text = word(line);
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), into);
  return problem == std::errc() && end == text.data() + text.size();
}

bool read_numbers(std::string_view& line, UnixMs& began, Amounts& spent) {
  if (!read_number(line, began)) return false;
  return std::ranges::all_of(kKept, [&](QuotaKind kind) { return read_number(line, spent[kind]); });
}

std::string numbers(UnixMs began, const Amounts& spent) {
  std::string text = fmt::format("{}", began);
  for (QuotaKind kind : kKept) text += fmt::format(" {}", spent[kind]);
  return text;
}

bool is_group(std::string_view name) {
  return name == kStrangers || check_group_name(name);
}

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(std::filesystem::path file,
                                             const NodeSettings& settings, UnixMs now) {
  std::unique_ptr<Ledger> ledger(new Ledger(std::move(file)));
  ledger->apply(settings, now);
  std::error_code ignored;
  if (!std::filesystem::exists(ledger->file_, ignored)) return ledger;
  auto text = read_file(ledger->file_.string(), kLedgerBytesMax);
  if (!text) return std::unexpected(std::move(text).error().within(ledger->file_.string()));
  TRY_VOID(ledger->read(*text));
  // Groups that are no more may be in it.
  ledger->apply(settings, now);
  return ledger;
}

// What stands behind "group".
bool Ledger::read_group(std::string_view line) {
  std::string_view name = word(line);
  if (!is_group(name) || groups_.size() >= kLedgerGroupsMax) return false;
  Account& into = account(name);
  if (!read_numbers(line, into.began, into.spent)) return false;
  if (line.empty()) return true;
  std::uint64_t per = 0;
  constexpr std::uint64_t kPerLeast = std::chrono::milliseconds(kPeriodLeast).count();
  if (!read_number(line, per) || per < kPerLeast || per > INT64_MAX) return false;
  // One that is there again has the period that is written now.
  if (!is_written(name)) into.quota.per = std::chrono::milliseconds(per);
  return line.empty();
}

Result<void> Ledger::read(std::string_view text) {
  std::size_t number = 0;
  bool ended = false;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    bool fits = !ended;
    if (++number == 1) {
      fits = line == kHead;
    } else if (line == "end") {
      ended = true;
    } else if (std::string_view kind = word(line); kind == "total") {
      fits = fits && read_numbers(line, total_.began, total_.spent) && line.empty();
    } else {
      fits = fits && kind == "group" && read_group(line);
    }
    if (!fits) break;
  }
  if (ended && text.empty()) return {};
  return failure(Errc::kCorrupt,
                 fmt::format("{}:{}: what was spent does not read back: remove the file, and "
                             "nobody has spent anything in this period",
                             file_.string(), number));
}

// No more of them than are read. Where there are, those that are written of stay, and of others
// those whose periods began last.
std::string Ledger::text() const {
  using Line = std::pair<std::string_view, const Account*>;
  std::vector<Line> lines;
  for (const auto& [name, account] : groups_) {
    auto is_spent = [&](QuotaKind kind) { return account->spent[kind] != 0; };
    if (is_group(name) && std::ranges::any_of(kKept, is_spent)) {
      lines.emplace_back(name, account.get());
    }
  }
  if (lines.size() > kLedgerGroupsMax) {
    auto place = [&](const Line& line) {
      return std::pair(!is_written(line.first), ~line.second->began);
    };
    std::ranges::nth_element(lines, lines.begin() + kLedgerGroupsMax, {}, place);
    lines.resize(kLedgerGroupsMax);
  }
  std::string text = fmt::format("{}\ntotal {}\n", kHead, numbers(total_.began, total_.spent));
  for (const auto& [name, account] : lines) {
    text += fmt::format("group {} {}", name, numbers(account->began, account->spent));
    if (!is_written(name)) text += fmt::format(" {}", account->quota.per.count());
    text += "\n";
  }
  return text + "end\n";
}

Result<void> Ledger::save() {
  std::string now;
  {
    std::lock_guard hold(mutex_);
    if (!changed_) return {};
    changed_ = false;
    now = text();
  }
  auto saved = write_whole(file_, as_bytes(now), Durable::kYes);
  if (!saved) {
    std::lock_guard hold(mutex_);
    changed_ = true;
  }
  return saved;
}

}  // namespace weft::node
