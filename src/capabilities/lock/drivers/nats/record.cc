#include "capabilities/lock/drivers/nats/record.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace weft::lock {
namespace {

// The number in front, and what is behind the space after it.
template <class T>
bool take_number(std::string_view& text, T& number) {
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end == text.data() + text.size() || *end != ' ') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

}  // namespace

std::string Record::text() const {
  return fmt::format("{} {} {}", token, until_ms, holder);
}

Result<Record> Record::parse(std::string_view text) {
  Record record;
  std::string_view rest = text;
  bool whole = take_number(rest, record.token) && take_number(rest, record.until_ms) &&
               record.token != 0 && rest.find_first_not_of("0123456789abcdef") == rest.npos;
  if (!whole) {
    return failure(Errc::kCorrupt,
                   "the lock's entry is none of weft's: delete it once nobody "
                   "can hold the lock");
  }
  record.holder = rest;
  return record;
}

Record Record::next(const std::optional<Record>& last, std::uint64_t first, std::string holder,
                    std::int64_t until_ms) {
  return {last ? last->token + 1 : first, until_ms, std::move(holder)};
}

}  // namespace weft::lock
