#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace weft::keyvalue::redis {

// Bounds of one reply, so that a server that went mad takes no memory of the host's.
inline constexpr std::size_t kReplyBytesMax = 256UL << 20;
inline constexpr std::size_t kReplyItemsMax = 1UL << 20;
inline constexpr std::size_t kReplyDepthMax = 8;
inline constexpr std::size_t kLineMax = 64UL * 1024;

// A value of RESP3.
struct Reply {
  enum class Kind : std::uint8_t {
    kNull,
    kInteger,
    kText,   // A simple string, a double, a big number: as it came.
    kBytes,  // A bulk or a verbatim string.
    kError,
    kList,  // Arrays, sets, and maps as their keys and values in turns.
    kPush,  // What nobody asked for.
  };
  Kind kind = Kind::kNull;
  std::int64_t integer = 0;  // Also of a boolean.
  Bytes bytes = {};
  std::vector<Reply> items = {};

  std::string_view text() const { return as_text(bytes); }
};

// Reads replies out of a stream of bytes, in pieces of any size; nothing is looked at twice.
class ReplyParser {
 public:
  // Takes bytes up to the end of a reply, or all of them: how many. kCorrupt when it is not RESP3,
  // or beyond a bound; nothing may be fed after that.
  Result<std::size_t> feed(BytesView bytes);
  // A reply is complete.
  bool done() const { return done_; }
  // It, once.
  Reply take();

 private:
  struct Open {
    Reply reply;
    std::size_t left;  // Items that are to come.
  };

  Result<void> line(std::string_view text);
  Result<void> begin_bulk(Reply::Kind kind, std::string_view size, std::size_t skip);
  Result<void> begin_list(Reply::Kind kind, std::string_view count, std::size_t each);
  void put(Reply reply);

  std::vector<Open> open_;
  Bytes line_;  // What has come of a line.
  Reply bulk_;  // And of a bulk string.
  std::size_t bulk_left_ = 0;
  std::size_t bulk_skip_ = 0;  // Bytes at its front that say what it is.
  unsigned end_left_ = 0;      // Of the \r\n behind it.
  bool in_bulk_ = false;
  std::size_t bytes_ = 0;
  std::size_t items_ = 0;
  bool done_ = false;
  Reply reply_;
};

}  // namespace weft::keyvalue::redis
