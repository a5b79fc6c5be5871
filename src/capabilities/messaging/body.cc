#include "capabilities/messaging/body.h"

#include "base/check.h"
#include "io/loop.h"

namespace weft::messaging {

Body::Made Body::make(Loop& loop, Bytes data) {
  auto [stream, writer] = Stream<std::uint8_t>::make(loop);
  // Shared with nobody: the pipe's waiter has to see whether it is still there.
  std::shared_ptr<Body> body(new Body(loop, std::move(data), std::move(writer.end())));
  body->go_on();
  if (body->over()) body.reset();
  return {std::move(stream), std::move(body)};
}

Body::~Body() {
  if (!writer_) return;
  writer_.fail(Error(Errc::kCancelled,
                     "the message is over, and its body was not read to the end before that"));
}

void Body::go_on() {
  BytesView left = BytesView(data_).subspan(written_);
  while (!left.empty() && !writer_.abandoned()) {
    std::size_t count = writer_.write(left);
    if (count == 0) break;
    written_ += count;
    left = left.subspan(count);
  }
  if (left.empty() || writer_.abandoned()) {
    writer_.finish();
    writer_ = PipeWriter();
    data_ = Bytes();
    return;
  }
  writer_.wait([weak = weak_from_this(), &loop = loop_] {
    loop.post([weak] {
      if (auto self = weak.lock()) self->go_on();
    });
  });
}

bool UnreadBodies::full() {
  std::erase_if(bodies_, [](const auto& body) { return body->over(); });
  return bodies_.size() >= kMost;
}

void UnreadBodies::keep(std::shared_ptr<Body> body) {
  if (body == nullptr || body->over()) return;
  CHECK(!full());
  bodies_.push_back(std::move(body));
}

}  // namespace weft::messaging
