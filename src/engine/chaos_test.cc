// Shows that guests of every kind survive a hostile loop: a seeded driver starts runs and requests,
// drops them at any moment, answers their calls late, at once, from other threads or never, lets
// clients stall and go, tears whole deployments down, while other threads wake tasks that are
// there, are gone, or never were. In the end nothing is left, and what ended well ended right.
//
// WEFT_TORTURE_SEED repeats a run, WEFT_TORTURE_SECONDS lengthens it.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <list>
#include <random>
#include <thread>

#include "engine/stream_guests.h"
#include "engine/test_exchange.h"
#include "engine/test_guests.h"
#include "engine/test_streams.h"
#include "engine/testing.h"
#include "io/loop.h"

namespace weft::testing {
namespace {

using Way = Script::Way;

// Runs and requests that may be under way at once.
constexpr std::size_t kUnderWayMax = 60;

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Threads that wake what the test has had, all the time.
class Nuisance {
 public:
  explicit Nuisance(std::shared_ptr<WakeTarget> target) : target_(std::move(target)) {
    for (unsigned seed : {1U, 2U}) threads_.emplace_back([this, seed] { wake(seed); });
  }
  ~Nuisance() {
    stop_ = true;
    for (std::thread& each : threads_) each.join();
  }
  void know(EngineLoop::Slot slot) {
    known_[next_++ % known_.size()] = (std::uint64_t{slot.index} << 32) | slot.generation;
  }

 private:
  void wake(unsigned seed) {
    std::minstd_rand random(seed);
    while (!stop_) {
      std::uint64_t slot = known_[random() % known_.size()];
      std::uint32_t generation = static_cast<std::uint32_t>(slot) - (random() % 8 == 0 ? 1 : 0);
      for (unsigned i = random() % 3; i < 3; ++i) {
        target_->wake(static_cast<std::uint32_t>(slot >> 32), generation);
      }
      std::this_thread::yield();
    }
  }

  std::shared_ptr<WakeTarget> target_;
  std::array<std::atomic<std::uint64_t>, 64> known_{};
  std::size_t next_ = 0;
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : random_(static_cast<std::minstd_rand::result_type>(seed)) {
    Limits limits;
    limits.cpu = std::chrono::milliseconds(30);
    limits.reuse_calls_max = 6;
    limits.reuse_calls_at_once = 3;
    limits.instances_max = 12;
    limits.reuse_idle = std::chrono::milliseconds(20);
    for (std::string_view name : {"echo_iface", "hello_command"}) add(guest(name), limits);
    add(file_with("async.wat", kAsyncGuest), limits);
    add(file_with("unruly.wat", kUnrulyGuest), limits);
    for (std::string_view name : {"hello_p2", "hello_p3", "keyvalue_p2", "spin"}) {
      served_.push_back({&add(guest(name), limits), nullptr});
      remake(served_.back());
    }
    for (std::string file : {file_with("u8.wat", stream_guest("u8", 1)),
                             file_with("bodies.wat", std::string(kBodyGuest))}) {
      // Whether a call streams is up to chance as well: the script may fail it.
      add(file, limits).script().serve = [this](Call& call, Completion& done) {
        return below(20) != 0 && streams_.serve(call, done);
      };
    }
  }
  ~Chaos() { tear_down(); }

  // One turn of the loop.
  void step() {
    for (unsigned i = below(4) + 1; i > 0; --i) act();
  }

  // Ends without a fight: everything is answered, sent and taken, until all is over.
  bool settle() {
    nuisance_.reset();
    return ground_.run_until([&] {
      for (Stage& stage : stages_) {
        stage.script().way = [](const Call&) { return Way::kInline; };
        while (!stage.script().waiting.empty()) stage.script().finish(0);
      }
      for (Client& client : clients_) {
        client.send_all();
        client.take();
      }
      streams_.step();
      sweep();
      return runs_.empty() && clients_.empty();
    });
  }

  // What is left that should not be; "" when nothing is.
  std::string tear_down() {
    nuisance_.reset();
    runs_.clear();
    served_.clear();
    sweep();
    for (auto& in : streams_.ins) {
      streams_.step();
      if (!in.over()) return "a stream waits for a guest that is gone";
    }
    for (auto& out : streams_.outs) {
      if (!out.writer.abandoned() && out.left != 0) return "a stream waits for a reader";
    }
    streams_.forget();
    for (Stage& stage : stages_) stage.script().waiting.clear();
    ground_.run_until([&] { return ground_.engine().calls().live() == 0; });
    if (ground_.engine().calls().live() != 0) return "calls are left";
    if (ground_.engine().live() != 0) return "tasks are left";
    if (!clients_.empty()) return "exchanges are left";
    if (Counter::alive != 0) return "resources are left";
    return problem_;
  }

