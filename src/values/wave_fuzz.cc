// A type, a NUL, and anything: text that is a value in either notation is one in both, and bytes
// that are a value come back from their text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "values/call_text.h"
#include "values/json.h"
#include "values/type.h"
#include "values/wave.h"

namespace weft {
namespace {

void check_bytes(const Type& type, BytesView bytes) {
  auto wave = value_to_wave(type, bytes);
  auto json = value_to_json(type, bytes);
  CHECK(wave.has_value() == json.has_value());
  if (!wave) return;
  auto from_wave = value_from_wave(type, *wave);
  auto from_json = value_from_json(type, *json);
  CHECK(from_wave && from_json);
  // Numbers may have come in more bytes than they need, and NaNs in any form.
  CHECK(*from_wave == *from_json);
  auto again = value_to_wave(type, *from_wave);
  CHECK(again && *again == *wave);
}

}  // namespace
}  // namespace weft

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::size_t cut = input.find('\0');
  std::string_view head = input.substr(0, cut);
  std::string_view rest = cut == std::string_view::npos ? "" : input.substr(cut + 1);
  if (auto call = cut_call(head)) CHECK(!call->function.name.empty());
  if (auto signature = parse_signature(head)) {
    (void)arguments_from_wave(*signature, rest);
    (void)arguments_from_json(*signature, rest);
  }
  auto type = parse_type(head);
  if (!type) return 0;
  CHECK(parse_type(type->text(1 << 20))->text(1 << 20) == type->text(1 << 20));
  check_bytes(*type, as_bytes(rest));
  if (find_handle(*type)) return 0;
  for (const auto& read : {value_from_wave(*type, rest), value_from_json(*type, rest)}) {
    if (!read) continue;
    CHECK(value_to_wave(*type, *read).has_value());
    check_bytes(*type, *read);
  }
  return 0;
}
