#include "remote/nats/protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/check.h"

namespace weft::remote::nats {
namespace {

// What is set aside for a body before its bytes are there.
constexpr std::size_t kTrusted = 64UL * 1024;
constexpr std::string_view kVersion = "NATS/1.0";

std::unexpected<Error> corrupt(std::string_view what) {
  return failure(Errc::kCorrupt,
                 fmt::format("what the server sends is not the protocol of NATS: {}", what));
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// Up to five words with spaces between them; nothing when there are more.
struct Words {
  std::array<std::string_view, 5> words;
  std::size_t count = 0;

  explicit Words(std::string_view text) {
    while (!(text = trimmed(text)).empty()) {
      std::size_t end = std::min(text.find_first_of(" \t"), text.size());
      if (count < words.size()) words[count] = text.substr(0, end);
      ++count;
      text.remove_prefix(end);
    }
  }
};

}  // namespace

ServerOp OpParser::take() {
  CHECK(done_);
  done_ = false;
  return std::exchange(op_, {});
}

Result<std::size_t> OpParser::feed(BytesView bytes) {
  std::size_t at = 0;
  while (!done_ && at < bytes.size()) {
    BytesView rest = bytes.subspan(at);
    if (in_body_) {
      std::size_t used = body(rest);
      at += used;
      rest = rest.subspan(used);
      while (headers_left_ == 0 && payload_left_ == 0 && end_left_ > 0 && !rest.empty()) {
        if (rest.front() != (end_left_ == 2 ? '\r' : '\n')) return corrupt("a body without end");
        rest = rest.subspan(1);
        --end_left_;
        ++at;
      }
      if (headers_left_ > 0 || payload_left_ > 0 || end_left_ > 0) continue;
      in_body_ = false;
      done_ = true;
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

std::size_t OpParser::body(BytesView bytes) {
  std::size_t used = 0;
  auto move = [&](std::size_t& left, Bytes& to) {
    std::size_t part = std::min(left, bytes.size() - used);
    auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(used);
    to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(part));
    left -= part;
    used += part;
  };
  move(headers_left_, op_.headers);
  if (headers_left_ == 0) move(payload_left_, op_.payload);
  return used;
}

Result<void> OpParser::line(std::string_view text) {
  using Kind = ServerOp::Kind;
  std::size_t end = std::min(text.find_first_of(" \t"), text.size());
  std::string_view what = text.substr(0, end);
  std::string_view rest = trimmed(text.substr(end));
  if (what == "MSG") return begin_message(rest, false);
  if (what == "HMSG") return begin_message(rest, true);
  if (what == "INFO") {
    op_ = {.kind = Kind::kInfo, .text = std::string(rest)};
  } else if (what == "-ERR") {
    if (rest.size() >= 2 && rest.front() == '\'' && rest.back() == '\'') {
      rest = rest.substr(1, rest.size() - 2);
    }
    op_ = {.kind = Kind::kError, .text = std::string(rest)};
  } else if (what == "PING") {
    op_ = {.kind = Kind::kPing};
  } else if (what == "PONG") {
    op_ = {.kind = Kind::kPong};
  } else if (what == "+OK") {
    op_ = {.kind = Kind::kOk};
  } else {
    return corrupt("an operation that nobody knows");
  }
  done_ = true;
  return {};
}

// SUBJECT SUBSCRIPTION [REPLY] [HEADER-BYTES] BYTES
Result<void> OpParser::begin_message(std::string_view arguments, bool with_headers) {
  Words words(arguments);
  std::size_t sizes = with_headers ? 2 : 1;
  if (words.count != 2 + sizes && words.count != 3 + sizes) {
    return corrupt("a message of too many or too few words");
  }
  auto subscription = number<std::uint64_t>(words.words[1]);
  auto total = number<std::size_t>(words.words[words.count - 1]);
  auto headers = with_headers ? number<std::size_t>(words.words[words.count - 2]) : 0;
  if (!subscription || !total || !headers || *headers > *total) {
    return corrupt("a message whose numbers are none");
  }
  if (*total > kMessageBytesMax) return corrupt("a message that is too large");
  op_ = {.kind = ServerOp::Kind::kMessage,
         .subject = std::string(words.words[0]),
         .subscription = *subscription};
  if (words.count == 3 + sizes) op_.reply = words.words[2];
  headers_left_ = *headers;
  payload_left_ = *total - *headers;
  op_.headers.reserve(std::min(headers_left_, kTrusted));
  op_.payload.reserve(std::min(payload_left_, kTrusted));
  end_left_ = 2;
  in_body_ = true;
  return {};
}

const std::string* Headers::find(std::string_view name) const {
  auto found = std::ranges::find(fields, name,
                                 [](const auto& field) -> std::string_view { return field.first; });
  return found == fields.end() ? nullptr : &found->second;
}

Result<Headers> parse_headers(BytesView block) {
  Headers headers;
  std::string_view text = as_text(block);
  if (!text.starts_with(kVersion)) return corrupt("headers of another version");
  text.remove_prefix(kVersion.size());
  bool first = true;
  for (;;) {
    std::size_t end = text.find("\r\n");
    if (end == std::string_view::npos) return corrupt("headers without end");
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (first) {
      first = false;
      line = trimmed(line);
      if (line.empty()) continue;
      auto status = number<unsigned>(line.substr(0, 3));
      if (!status || (line.size() > 3 && line[3] != ' ')) return corrupt("a status that is none");
      headers.status = *status;
      headers.description = trimmed(line.substr(3));
      continue;
    }
    if (line.empty()) break;
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return corrupt("a header without a name");
    if (headers.fields.size() >= kHeaderFieldsMax) return corrupt("too many headers");
    headers.fields.emplace_back(line.substr(0, colon), trimmed(line.substr(colon + 1)));
  }
  if (!text.empty()) return corrupt("headers that go on behind their end");
  return headers;
}

bool is_subject(std::string_view subject) {
  if (subject.empty() || subject.front() == '.' || subject.back() == '.') return false;
  if (subject.find("..") != std::string_view::npos) return false;
  return std::ranges::none_of(subject, [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '*' || c == '>';
  });
}

}  // namespace weft::remote::nats
