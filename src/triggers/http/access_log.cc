#include "triggers/http/access_log.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <ctime>
#include <iterator>

#include "base/console.h"
#include "base/id.h"
#include "base/log.h"
#include "io/loop.h"

namespace weft {

namespace {

// A client chooses its target and method: they are quoted as JSON, byte by byte.
void append_quoted(std::string& out, std::string_view text) {
  static constexpr std::size_t kShown = 2048;
  out.push_back('"');
  for (char c : text.substr(0, kShown)) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte >= 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

std::string_view to_string(ExchangeSummary::End end) {
  switch (end) {
    case ExchangeSummary::End::kWhole: return "whole";
    case ExchangeSummary::End::kBroken: return "broken";
    case ExchangeSummary::End::kGone: return "gone";
  }
  return "unknown";
}

std::string_view to_string(HttpVersion version) {
  switch (version) {
    case HttpVersion::k10: return "1.0";
    case HttpVersion::k11: return "1.1";
    case HttpVersion::k2: return "2";
  }
  return "unknown";
}

}  // namespace

void append_access_line(std::string& out, std::string_view time, const ExchangeSummary& summary,
                        const AccessLabel& label) {
  out += R"({"time":")";
  out += time;
  out += R"(","request":")";
  out += id_text(summary.id);
  out += R"(","peer":")";
  out += summary.peer;
  out += R"(","method":)";
  append_quoted(out, summary.request.method);
  out += R"(,"target":)";
  append_quoted(out, summary.request.target);
  out += R"(,"version":")";
  out += to_string(summary.request.version);
  out += R"(","route":)";
  append_quoted(out, label.route);
  out += R"(,"component":)";
  append_quoted(out, label.component);
  // Of a trace that somebody else knows.
  if (const ExchangeWatch* watch = summary.watch;
      watch != nullptr && (watch->trace.parent != 0 || watch->trace.sampled())) {
    out += R"(,"trace":")";
    out += trace_id_text(watch->trace);
    out += '"';
  }
  fmt::format_to(std::back_inserter(out),
                 R"(,"status":{},"end":"{}","in":{},"out":{},"head_us":{},"time_us":{}}})"
                 "\n",
                 summary.status, to_string(summary.end), summary.bytes_in, summary.bytes_out,
                 summary.time_to_head.count() / 1000, summary.time.count() / 1000);
}

Result<std::unique_ptr<AccessLogFile>> AccessLogFile::open(const std::string& path) {
  if (path == "-") return std::unique_ptr<AccessLogFile>(new AccessLogFile(nullptr));
  // Without O_NONBLOCK the opening of a pipe waits until somebody reads it.
  constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  Fd file(::open(path.c_str(), kFlags, 0644));
  if (!file && errno == ENXIO) {
    return failure(
        Errc::kUnavailable,
        fmt::format("--access-log {}: nobody reads this pipe. Start its reader first.", path));
  }
  if (!file) return system_failure(fmt::format("--access-log {}", path), errno);
  // The file may be read by a program: that lines are missing is told in the host's log.
  auto tell = [](std::uint64_t lost) {
    log::warn("http", "lines of the access log were lost: the file did not take them",
              {{"lost", lost}});
    return std::string();
  };
  return std::unique_ptr<AccessLogFile>(
      new AccessLogFile(std::make_unique<LineWriter>(std::move(file), tell)));
}

void AccessLogFile::append(std::string_view lines) {
  if (writer_ == nullptr) return write_to_stderr(lines);
  writer_->append(lines);
  if (writer_->lost() > 0 && !told_.exchange(true)) {
    log::error("http", "the access log does not take its lines: they are lost from here on");
  }
}

AccessLog::AccessLog(Loop& loop, AccessLogFile& file)
    : loop_(loop), file_(file), delay_(loop, [this] { flush(); }) {
  batch_.reserve(kBatchBytes + 4096);
}

void AccessLog::add(const ExchangeSummary& summary, const AccessLabel& label) {
  std::timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec != second_ || second_text_.empty()) {
    second_ = now.tv_sec;
    std::tm utc{};
    ::gmtime_r(&now.tv_sec, &utc);
    char text[32];
    second_text_.assign(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc));
  }
  char time[48];
  char* end = fmt::format_to(time, "{}.{:03}Z", second_text_, now.tv_nsec / 1'000'000);
  append_access_line(batch_, {time, static_cast<std::size_t>(end - time)}, summary, label);
  if (batch_.size() >= kBatchBytes) {
    flush();
  } else if (!delay_.armed()) {
    delay_.arm(Deadline::at(loop_.now() + kDelay));
  }
}

void AccessLog::flush() {
  delay_.disarm();
  if (batch_.empty()) return;
  file_.append(batch_);
  batch_.clear();
}

}  // namespace weft
