// What a call through the door costs: an inline provider behind 0, 1, 4 and 8 layers, with and
// without the codec, and a task for contrast. The figures of docs/decisions/0001-call.md.

#include <benchmark/benchmark.h>

#include <boost/asio/io_context.hpp>

#include "door/answer.h"
#include "door/testing.h"
#include "io/loop.h"

namespace weft {
namespace {

// Does what a layer that meters does: keeps a word, reads the outcome.
class Meter : public Layer {
 public:
  Flow before(Call& call, State& state) override {
    state.words[0] = call.arguments().size();
    return Flow::kOn;
  }
  Flow after(Call& call, State& state) override {
    bytes_ += state.words[0] + call.reply().size();
    failed_ += call.outcome() == Call::State::kFailed ? 1 : 0;
    return Flow::kOn;
  }

 private:
  std::uint64_t bytes_ = 0;
  std::uint64_t failed_ = 0;
};

void inline_echo(benchmark::State& state) {
  testing::Echo echo;
  std::vector<std::unique_ptr<Meter>> meters;
  std::vector<Layer*> layers;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    layers.push_back(meters.emplace_back(std::make_unique<Meter>()).get());
  }
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
BENCHMARK(inline_echo)->ArgName("layers")->Arg(0)->Arg(1)->Arg(4)->Arg(8);

using Value = std::expected<std::optional<Bytes>, std::string>;
using ValueView = std::expected<std::optional<BytesView>, std::string_view>;

enum class How : std::uint8_t { kValue, kWritten, kPromise, kTask };

Task<Value> later(Bytes value) {
  co_return std::move(value);
}

// Looks up what its key says in one of the ways a host method may answer.
class Lookup : public Provider {
 public:
  explicit Lookup(How how) : how_(how) {}

  void begin(Call& call, Completion done) override {
    Reader in(call.arguments(), &call.context().resources());
    auto key = in.read<std::string_view>();
    if (Result<void> end = in.end(); !end) return std::move(done).fail(std::move(end).error());
    finish(std::move(done), get(call, key));
    if (promise_) std::move(*std::exchange(promise_, std::nullopt)).fulfil(Value(value_));
  }

 private:
  Answer<Value> get(Call& call, std::string_view key) {
    benchmark::DoNotOptimize(key.data());
    switch (how_) {
      case How::kValue: return value_;
      case How::kWritten: return Answer<Value>::written(call, ValueView(BytesView(value_)));
      case How::kPromise: return promise_.emplace().answer();
      case How::kTask: return later(value_);
    }
    std::abort();
  }

  How how_;
  Bytes value_ = Bytes(16, 1);
  std::optional<Promise<Value>> promise_;
};

void lookup(benchmark::State& state, How how) {
  Lookup provider(how);
  Link link(testing::function_named("get"), provider);
  Loop loop;
  Context context(loop, "shop", "cart");
  CallPool pool;
  Buffer arguments;
  Writer(arguments).write(std::string_view("a key of 16 byte"));
  for (auto _ : state) {
    Call* call = pool.start(link, context, arguments.view(), Deadline::never());
    while (call->state() == Call::State::kRunning) {
      loop.context().restart();
      loop.context().poll();
    }
    benchmark::DoNotOptimize(call->reply().data());
    call->release();
  }
  loop.context().restart();
  loop.context().poll();
}
BENCHMARK_CAPTURE(lookup, value, How::kValue);
BENCHMARK_CAPTURE(lookup, written, How::kWritten);
BENCHMARK_CAPTURE(lookup, promise, How::kPromise);
BENCHMARK_CAPTURE(lookup, task, How::kTask);

// A layer as a coroutine around a coroutine, which the flat layers stand instead of.
Task<std::uint64_t> nested(std::int64_t depth) {
  if (depth == 0) co_return 1;
  co_return co_await nested(depth - 1);
}

void coroutine_layers(benchmark::State& state) {
  Loop loop;
  for (auto _ : state) {
    std::uint64_t value = 0;
    // No capture in the coroutine itself: its frame outlives the lambda.
    auto work = [](std::int64_t depth, std::uint64_t& out) -> Task<void> {
      CO_TRY(out, co_await nested(depth));
      co_return Result<void>();
    };
    loop.spawn(work(state.range(0), value));
    while (value == 0) {
      loop.context().restart();
      loop.context().poll();
    }
  }
}
BENCHMARK(coroutine_layers)->ArgName("layers")->Arg(0)->Arg(1)->Arg(4)->Arg(8);

}  // namespace
}  // namespace weft

BENCHMARK_MAIN();