  bool run(std::chrono::milliseconds time) {
    nuisance_ = std::make_unique<Nuisance>(ground_.engine().wakes());
    Deadline end = Deadline::after(time);
    return ground_.run_until([&] {
      step();
      return end.passed();
    });
  }

  std::string tally() const {
    return fmt::format("{} started, {} ended well, {} ended badly, {} dropped, {} whole responses",
                       started_, well_, badly_, dropped_, whole_);
  }
  int well() const { return well_; }
  int whole() const { return whole_; }

 private:
  struct Run {
    std::unique_ptr<GuestRun> guest;
    bool over = false;
  };
  struct Served {
    Stage* stage;
    std::unique_ptr<HttpCalls> calls;
  };

  unsigned below(unsigned end) { return static_cast<unsigned>(random_() >> 4) % end; }

  Stage& add(const std::string& file, const Limits& limits) {
    Stage& stage =
        stages_.emplace_back(ground_, file, StageOptions{.limits = limits, .grants = {}});
    stage.script().way = [this](const Call&) {
      static constexpr Way kWays[] = {Way::kInline,
                                      Way::kInline,
                                      Way::kInline,
                                      Way::kLater,
                                      Way::kLater,
                                      Way::kLater,
                                      Way::kThread,
                                      Way::kThread,
                                      Way::kFail,
                                      Way::kDrop,
                                      kMayThrow ? Way::kThrow : Way::kDrop};
      return kWays[below(std::size(kWays))];
    };
    return stage;
  }

  void remake(Served& served) {
    served.calls = HttpCalls::make(served.stage->deployment(), served.stage->info().kind);
  }

  // The place that the next task will have.
  void tell_nuisance() {
    struct Nobody final : Pollable {
      void poll() override {}
    } nobody;
    EngineLoop::Slot slot = ground_.engine().add(nobody);
    ground_.engine().remove(slot);
    if (nuisance_ != nullptr) nuisance_->know({slot.index, slot.generation + 1});
  }

