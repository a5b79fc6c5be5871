#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace weft::remote::nats {

// Bounds of what a server may send, so that one that went mad takes no memory of the host's.
inline constexpr std::size_t kLineMax = 64UL * 1024;
inline constexpr std::size_t kMessageBytesMax = 128UL << 20;
inline constexpr std::size_t kHeaderFieldsMax = 1'000;

// One operation of the server's.
struct ServerOp {
  enum class Kind : std::uint8_t { kInfo, kMessage, kPing, kPong, kOk, kError };
  Kind kind = Kind::kOk;
  std::string text = {};  // Of kInfo, which is JSON, and of kError, without its quotes.
  std::string subject = {};
  std::uint64_t subscription = 0;
  std::string reply = {};  // Empty: nobody waits for one.
  Bytes headers = {};
  Bytes payload = {};
};

// Reads operations out of a stream of bytes, in pieces of any size; nothing is looked at twice.
class OpParser {
 public:
  // Takes bytes up to the end of an operation, or all of them: how many. kCorrupt when it is not
  // the protocol, or beyond a bound; nothing may be fed after that.
  Result<std::size_t> feed(BytesView bytes);
  bool done() const { return done_; }
  // It, once.
  ServerOp take();

 private:
  Result<void> line(std::string_view text);
  Result<void> begin_message(std::string_view arguments, bool with_headers);
  std::size_t body(BytesView bytes);

  ServerOp op_;
  Bytes line_;  // What has come of a line.
  bool in_body_ = false;
  std::size_t headers_left_ = 0;
  std::size_t payload_left_ = 0;
  unsigned end_left_ = 0;  // Of the \r\n behind it.
  bool done_ = false;
};

using HeaderFields = std::vector<std::pair<std::string, std::string>>;

// The headers of a message, in their order. A status is there where the server itself answers: 503,
// nobody listens.
struct Headers {
  unsigned status = 0;
  std::string description = {};
  HeaderFields fields = {};

  // The first of that name, or null. Names are compared as they are.
  const std::string* find(std::string_view name) const;
};

// kCorrupt when it is no block of headers.
Result<Headers> parse_headers(BytesView block);

// Whether a subject can be published to: tokens with a dot between them, no wildcard, no space.
bool is_subject(std::string_view subject);

}  // namespace weft::remote::nats
