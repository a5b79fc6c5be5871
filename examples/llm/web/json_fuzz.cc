// Any bytes are read or refused; what is read is UTF-8 that reads back as it was.

#include <cstdlib>

#include "json.h"

namespace {

void check(const json::Value& value) {
  auto again = json::parse(json::written(value.text));
  if (!again || again->text != value.text) std::abort();
  for (const json::Value& each : value.items) check(each);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto value = json::parse({reinterpret_cast<const char*>(data), size});
  if (value) check(*value);
  return 0;
}
