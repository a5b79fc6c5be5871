// Any text as a `traceparent` header: what is taken reads back from what is sent on.

#include "base/check.h"
#include "base/trace_context.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto context = parse_traceparent(text);
  if (!context) return 0;
  CHECK(context->known() && context->parent != 0 && context->span == 0);
  context->span = context->parent;
  auto again = parse_traceparent(traceparent_text(*context));
  CHECK(again.has_value());
  again->span = again->parent;
  CHECK(*again == *context);
  return 0;
}
