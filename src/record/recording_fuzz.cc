// Anything as a recording: it is read or refused, and what was read can be shown.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "record/recording.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (auto recording = weft::Recording::parse(input)) CHECK(!recording->text().empty());
  // Past the first line, which hardly anything is by chance.
  std::string lines = "{\"weft-recording\":1}\n";
  lines +=
      "{\"function\":0,\"interface\":\"a:b/c\",\"name\":\"f\","
      "\"signature\":\"func(a: list<u8>) -> string\"}\n";
  lines += input;
  if (auto recording = weft::Recording::parse(lines)) CHECK(!recording->text().empty());
  return 0;
}
