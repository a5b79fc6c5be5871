#include "record/call_recorder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/thread_name.h"

namespace weft {
namespace {

constexpr std::size_t kFlushBytes = 256 * 1024;
// Kept free for the end's line.
constexpr std::size_t kEndBytesMax = 128;
// How the first line of every version begins.
constexpr std::string_view kRecordingMark = "{\"weft-recording\":";

// A file that is something else is not to be lost to a slip of the hand.
Result<void> check_is_ours(int file, const std::string& name) {
  std::string head(recording_head().size(), '\0');
  ssize_t count = ::pread(file, head.data(), head.size(), 0);
  if (count < 0) return system_failure(fmt::format("{}: it cannot be read", name), errno);
  head.resize(static_cast<std::size_t>(count));
  if (head.empty() || head.starts_with(kRecordingMark)) return {};
  return failure(Errc::kConflict,
                 fmt::format("{}: it is there, and no recording: name another file", name));
}

}  // namespace

Result<std::unique_ptr<CallRecorder>> CallRecorder::open(std::string file, Options options) {
  // Values of an app are its user's own.
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  Fd opened(::open(file.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
  bool created = static_cast<bool>(opened);
  if (!created && errno == EEXIST) opened = Fd(::open(file.c_str(), kFlags));
  if (!opened) return system_failure(fmt::format("{}: it cannot be written", file), errno);
  struct stat info{};
  if (::fstat(opened.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return failure(Errc::kInvalid, fmt::format("{}: it is no file", file));
  }
  if (::flock(opened.get(), LOCK_EX | LOCK_NB) != 0) {
    return failure(Errc::kConflict, fmt::format("{}: another weft records into it", file));
  }
  TRY_VOID(check_is_ours(opened.get(), file));
  return std::unique_ptr<CallRecorder>(
      new CallRecorder(std::move(file), std::move(opened), created, options));
}

CallRecorder::CallRecorder(std::string path, Fd file, bool created, Options options)
    : path_(std::move(path)),
      options_(options),
      file_(std::move(file)),
      created_(created),
      thread_([this] {
        name_thread("weft-record");
        run();
      }) {}

CallRecorder::~CallRecorder() {
  stop();
  if (created_ && !begun_) ::unlink(path_.c_str());
}

std::optional<std::size_t> CallRecorder::function(std::string interface, std::string name,
                                                  std::string signature, std::string by) {
  std::string key = fmt::format("{}\n{}\n{}\n{}", interface, name, signature, by);
  std::lock_guard hold(mutex_);
  if (auto known = numbers_.find(key); known != numbers_.end()) return known->second;
  if (functions_.size() >= kRecordedFunctionsMax) return std::nullopt;
  auto function = RecordedFunction::make(std::move(interface), std::move(name),
                                         std::move(signature), std::move(by));
  if (!function) return std::nullopt;
  functions_.push_back(*std::move(function));
  return numbers_[key] = functions_.size() - 1;
}

void CallRecorder::add(std::size_t function, TakenCall call) {
  std::size_t room = call.room();
  {
    std::lock_guard hold(mutex_);
    if (ended_ || stopping_ || queued_bytes_ + room > options_.queue_bytes_max) {
      ++lost_;
      return;
    }
    queued_bytes_ += room;
    queue_.emplace_back(function, std::move(call));
    if (queue_.size() > 1) return;  // The thread was told.
  }
  wake_.notify_one();
}

void CallRecorder::lose() {
  std::lock_guard hold(mutex_);
  ++lost_;
}

void CallRecorder::run() {
  std::unique_lock hold(mutex_);
  for (;;) {
    wake_.wait(hold, [this] { return !queue_.empty() || stopping_; });
    if (queue_.empty()) return;
    std::deque<Waiting> batch = std::exchange(queue_, {});
    std::size_t bytes = queued_bytes_;
    hold.unlock();
    write_batch(batch);
    hold.lock();
    // Calls that are being written take up room until they are.
    queued_bytes_ -= bytes;
  }
}

void CallRecorder::write_batch(const std::deque<Waiting>& batch) {
  for (const auto& [number, call] : batch) {
    const RecordedFunction* function = nullptr;
    {
      std::lock_guard hold(mutex_);
      function = &functions_[number];
    }
    if (told_.size() <= number) told_.resize(number + 1);
    std::size_t in_file = told_[number].value_or(told_count_);
    std::string line = told_[number] ? "" : function_line(in_file, *function);
    line += call_line(in_file, *function, call);
    if (!broken_ && written_ + line.size() + kEndBytesMax > options_.file_bytes_max) {
      fail(Error(Errc::kLimit, fmt::format("it has {} bytes, and more is not recorded",
                                           options_.file_bytes_max)));
    }
    if (broken_) {
      lose();
      continue;
    }
    if (!told_[number]) told_[number] = told_count_++;
    ++calls_;
    ++buffered_;
    append(line);
  }
  flush();
}

void CallRecorder::append(std::string_view line) {
  if (!std::exchange(begun_, true)) {
    if (::ftruncate(file_.get(), 0) != 0 || ::fchmod(file_.get(), 0600) != 0) {
      return fail(system_failure("it cannot be emptied", errno).error());
    }
    buffer_ = recording_head();
    written_ = buffer_.size();
  }
  buffer_ += line;
  written_ += line.size();
  if (buffer_.size() >= kFlushBytes) flush();
}

// False: the file is broken, now or before.
bool CallRecorder::flush() {
  std::string_view left = buffer_;
  while (!left.empty() && file_) {
    ssize_t count = ::write(file_.get(), left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      fail(system_failure("it cannot be written", count == 0 ? EIO : errno).error());
      break;
    }
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  // Of those that were not written whole none counts: the file ends somewhere within them.
  std::uint64_t lost = left.empty() && file_ ? 0 : buffered_;
  calls_ -= lost;
  buffered_ = 0;
  buffer_.clear();
  std::lock_guard hold(mutex_);
  lost_ += lost;
  return static_cast<bool>(file_);
}

// Ends the recording, not the host. A full file keeps its end; one that cannot be written does not.
void CallRecorder::fail(const Error& error) {
  if (std::exchange(broken_, true)) return;
  log::error("weft", fmt::format("recording ends: {}: {}", path_, error.message()));
  if (error.code() != Errc::kLimit) file_.reset();
  std::lock_guard hold(mutex_);
  ended_ = true;
}

void CallRecorder::stop() {
  {
    std::lock_guard hold(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

CallRecorder::Summary CallRecorder::finish() {
  stop();
  append(recording_end(calls_, lost_));
  flush();
  return {calls_, lost_};
}

}  // namespace weft
