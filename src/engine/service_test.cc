// Shows that a provider which lives on one loop serves callers on others: one answer for each call,
// handles that go with whoever has them, and nobody who waits for ever when either side goes. The
// thread sanitizer runs it too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>

#include "door/codec.h"
#include "engine/service_caller.h"
#include "engine/service_home.h"
#include "engine/shared_service.h"

namespace weft {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kPatience{30};

enum Ordinal : std::uint32_t { kCount, kOpen, kRead, kTake, kLater };

std::vector<Function> functions() {
  auto function = [](std::uint32_t ordinal, std::string name, std::string signature, bool plain) {
    return Function{.interface = "test:service/things",
                    .name = std::move(name),
                    .signature = std::move(signature),
                    .ordinal = ordinal,
                    .plain = plain};
  };
  return {function(kCount, "count", "func() -> u32", true),
          function(kOpen, "open", "func(value: u32) -> own<thing>", false),
          function(kRead, "read", "func(thing: borrow<thing>) -> u32", false),
          function(kTake, "take", "func(thing: own<thing>, more: own<thing>) -> u32", false),
          function(kLater, "later", "func(value: u32) -> own<thing>", false)};
}

Bytes numbers(std::initializer_list<std::uint32_t> values) {
  Buffer out;
  for (std::uint32_t value : values) Writer(out).unsigned_leb(value);
  return {out.view().begin(), out.view().end()};
}

std::uint32_t number(BytesView bytes) {
  return static_cast<std::uint32_t>(Reader(bytes).unsigned_leb(32));
}

// What threads tell the test, which waits for it.
class Board {
 public:
  void change(const std::function<void()>& change) {
    std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  [[nodiscard]] bool wait(const std::function<bool()>& until) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, until);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

// At home: counts, and has things. The board guards what the test reads.
class Things final : public Provider {
 public:
  explicit Things(Board& board) : board_(board) {}

  struct Thing final : Resource {
    Thing(Things& its_things, std::uint32_t its_value) : things(its_things), value(its_value) {
      things.board_.change([this] { ++things.alive; });
    }
    ~Thing() override {
      things.board_.change([this] { --things.alive; });
    }
    Things& things;
    std::uint32_t value;
  };

  void begin(Call& call, Completion done) override {
    Reader in(call.arguments());
    ResourceTable& table = call.context().resources();
    Writer out(done.reply());
    switch (call.function().ordinal) {
      case kCount: out.unsigned_leb(++counted); break;
      case kOpen: out.unsigned_leb(open(table, number(call.arguments()))); break;
      case kRead: {
        auto thing = table.get(&kKind, static_cast<std::uint32_t>(in.unsigned_leb(32)));
        if (!thing) return std::move(done).fail(std::move(thing).error());
        out.unsigned_leb(static_cast<Thing&>(**thing).value);
        break;
      }
      case kTake: {
        auto a = table.take(&kKind, static_cast<std::uint32_t>(in.unsigned_leb(32)));
        auto b = table.take(&kKind, static_cast<std::uint32_t>(in.unsigned_leb(32)));
        if (!a || !b) return std::move(done).fail(Error(Errc::kInvalid, "no thing"));
        out.unsigned_leb(static_cast<Thing&>(**a).value + static_cast<Thing&>(**b).value);
        break;
      }
      default: return wait(std::move(done));
    }
    std::move(done).finish();
  }

  // Answers the oldest of the calls that wait, though its caller may be gone.
  void answer_one() {
    Completion done = std::move(waiting_.front());
    waiting_.erase(waiting_.begin());
    std::uint32_t handle = open(done.call().context().resources(), 7);
    Writer(done.reply()).unsigned_leb(handle);
    std::move(done).finish();
  }

  int alive = 0;
  int waiting = 0;
  int cancelled = 0;
  std::uint32_t counted = 0;  // On the home's thread.

 private:
  static constexpr char kKind = 0;

  std::uint32_t open(ResourceTable& table, std::uint32_t value) {
    return *table.push(&kKind, std::make_unique<Thing>(*this, value));
  }
  void wait(Completion done) {
    done.on_cancel(
        [](void* self) {
          auto& things = *static_cast<Things*>(self);
          things.board_.change([&] { ++things.cancelled; });
        },
        this);
    waiting_.push_back(std::move(done));
    board_.change([this] { ++waiting; });
  }

