// What the layer costs a call that finishes inline: at most 15 ns; 2: while somebody watches.

#include <benchmark/benchmark.h>

#include "door/testing.h"
#include "io/loop.h"
#include "observe/call_layer.h"

namespace weft {
namespace {

void observed_echo(benchmark::State& state) {
  Loop loop;
  TrapLog traps;
  LoopObserver observer(loop, traps, nullptr);
  CallMeter meter;
  SpyQueue spy;
  spy.watch(state.range(0) == 2);
  CallLayer layer(meter, observer, {&spy, "provider ml"});
  testing::Echo echo;
  std::vector<Layer*> layers;
  if (state.range(0) != 0) layers.push_back(&layer);
  Link link(testing::function_named("echo"), echo, layers);
  Context context(testing::no_loop(), "shop", "cart");
  CallPool pool;
  Bytes arguments(16, 7);
  for (auto _ : state) {
    Call* call = pool.start(link, context, arguments, Deadline::never());
    benchmark::DoNotOptimize(call->reply().data());
    call->release();
  }
}
BENCHMARK(observed_echo)->ArgName("observed")->Arg(0)->Arg(1)->Arg(2);

}  // namespace
}  // namespace weft

BENCHMARK_MAIN();
