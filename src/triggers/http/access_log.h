#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/line_writer.h"
#include "io/http/exchange.h"
#include "io/timer.h"

namespace weft {

// What served a request, for its line. Empty where nothing is known: a request that no route took.
struct AccessLabel {
  std::string_view route;
  std::string_view component;
};

// Where access logs of all loops are written. Thread-safe: a batch is one append, which never waits
// (base/line_writer.h).
class AccessLogFile {
 public:
  // Appends to `path`, which may be a pipe that somebody reads; "-" is stderr.
  static Result<std::unique_ptr<AccessLogFile>> open(const std::string& path);

  // Writes whole lines. What the file does not take is lost, counted, and told of in the host's log
  // when it takes something again.
  void append(std::string_view lines);
  std::uint64_t lost() const { return writer_ == nullptr ? 0 : writer_->lost(); }

 private:
  explicit AccessLogFile(std::unique_ptr<LineWriter> writer) : writer_(std::move(writer)) {}
  std::unique_ptr<LineWriter>
      writer_;  // Null: the lines go to stderr, in their order with the log.
  std::atomic<bool> told_{false};
};

// The access log of one loop: a JSON line a request, gathered and handed to the file when enough is
// there or kDelay has passed. On its loop only; flushes when it is destroyed.
class AccessLog {
 public:
  static constexpr std::size_t kBatchBytes = 32 * 1024;
  static constexpr std::chrono::milliseconds kDelay{200};

  AccessLog(Loop& loop, AccessLogFile& file);
  ~AccessLog() { flush(); }

  void add(const ExchangeSummary& summary, const AccessLabel& label = {});
  void flush();

 private:
  Loop& loop_;
  AccessLogFile& file_;
  std::string batch_;
  std::string second_text_;
  std::int64_t second_ = 0;
  Timer delay_;
};

// One line, with its newline, at the end of `out`.
void append_access_line(std::string& out, std::string_view time, const ExchangeSummary& summary,
                        const AccessLabel& label = {});

}  // namespace weft
