// Shows provider processes end to end: a real process with the SDK is called through its
// connection, crashes, hangs, lies and floods; and what is wrong with one that does not start.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "door/client.h"
#include "door/stream.h"
#include "io/loop.h"
#include "io/test_task.h"
#include "provider/provider_process.h"
#include "provider/session.h"
#include "wit/test/everything_1_2_0_rc_1/everything.h"

namespace weft {
namespace {

namespace everything = wit::test::everything_1_2_0_rc_1::everything;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::chrono::seconds kPatience{60};

ProviderSettings settings(std::string how) {
  ProviderSettings settings{.app = "shop",
                            .name = "things",
                            .command = {WEFT_TEST_PROVIDER, std::move(how)},
                            .folder = "",
                            .configuration_json = R"({"greeting": "hi", "n": 3})",
                            .secrets = {{"key", Secret("s3cr3t \" \\")}}};
  settings.limits.steady = std::chrono::milliseconds(0);
  return settings;
}

// What a start that fails says.
std::string start_failure(ProviderSettings with, std::chrono::milliseconds patience = kPatience) {
  auto started = ProviderProcess::start(std::move(with), Deadline::after(patience));
  return started ? "it started" : started.error().message();
}

class ProcessTest : public ::testing::Test {
 protected:
  void start(std::string how) { start(settings(std::move(how))); }
  void start(ProviderSettings with) {
    auto started = ProviderProcess::start(std::move(with), Deadline::after(kPatience));
    ASSERT_TRUE(started) << started.error().message();
    process_ = *std::move(started);
    const std::string& interface = process_->offers().front().name;
    provider_ = process_->provider_for(loop_, interface);
    std::vector<Link*> by_ordinal;
    for (const auto& each : process_->offers().front().functions) {
      auto function = process_->function(interface, each.name, each.signature);
      ASSERT_TRUE(function) << function.error().message();
      links_.push_back(std::make_unique<Link>(*std::move(function), *provider_));
      by_ordinal.push_back(links_.back().get());
    }
    client_ = std::make_unique<everything::Client>(pool_, *context_, by_ordinal);
  }
  void TearDown() override {
    Context::retire(std::move(context_));
    provider_.reset();
    until([&] { return pool_.live() == 0; });
    process_.reset();
    // The loop's last posts.
    loop_.context().restart();
    loop_.context().poll();
  }

