#include "base/line_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/thread_name.h"

namespace weft {
namespace {

using namespace std::chrono_literals;

// How often a thread that waits for its descriptor looks whether it is to stop.
constexpr std::chrono::milliseconds kLook{50};

bool would_block(int reason) {
  return reason == EAGAIN || reason == EWOULDBLOCK;
}

}  // namespace

Fd LineWriter::unshared(int fd) {
  struct stat info{};
  // A file's second description would have an offset of its own, and a socket has none to open.
  if (::fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode))) {
    std::string path = fmt::format("/proc/self/fd/{}", fd);
    int own = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own >= 0) return Fd(own);
  }
  return Fd(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

LineWriter::LineWriter(Fd file, Notice notice)
    : file_(std::move(file)), kind_(Kind::kAsk), notice_(std::move(notice)) {
  struct stat info{};
  if (::fstat(file_.get(), &info) != 0) return;
  int flags = ::fcntl(file_.get(), F_GETFL);
  if (S_ISREG(info.st_mode)) {
    kind_ = Kind::kFile;
  } else if (S_ISSOCK(info.st_mode)) {
    kind_ = Kind::kSocket;
  } else if (flags >= 0 && (flags & O_NONBLOCK) != 0) {
    kind_ = Kind::kNonBlocking;
  }
}

LineWriter::~LineWriter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    end_ = Deadline::after(kLastWordsMax);
  }
  queued_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LineWriter::append(std::string_view lines) {
  std::lock_guard lock(mutex_);
  if (draining_) return enqueue(lines);
  std::string_view text = lines;
  std::string with_notice;
  std::uint64_t untold = untold_;
  bool torn = torn_;
  if (untold > 0 || torn) {
    if (std::exchange(torn_, false)) with_notice = "\n";
    with_notice += take_notice();
    with_notice += lines;
    text = with_notice;
  }
  std::size_t written = write_while_taken(text);
  if (written == text.size()) return;
  if (failed_ || !start_thread()) {
    if (written > 0) return lose(text.substr(written));
    untold_ = untold;
    lose(lines);
    torn_ = torn;
    return;
  }
  queue_ += text.substr(written);
  draining_ = true;
  queued_.notify_one();
}

// One write that waits for nobody: what was written, or -1 with errno.
ssize_t LineWriter::write_now(std::string_view bytes) {
  if (!file_) {
    errno = EBADF;
    return -1;
  }
  switch (kind_) {
    case Kind::kSocket:
      return ::send(file_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Kind::kAsk:
      // A pipe that takes anything takes PIPE_BUF.
      if (!takes_within(0ms)) {
        errno = EAGAIN;
        return -1;
      }
      return ::write(file_.get(), bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    case Kind::kFile:
    case Kind::kNonBlocking: break;
  }
  return ::write(file_.get(), bytes.data(), bytes.size());
}

bool LineWriter::takes_within(std::chrono::milliseconds wait) {
  pollfd ask{file_.get(), POLLOUT, 0};
  return ::poll(&ask, 1, static_cast<int>(wait.count())) > 0;
}

// How much of it is out. Less than all: no more is taken now, or failed_.
std::size_t LineWriter::write_while_taken(std::string_view bytes) {
  std::size_t all = bytes.size();
  failed_ = false;
  while (!bytes.empty()) {
    ssize_t written = write_now(bytes);
    if (written > 0) {
      mid_line_ = bytes[static_cast<std::size_t>(written) - 1] != '\n';
      bytes.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    if (written < 0 && errno == EINTR) continue;
    failed_ = written == 0 || !would_block(errno);
    break;
  }
  return all - bytes.size();
}

void LineWriter::count_lost(std::string_view lines) {
  auto count = static_cast<std::uint64_t>(std::ranges::count(lines, '\n'));
  untold_ += count;
  lost_.fetch_add(count, std::memory_order_relaxed);
}

// The front of `lines` may be the rest of a line that is out in part.
void LineWriter::lose(std::string_view lines) {
  count_lost(lines);
  torn_ = mid_line_;
}

void LineWriter::enqueue(std::string_view lines) {
  if (queue_.size() + lines.size() > kQueueBytesMax) return count_lost(lines);
  if (untold_ > 0) queue_ += take_notice();
  queue_ += lines;
}

std::string LineWriter::take_notice() {
  std::uint64_t lost = std::exchange(untold_, 0);
  return lost > 0 && notice_ ? notice_(lost) : std::string();
}

bool LineWriter::start_thread() {
  if (thread_.joinable()) return true;
  // The signals that main waits for are not this thread's.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    // No thread is to be had: what does not leave at once is lost.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread_.joinable();
}

void LineWriter::run() {
  name_thread("weft-log");
  std::unique_lock lock(mutex_);
  for (;;) {
    queued_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (!queue_.empty()) write_queue(lock, std::exchange(queue_, {}));
    if (queue_.empty() && untold_ > 0 && !failed_) queue_ = take_notice();
    if (!queue_.empty() && !past_end()) continue;
    draining_ = false;
    if (stopping_) return;
  }
}

// Writes without the lock, so that whoever logs meanwhile only queues.
void LineWriter::write_queue(std::unique_lock<std::mutex>& lock, std::string sending) {
  if (std::exchange(torn_, false)) sending.insert(0, "\n");
  std::string_view left = sending;
  for (bool stop = false; !stop && !left.empty();) {
    lock.unlock();
    left.remove_prefix(write_while_taken(left));
    if (!left.empty() && !failed_) takes_within(kLook);
    lock.lock();
    stop = failed_ || past_end();
  }
  if (!left.empty()) lose(left);
}

bool LineWriter::past_end() {
  return stopping_ && end_.passed();
}

}  // namespace weft
