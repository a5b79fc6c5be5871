#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "capabilities/messaging/broker.h"

// What of a broker is called how on a NATS server.
namespace weft::messaging::nats {

inline constexpr std::size_t kTokenBytesMax = 60;
inline constexpr std::size_t kPatternBytesMax = 100;
// Where replies go that NATS's clients wait for.
inline constexpr std::string_view kInbox = "_INBOX.";

// A name as one token: letters, digits and `-` stand for themselves, `_XX` for any other byte, `_`
// alone is the empty name, and one that gets long ends with a hash.
std::string token(std::string_view name);

// `pattern` with the tokens of an app and a broker in the places of {app} and {broker}.
std::string fill_in(std::string_view pattern, const BrokerName& name);
// kInvalid where that would give no subject, or the name of no stream.
Result<void> check_subject_pattern(std::string_view pattern);

// The subjects of one broker: its topics, behind a prefix or as they are.
class Subjects {
 public:
  // Without a dot at its end; empty: none.
  explicit Subjects(std::string prefix);

  const std::string& prefix() const { return prefix_; }
  // Of a checked topic or pattern. An inbox, where a reply goes, is its own subject. kDenied for
  // what is the server's own.
  Result<std::string> subject(std::string_view topic) const;
  // Nothing: it is none of this broker's, or cannot be a topic.
  std::optional<std::string> topic(std::string_view subject) const;

 private:
  const std::string prefix_;
};

}  // namespace weft::messaging::nats
