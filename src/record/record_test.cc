// Shows a recording from the call to the file and back: what the layer hands over, what the file
// says of each kind of call, and what happens at each bound and with a disk that is full.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "base/log.h"
#include "base/read_file.h"
#include "door/testing.h"
#include "record/call_recorder.h"
#include "record/record_layer.h"
#include "record/recording.h"
#include "values/wave.h"

namespace weft {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kSignature = "func(key: string, n: u32) -> result<list<u8>, string>";

// Fails calls for "down", and answers others with ok([n]).
class Store final : public Provider {
 public:
  void begin(Call& call, Completion done) override {
    BytesView bytes = call.arguments();
    if (as_text(bytes).contains("down")) {
      return std::move(done).fail(Error(Errc::kUnavailable, "it is \"down\""));
    }
    done.reply().append(Bytes{0, 1, bytes.back()});
    std::move(done).finish();
  }
};

class RecordTest : public ::testing::Test {
 protected:
  RecordTest() {
    char name[] = "/tmp/weft-record-XXXXXX";
    folder_ = ::mkdtemp(name);
    file_ = folder_ + "/calls";
  }
  ~RecordTest() override { std::filesystem::remove_all(folder_); }

  void open(CallRecorder::Options options = {}) {
    auto opened = CallRecorder::open(file_, options);
    ASSERT_TRUE(opened) << opened.error().message();
    recorder_ = *std::move(opened);
  }

  void call(Provider& provider, BytesView arguments, const char* signature = kSignature,
            const char* interface = "acme:kv/store@1.0.0") {
    auto& layer = *layers_.emplace_back(
        std::make_unique<RecordLayer>(*recorder_, interface, "get", signature, "provider kv"));
    Function function{.interface = interface, .name = "get", .signature = signature};
    auto& link = *links_.emplace_back(
        std::make_unique<Link>(function, provider, std::vector<Layer*>{&layer}));
    pool_.start(link, context_, arguments, Deadline::never())->release();
  }
  void call(Provider& provider, const char* wave) {
    call(provider, *arguments_from_wave(*parse_signature(kSignature), wave));
  }

  std::string contents() { return *read_file(file_, kRecordingBytesMax); }
  Recording recording() {
    auto read = Recording::read(file_);
    EXPECT_TRUE(read) << (read ? "" : read.error().message());
    return read ? *std::move(read) : Recording();
  }

