#include "triggers/http/access_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weft {
namespace {

ExchangeSummary summary_of(const RequestHead& request) {
  return {request,
          "127.0.0.1:4711",
          255,
          200,
          ExchangeSummary::End::kWhole,
          3,
          6,
          std::chrono::microseconds(40),
          std::chrono::microseconds(50)};
}

// A line has the fields a person looks for, and is one line.
TEST(AccessLog, WritesOneLineARequest) {
  RequestHead request;
  request.method = "GET";
  request.target = "/path?query";
  std::string line;
  append_access_line(line, "2026-01-02T03:04:05.006Z", summary_of(request), {"/path", "cart"});
  EXPECT_EQ(line,
            R"({"time":"2026-01-02T03:04:05.006Z","request":"00000000000000ff",)"
            R"("peer":"127.0.0.1:4711","method":"GET","target":"/path?query","version":"1.1",)"
            R"("route":"/path","component":"cart","status":200,)"
            R"("end":"whole","in":3,"out":6,"head_us":40,"time_us":50})"
            "\n");
}

// A client cannot forge a line, nor break the JSON, by what it asks for.
TEST(AccessLog, EscapesWhatAClientSends) {
  RequestHead request;
  request.method = "GET";
  request.target = "/\"\\\n\xff";
  std::string line;
  append_access_line(line, "t", summary_of(request));
  EXPECT_THAT(line, testing::HasSubstr(R"("target":"/\"\\\u000a\u00ff")"));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

// A trace is named where somebody else knows of it, and not where it was made here and stays here.
TEST(AccessLog, NamesATraceThatSomebodyKnows) {
  RequestHead request;
  ExchangeWatch watch;
  watch.trace = {.trace_high = 0xa, .trace_low = 0xb, .span = 1};
  ExchangeSummary summary = summary_of(request);
  summary.watch = &watch;
  std::string line;
  append_access_line(line, "t", summary);
  EXPECT_EQ(line.find("trace"), std::string::npos);
  watch.trace.parent = 7;
  append_access_line(line, "t", summary);
  EXPECT_THAT(line, testing::HasSubstr(R"("trace":"000000000000000a000000000000000b")"));
}

// A path that cannot be opened is told with its name.
TEST(AccessLog, NamesAFileThatCannotBeOpened) {
  auto file = AccessLogFile::open("/dev/null/access.log");
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message(), testing::HasSubstr("/dev/null/access.log"));
}

// A pipe that nobody reads is refused at once, and not waited for.
TEST(AccessLog, RefusesAPipeThatNobodyReads) {
  std::string path = testing::TempDir() + "access_log_" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  auto unread = AccessLogFile::open(path);
  EXPECT_FALSE(unread);
  if (!unread) EXPECT_THAT(unread.error().message(), testing::HasSubstr("nobody reads this pipe"));
  Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  auto file = AccessLogFile::open(path);
  ::unlink(path.c_str());
  ASSERT_TRUE(file);
  (*file)->append("a line\n");
  char room[16];
  EXPECT_EQ(::read(reader.get(), room, sizeof room), 7);
}

// A pipe that takes nothing more holds nobody up, and what it lost is counted.
TEST(AccessLog, DoesNotWaitForAFullPipe) {
  std::string path = testing::TempDir() + "access_log_full_" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  auto file = AccessLogFile::open(path);
  ::unlink(path.c_str());
  ASSERT_TRUE(file);
  std::string line = std::string(32 * 1024 - 1, 'x') + "\n";
  for (int i = 0; i < 100; ++i) (*file)->append(line);
  EXPECT_GT((*file)->lost(), 0u);
  EXPECT_LT((*file)->lost(), 100u);
  reader.reset();
}

}  // namespace
}  // namespace weft
