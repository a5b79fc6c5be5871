// Shows that a guest's future may be dropped at every point at which it waits: each run is polled
// by the test itself, which first counts its polls and then drops it after the first, the second,
// and so on; and that whatever held one of its wakers may use it later, twice, and from anywhere.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "door/values.h"
#include "engine/instance.h"
#include "engine/stream_guests.h"
#include "engine/test_guests.h"
#include "engine/test_streams.h"
#include "engine/testing.h"
#include "io/loop.h"

namespace weft::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kPollsMax = 20'000;

using Wakers = std::vector<rust::Box<bridge::CallWaker>>;

// A client that keeps every waker it was ever given, and wakes in the middle of a poll.
class HoardingExchange final : public bridge::Exchange {
 public:
  HoardingExchange(Wakers& hoard, std::string path, std::string body)
      : hoard_(hoard), path_(std::move(path)), to_send_(std::move(body)) {}

  // A little more of the request, and room for a little more of the response.
  void move() {
    sent_ = std::min(sent_ + 3'000, to_send_.size());
    room_ += 9'000;
  }

  Bytes method() const override { return slice(to_send_.empty() ? "GET" : "POST"); }
  Bytes target() const override { return slice(path_); }
  Bytes authority() const override { return slice("test.example"); }
  bool secure() const override { return false; }
  Bytes headers() const override { return {}; }
  bool has_body() const override { return !to_send_.empty(); }
  std::int64_t read(rust::Slice<std::uint8_t> room) override {
    std::size_t count = std::min(room.size(), sent_ - read_);
    std::memcpy(room.data(), to_send_.data() + read_, count);
    read_ += count;
    return count > 0 || read_ == to_send_.size() ? static_cast<std::int64_t>(count) : -1;
  }
  void wait_body(rust::Box<bridge::CallWaker> waker) override {
    hoard_.push_back(std::move(waker));
  }
  Bytes trailers() override { return {}; }
  void head(std::uint16_t status, Bytes, std::int64_t) override { status_ = status; }
  bool write(Bytes data) override {
    body_.append(reinterpret_cast<const char*>(data.data()), data.size());
    room_ -= static_cast<std::int64_t>(data.size());
    for (const auto& waker : hoard_) waker->wake();
    return has_room();
  }
  bool has_room() const override { return room_ > 0; }
  void wait_room(rust::Box<bridge::CallWaker> waker) override {
    hoard_.push_back(std::move(waker));
  }
  void finish(Bytes) override { finished_ = true; }
  void fail(std::uint16_t) override {}

  bool well() const { return status_ == 200 && finished_; }
  const std::string& body() const { return body_; }

 private:
  static Bytes slice(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }

  Wakers& hoard_;
  std::string path_;
  std::string to_send_;
  std::size_t sent_ = 0;
  std::size_t read_ = 0;
  std::int64_t room_ = 0;
  int status_ = 0;
  std::string body_;
  bool finished_ = false;
};

// A loop, one deployed guest, and where its wakers point.
struct Rack {
  explicit Rack(const std::string& file, Limits limits = {})
      : stage(ground, file, {.limits = limits, .grants = {}}),
        target(WakeTarget::make(ground.loop(), [this](std::uint32_t, std::uint32_t) { ++wakes; })) {
  }
  ~Rack() { target->close(); }

  const bridge::Linked& linked() { return *stage.deployment().program.impl().linked; }
  bridge::WakeKey key() { return {target, 0, ++generation}; }
  // What the world outside does between two polls: one call is finished.
  void move() {
    if (!stage.script().waiting.empty()) stage.script().finish(0);
  }

  Ground ground;
  Stage stage;
  std::shared_ptr<WakeTarget> target;
  std::uint32_t generation = 0;
  int wakes = 0;
  Wakers hoard;
};

// One run of a guest.
class Polled {
 public:
  explicit Polled(Rack& rack) : rack_(rack), instance_(rack.stage.deployment()) {}
  virtual ~Polled() = default;
  // True: it is over.
  virtual bool poll() = 0;
  virtual void move() { rack_.move(); }
  // The host's ends of its streams move without being woken.
  virtual bool streams() const { return false; }
  // What came of it: "" when all is as it should be.
  virtual std::string check() = 0;

 protected:
  // Those that were of use once and are not any more among them.
  void wake_all() {
    for (const auto& waker : rack_.hoard) waker->wake();
  }

