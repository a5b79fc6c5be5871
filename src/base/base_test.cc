// Shows what the base types promise: errors carry their cause, buffers keep their room, the log
// escapes and hides, sizes and times parse, signals are found by their waiter.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include "base/buffer.h"
#include "base/check.h"
#include "base/console.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/fnv.h"
#include "base/id.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/signal.h"

namespace weft {
namespace {

using ::testing::HasSubstr;

Result<int> half(int number) {
  if (number % 2 != 0) return failure(Errc::kInvalid, "it is odd");
  return number / 2;
}

Result<int> quarter(int number) {
  TRY(int once, half(number));
  TRY(int twice, half(once));
  return twice;
}

Result<void> twice_even(int number) {
  TRY_VOID(quarter(number));
  return {};
}

// TRY unwraps, and hands the first error on unchanged.
TEST(Error, TryReturnsTheFirstError) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().code(), Errc::kInvalid);
  EXPECT_FALSE(twice_even(6));
  EXPECT_TRUE(twice_even(4));
}

TEST(Error, WithinPutsTheOuterStoryFirst) {
  Error error = std::move(half(1)).error();
  EXPECT_EQ(std::move(error).within("halve 1").message(), "halve 1: it is odd");
}

// Each errno a caller switches on gets its code, and the system's words.
TEST(Error, SystemFailuresHaveCodes) {
  EXPECT_EQ(system_failure("open x", ENOENT).error().code(), Errc::kNotFound);
  EXPECT_EQ(system_failure("bind", EADDRINUSE).error().code(), Errc::kConflict);
  EXPECT_EQ(system_failure("write", ENOSPC).error().code(), Errc::kFull);
  EXPECT_EQ(system_failure("read", EIO).error().code(), Errc::kIo);
  EXPECT_THAT(system_failure("open x", ENOENT).error().message(),
              HasSubstr("open x: No such file"));
}

TEST(CheckDeathTest, NamesTheConditionAndThePlace) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "base_test.*CHECK.1 . 1 == 3.");
}

// What is appended reads back over several growths, and clearing keeps the room.
TEST(Buffer, GrowsAndKeepsItsRoom) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    buffer.append("word ");
    expected += "word ";
  }
  buffer.push('!');
  expected += '!';
  EXPECT_EQ(buffer.text(), expected);
  std::size_t room = buffer.room();
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.room(), room);
  buffer.shrink(room);
  EXPECT_EQ(buffer.room(), room);
  buffer.shrink(16);
  EXPECT_EQ(buffer.room(), 0u);
}

TEST(Deadline, TheEarlierWins) {
  Deadline soon = Deadline::after(std::chrono::seconds(1));
  EXPECT_EQ(earlier(soon, Deadline::never()).when(), soon.when());
  EXPECT_FALSE(soon.passed());
  EXPECT_FALSE(Deadline::never().passed());
  EXPECT_TRUE(Deadline::after(std::chrono::seconds(-1)).passed());
}

std::string record(std::string_view message, LogFields fields) {
  return format_record("T", LogLevel::kWarn, "part", message,
                       std::span<const LogField>(fields.begin(), fields.size()));
}

TEST(Log, WritesOneLineARecord) {
  EXPECT_EQ(record("opened", {{"name", "a"}, {"count", 3}, {"big", UINT64_MAX}, {"yes", true}}),
            "T warn  part: opened name=a count=3 big=18446744073709551615 yes=true\n");
  EXPECT_EQ(record("x", {{"ratio", 0.5}, {"less", -7}}), "T warn  part: x ratio=0.5 less=-7\n");
}

// Nothing that a guest puts into a value ends the line, fakes a field or moves a terminal's cursor.
TEST(Log, EscapesValuesAndMessages) {
  EXPECT_EQ(record("a\nb", {{"k", "x y"}}), "T warn  part: a\\nb k=\"x y\"\n");
  EXPECT_EQ(record("m", {{"k", "a\"b\\c\r\n\t\x1b[2J"}}),
            "T warn  part: m k=\"a\\\"b\\\\c\\r\\n\\t\\x1b[2J\"\n");
  EXPECT_EQ(record("m", {{"k", ""}}), "T warn  part: m k=\"\"\n");
  EXPECT_EQ(record("m", {{"k", "a=b"}}), "T warn  part: m k=\"a=b\"\n");
  EXPECT_EQ(record("m", {{"k", "\xc3\xa9\xff\xc2\x9b"}}),
            "T warn  part: m k=\"\xc3\xa9\\xff\\xc2\\x9b\"\n");
}

TEST(Log, HidesSecrets) {
  EXPECT_EQ(record("m", {{"redis_password", "hunter2"}, {"API_KEY", 7}}),
            "T warn  part: m redis_password=[hidden] API_KEY=[hidden]\n");
}

TEST(Log, CutsWhatIsTooLong) {
  std::string long_value(3 * kLogRecordMax, 'x');
  std::string line = record("m", {{"k", long_value}});
  EXPECT_EQ(line.size(), kLogRecordMax);
  EXPECT_THAT(line, HasSubstr("x [cut]\n"));
}

// A level that is off costs its fields nothing but a comparison, and writes nothing.
TEST(Log, WritesOnlyWhatIsEnabled) {
  ::testing::internal::CaptureStderr();
  log::set_level(LogLevel::kError);
  log::warn("part", "not shown");
  log::error("part", "shown", {{"k", 1}});
  log::set_level(LogLevel::kOff);
  log::error("part", "not shown either");
  log::set_level(LogLevel::kInfo);
  std::string out = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(out, ::testing::MatchesRegex("[0-9-]+T[0-9:.]+Z error part: shown k=1\n"));
}

