// Bytes that anybody may have made, read as each kind of value the door carries. What reads well
// must be written and read back as the same value.

#include <cstdlib>

#include "base/check.h"
#include "door/values.h"

namespace weft {
namespace {

template <class T>
void try_as(BytesView bytes) {
  Reader in(bytes);
  T value = in.read<T>();
  if (!in.end()) return;
  Buffer buffer;
  Writer out(buffer);
  out.write(value);
  CHECK(out.end().has_value());
  Reader again(buffer.view());
  T back = again.read<T>();
  CHECK(again.end().has_value());
  CHECK(back == value);
}

}  // namespace
}  // namespace weft

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  if (size == 0) return 0;
  BytesView bytes(data + 1, size - 1);
  switch (data[0] % 10) {
    case 0: try_as<std::string>(bytes); break;
    case 1: try_as<std::vector<std::int64_t>>(bytes); break;
    case 2: try_as<std::vector<std::tuple<std::string, Bytes>>>(bytes); break;
    case 3: try_as<std::optional<std::expected<std::vector<char32_t>, Nothing>>>(bytes); break;
    case 4: try_as<std::vector<std::vector<std::vector<bool>>>>(bytes); break;
    case 5: try_as<std::tuple<std::uint16_t, std::int16_t, char32_t, std::uint32_t>>(bytes); break;
    case 6: try_as<std::expected<void, std::string>>(bytes); break;
    case 7: try_as<std::array<std::optional<std::string>, 3>>(bytes); break;
    case 8: try_as<std::vector<std::uint64_t>>(bytes); break;
    default: try_as<std::vector<std::int8_t>>(bytes); break;
  }
  return 0;
}