  void act() {
    switch (below(18)) {
      case 0:
      case 1:
      case 2: return start_run();
      case 3:
      case 4:
      case 5: return start_request();
      case 6: return drop_run();
      case 7:
      case 8:
      case 9: return finish_call();
      case 10:
        // Both in one turn: the run is dropped as its call completes.
        finish_call();
        return drop_run();
      case 11: drop_run(); return finish_call();
      case 12:
      case 13: return with_client([&](Client& client) { client.send(1 + below(5'000)); });
      case 14: return with_client([&](Client& client) { client.take(); });
      case 15: return streams_.step();
      case 16: return drop_stream();
      default:
        if (below(4) == 0) return with_client([&](Client& client) { client.go_away(); });
        if (below(60) == 0) remake(served_[below(static_cast<unsigned>(served_.size()))]);
        sweep();
    }
  }

  void start_run() {
    if (runs_.size() + clients_.size() >= kUnderWayMax) return;
    struct Kind {
      int stage;
      std::string_view function;
      Bytes arguments;
      Bytes reply;
    };
    static const Kind kKinds[] = {{0, "text", {2, 'h', 'i'}, {2, 'h', 'i'}},
                                  {0, "count", {30, 12}, {42}},
                                  {0, "nothing", {}, {}},
                                  {1, "", {}, {}},
                                  {2, "one", {5}, {5}},
                                  {2, "three", {5}, {15}},
                                  {2, "cancelled", {5}, {}},
                                  {8, "send", {0xc0, 0x9a, 0x0c}, {}},
                                  {8, "receive-later", {0xc0, 0x9a, 0x0c}, {}},
                                  {8, "produce", {0xc0, 0x9a, 0x0c}, {}},
                                  {8, "cut", {0xc0, 0x9a, 0x0c}, {}},
                                  {9, "write", {0xc0, 0x9a, 0x0c}, {}},
                                  {9, "read", {0xc0, 0x9a, 0x0c}, {}},
                                  {9, "pass-in", {0xc0, 0x9a, 0x0c}, {}},
                                  {9, "pass-out", {0}, {}},
                                  {3, "trap", {}, {}},
                                  {3, "spin", {}, {}}};
    const Kind& kind = kKinds[below(below(20) == 0 ? 17 : 15)];
    Stage& stage = stages_[static_cast<std::size_t>(kind.stage)];
    tell_nuisance();
    ++started_;
    Run& run = runs_.emplace_back();
    auto done = [this, &run, &kind](const RunOutcome& outcome, BytesView reply) {
      run.over = true;
      ++(outcome.well() ? well_ : badly_);
      if (!outcome.well() || kind.function == "cancelled" || kind.stage >= 8) return;
      if (!std::ranges::equal(reply, kind.reply)) {
        problem_ = fmt::format("{} gave a wrong reply", kind.function);
      }
    };
    if (kind.function == "produce") {
      auto write = [](Writer& out) { out.write(std::uint32_t{200'000}); };
      auto read = [this](Reader& in) { streams_.take(in.pipe_reader(PipeKind::kBytes)); };
      run.guest = GuestRun::call_with(stage.deployment(), stage.function(kind.function),
                                      {.arguments = write, .replied = read}, done);
      return;
    }
    run.guest = kind.function.empty()
                    ? GuestRun::command(stage.deployment(), done)
                    : GuestRun::call(stage.deployment(), stage.function(kind.function),
                                     kind.arguments, done);
  }

  void start_request() {
    if (runs_.size() + clients_.size() >= kUnderWayMax) return;
    Served& served = served_[below(static_cast<unsigned>(served_.size()))];
    static const std::string_view kPaths[] = {"/",     "/echo", "/echo",  "/big?bytes=200000",
                                              "/kv/k", "/spin", "/chunks"};
    std::string_view path = kPaths[below(std::size(kPaths))];
    if (path == "/spin" && below(10) != 0) return;
    tell_nuisance();
    ++started_;
    std::string body(path == "/echo" ? 1 + below(20'000) : 0, 'e');
    Client& client = clients_.emplace_back(ground_.loop(), std::string(path), std::move(body));
    client.room_max = 1 + below(20'000);
    served.calls->handle(client.exchange());
  }

  void drop_run() {
    if (runs_.empty()) return;
    auto run = std::next(runs_.begin(), below(static_cast<unsigned>(runs_.size())));
    if (!run->over) ++dropped_;
    runs_.erase(run);
  }

  void drop_stream() {
    if (!streams_.ins.empty() && below(10) == 0) streams_.ins.pop_front();
    if (!streams_.outs.empty() && below(10) == 0) streams_.outs.pop_front();
  }

  void finish_call() {
    Script& script = stages_[below(static_cast<unsigned>(stages_.size()))].script();
    if (!script.waiting.empty()) {
      script.finish(below(static_cast<unsigned>(script.waiting.size())));
    }
  }

  template <class Body>
  void with_client(Body&& body) {
    if (clients_.empty()) return;
    body(*std::next(clients_.begin(), below(static_cast<unsigned>(clients_.size()))));
  }

  // Forgets what is over.
  void sweep() {
    std::erase_if(runs_, [](const Run& run) { return run.over; });
    for (const auto& in : streams_.ins) {
      if (!in.right) problem_ = "a stream came through changed";
    }
    std::erase_if(streams_.ins, [](const auto& in) { return in.over(); });
    std::erase_if(streams_.outs,
                  [](const auto& out) { return out.left == 0 || out.writer.abandoned(); });
    std::erase_if(clients_, [&](const Client& client) {
      if (!client.released) return false;
      if (client.well()) ++whole_;
      if (client.well() && client.target == "/echo" && client.body != client.to_send &&
          client.body.starts_with("e")) {
        problem_ = "an echo came back changed";
      }
      return true;
    });
  }

  std::minstd_rand random_;
  Ground ground_;
  std::deque<Stage> stages_;
  std::vector<Served> served_;
  StreamHost<std::uint8_t> streams_{ground_.loop()};
  std::list<Run> runs_;
  std::list<Client> clients_;
  std::unique_ptr<Nuisance> nuisance_;
  std::string problem_;
  int started_ = 0;
  int well_ = 0;
  int badly_ = 0;
  int dropped_ = 0;
  int whole_ = 0;
};

// Two rounds of chaos: one that is left to settle, so that a lost wake shows as a run that never
// ends, and one that is torn down in the middle.
TEST(Chaos, LeavesNothingBehind) {
  std::uint64_t seed = number_from("WEFT_TORTURE_SEED", std::random_device{}());
  std::uint64_t seconds = number_from("WEFT_TORTURE_SECONDS", 5);
  fmt::print("WEFT_TORTURE_SEED={}\n", seed);
  std::chrono::milliseconds half(seconds * 500);
  {
    Chaos chaos(seed);
    ASSERT_TRUE(chaos.run(half));
    EXPECT_TRUE(chaos.settle()) << "something waits for ever";
    fmt::print("{}\n", chaos.tally());
    EXPECT_EQ(chaos.tear_down(), "");
    EXPECT_GT(chaos.well(), 0);
    EXPECT_GT(chaos.whole(), 0);
  }
  Chaos chaos(seed + 1);
  ASSERT_TRUE(chaos.run(half));
  fmt::print("{}\n", chaos.tally());
  EXPECT_EQ(chaos.tear_down(), "");
}

}  // namespace
}  // namespace weft::testing
