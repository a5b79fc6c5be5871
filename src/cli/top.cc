#include "cli/top.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>

#include "base/console.h"
#include "cli/admin_url.h"
#include "io/http_client/http_client.h"
#include "io/loop.h"
#include "io/timer.h"
#include "observe/top_screen.h"

namespace weft {
namespace {

constexpr std::chrono::seconds kAgain{1};
constexpr std::chrono::seconds kAnswerMax{5};
constexpr std::size_t kAnswerBytesMax = std::size_t{16} << 20;

TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row};
}

// Asks again and again, on a loop that this thread runs.
class Top final : private HttpTransferListener {
 public:
  Top(const TopWords& words, std::string url)
      : words_(words),
        once_(words.once || (!words.json && ::isatty(STDOUT_FILENO) == 0)),
        url_(std::move(url)),
        client_(loop_, {}),
        again_(loop_, [this] { ask(); }) {}

  Result<int> run() {
    loop_.post([this] { ask(); });
    loop_.run();
    if (problem_) return std::unexpected(*std::move(problem_));
    return 0;
  }

 private:
  bool may_connect(const IpAddress&) override { return true; }
  std::int64_t read(std::span<std::uint8_t>) override { return kEnd; }
  void head(unsigned status, const HttpHeaders&) override { status_ = status; }
  bool has_room() override { return true; }
  void data(BytesView bytes) override {
    if (body_.size() < kAnswerBytesMax) body_ += as_text(bytes);
  }
  void finished(const HttpHeaders&) override {
    loop_.defer([this] { done(); });
  }
  void failed(HttpProblem problem, const std::string& detail) override {
    failed_ = detail.empty() ? std::string(to_string(problem)) : detail;
    loop_.defer([this] { done(); });
  }

  void ask() {
    body_.clear();
    failed_.reset();
    status_ = 0;
    auto started = client_.start({.url = url_,
                                  .connect_timeout = kAnswerMax,
                                  .first_byte_timeout = kAnswerMax,
                                  .between_bytes_timeout = kAnswerMax},
                                 *this);
    if (started) {
      transfer_ = *std::move(started);
    } else {
      end(std::move(started).error());
    }
  }

  void done() {
    transfer_.reset();
    if (!failed_ && status_ != 200) failed_ = fmt::format("it answers with status {}", status_);
    if (failed_) return no_answer();
    answered_ = true;
    if (words_.json) {
      std::fputs((body_ + "\n").c_str(), stdout);
    } else {
      auto screen = top_screen(body_, once_ ? TerminalSize{1000, 0} : terminal_size());
      if (!screen) return end(std::move(screen).error());
      if (once_) {
        std::fputs(screen->c_str(), stdout);
      } else {
        show(*screen);
      }
    }
    std::fflush(stdout);
    if (once_) return loop_.stop();
    again_.arm(Deadline::after(kAgain));
  }

  // Home, the lines, and what is left of the last screen away.
  static void show(std::string_view screen) {
    std::string out = "\x1b[H";
    for (char c : screen) {
      if (c == '\n') out += "\x1b[K";
      out += c;
    }
    out += "\x1b[J";
    std::fputs(out.c_str(), stdout);
  }

  // Whoever watches goes on watching: a host that was there may come back.
  void no_answer() {
    if (once_ || !answered_) {
      return end(Error(Errc::kUnavailable,
                       fmt::format("{}: {}. Start the host with --admin {}, or name its admin "
                                   "address",
                                   url_, *failed_, words_.admin)));
    }
    std::string line = fmt::format("{}: {}", url_, *failed_);
    if (words_.json) {
      say(line);
    } else {
      show(line + "\n");
      std::fflush(stdout);
    }
    again_.arm(Deadline::after(kAgain));
  }

  void end(Error error) {
    problem_ = std::move(error);
    loop_.stop();
  }

  const TopWords& words_;
  const bool once_;  // So is a screen where there is no terminal.
  const std::string url_;
  Loop loop_;
  HttpClient client_;
  Timer again_;
  std::unique_ptr<HttpTransfer> transfer_;
  std::string body_;
  std::optional<std::string> failed_;
  bool answered_ = false;  // Ever.
  unsigned status_ = 0;
  std::optional<Error> problem_;
};

}  // namespace

void add_top_options(CLI::App& verb, TopWords& words) {
  verb.add_option("ADMIN", words.admin, "The host's admin address; default: 127.0.0.1:9090")
      ->type_name("ADDR:PORT");
  verb.add_flag("--once", words.once,
                "Print once and end; so does what is printed to no terminal, unless it is JSON");
  verb.add_flag("--json", words.json, "Print what the host answers, an object a line");
}

Result<int> run_top(const TopWords& words) {
  TRY(std::string url, admin_url(words.admin, "/api/overview"));
  return Top(words, std::move(url)).run();
}

}  // namespace weft
