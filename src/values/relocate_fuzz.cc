// A type and bytes that anybody may have made: what passes has its numbers changed and comes back
// as it was, but for numbers that were written longer than they need be.

#include "base/check.h"
#include "values/relocate.h"

namespace weft {
namespace {

class Turns : public Renumbering {
 public:
  Result<std::uint32_t> own(std::string_view, std::uint32_t number) override { return ~number; }
  Result<std::uint32_t> borrow(std::string_view, std::uint32_t number) override { return ~number; }
  Result<std::uint32_t> reader(PipeKind, std::uint32_t number) override { return ~number; }
  Result<std::uint32_t> writer(PipeKind, std::uint32_t number) override { return ~number; }
};

}  // namespace
}  // namespace weft

// The text of a type, a zero, the bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  BytesView all(data, size);
  std::size_t end = as_text(all).find('\0');
  if (end == std::string_view::npos) return 0;
  auto type = parse_type(as_text(all.first(end)));
  if (!type) return 0;
  Turns turns;
  Buffer there;
  if (!relocate(*type, all.subspan(end + 1), turns, there)) return 0;
  Buffer back;
  CHECK(relocate(*type, there.view(), turns, back).has_value());
  Buffer again;
  CHECK(relocate(*type, back.view(), turns, again).has_value());
  CHECK(as_text(again.view()) == as_text(there.view()));
  return 0;
}
