#include "capabilities/keyvalue/drivers/redis/resp.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "base/check.h"

namespace weft::keyvalue::redis {
namespace {

// What is set aside for a string before its bytes are there.
constexpr std::size_t kTrusted = 64UL * 1024;

std::optional<std::int64_t> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::unexpected<Error> corrupt(std::string_view what) {
  return failure(Errc::kCorrupt, fmt::format("what the server sends is no RESP3: {}", what));
}

}  // namespace

Reply ReplyParser::take() {
  CHECK(done_);
  done_ = false;
  bytes_ = items_ = 0;
  return std::exchange(reply_, {});
}

Result<std::size_t> ReplyParser::feed(BytesView bytes) {
  std::size_t at = 0;
  while (!done_ && at < bytes.size()) {
    BytesView rest = bytes.subspan(at);
    if (in_bulk_) {
      std::size_t skipped = std::min(bulk_skip_, rest.size());
      bulk_skip_ -= skipped;
      rest = rest.subspan(skipped);
      std::size_t part = std::min(bulk_left_, rest.size());
      bulk_.bytes.insert(bulk_.bytes.end(), rest.begin(),
                         rest.begin() + static_cast<std::ptrdiff_t>(part));
      bulk_left_ -= part;
      at += skipped + part;
      rest = rest.subspan(part);
      while (bulk_left_ == 0 && bulk_skip_ == 0 && end_left_ > 0 && !rest.empty()) {
        if (rest.front() != (end_left_ == 2 ? '\r' : '\n')) return corrupt("a string without end");
        rest = rest.subspan(1);
        --end_left_;
        ++at;
      }
      if (bulk_left_ > 0 || bulk_skip_ > 0 || end_left_ > 0) continue;
      in_bulk_ = false;
      put(std::exchange(bulk_, {}));
      continue;
    }
    auto newline = std::find(rest.begin(), rest.end(), '\n');
    bool whole = newline != rest.end();
    std::size_t part = static_cast<std::size_t>(newline - rest.begin()) + (whole ? 1 : 0);
    at += part;
    if (line_.size() + part > kLineMax) return corrupt("a line without end");
    std::string_view text = as_text(rest.first(part));
    if (!whole || !line_.empty()) {
      line_.insert(line_.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(part));
      if (!whole) break;
      text = as_text(line_);
    }
    if (text.size() < 3 || text[text.size() - 2] != '\r') return corrupt("a line without its end");
    Result<void> read = line(text.substr(0, text.size() - 2));
    if (!read) return std::unexpected(std::move(read).error());
    line_.clear();
  }
  return at;
}

Result<void> ReplyParser::line(std::string_view text) {
  using Kind = Reply::Kind;
  char what = text.front();
  text.remove_prefix(1);
  if (++items_ > kReplyItemsMax) return corrupt("a reply of too many items");
  bytes_ += text.size();
  if (bytes_ > kReplyBytesMax) return corrupt("a reply that is too large");
  switch (what) {
    case '+':
    case ',':
    case '(': put({.kind = Kind::kText, .bytes = to_bytes(text)}); return {};
    case '-': put({.kind = Kind::kError, .bytes = to_bytes(text)}); return {};
    case '_': put({}); return {};
    case '#':
      if (text != "t" && text != "f") return corrupt("a boolean that is neither");
      put({.kind = Kind::kInteger, .integer = text == "t"});
      return {};
    case ':': {
      auto value = number(text);
      if (!value) return corrupt("a number that is none");
      put({.kind = Kind::kInteger, .integer = *value});
      return {};
    }
    case '$': return begin_bulk(Kind::kBytes, text, 0);
    case '=': return begin_bulk(Kind::kBytes, text, 4);
    case '!': return begin_bulk(Kind::kError, text, 0);
    case '*':
    case '~': return begin_list(Kind::kList, text, 1);
    case '%': return begin_list(Kind::kList, text, 2);
    case '>': return begin_list(Kind::kPush, text, 1);
    default: return corrupt("a reply of a kind that nobody knows");
  }
}

Result<void> ReplyParser::begin_bulk(Reply::Kind kind, std::string_view size, std::size_t skip) {
  auto count = number(size);
  if (count == -1) {
    put({});
    return {};
  }
  if (!count || *count < static_cast<std::int64_t>(skip)) return corrupt("a string of no length");
  auto length = static_cast<std::size_t>(*count);
  if (length > kReplyBytesMax - bytes_) return corrupt("a reply that is too large");
  bytes_ += length;
  bulk_ = {.kind = kind};
  bulk_.bytes.reserve(std::min(length, kTrusted));
  bulk_skip_ = skip;
  bulk_left_ = length - skip;
  end_left_ = 2;
  in_bulk_ = true;
  return {};
}

Result<void> ReplyParser::begin_list(Reply::Kind kind, std::string_view size, std::size_t each) {
  auto count = number(size);
  if (count == -1) {
    put({});
    return {};
  }
  if (!count || *count < 0) return corrupt("a list of no length");
  if (static_cast<std::size_t>(*count) > kReplyItemsMax) {
    return corrupt("a reply of too many items");
  }
  if (*count == 0) {
    put({.kind = kind});
    return {};
  }
  if (open_.size() >= kReplyDepthMax) return corrupt("lists inside lists, too deep");
  open_.push_back({{.kind = kind}, static_cast<std::size_t>(*count) * each});
  return {};
}

// A value is complete, and so are the lists that it is the last of.
void ReplyParser::put(Reply reply) {
  while (!open_.empty()) {
    Open& in = open_.back();
    in.reply.items.push_back(std::move(reply));
    if (--in.left > 0) return;
    reply = std::move(in.reply);
    open_.pop_back();
  }
  reply_ = std::move(reply);
  done_ = true;
}

}  // namespace weft::keyvalue::redis
