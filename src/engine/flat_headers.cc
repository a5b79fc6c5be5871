#include "engine/flat_headers.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace weft {
namespace {

static_assert(std::endian::native == std::endian::little);

void put_part(Buffer& out, std::string_view part) {
  auto length = static_cast<std::uint32_t>(part.size());
  std::memcpy(out.reserve(sizeof length), &length, sizeof length);
  out.advance(sizeof length);
  out.append(part);
}

}  // namespace

void put_flat(Buffer& out, std::string_view name, std::string_view value) {
  put_part(out, name);
  put_part(out, value);
}

std::string_view FlatHeaders::part() {
  std::uint32_t length = 0;
  CHECK(left_.size() >= sizeof length);
  std::memcpy(&length, left_.data(), sizeof length);
  left_ = left_.subspan(sizeof length);
  CHECK(left_.size() >= length);
  std::string_view text = as_text(left_.first(length));
  left_ = left_.subspan(length);
  return text;
}

}  // namespace weft
