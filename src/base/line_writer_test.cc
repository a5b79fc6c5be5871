// Shows that whoever writes lines waits for no reader, that order is kept, and that what is lost is
// counted and told of.

#include "base/line_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

#include "base/console.h"
#include "base/log.h"

namespace weft {
namespace {

using namespace std::chrono_literals;

std::string notice(std::uint64_t lost) {
  return fmt::format("lost {}\n", lost);
}

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
  }
  Fd reader;
  Fd writer;
};

// Reads until `text` comes, or nothing more does.
std::string read_until(int fd, std::string_view text) {
  std::string all;
  char room[64 * 1024];
  while (all.find(text) == std::string::npos) {
    pollfd ask{fd, POLLIN, 0};
    if (::poll(&ask, 1, 10'000) <= 0) break;
    ssize_t count = ::read(fd, room, sizeof room);
    if (count <= 0) break;
    all.append(room, static_cast<std::size_t>(count));
  }
  return all;
}

std::string numbered(int number) {
  return fmt::format("{:06} {}\n", number, std::string(992, 'x'));
}

// What is taken at once is out when append returns, and needs no thread.
TEST(LineWriter, WritesAtOnceWhereItCan) {
  Pipe pipe;
  LineWriter writer(LineWriter::unshared(pipe.writer.get()), notice);
  writer.append("a\nb\n");
  pollfd ask{pipe.reader.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&ask, 1, 0), 1);
  char room[16];
  EXPECT_EQ(::read(pipe.reader.get(), room, sizeof room), 4);
}

// A reader that stops reading holds up nobody. When it reads again it gets every line that fitted,
// whole and in order, and is told how many did not.
TEST(LineWriter, QueuesCountsAndTells) {
  Pipe pipe;
  LineWriter writer(LineWriter::unshared(pipe.writer.get()), notice);
  constexpr int kLines = 3'000;  // Of 1,000 bytes: more than the pipe and two queues.
  auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kLines; ++i) writer.append(numbered(i));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  std::uint64_t lost = writer.lost();
  EXPECT_GT(lost, 0u);
  int next = 0;
  std::uint64_t told = 0;
  std::string all;
  while (next < kLines) {
    std::string more = read_until(pipe.reader.get(), "\n");
    ASSERT_FALSE(more.empty());
    all += more;
    std::size_t at = 0;
    for (std::size_t end; (end = all.find('\n', at)) != std::string::npos; at = end + 1) {
      std::string line = all.substr(at, end + 1 - at);
      if (!line.starts_with("lost ")) {
        ASSERT_EQ(line, numbered(next++));
        continue;
      }
      told += std::stoull(line.substr(5));
      next += static_cast<int>(std::stoull(line.substr(5)));
    }
    all.erase(0, at);
  }
  EXPECT_EQ(told, lost);
  EXPECT_EQ(next, kLines);
  writer.append("after\n");
  EXPECT_EQ(read_until(pipe.reader.get(), "after\n"), "after\n");
}

// The end writes what waits while somebody reads, and gives up on who does not.
TEST(LineWriter, EndsWithinItsTime) {
  Pipe pipe;
  std::string all;
  {
    std::optional<LineWriter> writer;
    writer.emplace(LineWriter::unshared(pipe.writer.get()), notice);
    for (int i = 0; i < 300; ++i) writer->append(numbered(i));
    std::thread reader([&] { all = read_until(pipe.reader.get(), "000299"); });
    writer.reset();
    reader.join();
  }
  EXPECT_NE(all.find("000299"), std::string::npos);
  auto begin = std::chrono::steady_clock::now();
  {
    LineWriter writer(LineWriter::unshared(pipe.writer.get()), notice);
    for (int i = 0; i < 300; ++i) writer.append(numbered(i));
  }
  auto spent = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(spent, LineWriter::kLastWordsMax - 10ms);
  EXPECT_LT(spent, 10 * LineWriter::kLastWordsMax);
}

// A descriptor that fails loses lines, without a throw and without a thread; the next that gets
// through comes after the number.
TEST(LineWriter, CountsWhatCannotBeWritten) {
  LineWriter full(Fd(::open("/dev/full", O_WRONLY | O_CLOEXEC)), notice);
  full.append("a\nb\n");
  full.append("c\n");
  EXPECT_EQ(full.lost(), 3u);
  LineWriter none(Fd(), notice);
  none.append("a\n");
  EXPECT_EQ(none.lost(), 1u);
}

// Whoever shares the descriptor keeps it as it is: the writer's own does not wait.
TEST(LineWriter, LeavesASharedDescriptorAlone) {
  Pipe pipe;
  Fd own = LineWriter::unshared(pipe.writer.get());
  EXPECT_NE(::fcntl(own.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::fcntl(pipe.writer.get(), F_GETFL) & O_NONBLOCK, 0);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  Fd near(ends[0]);
  Fd far(ends[1]);
  LineWriter writer(LineWriter::unshared(near.get()), notice);
  for (int i = 0; i < 1'000; ++i) writer.append(numbered(i));
  EXPECT_EQ(::fcntl(near.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(read_until(far.get(), "000999").find("000999"), std::string::npos);
}

// The log and what is said to a person go through the console in their order, also where stderr
// takes nothing.
TEST(Console, KeepsTheOrderOfLogAndWords) {
  Pipe pipe;
  int before = ::dup(STDERR_FILENO);
  ASSERT_EQ(::dup2(pipe.writer.get(), STDERR_FILENO), STDERR_FILENO);
  {
    Console console;
    say("first");
    log::warn("part", "second");
    say("third");
  }
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  std::string all = read_until(pipe.reader.get(), "third\n");
  EXPECT_THAT(all, ::testing::MatchesRegex("first\n.* warn  part: second\nthird\n"));
}

// Words that cannot be written are no reason to end.
TEST(Console, SaysNothingToAFullDevice) {
  int before = ::dup(STDERR_FILENO);
  Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::dup2(full.get(), STDERR_FILENO), STDERR_FILENO);
  say("without a console");
  {
    Console console;
    say("with one");
  }
  ::dup2(before, STDERR_FILENO);
  ::close(before);
}

// Closed standard streams are opened before anything else could take their numbers.
TEST(StdioDeathTest, IsOpenedWhereItIsMissing) {
  EXPECT_EXIT(
      {
        ::close(STDIN_FILENO);
        ::close(STDERR_FILENO);
        open_missing_stdio();
        int next = ::open("/dev/null", O_RDONLY);
        ::_exit(next > STDERR_FILENO ? 7 : 1);
      },
      ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace weft
