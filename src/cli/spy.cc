#include "cli/spy.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/console.h"
#include "base/shown_text.h"
#include "cli/admin_url.h"
#include "cli/standard_output.h"
#include "io/http_client/http_client.h"
#include "io/loop.h"
#include "observe/spy_desk.h"

namespace weft {
namespace {

constexpr std::chrono::seconds kAnswerMax{5};
// The host says something every kSpyBeat; a machine that has much to do is later.
constexpr std::chrono::seconds kSilenceMax = 15 * kSpyBeat;
// Of what the host says of a refusal, and of one line.
constexpr std::size_t kLineBytesMax = std::size_t{1} << 20;

// Reads the endless answer, on a loop that this thread runs.
class Watch final : private HttpTransferListener {
 public:
  Watch(const SpyWords& words, std::string url)
      : words_(words), url_(std::move(url)), client_(loop_, {}) {}

  Result<int> run() {
    loop_.post([this] { ask(); });
    loop_.run();
    transfer_.reset();
    if (problem_) return std::unexpected(*std::move(problem_));
    return 0;
  }

 private:
  bool may_connect(const IpAddress&) override { return true; }
  std::int64_t read(std::span<std::uint8_t>) override { return kEnd; }
  void head(unsigned status, const HttpHeaders&) override {
    status_ = status;
    if (status == 200) say(fmt::format("weft: watching {}", url_));
  }
  bool has_room() override { return true; }
  void data(BytesView bytes) override {
    if (ended_) return;
    text_ += as_text(bytes);
    if (status_ != 200) {
      text_.resize(std::min(text_.size(), kLineBytesMax));
      return;
    }
    std::size_t begin = 0;
    for (std::size_t end = text_.find('\n'); end != text_.npos && !ended_;
         end = text_.find('\n', begin)) {
      print(std::string_view(text_).substr(begin, end - begin));
      begin = end + 1;
    }
    text_.erase(0, begin);
    if (text_.size() > kLineBytesMax) end(Error(Errc::kCorrupt, "the host's line has no end"));
    if (auto out = finish_output(); !out) end(std::move(out).error());
  }
  void finished(const HttpHeaders&) override {
    loop_.defer([this] { over(""); });
  }
  void failed(HttpProblem problem, const std::string& detail) override {
    loop_.defer(
        [this, text = detail.empty() ? std::string(to_string(problem)) : detail] { over(text); });
  }

  void ask() {
    auto started = client_.start({.url = url_,
                                  .connect_timeout = kAnswerMax,
                                  .first_byte_timeout = kAnswerMax,
                                  .between_bytes_timeout = kSilenceMax},
                                 *this);
    if (started) {
      transfer_ = *std::move(started);
    } else {
      end(std::move(started).error());
    }
  }

  void print(std::string_view line) {
    if (line.empty()) return;
    auto text = words_.json ? Result<std::string>(std::string(line)) : spy_text(line);
    if (!text) return end(std::move(text).error());
    std::fputs((*text + "\n").c_str(), stdout);
    if (line.starts_with("{\"lost\"")) return;
    if (words_.count != 0 && ++printed_ == words_.count) end(std::nullopt);
  }

  // The answer has ended, which it does when the host does.
  void over(const std::string& why) {
    if (ended_) return;
    if (status_ == 200) {
      say("weft: the host stopped");
      return end(std::nullopt);
    }
    std::string text = status_ == 0 ? why
                                    : fmt::format("it answers with status {}: {}", status_,
                                                  without_controls(text_));
    while (text.ends_with('\n')) text.pop_back();
    if (status_ != 0) return end(Error(Errc::kUnavailable, fmt::format("{}: {}", url_, text)));
    end(Error(Errc::kUnavailable,
              fmt::format("{}: {}. Start the host with --admin {}, or name its admin address", url_,
                          text, words_.admin)));
  }

  void end(std::optional<Error> error) {
    if (std::exchange(ended_, true)) return;
    problem_ = std::move(error);
    loop_.stop();
  }

  const SpyWords& words_;
  const std::string url_;
  Loop loop_;
  HttpClient client_;
  std::unique_ptr<HttpTransfer> transfer_;
  std::string text_;  // A line that is not whole yet; or what is said of a refusal.
  unsigned status_ = 0;
  std::uint64_t printed_ = 0;
  bool ended_ = false;
  std::optional<Error> problem_;
};

}  // namespace

void add_spy_options(CLI::App& verb, SpyWords& words) {
  verb.add_option("ADMIN", words.admin, "The host's admin address; default: 127.0.0.1:9090")
      ->type_name("ADDR:PORT");
  verb.add_option("--app", words.filter.app, "Calls of this app's components only")
      ->type_name("NAME");
  verb.add_option("--component", words.filter.component, "Calls of components of this name only")
      ->type_name("NAME");
  verb.add_option("--interface", words.filter.interface,
                  "Calls of this interface only, with its version or without")
      ->type_name("PKG:NAME/IFACE");
  verb.add_option("--count", words.count, "End after so many calls")->type_name("N");
  verb.add_flag("--json", words.json, "Print what the host tells, an object a line");
  verb.footer(
      "A line is printed as a call ends: when, which component, what served it, the function, and "
      "how long it took. Arguments and results are shown where the operator's file has [admin] "
      "values = true, and by weft dev; those of wasi:config never.");
}

Result<int> run_spy(const SpyWords& words) {
  TRY(std::string url, admin_url(words.admin, "/api/spy" + words.filter.query()));
  return Watch(words, std::move(url)).run();
}

}  // namespace weft
