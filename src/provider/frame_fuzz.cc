// Bytes that anybody may have sent, cut anywhere: frames within their bounds come of it, or a
// refusal.

#include "base/check.h"
#include "provider/frame.h"
#include "provider/handshake.h"

namespace weft::provider {
namespace {

class Sink : public FrameSink {
 public:
  Result<Buffer*> body_of(const FrameHead& head) override {
    CHECK(head.length <= kBodyMax);
    expected_ = head.length;
    target_.clear();
    return head.id % 2 == 0 ? nullptr : &target_;
  }
  Result<void> frame(const FrameHead& head, BytesView body) override {
    CHECK((head.id % 2 == 0 ? body.size() : target_.size()) == expected_);
    static_cast<void>(read_ready(as_text(body)));
    static_cast<void>(token_of_hello(as_text(body)));
    return {};
  }

 private:
  Buffer target_;
  std::size_t expected_ = 0;
};

}  // namespace
}  // namespace weft::provider

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  if (size == 0) return 0;
  provider::Sink sink;
  provider::FrameReader reader(sink);
  std::size_t piece = 1 + data[0];
  for (BytesView rest(data + 1, size - 1); !rest.empty();) {
    BytesView part = rest.first(std::min(piece, rest.size()));
    if (!reader.feed(part)) break;
    rest = rest.subspan(part.size());
  }
  return 0;
}
