// Whatever bytes a server sends: frames within their bounds, methods and heads of messages that are
// whole, or an error.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "remote/amqp/frame.h"
#include "remote/amqp/method.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  using remote::amqp::Frame;
  BytesView bytes(data, size);
  for (;;) {
    auto length = remote::amqp::frame_length(bytes);
    if (!length || !*length || **length > bytes.size()) return 0;
    CHECK(**length >= remote::amqp::kFrameAround);
    auto frame = remote::amqp::read_frame(bytes.first(**length));
    if (!frame) return 0;
    CHECK(frame->payload.size() + remote::amqp::kFrameAround == **length);
    if (frame->kind == Frame::Kind::kMethod) {
      auto method = remote::amqp::read_method(frame->payload);
      if (method) CHECK(method->text.size() <= remote::amqp::kShortBytesMax);
    }
    if (frame->kind == Frame::Kind::kHeader) {
      auto header = remote::amqp::read_content_header(frame->payload);
      if (header) CHECK(header->properties.headers.size() <= remote::amqp::kFieldsMax);
    }
    bytes = bytes.subspan(**length);
  }
}