  Board& board_;
  std::vector<Completion> waiting_;
};

struct Home {
  Home(Loop& loop, Board& board, const std::shared_ptr<SharedService>& service)
      : things(board), end(service, loop, calls, things, functions()) {}

  CallPool calls;
  Things things;
  ServiceHome end;
};

// One loop that calls, with one instance.
struct Side {
  Side(Loop& its_loop, const std::shared_ptr<SharedService>& service)
      : loop(its_loop), provider(service, loop, functions()) {
    for (Function& function : functions()) {
      links.push_back(std::make_unique<Link>(std::move(function), provider));
    }
    begin_context();
  }
  ~Side() { Context::retire(std::move(context)); }

  void begin_context() { context = std::make_unique<Context>(loop, "app", "caller"); }

  Loop& loop;
  CallPool calls;
  ServiceCaller provider;
  std::vector<std::unique_ptr<Link>> links;
  std::unique_ptr<Context> context;
};

// A call whose outcome goes to `told`, once.
class Asking final : public Caller {
 public:
  using Told = std::function<void(Result<Bytes>)>;

  static Call* start(Side& side, Ordinal function, const Bytes& arguments, Told told) {
    Call* call =
        side.calls.start(*side.links[function], *side.context, arguments, Deadline::never());
    auto* asking = new Asking(std::move(told));
    if (call->state() != Call::State::kRunning) {
      asking->completed(*call);
      return nullptr;
    }
    call->set_caller(asking);
    return call;
  }
  // Gives a call up that `start` returned.
  static void give_up(Call* call) {
    auto* asking = static_cast<Asking*>(call->caller());
    call->release();
    delete asking;
  }

  void completed(Call& call) override {
    Result<Bytes> outcome = call.state() == Call::State::kDone
                                ? Result<Bytes>(Bytes(call.reply().begin(), call.reply().end()))
                                : std::unexpected(call.error());
    Told told = std::move(told_);
    call.release();
    delete this;
    told(std::move(outcome));
  }

 private:
  explicit Asking(Told told) : told_(std::move(told)) {}
  Told told_;
};

// Loop 0 is the home, the others call.
class ServiceTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kLoops = 3;

  ServiceTest() : sides_(kLoops) {
    loops_.on_each([&](Loop& loop, std::size_t index) {
      if (index == 0) {
        home_ = std::make_unique<Home>(loop, board_, service_);
      } else {
        sides_[index] = std::make_unique<Side>(loop, service_);
      }
    });
  }
  ~ServiceTest() override {
    for (std::size_t i = 1; i < kLoops; ++i) on(i, [&] { sides_[i].reset(); });
    end_home();
    loops_.stop();
  }

  void on(std::size_t which, const std::function<void()>& work) {
    loops_.on_each([&](Loop&, std::size_t index) {
      if (index == which) work();
    });
  }
  void end_home() {
    on(0, [&] { home_.reset(); });
  }

  // Calls from loop 1, and waits.
  Result<Bytes> ask(Ordinal function, const Bytes& arguments) {
    std::optional<Result<Bytes>> outcome;
    on(1, [&] {
      Asking::start(*sides_[1], function, arguments,
                    [&](Result<Bytes> came) { board_.change([&] { outcome = std::move(came); }); });
    });
    if (!board_.wait([&] { return outcome.has_value(); })) return failure(Errc::kTimeout, "none");
    return *std::move(outcome);
  }
  std::uint32_t value(Ordinal function, const Bytes& arguments) {
    auto outcome = ask(function, arguments);
    EXPECT_TRUE(outcome) << outcome.error().message();
    return outcome ? number(*outcome) : UINT32_MAX;
  }
  bool alive(int count) {
    return board_.wait([&] { return home_->things.alive == count; });
  }

