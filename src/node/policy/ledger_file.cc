// How a ledger outlives its process: a line for the node and for each group.
//
//     weft ledger 1
//     total 1700000000000 cpu compile network-in network-out
//     group friends 1700000000000 ...
//     end
#include <fmt/format.h>

#include <cerrno>
#include <charconv>

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

bool read_numbers(std::string_view line, UnixMs& began, Amounts& spent) {
  if (!read_number(line, began)) return false;
  for (QuotaKind kind : kKept) {
    if (!read_number(line, spent[kind])) return false;
  }
  return line.empty();
}

std::string numbers(UnixMs began, const Amounts& spent) {
  std::string text = fmt::format("{}", began);
  for (QuotaKind kind : kKept) text += fmt::format(" {}", spent[kind]);
  return text + "\n";
}

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(std::filesystem::path file,
                                             const NodeSettings& settings) {
  std::unique_ptr<Ledger> ledger(new Ledger(std::move(file)));
  ledger->apply(settings);
  std::error_code ignored;
  if (!std::filesystem::exists(ledger->file_, ignored)) return ledger;
  auto text = read_file(ledger->file_.string(), kLedgerBytesMax);
  if (!text) return std::unexpected(std::move(text).error().within(ledger->file_.string()));
  TRY_VOID(ledger->read(*text));
  return ledger;
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
    } else {
      std::string_view kind = word(line);
      Account* into = nullptr;
      if (kind == "total") into = &total_;
      if (kind == "group") {
        std::string_view name = word(line);
        bool known = name == kStrangers || check_group_name(name);
        if (known && groups_.size() <= kGroupsMax) into = &account(name);
      }
      fits = fits && into != nullptr && read_numbers(line, into->began, into->spent);
    }
    if (!fits) break;
  }
  if (ended && text.empty()) return {};
  return failure(Errc::kCorrupt,
                 fmt::format("{}:{}: what was spent does not read back: remove the file, and "
                             "nobody has spent anything in this period",
                             file_.string(), number));
}

std::string Ledger::text() const {
  std::string text = fmt::format("{}\ntotal {}", kHead, numbers(total_.began, total_.spent));
  for (const auto& [name, account] : groups_) {
    text += fmt::format("group {} {}", name, numbers(account->began, account->spent));
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