TEST(Fd, ClosesOnce) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  {
    Fd reader(ends[0]);
    Fd moved = std::move(reader);
    EXPECT_FALSE(reader);
    EXPECT_EQ(moved.get(), ends[0]);
  }
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), -1);
  EXPECT_EQ(errno, EBADF);
  Fd writer(ends[1]);
  EXPECT_EQ(Fd(writer.release()).get(), ends[1]);
}

TEST(Id, CountsAndSkipsZero) {
  IdGenerator ids(UINT64_MAX);
  EXPECT_EQ(ids.next(), UINT64_MAX);
  EXPECT_EQ(ids.next(), 1u);
  EXPECT_EQ(id_text(0x2a), "000000000000002a");
  EXPECT_NE(IdGenerator().next(), IdGenerator().next());
}

TEST(Limits, ParsesSizesAndTimes) {
  EXPECT_EQ(parse_size("4096").value(), 4096u);
  EXPECT_EQ(parse_size("64MiB").value(), 64u << 20);
  EXPECT_EQ(parse_size("2GiB").value(), std::uint64_t{2} << 30);
  EXPECT_EQ(parse_size("5KB").value(), 5000u);
  EXPECT_EQ(parse_duration_ns("200ms").value(), 200'000'000u);
  EXPECT_EQ(parse_duration_ns("10min").value(), parse_duration_ns("10m").value());
  EXPECT_EQ(parse_duration_ns("1h").value(), 3'600'000'000'000u);
  for (std::string_view bad : {"", "MiB", "-1", "+1", "1.5GiB", " 1", "1 MiB", "1mib", "1TiB"}) {
    EXPECT_EQ(parse_size(bad).error().code(), Errc::kInvalid) << bad;
  }
  for (std::string_view bad : {"5", "s", "-5s", "5 s", "5d"}) {
    EXPECT_EQ(parse_duration_ns(bad).error().code(), Errc::kInvalid) << bad;
  }
  for (std::string_view large : {"99999999999999999999", "18446744073709551615KiB"}) {
    EXPECT_EQ(parse_size(large).error().code(), Errc::kLimit) << large;
  }
  EXPECT_EQ(parse_duration_ns("18446744073709551615h").error().code(), Errc::kLimit);
  EXPECT_THAT(parse_size("1TiB").error().message(), HasSubstr("write it like 64MiB"));
}

TEST(Limits, RaisesOpenFilesToTheHardLimit) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(raise_open_files().value(), before.rlim_max);
  rlimit after{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
}

// A SIGTERM sent to the process is found by the waiter, also when it came first; without one the
// wait ends at its deadline.
TEST(StopSignals, FindsTheSignal) {
  StopSignals signals;
  signals.hold();
  kill(getpid(), SIGTERM);
  EXPECT_EQ(signals.wait(Deadline::after(std::chrono::seconds(10))), SIGTERM);
  EXPECT_EQ(signals.wait(Deadline::after(std::chrono::milliseconds(1))), std::nullopt);
  std::thread sender([] { kill(getpid(), SIGINT); });
  EXPECT_EQ(signals.wait(), SIGINT);
  sender.join();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Fd writer(ends[1]);
  close(ends[0]);
  EXPECT_EQ(write(writer.get(), "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
}

// Until signals are held one ends the process with the shell's exit code, also from a thread that
// was made meanwhile.
TEST(StopSignalsDeathTest, EndTheProcessUntilTheyAreHeld) {
  for (int number : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          StopSignals signals;
          std::thread sender([&] { kill(getpid(), number); });
          for (;;) pause();
        },
        ::testing::ExitedWithCode(128 + number), "");
  }
}

TEST(JsonText, AppendsAMember) {
  std::string out = "{\"a\":1";
  append_json_member(out, "b\"", "c\n");
  EXPECT_EQ(out, R"({"a":1,"b\"":"c\u000a")");
}

// Whoever reads beyond the end of a file that was cut says so before it is ended.
TEST(MappedFaultsDeathTest, NameTheFileThatWasCut) {
  EXPECT_EXIT(
      {
        explain_mapped_faults();
        raise(SIGBUS);
        raise(SIGBUS);
      },
      ::testing::KilledBySignal(SIGBUS), "a file that is in use was cut short");
}

TEST(MappedFaultsDeathTest, NameTheFileThatLeadsAstray) {
  EXPECT_EXIT(
      {
        explain_mapped_faults();
        MappedRead outer("/state/data.mdb");
        {
          MappedRead inner("/state/other.mdb");
        }
        raise(SIGSEGV);
        raise(SIGSEGV);
      },
      ::testing::KilledBySignal(SIGSEGV), "weft: /state/data.mdb is damaged inside .*: restore");
}

// A fault that no file is to blame for ends the process without a word about files.
TEST(MappedFaultsDeathTest, BlameNoFileThatIsNotInUse) {
  EXPECT_EXIT(
      {
        explain_mapped_faults();
        raise(SIGSEGV);
        raise(SIGSEGV);
      },
      ::testing::KilledBySignal(SIGSEGV), "^$");
}

TEST(Fnv1a, IsWhatOthersHave) {
  static_assert(fnv1a("") == 0xcbf29ce484222325);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8c);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8);
}

}  // namespace
}  // namespace weft
