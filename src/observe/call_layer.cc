#include "observe/call_layer.h"

#include <fmt/format.h>

namespace weft {

void CallLayer::timed(Call& call, std::uint64_t began) {
  using Clock = Deadline::Clock;
  Clock::time_point start{Clock::duration(static_cast<Clock::rep>(began))};
  Clock::time_point now = Clock::now();
  meter_.time.observe(now - start);
  if (observer_.spans() == nullptr || !call.context().trace.sampled()) return;
  TraceContext context = call.context().trace;
  context.parent = context.span;
  context.span = ids_.next();
  Span span{.context = context,
            .kind = Span::Kind::kInternal,
            .name = fmt::format("{} {}", call.function().interface, call.function().name),
            .began = start,
            .ended = now};
  if (call.outcome() == Call::State::kFailed) span.error = call.error().message();
  span.attributes = {{"weft.app", meter_.app},
                     {"weft.component", meter_.component},
                     {"weft.capability", meter_.capability},
                     {"weft.driver", meter_.driver}};
  observer_.spans()->add(std::move(span));
}

}  // namespace weft