  template <class Done>
  bool until(Done done) {
    Deadline patience = Deadline::after(kPatience);
    while (!done()) {
      if (patience.passed()) return false;
      loop_.context().restart();
      loop_.context().run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  template <class T>
  Result<T> run(Task<T> task) {
    return testing::run_task(loop_, std::move(task), std::chrono::seconds(60));
  }
  template <class T>
  T value(Task<T> task) {
    Result<T> outcome = run(std::move(task));
    if (!outcome) throw std::runtime_error(outcome.error().message());
    return *std::move(outcome);
  }
  std::string ask(std::string_view what, Deadline deadline = Deadline::after(kPatience)) {
    Result<std::string> answer = run(client_->fail(what, deadline));
    return answer ? *answer : "failed: " + answer.error().message();
  }
  Result<Bytes> raw(std::size_t ordinal, const Bytes& arguments,
                    Deadline deadline = Deadline::after(kPatience)) {
    auto call = [](CallPool& pool, Link& link, Context& context, Buffer bytes,
                   Deadline until) -> Task<Bytes> {
      CO_TRY(HeldCall held, co_await perform(pool, link, context, std::move(bytes), until));
      co_return Bytes(held->reply().begin(), held->reply().end());
    };
    Buffer bytes;
    bytes.append(arguments);
    return run(call(pool_, *links_[ordinal], *context_, std::move(bytes), deadline));
  }
  provider::Session& session() {
    return static_cast<provider::ProcessProvider&>(*provider_).session();
  }

  const Deadline never_ = Deadline::never();
  Loop loop_;
  CallPool pool_;
  std::unique_ptr<Context> context_ = std::make_unique<Context>(loop_, "shop", "cart");
  std::shared_ptr<ProviderProcess> process_;
  std::unique_ptr<Provider> provider_;
  std::vector<std::unique_ptr<Link>> links_;
  std::unique_ptr<everything::Client> client_;
};

TEST_F(ProcessTest, ServesPlainValues) {
  start("serve");
  everything::Scalars scalars{.a = true, .b = 255, .e = ~0ull, .i = INT64_MIN, .m = "text"};
  EXPECT_EQ(value(client_->echo_scalars(scalars, never_)), scalars);
  EXPECT_EQ(value(client_->echo_names({{"a", "", "c"}}, never_)),
            (std::vector<std::string>{"a", "", "c"}));
  value(client_->nothing(never_));
  EXPECT_EQ(value(client_->static_(2, 3, never_)), 515);
  EXPECT_EQ(value(client_->late("hey", never_)), "hey!");
  EXPECT_EQ(ask("pool"), "from another thread");
  EXPECT_THAT(ask("what I say"), HasSubstr("fail: what I say"));
  EXPECT_EQ(ask("deadline", Deadline::after(std::chrono::seconds(100))), "100");
}

TEST_F(ProcessTest, CarriesLargeValuesBesideSmallOnes) {
  start("serve");
  Bytes large(30'000'000);
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::uint8_t>(i * 7 >> 3);
  bool done = false;
  auto echo = [](everything::Client* client, Bytes bytes, bool* end) -> Task<void> {
    CO_TRY(Bytes back, co_await client->echo_bytes(bytes, Deadline::never()));
    EXPECT_TRUE(back == bytes);
    *end = true;
    co_return Result<void>();
  };
  loop_.spawn(echo(client_.get(), large, &done));
  int small_before = 0;
  while (!done) {
    EXPECT_EQ(value(client_->echo_bytes(Bytes{1, 2}, never_)), (Bytes{1, 2}));
    small_before += !done;
  }
  // They take turns: a small call never waits for all of the large one.
  EXPECT_GT(small_before, 2);
  for (std::size_t size : {0UL, 4000UL, 4096UL, 16383UL, 16384UL, 65535UL, 65536UL, 602'112UL}) {
    Bytes part(large.begin(), large.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_TRUE(value(client_->echo_bytes(part, never_)) == part) << size;
  }
}

TEST_F(ProcessTest, KeepsResourcesWhereTheyAre) {
  start("serve");
  {
    auto counter = value(client_->make_counter(5, never_));
    auto other = value(client_->make_counter(30, never_));
    EXPECT_EQ(ask("alive"), "2");
    EXPECT_EQ(value(client_->counter_add(counter, 2, never_)), 7U);
    EXPECT_EQ(value(client_->sum({&counter, &other}, &counter, never_)), 44U);
    EXPECT_EQ(value(client_->counter_merge(counter, std::move(other), never_)), 37U);
    EXPECT_EQ(ask("alive"), "1");
    auto [a, b] = value(client_->split(std::move(counter), never_));
    EXPECT_EQ(value(client_->counter_get(a, never_)), 18U);
    EXPECT_EQ(ask("alive"), "2");
    auto absent = value(client_->counter_from_text("x", never_));
    EXPECT_FALSE(absent.has_value());
  }
  // The handles are gone, and the provider was told.
  EXPECT_TRUE(until([&] { return ask("alive") == "0"; }));
  EXPECT_EQ(context_->resources().size(), 0U);
}

TEST_F(ProcessTest, RefusesWrongHandles) {
  start("serve");
  auto counter = value(client_->make_counter(5, never_));
  // [method]counter.get with a number that is not open, and with bytes that are no number.
  auto wrong = raw(2, {99});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), Errc::kInvalid);
  EXPECT_FALSE(raw(2, {}));
  EXPECT_FALSE(raw(2, {0x80, 0x80}));
  // The provider's own check: a handle of another number there.
  EXPECT_EQ(value(client_->counter_get(counter, never_)), 5U);
}

TEST_F(ProcessTest, CarriesStreamsAndFutures) {
  start("serve");
  auto [in, in_writer] = Stream<std::uint8_t>::make(loop_);
  auto [done, done_writer] = Future<std::string>::make(loop_);
  auto [bare, bare_writer] = Future<>::make(loop_);
  auto out = value(client_->pipe(std::move(in), std::move(done), std::move(bare), never_));
  Bytes sent(1'000'000);
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<std::uint8_t>(i / 3);
  auto feed = [](StreamWriter<std::uint8_t> writer, FutureWriter<std::string> name,
                 FutureWriter<> last, Bytes bytes) -> Task<void> {
    CO_TRY_VOID(co_await writer.write(std::move(bytes), Deadline::never()));
    writer.finish();
    CO_TRY_VOID(name.set("the end"));
    CO_TRY_VOID(last.set({}));
    co_return Result<void>();
  };
  loop_.spawn(feed(std::move(in_writer), std::move(done_writer), std::move(bare_writer), sent));
  Bytes got = value(out.read_all(2'000'000, Deadline::after(kPatience)));
  for (char c : std::string("the end")) sent.push_back(static_cast<std::uint8_t>(c));
  EXPECT_TRUE(got == sent);
  EXPECT_TRUE(until([&] { return session().streams().open_count() == 0; }));
}

TEST_F(ProcessTest, EndsStreamsWithTheirReadersAndWriters) {
  start("serve");
  {
    auto [in, in_writer] = Stream<std::uint8_t>::make(loop_);
    auto [done, done_writer] = Future<std::string>::make(loop_);
    auto [bare, bare_writer] = Future<>::make(loop_);
    auto out = value(client_->pipe(std::move(in), std::move(done), std::move(bare), never_));
    // Dropped before the end: what reads it there fails, and so does what it wrote to.
    in_writer = StreamWriter<std::uint8_t>();
    auto read = run(out.read_all(10, Deadline::after(kPatience)));
    EXPECT_FALSE(read);
  }
  EXPECT_TRUE(until([&] { return session().streams().open_count() == 0; }));
}

TEST_F(ProcessTest, TellsTheProviderOfCancels) {
  start("serve");
  EXPECT_THAT(ask("never", Deadline::after(std::chrono::milliseconds(300))),
              HasSubstr("no answer before the deadline"));
  EXPECT_TRUE(until([&] { return session().running() == 0; }));
  EXPECT_EQ(ask("stopped"), "1");
  // Large arguments that are cancelled on their way.
  Bytes large(20'000'000);
  EXPECT_FALSE(run(client_->echo_bytes(large, Deadline::after(std::chrono::milliseconds(1)))));
  EXPECT_TRUE(until([&] { return session().running() == 0; }));
  EXPECT_EQ(value(client_->echo_bytes(Bytes{7}, never_)), Bytes{7});
}

TEST_F(ProcessTest, GivesConfigurationAndSecretsOverTheSocket) {
  start("serve");
  EXPECT_EQ(ask("greeting"), "hi");
  EXPECT_EQ(ask("secret"), "s3cr3t \" \\");
  EXPECT_THAT(ask("environment"), AllOf(HasSubstr("PATH="), Not(HasSubstr("s3cr3t"))));
  std::ifstream file(fmt::format("/proc/{}/environ", process_->status().pid));
  std::string environment((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(environment, Not(HasSubstr("s3cr3t")));
}

TEST_F(ProcessTest, LogsWhatItPrints) {
  start("serve");
  // The log is another thread's: stderr is this file from here until the line is seen in it.
  std::FILE* log = std::tmpfile();
  ASSERT_NE(log, nullptr);
  int before = dup(STDERR_FILENO);
  ASSERT_GE(before, 0);
  ASSERT_GE(dup2(fileno(log), STDERR_FILENO), 0);
  std::string printed = ask("print");
  std::string seen;
  until([&] {
    std::array<char, 4096> buffer{};
    ssize_t size = pread(fileno(log), buffer.data(), buffer.size(), 0);
    seen.assign(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    return seen.find("a line for the log") != std::string::npos && seen.ends_with('\n');
  });
  dup2(before, STDERR_FILENO);
  close(before);
  std::fclose(log);
  EXPECT_EQ(printed, "printed");
  EXPECT_THAT(seen, AllOf(HasSubstr("a line for the log"), HasSubstr("provider=things")));
}

TEST_F(ProcessTest, IsStartedAgainWhenItDies) {
  start("serve");
  for (const char* how : {"crash", "kill", "exit"}) {
    std::string pid = ask("pid");
    auto counter = value(client_->make_counter(5, never_));
    EXPECT_THAT(ask(how), HasSubstr("went away during the call")) << how;
    // A call that comes meanwhile waits for the next one.
    std::string next = ask("pid");
    EXPECT_NE(next, pid);
    EXPECT_EQ(std::to_string(process_->status().pid), next);
    auto stale = run(client_->counter_get(counter, never_));
    ASSERT_FALSE(stale);
    EXPECT_EQ(stale.error().code(), Errc::kUnavailable);
    EXPECT_THAT(stale.error().message(), HasSubstr("an earlier run"));
  }
  EXPECT_EQ(process_->status().restarts, 3U);
}

TEST_F(ProcessTest, AnswersSoonAfterItWasKilled) {
  start("serve");
  std::string pid = ask("pid");
  auto killed = Deadline::Clock::now();
  kill(process_->status().pid, SIGKILL);
  std::string next = pid;
  while (next == pid || next.starts_with("failed")) next = ask("pid");
  auto took = Deadline::Clock::now() - killed;
  // The bar is 200 ms; the bench measures it.
  EXPECT_LT(took, std::chrono::seconds(10));
}

TEST_F(ProcessTest, IsStartedAgainWhenItHangs) {
  ProviderSettings with = settings("serve");
  with.limits.health_every = std::chrono::milliseconds(20);
  with.limits.health_wait = std::chrono::milliseconds(200);
  start(std::move(with));
  std::string pid = ask("pid");
  EXPECT_THAT(ask("hang"), HasSubstr("did not answer a ping"));
  EXPECT_NE(ask("pid"), pid);
}

TEST_F(ProcessTest, RefusesWhatWaitsTooLong) {
  ProviderSettings with = settings("serve");
  with.limits.steady = std::chrono::hours(1);
  with.limits.restart_first = std::chrono::hours(1);
  with.limits.restart_max = std::chrono::hours(1);
  start(std::move(with));
  EXPECT_THAT(ask("exit"), HasSubstr("went away"));
  EXPECT_EQ(ask("alive"), "0");
  // The second time within an hour: it is an hour until the next start.
  EXPECT_THAT(ask("exit"), HasSubstr("went away"));
  EXPECT_THAT(ask("alive", Deadline::after(std::chrono::milliseconds(100))),
              HasSubstr("no answer before the deadline"));
  std::vector<HeldCall> waiting;
  Bytes text{1, 'x'};
  for (std::size_t i = 0; i <= provider::kWaitingMax; ++i) {
    waiting.emplace_back(pool_.start(*links_[0], *context_, text, never_));
  }
  EXPECT_EQ(waiting[0]->state(), Call::State::kRunning);
  EXPECT_EQ(waiting.back()->state(), Call::State::kFailed);
  EXPECT_EQ(waiting.back()->error().code(), Errc::kUnavailable);
  waiting.clear();
  EXPECT_EQ(session().waiting(), 0U);
}

TEST_F(ProcessTest, RunsManyCallsAtOnce) {
  start("serve");
  int done = 0;
  auto one = [](everything::Client* client, int number, int* count) -> Task<void> {
    CO_TRY(std::string back, co_await client->late(std::to_string(number), Deadline::never()));
    EXPECT_EQ(back, std::to_string(number) + "!");
    ++*count;
    co_return Result<void>();
  };
  EXPECT_EQ(ask("alive"), "0");
  // More than a connection takes at once: the rest waits.
  constexpr int kCalls = 2'000;
  for (int i = 0; i < kCalls; ++i) loop_.spawn(one(client_.get(), i, &done));
  EXPECT_TRUE(until([&] { return done == kCalls; })) << done;
}

TEST_F(ProcessTest, EndsWithoutAProcessThatIsLeftBehind) {
  ProviderSettings with = settings("serve");
  with.limits.stop = std::chrono::milliseconds(100);
  start(std::move(with));
  // It takes no notice of SIGTERM from here on, and is killed.
  EXPECT_THAT(ask("deaf"), HasSubstr("fail: deaf"));
  pid_t pid = process_->status().pid;
  process_.reset();
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_THAT(ask("pid"), HasSubstr("was stopped"));
}

TEST_F(ProcessTest, SurvivesLies) {
  for (const char* how : {"liar", "replies"}) {
    SCOPED_TRACE(how);
    start(how);
    Deadline deadline = Deadline::after(std::chrono::seconds(20));
    auto answer = raw(0, {1, 'x'}, deadline);
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().code(),
                ::testing::AnyOf(Errc::kUnavailable, Errc::kLimit, Errc::kTimeout));
    client_.reset();
    links_.clear();
    provider_.reset();
    process_.reset();
  }
}

// Written from the protocol's page alone.
TEST_F(ProcessTest, CallsAProviderInPython) {
  ProviderSettings with = settings("");
  with.command = {"python3", WEFT_PYTHON_PROVIDER};
  with.configuration_json = R"({"mark": "?"})";
  start(std::move(with));
  EXPECT_EQ(process_->offers().front().name, "example:words/words@1.0.0");
  Bytes text = to_bytes("\x09two words");
  EXPECT_EQ(raw(0, text), Bytes{2});
  EXPECT_EQ(raw(1, text), to_bytes("\x0aTWO WORDS?"));
  auto bad = raw(0, {5, 'x'});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Errc::kInvalid);
  // Cut into frames, both ways.
  Bytes large{0xc0, 0xc4, 0x07};
  large.resize(3 + 123'456, 'a');
  auto back = raw(1, large);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->size(), large.size() + 1);
  kill(process_->status().pid, SIGKILL);
  EXPECT_TRUE(until([&] { return raw(0, text) == Bytes{2} && process_->status().restarts == 1; }));
}

TEST(ProviderStart, SaysWhatIsWrong) {
  EXPECT_THAT(start_failure(settings("refuse")), HasSubstr("it refuses: no \"url\""));
  EXPECT_THAT(start_failure(settings("exit")),
              AllOf(HasSubstr("provider things of shop"), HasSubstr("exit code 3"),
                    HasSubstr("the model file is missing")));
  EXPECT_THAT(start_failure(settings("silent"), std::chrono::milliseconds(200)),
              HasSubstr("does not listen"));
  EXPECT_THAT(start_failure(settings("version")), HasSubstr("speaks version 9"));
  EXPECT_THAT(start_failure(settings("token")), HasSubstr("another token"));
  EXPECT_THAT(start_failure(settings("garbage")), HasSubstr("no frame has kind"));
}

TEST(ProviderStart, SaysWhatCannotBeRun) {
  ProviderSettings with = settings("serve");
  with.command = {"./not-there"};
  EXPECT_THAT(start_failure(with), HasSubstr("there is no such program"));
  with.command = {"weft-no-such-program"};
  EXPECT_THAT(start_failure(with), HasSubstr("in PATH"));
  with.command = {WEFT_TEST_PROVIDER};
  with.folder = "/not/there";
  EXPECT_THAT(start_failure(with), HasSubstr("the folder /not/there"));
  std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "weft-provider-test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "plain") << "nothing";
  with.folder = folder;
  with.command = {"./plain"};
  EXPECT_THAT(start_failure(with), HasSubstr("chmod +x"));
  std::filesystem::permissions(folder / "plain", std::filesystem::perms::owner_all);
  EXPECT_THAT(start_failure(with), HasSubstr("no program that this system runs"));
  std::filesystem::remove_all(folder);
}

TEST(ProviderStart, OutlivesAFlood) {
  auto started = ProviderProcess::start(settings("flood"), Deadline::after(kPatience));
  // Killed for it, and started again, and killed: this process goes on, and stops it.
  if (!started) {
    EXPECT_THAT(started.error().message(), HasSubstr("without a ping"));
    return;
  }
  Deadline patience = Deadline::after(kPatience);
  while ((*started)->status().last_end.empty() && !patience.passed()) {
    std::this_thread::yield();
  }
  EXPECT_FALSE((*started)->status().last_end.empty());
}

TEST(ProviderStart, RefusesOneThatServesSomethingElseAfterARestart) {
  ProviderSettings with = settings("changing");
  auto started = ProviderProcess::start(std::move(with), Deadline::after(kPatience));
  ASSERT_TRUE(started) << started.error().message();
  kill((*started)->status().pid, SIGKILL);
  Deadline patience = Deadline::after(kPatience);
  while ((*started)->status().last_end != "was killed by signal 9 (Killed)" && !patience.passed()) {
    std::this_thread::yield();
  }
  EXPECT_FALSE((*started)->status().up);
  auto missing = (*started)->function("test:hand/made@1.0.0", "no");
  EXPECT_FALSE(missing);
  auto other = (*started)->function("test:hand/made@1.0.0", "echo", "func()");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message(), HasSubstr("and func() is wanted"));
}

}  // namespace
}  // namespace weft