  Rack& rack_;
  Instance instance_;
};

class PolledTask : public Polled {
 public:
  using Polled::Polled;
  ~PolledTask() override { task_.reset(); }
  bool poll() override { return (*task_)->poll(); }
  std::string check() override {
    RunOutcome outcome = from_bridge((*task_)->outcome());
    return outcome.well() ? "" : outcome.message;
  }

 protected:
  std::optional<rust::Box<bridge::Task>> task_;
};

class PolledCommand final : public PolledTask {
 public:
  explicit PolledCommand(Rack& rack) : PolledTask(rack) {
    task_.emplace(bridge::start_command(rack.linked(), &instance_, rack.key()));
  }
};

class PolledExport final : public PolledTask, public bridge::ReplySink {
 public:
  PolledExport(Rack& rack, std::string_view name, Bytes arguments, Bytes expected)
      : PolledTask(rack), expected_(std::move(expected)) {
    task_.emplace(bridge::start_export(rack.linked(), &instance_, rack.stage.function(name),
                                       {arguments.data(), arguments.size()}, this, rack.key()));
  }
  ~PolledExport() override { task_.reset(); }
  void reply(rust::Slice<const std::uint8_t> bytes) override {
    reply_.assign(bytes.begin(), bytes.end());
  }
  std::string check() override {
    if (std::string problem = PolledTask::check(); !problem.empty()) return problem;
    return reply_ == expected_ ? "" : "the reply is not as expected";
  }

 private:
  Bytes expected_;
  Bytes reply_;
};

// A guest that streams, and the host's ends, which are told however it goes.
class PolledStream final : public PolledTask, public bridge::ReplySink {
 public:
  // `count` is what the guest is called with, or what a stream in its place carries.
  PolledStream(Rack& rack, std::string_view name, std::uint32_t count)
      : PolledTask(rack), name_(name), count_(count), host_(rack.ground.loop()) {
    rack.stage.script().serve = [this](Call& call, Completion& done) {
      return host_.serve(call, done);
    };
    Buffer arguments;
    Writer out(arguments, &instance_.context().resources());
    if (name == "consume" || name == "echo") {
      out.pipe(host_.give(count));
    } else {
      out.write(count);
    }
    task_.emplace(bridge::start_export(rack.linked(), &instance_, rack.stage.function(name),
                                       {arguments.data(), arguments.size()}, this, rack.key()));
  }
  ~PolledStream() override {
    task_.reset();
    instance_.context().pipes().end_guest();
    instance_.pumps().stop();
    for (auto& in : host_.ins) EXPECT_NE(in.reader.state(), PipeState::kNothingYet);
    for (auto& out : host_.outs) EXPECT_TRUE(out.writer.abandoned() || out.left == 0);
    EXPECT_EQ(instance_.context().pipes().inside(), 0u);
    rack_.stage.script().serve = nullptr;
  }

  void move() override {
    Polled::move();
    host_.step();
  }
  bool streams() const override { return true; }
  void reply(rust::Slice<const std::uint8_t> bytes) override {
    Reader in({bytes.data(), bytes.size()}, &instance_.context().resources());
    if (name_ == "produce" || name_ == "echo") {
      host_.take(in.pipe_reader(PipeKind::kBytes));
    } else {
      reply_ = in.read<std::uint32_t>();
    }
    EXPECT_TRUE(in.end());
  }
  std::string check() override {
    if (std::string problem = PolledTask::check(); !problem.empty()) return problem;
    if (reply_ && *reply_ != count_) return fmt::format("{} came through", *reply_);
    host_.step();
    for (auto& in : host_.ins) {
      if (name_ == "pass-in") continue;  // Its guest does not wait for it.
      if (in.got != count_ || !in.right || !in.ended) return fmt::format("{} came out", in.got);
    }
    return "";
  }

 private:
  std::string name_;
  std::uint32_t count_;
  StreamHost<std::uint8_t> host_;
  std::optional<std::uint32_t> reply_;
};

class PolledHttp final : public PolledTask {
 public:
  PolledHttp(Rack& rack, std::string path, std::string body, std::size_t expected)
      : PolledTask(rack),
        exchange_(rack.hoard, std::move(path), std::move(body)),
        expected_(expected) {
    task_.emplace(bridge::start_http(rack.linked(), &instance_, &exchange_, rack.key()));
  }
  ~PolledHttp() override { task_.reset(); }
  void move() override {
    Polled::move();
    exchange_.move();
    wake_all();
  }
  std::string check() override {
    if (std::string problem = PolledTask::check(); !problem.empty()) return problem;
    if (!exchange_.well()) return "the response is not whole";
    return exchange_.body().size() == expected_ ? "" : "the response is not as long as expected";
  }

