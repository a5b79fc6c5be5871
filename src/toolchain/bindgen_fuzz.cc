// Bytes that anybody may have made, as the arguments of each function of an interface with every
// kind of type: the call ends, handles stay consistent, and a plain echo answers what it was sent.

#include <boost/asio/io_context.hpp>

#include "base/check.h"
#include "io/loop.h"
#include "toolchain/everything_host.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  namespace everything = testing::everything;
  if (size == 0) return 0;
  std::size_t ordinal = data[0] % everything::kFunctions.size();
  BytesView arguments(data + 1, size - 1);

  int alive = 0;
  Loop loop;
  CallPool pool;
  {
    testing::Host host(alive);
    everything::Binding binding(host);
    Link link(make_function(everything::kName, everything::kFunctions, ordinal), binding);
    Context context(loop, "fuzz", "fuzz");
    for (std::uint64_t i = 0; i < 3; ++i) {
      auto counter = std::make_unique<testing::Counter>(i, alive);
      CHECK(context.resources().push(testing::Counter::kKind, std::move(counter)).has_value());
    }
    Call* call = pool.start(link, context, arguments, Deadline::never());
    for (int turn = 0; turn < 100 && call->state() == Call::State::kRunning; ++turn) {
      loop.context().restart();
      loop.context().poll();
    }
    CHECK(call->state() != Call::State::kRunning);
    if (call->state() == Call::State::kDone &&
        everything::kFunctions[ordinal].name == "echo-bytes") {
      CHECK(call->reply().size() <= arguments.size());
    }
    call->release();
    loop.context().restart();
    loop.context().poll();
    CHECK(context.resources().size() == static_cast<std::uint32_t>(alive));
  }
  CHECK(alive == 0);
  CHECK(pool.live() == 0);
  return 0;
}
