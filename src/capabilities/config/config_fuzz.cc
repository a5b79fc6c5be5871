// Reads whatever bytes as a file of values, of either kind: keys that come out are bounded by what
// went in, and nothing else happens.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "capabilities/config/source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto* parse : {weft::config::parse_json, weft::config::parse_toml}) {
    auto values = parse(text);
    if (values) {
      CHECK(values->size() <= size);
    } else {
      CHECK(!values.error().message().empty());
    }
  }
  return 0;
}
