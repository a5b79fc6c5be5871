// Shows how each kind of answer ends its call: at once, by a task, by a promise; and that a late
// one keeps its deadline, hears of a cancel, and keeps alive what it works on. On a real loop,
// whose waits end by what the test does or by the deadline under test.

#include "door/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "door/testing.h"
#include "io/loop.h"

namespace weft {
namespace {

namespace asio = boost::asio;
using testing::function_named;
using testing::Notes;

using Value = std::expected<std::optional<Bytes>, std::string>;

// Answers each call with what the test's function returns.
template <class T>
class Answers : public Provider {
 public:
  explicit Answers(std::function<Answer<T>(Call&)> method) : method_(std::move(method)) {}
  void begin(Call& call, Completion done) override {
    if (lent == nullptr) return finish(std::move(done), method_(call));
    finish(std::move(done), method_(call), lent);
  }
  Resource* lent = nullptr;

 private:
  std::function<Answer<T>(Call&)> method_;
};

// Waits until its deadline or until it is asked to stop; counts both its start and its end.
struct Sleeper {
  Task<std::string> sleep(Loop& loop) {
    ++started;
    asio::steady_timer timer(loop.context(), asio::steady_timer::time_point::max());
    auto [code] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    ++ended;
    stopped = code == asio::error::operation_aborted;
    co_return "woken";
  }
  int started = 0;
  int ended = 0;
  bool stopped = false;
};

class AnswerTest : public ::testing::Test {
 protected:
  Call* start(Provider& provider, Deadline deadline = Deadline::never()) {
    links_.push_back(std::make_unique<Link>(function_named("f"), provider));
    return pool_.start(*links_.back(), context_, {}, deadline);
  }
  // Runs the loop until nothing is left to run or `done` is true.
  void run_until(const std::function<bool()>& done) {
    Deadline patience = Deadline::after(std::chrono::seconds(20));
    while (!done() && !patience.passed()) {
      loop_.context().restart();
      loop_.context().run_one_for(std::chrono::milliseconds(100));
    }
    ASSERT_TRUE(done());
  }

  template <class T>
  static std::string encoded(const T& value) {
    Buffer buffer;
    Writer(buffer).write(value);
    return std::string(buffer.text());
  }

