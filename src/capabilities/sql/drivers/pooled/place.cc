#include "capabilities/sql/drivers/pooled/place.h"

#include "base/bytes.h"
#include "base/sha256.h"

namespace weft::sql::pooled {

std::string place_of(std::string_view pattern, DatabaseName name, std::size_t bytes_max) {
  constexpr std::string_view kApp = "{app}";
  constexpr std::string_view kName = "{name}";
  constexpr std::size_t kHashed = 48;
  std::string place;
  while (!pattern.empty()) {
    if (pattern.starts_with(kApp)) {
      place += name.owner;
      pattern.remove_prefix(kApp.size());
    } else if (pattern.starts_with(kName)) {
      place += name.name;
      pattern.remove_prefix(kName.size());
    } else {
      place += pattern.front();
      pattern.remove_prefix(1);
    }
  }
  if (place.size() <= bytes_max) return place;
  return "weft_" + sha256_hex(as_bytes(place)).substr(0, kHashed);
}

}  // namespace weft::sql::pooled
