// Any bytes are XML or are refused; what was read and is written again reads the same.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "remote/http/xml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  auto root = remote::parse_xml(as_text({data, size}));
  if (!root || root->name.empty()) return 0;
  auto again = remote::parse_xml("<k>" + remote::xml_escaped(root->text) + "</k>");
  CHECK(again.has_value() && again->text == root->text);
  return 0;
}