  CallPool pool_;
  Loop loop_;
  Context context_{loop_, "shop", "cart"};
  Notes notes_;
  std::vector<std::unique_ptr<Link>> links_;
};

TEST_F(AnswerTest, ValuesAndFailuresEndTheCallInline) {
  struct Case {
    std::function<Answer<Value>(Call&)> method;
    std::string reply;
  };
  const Case cases[] = {
      {[](Call&) { return std::nullopt; }, std::string("\0\0", 2)},
      {[](Call&) { return to_bytes("v"); }, std::string("\0\1\1v", 4)},
      {[](Call&) { return std::unexpected(std::string("no")); }, std::string("\1\2no", 4)},
      {[](Call&) { return Value(to_bytes("w")); }, std::string("\0\1\1w", 4)},
      {[](Call&) { return Result<Value>(Value(std::nullopt)); }, std::string("\0\0", 2)},
      {[](Call& call) {
         return Answer<Value>::written(
             call, std::expected<std::optional<BytesView>, std::string_view>(as_bytes("view")));
       },
       std::string("\0\1\4view", 7)},
  };
  for (const Case& c : cases) {
    Answers<Value> provider(c.method);
    Call* call = start(provider);
    ASSERT_EQ(call->state(), Call::State::kDone);
    EXPECT_EQ(as_text(call->reply()), c.reply);
    call->release();
  }
  Answers<Value> fails([](Call&) { return Error(Errc::kIo, "disk"); });
  Call* call = start(fails);
  ASSERT_EQ(call->state(), Call::State::kFailed);
  EXPECT_EQ(call->error().code(), Errc::kIo);
  call->release();
  Answers<void> nothing([](Call&) { return Answer<void>(); });
  call = start(nothing);
  EXPECT_EQ(call->state(), Call::State::kDone);
  EXPECT_TRUE(call->reply().empty());
  call->release();
}

TEST_F(AnswerTest, ThenMapsInlineWhereTheValueIsHere) {
  Answers<std::uint32_t> provider([](Call&) {
    return Answer<std::string>("four").then(
        [](std::string text) { return static_cast<std::uint32_t>(text.size()); });
  });
  Call* call = start(provider);
  ASSERT_EQ(call->state(), Call::State::kDone);
  EXPECT_EQ(as_text(call->reply()), "\x04");
  call->release();

  Answers<std::uint32_t> failing([](Call&) {
    return Answer<std::string>(Error(Errc::kIo, "disk")).then([](std::string) -> std::uint32_t {
      ADD_FAILURE() << "a failure must pass by";
      return 0;
    });
  });
  call = start(failing);
  EXPECT_EQ(call->state(), Call::State::kFailed);
  call->release();
}

Task<std::string> soon(std::string text) {
  co_return text;
}

TEST_F(AnswerTest, TasksFinishOnTheLoop) {
  Answers<std::string> provider([](Call&) { return soon("task"); });
  start(provider)->set_caller(&notes_);
  run_until([&] { return notes_.count == 1; });
  EXPECT_EQ(notes_.reply, encoded(std::string("task")));

  Answers<std::uint64_t> mapped([](Call&) {
    return Answer<std::string>(soon("task")).then([](std::string text) -> Result<std::uint64_t> {
      return text.size() + 300;
    });
  });
  start(mapped)->set_caller(&notes_);
  run_until([&] { return notes_.count == 2; });
  EXPECT_EQ(notes_.reply, encoded(std::uint64_t{304}));
  run_until([&] { return pool_.live() == 0; });
}

Task<std::string> fails_by_value() {
  co_return failure(Errc::kUnavailable, "no route");
}
Task<std::string> fails_by_throwing(bool really) {
  if (really) throw std::runtime_error("library");
  co_return "";
}

TEST_F(AnswerTest, FailuresAndExceptionsOfTasksFailTheCall) {
  Answers<std::string> fails([](Call&) { return fails_by_value(); });
  start(fails)->set_caller(&notes_);
  run_until([&] { return notes_.count == 1; });
  EXPECT_EQ(notes_.failure, Errc::kUnavailable);
  Answers<std::string> throws([](Call&) { return fails_by_throwing(true); });
  start(throws)->set_caller(&notes_);
  run_until([&] { return notes_.count == 2; });
  EXPECT_EQ(notes_.failure, Errc::kInternal);
  run_until([&] { return pool_.live() == 0; });
}

TEST_F(AnswerTest, ADeadlineEndsTheCallAndStopsTheTask) {
  Sleeper sleeper;
  Answers<std::string> provider([&](Call&) { return sleeper.sleep(loop_); });
  start(provider, Deadline::after(std::chrono::milliseconds(20)))->set_caller(&notes_);
  run_until([&] { return notes_.count == 1; });
  EXPECT_EQ(notes_.failure, Errc::kTimeout);
  run_until([&] { return sleeper.ended == 1 && pool_.live() == 0; });
  EXPECT_TRUE(sleeper.stopped);
  EXPECT_EQ(notes_.count, 1);
}

// The guest cancels, then drops the handle that was lent, then its instance ends: the task unwinds
// afterwards and still finds call, context and resource.
TEST_F(AnswerTest, ACancelStopsTheTaskWhichKeepsWhatItWorksOn) {
  struct Bucket : Resource, Sleeper {
    Task<std::string> get(Call& call) {
      auto result = co_await sleep(call.context().loop());
      seen = call.context().component();
      *ends += seen == "cart" ? 1 : 100;
      co_return result;
    }
    std::string_view seen;
    int* ends = nullptr;
  };
  int ends = 0;
  auto owned = std::make_unique<Bucket>();
  Bucket* bucket = owned.get();
  bucket->ends = &ends;
  auto context = std::make_unique<Context>(loop_, "shop", "cart");
  std::uint32_t number = *context->resources().push(&ends, std::move(owned));
  Answers<std::string> provider([&](Call& call) { return bucket->get(call); });
  provider.lent = bucket;
  Link link(function_named("get"), provider);
  Call* call = pool_.start(link, *context, {}, Deadline::never());
  run_until([&] { return bucket->started == 1; });
  call->release();
  context->resources().drop(number);
  Context::retire(std::move(context));
  run_until([&] { return ends != 0 && pool_.live() == 0; });
  EXPECT_EQ(ends, 1);
}

// A guest that lent a resource to a call may hand it over as soon as it has the answer, whether or
// not the task has waited.
TEST_F(AnswerTest, WhatWasLentIsFreeAgainWithTheAnswer) {
  struct Hands : Caller {
    void completed(Call& call) override {
      taken = call.context().resources().take(kind, number).has_value();
      ended = true;
    }
    ResourceKind kind = nullptr;
    std::uint32_t number = 0;
    bool ended = false;
    bool taken = false;
  };
  auto at_once = []() -> Task<std::string> { co_return "here"; };
  auto later = [](Loop& loop) -> Task<std::string> {
    asio::steady_timer timer(loop.context(), asio::steady_timer::clock_type::now());
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return "here";
  };
  for (bool waits : {false, true}) {
    Hands hands;
    auto owned = std::make_unique<Resource>();
    Answers<std::string> provider([&](Call&) { return waits ? later(loop_) : at_once(); });
    provider.lent = owned.get();
    hands.kind = &hands;
    hands.number = *context_.resources().push(hands.kind, std::move(owned));
    Call* call = start(provider);
    call->set_caller(&hands);
    run_until([&] { return hands.ended; });
    EXPECT_TRUE(hands.taken) << waits;
    call->release();
  }
}

TEST_F(AnswerTest, PromisesEndTheCallWhenTheyAreFulfilled) {
  std::vector<Promise<std::string>> promises;
  Answers<std::string> provider([&](Call&) { return promises.emplace_back().answer(); });
  start(provider)->set_caller(&notes_);
  EXPECT_EQ(notes_.count, 0);
  std::move(promises[0]).fulfil("committed");
  EXPECT_EQ(notes_.reply, encoded(std::string("committed")));
  promises.clear();

  start(provider)->set_caller(&notes_);
  promises.clear();
  EXPECT_EQ(notes_.failure, Errc::kInternal);
  EXPECT_EQ(pool_.live(), 0);

  Answers<std::string> kept([](Call&) {
    Promise<std::string> promise;
    Answer<std::string> answer = promise.answer();
    std::move(promise).fulfil("at once");
    return answer;
  });
  Call* call = start(kept);
  EXPECT_EQ(call->state(), Call::State::kDone);
  call->release();
}

TEST_F(AnswerTest, PromisesMapCancelAndTimeOut) {
  std::vector<Promise<std::string>> promises;
  Answers<std::uint32_t> mapped([&](Call&) {
    return promises.emplace_back().answer().then(
        [](std::string text) { return static_cast<std::uint32_t>(text.size()); });
  });
  start(mapped)->set_caller(&notes_);
  std::move(promises[0]).fulfil("three");
  EXPECT_EQ(notes_.reply, "\x05");
  promises.clear();

  start(mapped)->release();
  EXPECT_EQ(pool_.live(), 1);
  std::move(promises[0]).fulfil("too late");
  EXPECT_EQ(pool_.live(), 0);
  promises.clear();

  start(mapped, Deadline::after(std::chrono::milliseconds(10)))->set_caller(&notes_);
  run_until([&] { return notes_.count == 2; });
  EXPECT_EQ(notes_.failure, Errc::kTimeout);
  promises.clear();
  EXPECT_EQ(pool_.live(), 0);
}

}  // namespace
}  // namespace weft
