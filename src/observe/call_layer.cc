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

// Arguments that are to be shown have to be there when the call is over.
void CallLayer::watch(Call& call, State& state) const {
  state.words[1] = static_cast<std::uint64_t>(Deadline::Clock::now().time_since_epoch().count());
  if (spied_.secret || !spied_.queue->shows_values()) return;
  if (call.arguments().size() <= kSpiedValueMax) call.keep_arguments();
}

void CallLayer::tell(Call& call, std::uint64_t began) const {
  using Clock = Deadline::Clock;
  Clock::time_point start{Clock::duration(static_cast<Clock::rep>(began))};
  const Function& function = call.function();
  SpiedCall told{.ended = std::chrono::system_clock::now(),
                 .time = Clock::now() - start,
                 .app = std::string(call.context().app()),
                 .component = std::string(call.context().component()),
                 .by = spied_.by,
                 .interface = function.interface,
                 .name = function.name,
                 .signature = function.signature,
                 .cancelled = call.cancelled()};
  bool failed = call.outcome() == Call::State::kFailed;
  if (failed) told.error = call.error();
  if (!spied_.secret && spied_.queue->shows_values()) {
    auto shown = [](BytesView bytes) -> std::optional<Bytes> {
      if (bytes.size() > kSpiedValueMax) return std::nullopt;
      return Bytes(bytes.begin(), bytes.end());
    };
    // Empty where they were too long to be kept: that is no value of a type that has any.
    told.arguments = shown(call.arguments());
    if (!failed && !told.cancelled) told.reply = shown(call.reply());
  }
  spied_.queue->add(std::move(told));
}

}  // namespace weft
