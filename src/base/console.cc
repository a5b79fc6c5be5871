#include "base/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <exception>
#include <string>

#include "base/check.h"
#include "base/log.h"

namespace weft {
namespace {

// The log of the process is global, and so is where it goes.
std::atomic<LineWriter*> writer_now{nullptr};

std::string lost_notice(std::uint64_t lost) {
  return log::record_now(LogLevel::kWarn, "log", "lines were lost: stderr did not take them",
                         {{"lost", lost}});
}

void write_directly(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(STDERR_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

Console::Console() : writer_(LineWriter::unshared(STDERR_FILENO), lost_notice) {
  CHECK(writer_now.exchange(&writer_) == nullptr);
}

Console::~Console() {
  writer_now.store(nullptr);
}

void write_to_stderr(std::string_view lines) noexcept {
  try {
    LineWriter* writer = writer_now.load(std::memory_order_acquire);
    writer != nullptr ? writer->append(lines) : write_directly(lines);
  } catch (const std::exception&) {
    // No memory for the queue: the lines are lost.
  }
}

void say(std::string_view line) noexcept {
  try {
    write_to_stderr(fmt::format("{}\n", line));
  } catch (const std::exception&) {
    write_to_stderr("weft: out of memory\n");
  }
}

}  // namespace weft
