// What a node answers to describe, of any bytes: it is read or refused, and what is read can be
// shown on a terminal.

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "node/client/description.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft::node::client;
  auto description = read_description({reinterpret_cast<const char*>(data), size});
  if (!description) return 0;
  std::string shown = description_tree(*description);
  CHECK(std::ranges::none_of(
      shown, [](unsigned char each) { return (each < 0x20 && each != '\n') || each == 0x7f; }));
  return 0;
}