  std::string folder_;
  std::string file_;
  std::unique_ptr<CallRecorder> recorder_;
  // As long as calls that wait.
  std::vector<std::unique_ptr<RecordLayer>> layers_;
  std::vector<std::unique_ptr<Link>> links_;
  CallPool pool_;
  Context context_{testing::no_loop(), "shop", "cart"};
  Store store_;
  testing::Echo echo_;
};

TEST_F(RecordTest, CallsComeBackAsTheyWere) {
  open();
  call(store_, "(\"a\", 7)");
  call(store_, "(\"down\", 1)");
  CallRecorder::Summary summary = recorder_->finish();
  EXPECT_EQ(summary.calls, 2U);
  EXPECT_EQ(summary.lost, 0U);
  Recording read = recording();
  EXPECT_TRUE(read.complete);
  ASSERT_EQ(read.functions.size(), 1U);
  EXPECT_EQ(read.functions[0].call_text("()"), "acme:kv/store@1.0.0#get()");
  EXPECT_EQ(read.functions[0].by, "provider kv");
  ASSERT_EQ(read.calls.size(), 2U);
  EXPECT_EQ(read.calls[0].app, "shop");
  EXPECT_EQ(read.calls[0].component, "cart");
  EXPECT_EQ(read.calls[0].arguments_text, "(\"a\", 7)");
  EXPECT_EQ(read.calls[0].bodies->arguments, (Bytes{1, 'a', 7}));
  EXPECT_EQ(read.calls[0].bodies->reply, (Bytes{0, 1, 7}));
  EXPECT_EQ(read.calls[1].error->code(), Errc::kUnavailable);
  EXPECT_EQ(read.calls[1].error->message(), "it is \"down\"");
  EXPECT_THAT(read.text(), StartsWith("shop/cart -> provider kv: acme:kv/store@1.0.0#get(\"a\", 7) "
                                      "-> ok([7]) ["));
  EXPECT_THAT(read.text(), HasSubstr("failed: unavailable: it is \"down\""));
  EXPECT_THAT(read.text(), EndsWith("\n2 calls\n"));
}

// Functions are known from when a component is deployed, and called in any order.
TEST_F(RecordTest, FunctionsAreNumberedAsTheyAreCalled) {
  open();
  recorder_->function("a:b/c", "never", "func()", "provider kv");
  std::size_t later = *recorder_->function("a:b/c", "later", "func()", "provider kv");
  call(store_, "(\"a\", 7)");
  recorder_->add(later, {.app = "shop", .component = "cart"});
  call(store_, "(\"b\", 8)");
  recorder_->finish();
  Recording read = recording();
  ASSERT_EQ(read.functions.size(), 2U);
  EXPECT_EQ(read.functions[0].name, "get");
  EXPECT_EQ(read.functions[1].name, "later");
  ASSERT_EQ(read.calls.size(), 3U);
  EXPECT_EQ(read.calls[1].function, 1U);
  EXPECT_EQ(read.calls[2].function, 0U);
}

TEST_F(RecordTest, BytesWithoutATextAreKeptAsBytes) {
  open();
  // A reply that is no result, as a broken peer may send, and a NaN with bits of its own.
  call(echo_, Bytes{1, 'a', 7});
  call(echo_, Bytes{1, 2, 0xf0, 0x7f}, "func(x: f32) -> f32");
  recorder_->finish();
  Recording read = recording();
  ASSERT_EQ(read.calls.size(), 2U);
  EXPECT_EQ(read.calls[0].bodies->reply, (Bytes{1, 'a', 7}));
  EXPECT_EQ(read.calls[1].bodies->arguments, (Bytes{1, 2, 0xf0, 0x7f}));
  EXPECT_THAT(contents(), HasSubstr("\"result-hex\":\"016107\""));
}

TEST_F(RecordTest, HandlesAreShownAndNotReplayed) {
  open();
  call(echo_, Bytes{3}, "func(a: own<thing>) -> own<thing>");
  recorder_->finish();
  Recording read = recording();
  ASSERT_EQ(read.calls.size(), 1U);
  EXPECT_FALSE(read.calls[0].bodies);
  EXPECT_THAT(read.text(), HasSubstr("get(3) -> 3 ["));
  EXPECT_THAT(read.text(), HasSubstr("cannot be replayed"));
}

TEST_F(RecordTest, AValueThatIsTooLongIsToldBySize) {
  open();
  Bytes arguments =
      *arguments_from_wave(*parse_signature(kSignature),
                           fmt::format("(\"{}\", 9)", std::string(kRecordedValueMax, 'x')));
  call(store_, arguments);
  recorder_->finish();
  Recording read = recording();
  ASSERT_EQ(read.calls.size(), 1U);
  EXPECT_FALSE(read.calls[0].bodies);
  EXPECT_EQ(read.calls[0].arguments_text, fmt::format("<{} bytes>", arguments.size()));
  EXPECT_EQ(read.calls[0].result_text, "ok([9])");
}

// Neither what is asked for nor what comes of it is in the file, and both are marked.
TEST_F(RecordTest, CallsOfSecretsAreRecordedWithoutTheirValues) {
  for (const char* interface : {"weft:secrets/store@0.1.0", "weft:secrets/reveal@9.0.0",
                                "wasmcloud:secrets/reveal@2.1.0"}) {
    open();
    Bytes arguments =
        *arguments_from_wave(*parse_signature(kSignature), "(\"hunter2-hunter2\", 7)");
    call(store_, arguments, kSignature, interface);
    call(echo_, arguments, "func(key: string, n: u32) -> tuple<string, u32>", interface);
    EXPECT_EQ(recorder_->finish().calls, 2U);
    std::string text = contents();
    EXPECT_THAT(text, HasSubstr("\"args-hidden\":true,\"result-hidden\":true"));
    EXPECT_THAT(text, ::testing::Not(HasSubstr("hunter2")));
    Recording read = recording();
    ASSERT_EQ(read.calls.size(), 2U);
    EXPECT_FALSE(read.calls[0].bodies);
    EXPECT_THAT(read.text(), HasSubstr("get<hidden, it may be a secret> -> <hidden, it may be a "
                                       "secret> ["));
    std::filesystem::remove(file_);
  }
}

TEST_F(RecordTest, ACallThatNobodyWaitedForIsLeftOut) {
  open();
  testing::Late late;
  call(late, "(\"a\", 1)");
  late.waiting.clear();
  EXPECT_EQ(recorder_->finish().calls, 0U);
  EXPECT_TRUE(recording().calls.empty());
}

TEST_F(RecordTest, WhatTheQueueDoesNotHoldIsLost) {
  open({.queue_bytes_max = 1});
  call(store_, "(\"a\", 1)");
  CallRecorder::Summary summary = recorder_->finish();
  EXPECT_EQ(summary.calls, 0U);
  EXPECT_EQ(summary.lost, 1U);
  EXPECT_EQ(recording().lost, 1U);
}

TEST_F(RecordTest, AFileThatIsFullEndsTheRecording) {
  log::set_level(LogLevel::kOff);
  open({.file_bytes_max = 1'000});
  for (int i = 0; i < 100; ++i) call(store_, "(\"a\", 1)");
  CallRecorder::Summary summary = recorder_->finish();
  log::set_level(LogLevel::kInfo);
  EXPECT_GT(summary.calls, 0U);
  EXPECT_GT(summary.lost, 0U);
  EXPECT_EQ(summary.calls + summary.lost, 100U);
  EXPECT_LE(contents().size(), 1'000U);
  Recording read = recording();
  EXPECT_TRUE(read.complete);
  EXPECT_EQ(read.calls.size(), summary.calls);
}

TEST_F(RecordTest, AHostThatDidNotStartSpoilsNothing) {
  const std::string before = "{\"weft-recording\":1}\nbefore";
  std::ofstream(file_) << before;
  ASSERT_EQ(::chmod(file_.c_str(), 0644), 0);
  open();
  EXPECT_FALSE(CallRecorder::open(file_)) << "two in one file";
  recorder_.reset();
  EXPECT_EQ(contents(), before);
  open();
  recorder_->finish();
  EXPECT_EQ(contents().find("before"), std::string::npos);
  struct stat info{};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(RecordTest, AHostThatDidNotStartLeavesNoFile) {
  open();
  recorder_.reset();
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(RecordTest, WhatIsNoRecordingIsNotWrittenOver) {
  std::ofstream(file_) << "[http]\n";
  EXPECT_FALSE(CallRecorder::open(file_));
  EXPECT_EQ(contents(), "[http]\n");
}

TEST_F(RecordTest, TheFileIsItsUsersAlone) {
  open();
  struct stat info{};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(RecordTest, WhatIsNoFileIsRefused) {
  EXPECT_FALSE(CallRecorder::open(folder_));
  EXPECT_FALSE(CallRecorder::open("/dev/null"));
  EXPECT_FALSE(CallRecorder::open(folder_ + "/none/calls"));
}

TEST(Recording, ALastLineThatWasCutShortIsLeftOut) {
  auto read = Recording::parse(
      "{\"weft-recording\":1}\n"
      "{\"function\":0,\"interface\":\"a:b/c\",\"name\":\"f\",\"signature\":\"func()\"}\n"
      "{\"call\":0,\"app\":\"a\",\"component\":\"b\",\"args\":\"()\",\"us\":1}\n"
      "{\"call\":0,\"app\":\"a\",\"comp");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->calls.size(), 1U);
  EXPECT_TRUE(read->calls[0].bodies);
  EXPECT_FALSE(read->complete);
  EXPECT_THAT(read->text(), HasSubstr("it breaks off"));
}

TEST(Recording, WhatIsWrongIsToldWithItsLine) {
  const std::string head = "{\"weft-recording\":1}\n";
  const std::string function =
      "{\"function\":0,\"interface\":\"a:b/c\",\"name\":\"f\",\"signature\":\"func(a: u8)\"}\n";
  auto problem = [](const std::string& text) {
    auto read = Recording::parse(text);
    return read ? "none" : read.error().message();
  };
  EXPECT_EQ(problem(""), "it is no recording of weft");
  EXPECT_EQ(problem("hello\n"), "1: it is no recording of weft");
  EXPECT_THAT(problem("{\"weft-recording\":2}\n"), HasSubstr("reads version 1"));
  EXPECT_THAT(problem(head + "{\"call\":0}\n"), StartsWith("2: there is no function"));
  EXPECT_THAT(problem(head + "[]\n"), StartsWith("2: the line is no JSON object"));
  EXPECT_THAT(problem(head + function + "{\"call\":0,\"args\":\"(x)\"}\n"),
              StartsWith("3: args: "));
  EXPECT_THAT(problem(head + function + "{\"call\":0,\"args-hex\":\"0\"}\n"),
              StartsWith("3: args: it is no hexadecimal text"));
}

}  // namespace
}  // namespace weft