  Board board_;
  std::shared_ptr<SharedService> service_ = std::make_shared<SharedService>("app", "things");
  Loops loops_{{.count = kLoops, .started = {}, .stopping = {}}};
  std::unique_ptr<Home> home_;
  std::vector<std::unique_ptr<Side>> sides_;
};

// Calls of two loops at once are each counted once, and come back to the one who made them.
TEST_F(ServiceTest, AnswersEachCallOnce) {
  constexpr std::size_t kCalls = 500;
  constexpr std::size_t kAtOnce = 10;
  std::array<std::vector<std::uint32_t>, kLoops> came;
  std::array<std::size_t, kLoops> asked{};
  std::size_t ended = 0;
  std::function<void(std::size_t)> next = [&](std::size_t side) {
    if (asked[side] == kCalls) return;
    ++asked[side];
    Asking::start(*sides_[side], kCount, {}, [&, side](Result<Bytes> reply) {
      EXPECT_TRUE(sides_[side]->loop.on_this_loop());
      came[side].push_back(reply ? number(*reply) : 0);
      next(side);
      if (came[side].size() == kCalls) board_.change([&] { ++ended; });
    });
  };
  loops_.on_each([&](Loop&, std::size_t index) {
    for (std::size_t i = 0; index != 0 && i < kAtOnce; ++i) next(index);
  });
  ASSERT_TRUE(board_.wait([&] { return ended == kLoops - 1; }));
  std::vector<std::uint32_t> all = came[1];
  all.insert(all.end(), came[2].begin(), came[2].end());
  std::ranges::sort(all);
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], i + 1);
  EXPECT_EQ(all.size(), 2 * kCalls);
}

// A handle is its caller's: it is lent, given back and dropped at home, and nobody else's.
TEST_F(ServiceTest, DropsHandlesAtHome) {
  std::uint32_t a = value(kOpen, numbers({40}));
  std::uint32_t b = value(kOpen, numbers({2}));
  std::uint32_t c = value(kOpen, numbers({5}));
  EXPECT_EQ(value(kRead, numbers({a})), 40u);
  EXPECT_EQ(value(kTake, numbers({a, b})), 42u);
  EXPECT_TRUE(alive(1));
  EXPECT_FALSE(ask(kRead, numbers({a}))) << "it was given away";
  on(1, [&] { sides_[1]->context->resources().drop(c); });
  EXPECT_TRUE(alive(0));
  EXPECT_FALSE(ask(kRead, numbers({c}))) << "it was dropped";
}

// What a caller holds goes with it.
TEST_F(ServiceTest, DropsWhatACallerHeld) {
  value(kOpen, numbers({1}));
  value(kOpen, numbers({2}));
  EXPECT_TRUE(alive(2));
  on(1, [&] {
    Context::retire(std::move(sides_[1]->context));
    sides_[1]->begin_context();
  });
  EXPECT_TRUE(alive(0));
  std::size_t callers = 1;
  on(0, [&] { callers = home_->end.callers(); });
  EXPECT_EQ(callers, 0u);
}

// Arguments that are wrong half way take what was handed over with them.
TEST_F(ServiceTest, DropsWhatWrongArgumentsGave) {
  std::uint32_t a = value(kOpen, numbers({1}));
  auto outcome = ask(kTake, numbers({a, 99}));
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message(), HasSubstr("handle 99 is not open"));
  EXPECT_TRUE(alive(0));
}

// A caller that gives up is heard of at home; an answer that was on its way all the same is let go.
TEST_F(ServiceTest, CancelsAtHome) {
  Call* call = nullptr;
  bool told = false;
  on(1, [&] {
    call = Asking::start(*sides_[1], kLater, numbers({1}), [&](Result<Bytes>) { told = true; });
  });
  ASSERT_TRUE(board_.wait([&] { return home_->things.waiting == 1; }));
  on(1, [&] { Asking::give_up(call); });
  EXPECT_TRUE(board_.wait([&] { return home_->things.cancelled == 1; }));
  on(0, [&] { home_->things.answer_one(); });
  // The reply of this one comes after whatever came of the other.
  EXPECT_EQ(value(kCount, {}), 1u);
  EXPECT_FALSE(told);
  on(1, [&] {
    Context::retire(std::move(sides_[1]->context));
    sides_[1]->begin_context();
  });
  EXPECT_TRUE(alive(0));
}

// An answer that crosses the caller's giving up on its way: what it gives is dropped.
TEST_F(ServiceTest, DropsWhatComesTooLate) {
  Call* call = nullptr;
  on(1, [&] {
    call = Asking::start(*sides_[1], kLater, numbers({1}),
                         [](Result<Bytes>) { ADD_FAILURE() << "nobody waits for it"; });
  });
  ASSERT_TRUE(board_.wait([&] { return home_->things.waiting == 1; }));
  // Loop 1 is busy while the answer is sent, and gives up before it looks.
  on(1, [&] {
    std::atomic<bool> answered = false;
    loops_[0].post([&] {
      home_->things.answer_one();
      answered = true;
      answered.notify_all();
    });
    answered.wait(false);
    Asking::give_up(call);
  });
  EXPECT_TRUE(alive(0));
}

