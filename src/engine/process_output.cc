#include "engine/process_output.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "base/thread_name.h"
#include "weft-engine/src/bridge.rs.h"

namespace weft {
namespace {

// 0, or why not all of it could be written.
int write_out(int file, BytesView bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      // Whoever started the process may have made it non-blocking.
      pollfd ready{file, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

ProcessOutput& ProcessOutput::instance() {
  static auto* output = new ProcessOutput();
  return *output;
}

std::int64_t ProcessOutput::room(Stream stream) {
  std::lock_guard lock(mutex_);
  if (failure(stream) != 0) return failure(stream) == EPIPE ? kClosed : kFailed;
  return held_ < kQueueMax ? static_cast<std::int64_t>(kWriteMax) : 0;
}

std::string ProcessOutput::take_error(Stream stream) {
  std::lock_guard lock(mutex_);
  return std::strerror(std::exchange(failure(stream), 0));
}

std::int64_t ProcessOutput::written() {
  std::lock_guard lock(mutex_);
  if (held_ > 0) return 0;
  auto fine = [](int reason) { return reason == 0 || reason == EPIPE; };
  return std::ranges::all_of(lost_, fine) ? 1 : kFailed;
}

std::string ProcessOutput::take_error() {
  std::lock_guard lock(mutex_);
  for (int& reason : lost_) {
    if (reason != 0 && reason != EPIPE) return std::strerror(std::exchange(reason, 0));
  }
  return "no error";
}

void ProcessOutput::write(Stream stream, BytesView bytes) {
  if (bytes.empty()) return;
  std::lock_guard lock(mutex_);
  start_thread();
  held_ += bytes.size();
  if (parts_.empty() || parts_.back().stream != stream) {
    held_ += kPartCost;
    parts_.push_back({stream, {}});
  }
  Bytes& part = parts_.back().bytes;
  part.insert(part.end(), bytes.begin(), bytes.end());
  news_.notify_one();
}

void ProcessOutput::wait_room(Waker waker) {
  std::lock_guard lock(mutex_);
  bool failed = std::ranges::any_of(failures_, [](int reason) { return reason != 0; });
  if (held_ < kQueueMax || failed) return waker->wake();
  wait(std::move(waker));
}

void ProcessOutput::wait_written(Waker waker) {
  std::lock_guard lock(mutex_);
  if (held_ == 0) return waker->wake();
  wait(std::move(waker));
}

void ProcessOutput::wait(Waker waker) {
  if (waiting_.size() >= kWaitingMax) wake_all();
  waiting_.push_back(std::move(waker));
}

void ProcessOutput::wake_all() {
  for (Waker& waker : waiting_) waker->wake();
  waiting_.clear();
}

void ProcessOutput::start_thread() {
  if (std::exchange(started_, true)) return;
  std::thread([this] { run(); }).detach();
}

void ProcessOutput::run() {
  name_thread("weft-output");
  std::unique_lock lock(mutex_);
  while (true) {
    news_.wait(lock, [this] { return !parts_.empty(); });
    for (const Part& part : std::exchange(parts_, {})) {
      lock.unlock();
      int reason = write_out(static_cast<int>(part.stream), part.bytes);
      lock.lock();
      held_ -= part.bytes.size() + kPartCost;
      if (reason != 0) {
        failure(part.stream) = reason;
        lost_[static_cast<std::size_t>(part.stream) - 1] = reason;
      }
      wake_all();
    }
  }
}

}  // namespace weft
