// Any text is translated or refused, whatever it holds; what stands between parameters stays as it
// is, and what comes out is translated to itself where it has no parameters.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/check.h"
#include "capabilities/sql/drivers/postgres/placeholders.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto translated = weft::sql::postgres::to_postgres(text);
  if (!translated) return 0;
  std::size_t marks = 0;
  for (char c : text) marks += c == '?' ? 1 : 0;
  CHECK(translated->parameters <= marks);
  if (marks == 0) {
    CHECK(translated->text == text);
    auto again = weft::sql::postgres::to_postgres(translated->text);
    CHECK(again.has_value() && again->text == translated->text);
  }
  return 0;
}
