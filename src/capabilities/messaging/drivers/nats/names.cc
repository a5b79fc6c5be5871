#include "capabilities/messaging/drivers/nats/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/sha256.h"
#include "capabilities/messaging/message.h"
#include "door/codec.h"

namespace weft::messaging::nats {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEF";
constexpr std::size_t kHashDigits = 32;
constexpr std::string_view kApp = "{app}";
constexpr std::string_view kBroker = "{broker}";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

}  // namespace

std::string token(std::string_view name) {
  if (name.empty()) return "_";
  std::string out;
  for (char c : name) {
    if (is_plain(c)) {
      out.push_back(c);
      continue;
    }
    auto byte = static_cast<unsigned char>(c);
    out += {'_', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  if (out.size() <= kTokenBytesMax) return out;
  // No escape ends with it: H is no digit of one.
  std::string hash = sha256_hex(as_bytes(name)).substr(0, kHashDigits);
  return out.substr(0, kTokenBytesMax - kHashDigits - 2) + "_H" + hash;
}

std::string fill_in(std::string_view pattern, const BrokerName& name) {
  std::string out;
  while (!pattern.empty()) {
    if (pattern.starts_with(kApp)) {
      out += token(name.owner);
      pattern.remove_prefix(kApp.size());
    } else if (pattern.starts_with(kBroker)) {
      out += token(name.name);
      pattern.remove_prefix(kBroker.size());
    } else {
      out.push_back(pattern.front());
      pattern.remove_prefix(1);
    }
  }
  return out;
}

Result<void> check_subject_pattern(std::string_view pattern) {
  std::string example = fill_in(pattern, {"a", "b"});
  bool plain =
      std::ranges::all_of(example, [](char c) { return is_plain(c) || c == '_' || c == '.'; });
  if (plain && pattern.size() <= kPatternBytesMax && check_topic(example)) return {};
  return failure(Errc::kInvalid,
                 fmt::format("\"{}\": write parts of letters, digits, - and _ with dots between "
                             "them, and {{app}} and {{broker}} for their names",
                             pattern));
}

Subjects::Subjects(std::string prefix) : prefix_(std::move(prefix)) {}

Result<std::string> Subjects::subject(std::string_view topic) const {
  if (topic.starts_with(kInbox)) return std::string(topic);
  if (!prefix_.empty()) return fmt::format("{}.{}", prefix_, topic);
  if (topic.starts_with('$')) {
    return failure(Errc::kDenied, "NATS: topics that begin with $ are the server's own");
  }
  return std::string(topic);
}

std::optional<std::string> Subjects::topic(std::string_view subject) const {
  if (!subject.starts_with(kInbox) && !prefix_.empty()) {
    if (!subject.starts_with(prefix_)) return std::nullopt;
    subject.remove_prefix(prefix_.size());
    if (!subject.starts_with('.')) return std::nullopt;
    subject.remove_prefix(1);
  }
  if (!check_topic(subject) || !is_utf8(subject)) return std::nullopt;
  return std::string(subject);
}

}  // namespace weft::messaging::nats
