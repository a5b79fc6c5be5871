// Feeds the HTTP/1 readers arbitrary bytes, whole and in slices: they must agree with themselves,
// and what they accept must keep the promises that the connection builds on.

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "io/http/parser.h"

namespace weft {
namespace {

constexpr HeadParser::Limits kLimits{2048, 16};

void check_head(const std::string& input, std::size_t slice) {
  HeadParser whole(kLimits);
  std::string bytes = input;
  auto outcome = whole.parse(bytes);

  HeadParser sliced(kLimits);
  std::string part;
  auto state = HeadParser::State::kMore;
  for (std::size_t at = 0; at < input.size() && state == HeadParser::State::kMore;) {
    std::size_t count = std::min(slice, input.size() - at);
    part.append(input, at, count);
    at += count;
    state = sliced.parse(part);
  }
  if (input.empty()) return;
  CHECK(state == outcome);
  if (outcome == HeadParser::State::kBad) {
    CHECK(whole.problem().status >= 400 && whole.problem().status < 600);
  }
  if (outcome != HeadParser::State::kDone) return;
  CHECK(whole.size() == sliced.size() && whole.size() <= input.size());
  const RequestHead& head = whole.head();
  CHECK(head.headers.size() <= kLimits.headers_max);
  CHECK(head.headers.size() == sliced.head().headers.size());
  CHECK(is_token(head.method) && !head.path.empty());
  CHECK(head.path.front() == '/' || head.path == "*");
  CHECK(!(head.chunked && head.content_length));
  for (const Header& header : head.headers) {
    CHECK(is_token(header.name) && is_field_value(header.value));
    CHECK(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
}

struct Decoded {
  std::string data;
  bool done = false;
  int status = 0;
  std::size_t eaten = 0;
  std::size_t trailers = 0;
};

Decoded decode(const std::string& input, std::size_t slice) {
  ChunkDecoder decoder;
  decoder.reset(256);
  Decoded result;
  std::size_t limit = 0;
  while (result.eaten < input.size() && !decoder.done() && !decoder.problem()) {
    limit = std::min(input.size(), std::max(limit, result.eaten) + slice);
    while (result.eaten < limit && !decoder.done() && !decoder.problem()) {
      std::string_view window = std::string_view(input).substr(result.eaten, limit - result.eaten);
      std::size_t count = decoder.skip(as_bytes(window));
      window.remove_prefix(count);
      result.eaten += count;
      auto data =
          static_cast<std::size_t>(std::min<std::uint64_t>(decoder.data_left(), window.size()));
      CHECK(count + data > 0);
      result.data += window.substr(0, data);
      result.eaten += data;
      if (data > 0) decoder.took(data);
    }
  }
  result.done = decoder.done();
  result.status = decoder.problem().status;
  result.trailers = decoder.trailers().size();
  return result;
}

}  // namespace
}  // namespace weft

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  if (size < 1) return 0;
  std::size_t slice = 1 + data[0] % 16;
  std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_head(input, slice);
  Decoded whole = decode(input, input.size() + 1);
  Decoded sliced = decode(input, slice);
  CHECK(whole.data == sliced.data && whole.done == sliced.done && whole.status == sliced.status);
  CHECK(whole.eaten == sliced.eaten && whole.trailers == sliced.trailers);
  return 0;
}