 private:
  HoardingExchange exchange_;
  std::size_t expected_;
};

// A reused instance with three requests, one of which is let go of in the middle.
class PolledWorker final : public Polled {
 public:
  explicit PolledWorker(Rack& rack)
      : Polled(rack),
        exchanges_{HoardingExchange(rack.hoard, "/echo", std::string(20'000, 'e')),
                   HoardingExchange(rack.hoard, "/", ""),
                   HoardingExchange(rack.hoard, "/echo", std::string(7'000, 'e'))},
        worker_(bridge::worker_new(rack.linked(), &instance_, rack.key())) {
    for (HoardingExchange& each : exchanges_) calls_.push_back(worker_->push(&each));
  }
  bool poll() override {
    if (++polls_ == 2) {
      worker_->detach(calls_[2]);
      worker_->retire();
    }
    return worker_->poll();
  }
  void move() override {
    Polled::move();
    for (HoardingExchange& each : exchanges_) each.move();
    wake_all();
  }
  std::string check() override {
    RunOutcome outcome = from_bridge(worker_->outcome());
    if (!outcome.well()) return outcome.message;
    if (!exchanges_[0].well() || exchanges_[0].body().size() != 20'000) return "no whole echo";
    return exchanges_[1].well() ? "" : "no answer";
  }

 private:
  std::array<HoardingExchange, 3> exchanges_;
  std::vector<std::uint64_t> calls_;
  int polls_ = 0;
  rust::Box<bridge::Worker> worker_;
};

Bytes number(std::uint32_t value) {
  Buffer buffer;
  Writer(buffer).write(value);
  return {buffer.view().begin(), buffer.view().end()};
}

struct Scenario {
  std::string name;
  std::function<std::string()> file;
  std::function<std::unique_ptr<Polled>(Rack&)> make;
};

std::vector<Scenario> scenarios() {
  auto async_guest = [] { return file_with("async.wat", kAsyncGuest); };
  auto built = [](const char* name) { return [name] { return guest(name); }; };
  auto exported = [](std::string name, Bytes arguments, Bytes expected) {
    return
        [=](Rack& rack) { return std::make_unique<PolledExport>(rack, name, arguments, expected); };
  };
  auto stream_guests = [] { return file_with("u8.wat", stream_guest("u8", 1)); };
  auto body_guest = [] { return file_with("bodies.wat", kBodyGuest); };
  auto streamed = [](std::string name, std::uint32_t count) {
    return [=](Rack& rack) { return std::make_unique<PolledStream>(rack, name, count); };
  };
  auto http = [](std::string path, std::string body, std::size_t expected) {
    return [=](Rack& rack) { return std::make_unique<PolledHttp>(rack, path, body, expected); };
  };
  return {
      {"Command", built("hello_command"),
       [](Rack& rack) { return std::make_unique<PolledCommand>(rack); }},
      {"ExportOneCall", built("echo_iface"), exported("text", {2, 'h', 'i'}, {2, 'h', 'i'})},
      {"ExportResources", built("echo_iface"), exported("count", {30, 12}, number(42))},
      {"AsyncOne", async_guest, exported("one", number(5), number(5))},
      {"AsyncThree", async_guest, exported("three", number(5), number(15))},
      {"AsyncCancelled", async_guest, exported("cancelled", number(5), number(4))},
      {"StreamSend", stream_guests, streamed("send", 300'000)},
      {"StreamSendLater", stream_guests, streamed("send-later", 300'000)},
      {"StreamReceive", stream_guests, streamed("receive", 300'000)},
      {"StreamReceiveLater", stream_guests, streamed("receive-later", 300'000)},
      {"StreamProduce", stream_guests, streamed("produce", 300'000)},
      {"StreamConsume", stream_guests, streamed("consume", 300'000)},
      {"StreamEcho", stream_guests, streamed("echo", 300'000)},
      {"FutureSettle", stream_guests, streamed("settle", 0)},
      {"FutureAwait", stream_guests, streamed("await", 7)},
      {"BodyWrite", body_guest, streamed("write", 300'000)},
      {"BodyRead", body_guest, streamed("read", 300'000)},
      {"BodyPassIn", body_guest, streamed("pass-in", 1)},
      {"HttpHello", built("hello_p2"), http("/", "", 18)},
      {"HttpEcho", built("hello_p2"), http("/echo", std::string(40'000, 'x'), 40'000)},
      {"HttpBig", built("hello_p2"), http("/big?bytes=200000", "", 200'000)},
      {"HttpDoor", built("keyvalue_p2"), http("/kv/flower", "", 6)},
      {"Worker", built("hello_p3"),
       [](Rack& rack) { return std::make_unique<PolledWorker>(rack); }},
  };
}

class PollTorture : public ::testing::TestWithParam<Scenario> {};
INSTANTIATE_TEST_SUITE_P(All, PollTorture, ::testing::ValuesIn(scenarios()),
                         [](const auto& info) { return info.param.name; });

// Wakes all that was hoarded: twice here, and once from a thread that knows no loop.
void wake_late(Wakers& hoard) {
  for (const auto& waker : hoard) {
    waker->wake();
    waker->wake();
  }
  std::thread([&] {
    for (const auto& waker : hoard) waker->wake();
    hoard.clear();
  }).join();
}

// Dropped after every poll, before or after the world has moved on; what was begun finishes later,
// and nothing is left.
TEST_P(PollTorture, MayBeDroppedAnywhere) {
  Rack rack(GetParam().file());
  rack.stage.script().way = [](const Call&) { return Script::Way::kLater; };
  Deadline patience = Deadline::after(std::chrono::seconds(60));
  int polls = 0;
  {
    auto whole = GetParam().make(rack);
    while (!whole->poll()) {
      ASSERT_LT(++polls, kPollsMax);
      ASSERT_FALSE(patience.passed());
      whole->move();
    }
    EXPECT_EQ(whole->check(), "");
  }
  wake_late(rack.hoard);
  for (int drop_after = 0; drop_after <= polls + 1; ++drop_after) {
    for (bool moved : {false, true}) {
      auto run = GetParam().make(rack);
      for (int i = 0; i < drop_after; ++i) {
        if (run->poll()) break;
        if (moved || i + 1 < drop_after) run->move();
      }
      run.reset();
      while (!rack.stage.script().waiting.empty()) rack.stage.script().finish(0);
      wake_late(rack.hoard);
      ASSERT_EQ(rack.ground.engine().calls().live(), 0u) << "dropped after poll " << drop_after;
      ASSERT_EQ(Counter::alive, 0) << "dropped after poll " << drop_after;
    }
  }
  EXPECT_TRUE(rack.ground.run_until([] { return true; })) << "late wakes are harmless";
}

// Polled for no reason at all, again and again, a run ends as it should.
TEST_P(PollTorture, BearsPollsForNothing) {
  Rack rack(GetParam().file());
  rack.stage.script().way = [](const Call&) { return Script::Way::kLater; };
  auto run = GetParam().make(rack);
  bool over = false;
  for (int polls = 0; !over && polls < kPollsMax; ++polls) {
    over = run->poll();
    if (!over && polls % 7 == 6) run->move();
  }
  ASSERT_TRUE(over);
  EXPECT_EQ(run->check(), "");
  run.reset();
  wake_late(rack.hoard);
}

// A run that is polled only when it was woken ends too: no wake is lost.
TEST_P(PollTorture, LosesNoWake) {
  Rack rack(GetParam().file());
  rack.stage.script().way = [](const Call&) { return Script::Way::kThread; };
  auto run = GetParam().make(rack);
  bool over = run->poll();
  int seen = rack.wakes;
  EXPECT_TRUE(rack.ground.run_until([&] {
    if (!over && seen != rack.wakes) {
      seen = rack.wakes;
      over = run->poll();
    } else if (!over && (!rack.hoard.empty() || run->streams())) {
      run->move();
      rack.hoard.clear();
    }
    return over;
  }));
  if (GetParam().name != "AsyncCancelled") EXPECT_EQ(run->check(), "");
}

// A panic in the engine ends that run with a message, and nothing else. What provokes one is a bug
// of ours that a loop's objects guard against: the run is polled on another thread than its own.
TEST(PollTortureBugs, PanicsAreCaught) {
  Rack rack(guest("hello_command"));
  {
    PolledCommand run(rack);
    std::thread([&] { EXPECT_TRUE(run.poll()); }).join();
    EXPECT_THAT(run.check(), AllOf(HasSubstr("a bug in the engine was caught"),
                                   HasSubstr("touched from another thread")));
  }
  PolledCommand next(rack);
  bool over = false;
  // A tick may make it yield on the way.
  for (int polls = 0; !over && polls < kPollsMax; ++polls) over = next.poll();
  EXPECT_TRUE(over);
  EXPECT_EQ(next.check(), "");
}

}  // namespace
}  // namespace weft::testing