// When the home goes, what is under way fails at once, and so does what comes later.
TEST_F(ServiceTest, FailsWhenTheHomeGoes) {
  std::vector<Errc> outcomes;
  on(2, [&] {
    for (int i = 0; i < 3; ++i) {
      Asking::start(*sides_[2], kLater, numbers({1}), [&](Result<Bytes> outcome) {
        board_.change([&] { outcomes.push_back(outcome.error().code()); });
      });
    }
  });
  ASSERT_TRUE(board_.wait([&] { return home_->things.waiting == 3; }));
  end_home();
  ASSERT_TRUE(board_.wait([&] { return outcomes.size() == 3; }));
  EXPECT_THAT(outcomes, Each(Errc::kUnavailable));
  auto outcome = ask(kCount, {});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), Errc::kUnavailable);
  EXPECT_THAT(outcome.error().message(), HasSubstr("component things has ended"));
}

// Calls that are under way from other loops are bounded, and there is room again when they end.
TEST_F(ServiceTest, BoundsCalls) {
  std::size_t ended = 0;
  std::optional<Errc> refused;
  on(1, [&] {
    for (std::size_t i = 0; i < SharedService::kCallsMax; ++i) {
      Asking::start(*sides_[1], kLater, numbers({1}),
                    [&](Result<Bytes>) { board_.change([&] { ++ended; }); });
    }
    Asking::start(*sides_[1], kCount, {},
                  [&](Result<Bytes> outcome) { refused = outcome.error().code(); });
  });
  EXPECT_EQ(refused, Errc::kLimit);
  ASSERT_TRUE(board_.wait([&] { return home_->things.waiting == int{SharedService::kCallsMax}; }));
  on(0, [&] {
    for (std::size_t i = 0; i < SharedService::kCallsMax; ++i) home_->things.answer_one();
  });
  EXPECT_TRUE(board_.wait([&] { return ended == SharedService::kCallsMax; }));
  EXPECT_EQ(value(kCount, {}), 1u);
}

// Callers come and go on two loops while a third serves, which goes in the middle of it.
TEST_F(ServiceTest, BearsAnyOrderOfGoing) {
  std::atomic<std::uint32_t> outcomes = 0;
  std::atomic<int> open = 0;
  std::atomic<bool> stop = false;
  std::function<void(std::size_t, std::uint32_t)> round = [&](std::size_t i, std::uint32_t turn) {
    if (stop) return;
    Side& side = *sides_[i];
    auto ended = [&](const Result<Bytes>&) {
      ++outcomes;
      --open;
    };
    open += 2;
    Call* given_up = Asking::start(side, kOpen, numbers({turn}), ended);
    Asking::start(side, kOpen, numbers({turn}), ended);
    if (turn % 3 == 0 && given_up != nullptr) {
      Asking::give_up(given_up);
      --open;
    }
    side.loop.post([&, i, turn] {
      if (turn % 5 == 0) {
        Context::retire(std::move(sides_[i]->context));
        sides_[i]->begin_context();
      }
      round(i, turn + 1);
    });
  };
  loops_.on_each([&](Loop&, std::size_t index) {
    if (index != 0) round(index, 1);
  });
  while (outcomes < 300) std::this_thread::yield();
  end_home();
  std::uint32_t before = outcomes;
  while (outcomes < before + 100) std::this_thread::yield();
  stop = true;
  // A round that runs now may post one more.
  for (int i = 0; i < 2; ++i) loops_.on_each([](Loop&, std::size_t) {});
  while (open > 0) std::this_thread::yield();
  EXPECT_EQ(service_->callers(), 2u);
  for (std::size_t i = 1; i < kLoops; ++i) on(i, [&] { sides_[i].reset(); });
  EXPECT_EQ(service_->callers(), 0u);
}

TEST(BoundToItsLoop, FindsStreamsAnywhere) {
  auto bound = [](std::string_view text) {
    return bound_to_its_loop(*parse_signature(text)).value_or("");
  };
  EXPECT_EQ(bound("func(a: list<u8>, b: borrow<thing>) -> result<own<thing>, string>"), "");
  EXPECT_EQ(bound("func(a: list<option<stream<u8>>>)"), "stream<u8>");
  EXPECT_EQ(bound("func() -> result<future<u8>, string>"), "future<u8>");
  EXPECT_EQ(bound("func() -> own<input-stream>"), "own<input-stream>");
  EXPECT_EQ(bound("func(to: own<output-stream>)"), "own<output-stream>");
}

}  // namespace
}  // namespace weft
