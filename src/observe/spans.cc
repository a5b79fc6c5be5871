#include "observe/spans.h"

#include "io/loop.h"

namespace weft {

TraceContext Tracer::begin(const RequestHead& request) {
  TraceContext context;
  auto header = request.header("traceparent");
  auto sent = header ? parse_traceparent(*header) : std::nullopt;
  if (sent) {
    context = *sent;
  } else if (sampling_ == Sampling::kOn) {
    context.trace_high = ids_.next();
    context.trace_low = ids_.next();
    context.flags = TraceContext::kSampled;
  } else {
    return context;
  }
  context.span = ids_.next();
  return context;
}

SpanQueue::SpanQueue(Loop& loop, Ship ship)
    : ship_(std::move(ship)), delay_(loop, [this] { flush(); }) {}

void SpanQueue::add(Span span) {
  waiting_.push_back(std::move(span));
  if (waiting_.size() >= kSpansMax) {
    flush();
  } else if (!delay_.armed()) {
    delay_.arm(Deadline::after(kSpansDelay));
  }
}

void SpanQueue::flush() {
  delay_.disarm();
  if (waiting_.empty()) return;
  std::size_t count = waiting_.size();
  if (!ship_(std::exchange(waiting_, {}))) dropped_.add(count);
}

}  // namespace weft
