// weft_http_floor_bench COMPONENT SECONDS: what the engine alone costs for each request: a store,
// an instance, the guest's handler, the response handed over, and everything dropped again. No
// socket, no HTTP text, no loop: with the bare loop's figure it is the least that serving can cost.
// Prints a JSON line.

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/signal.h"
#include "engine/bridge_host.h"
#include "engine/instance.h"
#include "engine/runtime_impl.h"
#include "io/loop.h"

namespace weft {
namespace {

class NoHost final : public bridge::GuestHost {
 public:
  Call* begin(std::uint32_t, rust::Slice<const std::uint8_t>) override { std::abort(); }
  void drop_resource(std::uint32_t) override {}
  std::int64_t output_room(std::uint8_t) override { return 1; }
  rust::String output_error(std::uint8_t) override { return {}; }
  void output_write(std::uint8_t, rust::Slice<const std::uint8_t>) override {}
  void output_wait(std::uint8_t, rust::Box<bridge::CallWaker>) override { std::abort(); }
  PipeTable& pipes() override { std::abort(); }
  Pumps& pumps() override { std::abort(); }
  void send(const bridge::OutgoingRequest&, rust::Box<bridge::OutgoingTransfer>) override {
    std::abort();
  }
};

// The request that wrk sends, and a client that takes everything.
class NoClient final : public bridge::Exchange {
 public:
  NoClient() {
    for (std::string_view part : {"host", "127.0.0.1:8080"}) {
      auto length = static_cast<std::uint32_t>(part.size());
      headers_.append(reinterpret_cast<const char*>(&length), sizeof length);
      headers_ += part;
    }
  }

  Bytes method() const override { return slice("GET"); }
  Bytes target() const override { return slice("/"); }
  Bytes authority() const override { return slice("127.0.0.1:8080"); }
  bool secure() const override { return false; }
  Bytes headers() const override { return slice(headers_); }
  bool has_body() const override { return false; }
  std::int64_t read(rust::Slice<std::uint8_t>) override { return 0; }
  void wait_body(rust::Box<bridge::CallWaker>) override { std::abort(); }
  Bytes trailers() override { return {}; }
  void head(std::uint16_t status, Bytes, std::int64_t) override { CHECK(status == 200); }
  bool write(Bytes data) override {
    body += data.size();
    return true;
  }
  bool has_room() const override { return true; }
  void wait_room(rust::Box<bridge::CallWaker>) override { std::abort(); }
  void finish(Bytes) override { finished = true; }
  void fail(std::uint16_t) override { std::abort(); }

  std::size_t body = 0;
  bool finished = false;

 private:
  static Bytes slice(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }
  std::string headers_;
};

double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Bench {
  const bridge::Linked& linked;
  bridge::WakeKey wake;
  NoHost host;
  long polls = 0;

  long fresh(long count) {
    for (long i = 0; i < count; ++i) {
      NoClient client;
      auto task = bridge::start_http(linked, &host, &client, wake);
      while (++polls, !task->poll()) continue;
      CHECK(client.finished && client.body > 0);
    }
    return count;
  }

  // One instance after the other, each with as many requests as one serves in its life.
  long reused(long count, std::uint32_t each) {
    for (long i = 0; i < count; i += each) {
      auto worker = bridge::worker_new(linked, &host, wake);
      for (std::uint32_t call = 0; call < each; ++call) {
        NoClient client;
        std::uint64_t number = worker->push(&client);
        while (!client.finished) {
          ++polls;
          CHECK(!worker->poll() || client.finished);
        }
        worker->detach(number);
      }
    }
    return count;
  }
};

struct Figures {
  double best = 1;  // Of a batch, each request's seconds.
  double all = 0;
  long requests = 0;
  long polls = 0;
};

Figures run(Runtime& runtime, const LinkedProgram& linked, ProgramKind kind, double seconds) {
  auto guard = runtime.enter_thread();
  Loop loop;
  auto wakes = WakeTarget::make(loop, [](std::uint32_t, std::uint32_t) {});
  Bench bench{*linked.impl().linked, {wakes, 0, 1}, {}, 0};
  auto some = [&] {
    return kind == ProgramKind::kHttp02 ? bench.fresh(1'280)
                                        : bench.reused(1'280, Limits().reuse_calls_max);
  };
  some();
  bench.polls = 0;
  Figures out;
  while (out.all < seconds) {
    double before = thread_seconds();
    long count = some();
    double spent = thread_seconds() - before;
    out.requests += count;
    out.all += spent;
    out.best = std::min(out.best, spent / static_cast<double>(count));
  }
  out.polls = bench.polls;
  wakes->close();
  return out;
}

Result<void> bench(const std::string& file, double seconds, std::size_t count) {
  TRY(auto runtime, Runtime::create({}));
  Limits limits;
  limits.cpu = std::chrono::milliseconds(200);
  TRY(auto program, runtime->load(file, limits.memory_bytes));
  std::vector<bool> serve(program->info().functions.size(), false);
  TRY(auto linked, program->link(serve, "floor", limits, {}));
  std::vector<Figures> each(count);
  std::vector<std::thread> threads;
  for (Figures& figures : each) {
    threads.emplace_back([&] { figures = run(*runtime, *linked, program->info().kind, seconds); });
  }
  for (std::thread& thread : threads) thread.join();
  Figures sum;
  for (const Figures& figures : each) {
    sum.all += figures.all;
    sum.requests += figures.requests;
    sum.polls += figures.polls;
    sum.best = std::min(sum.best, figures.best);
  }
  auto requests = static_cast<double>(sum.requests);
  fmt::print("{{\"requests\": {}, \"mean_us\": {:.2f}, \"best_us\": {:.2f}, \"polls\": {:.2f}}}\n",
             sum.requests, sum.all / requests * 1e6, sum.best * 1e6,
             static_cast<double>(sum.polls) / requests);
  return {};
}

}  // namespace
}  // namespace weft

int main(int count, char** arguments) {
  if (count != 4) {
    fmt::print(stderr, "usage: {} COMPONENT SECONDS THREADS\n", arguments[0]);
    return 2;
  }
  weft::StopSignals signals;
  auto done =
      weft::bench(arguments[1], std::atof(arguments[2]), std::strtoul(arguments[3], nullptr, 10));
  if (done) return 0;
  fmt::print(stderr, "http_floor_bench: {}\n", done.error().message());
  return 1;
}
