#include "cli/remote_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "app/limit_settings.h"
#include "cli/admin_url.h"
#include "cli/standard_output.h"
#include "io/http_client/http_client.h"
#include "io/loop.h"
#include "observe/admin_calls.h"
#include "observe/call_desk.h"

namespace weft {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kConnectMax{5};
// Of a result; the host's own bound for a text is lower.
constexpr std::size_t kAnswerBytesMax = std::size_t{1} << 30;

// One question and its answer, on a loop that this thread runs.
class Question final : private HttpTransferListener {
 public:
  Question(std::string url, std::string body)
      : url_(std::move(url)), body_(std::move(body)), client_(loop_, {.timeout_max = kNoMost}) {}

  // The answer's text, whatever its status is.
  Result<std::string> run(std::chrono::milliseconds patience) {
    loop_.post([this, patience] { ask(patience); });
    loop_.run();
    transfer_.reset();
    if (problem_) return std::unexpected(*std::move(problem_));
    return std::move(text_);
  }

 private:
  static constexpr std::chrono::hours kNoMost{25};

  bool may_connect(const IpAddress&) override { return true; }
  std::int64_t read(std::span<std::uint8_t> room) override {
    std::size_t part = std::min(room.size(), body_.size() - sent_);
    std::memcpy(room.data(), body_.data() + sent_, part);
    sent_ += part;
    return static_cast<std::int64_t>(part);
  }
  void head(unsigned, const HttpHeaders&) override {}
  bool has_room() override { return true; }
  void data(BytesView bytes) override {
    if (problem_) return;
    text_ += as_text(bytes);
    if (text_.size() > kAnswerBytesMax) end(Error(Errc::kLimit, url_ + ": its answer is too long"));
  }
  void finished(const HttpHeaders&) override { loop_.stop(); }
  void failed(HttpProblem problem, const std::string& detail) override {
    end(Error(Errc::kUnavailable,
              fmt::format("{}: {}. Name the admin address of a host: start it with --admin, or "
                          "with [admin] listen",
                          url_, detail.empty() ? to_string(problem) : detail)));
  }

  void ask(std::chrono::milliseconds patience) {
    auto started =
        client_.start({.method = "POST",
                       .url = url_,
                       .headers = {{"content-type", "application/json"}, {"x-weft-call", "1"}},
                       .body_length = static_cast<std::int64_t>(body_.size()),
                       .connect_timeout = kConnectMax,
                       .first_byte_timeout = patience,
                       .between_bytes_timeout = patience},
                      *this);
    if (started) {
      transfer_ = *std::move(started);
    } else {
      end(std::move(started).error());
    }
  }

  void end(Error error) {
    problem_ = std::move(error);
    loop_.stop();
  }

  const std::string url_;
  const std::string body_;
  Loop loop_;
  HttpClient client_;
  std::unique_ptr<HttpTransfer> transfer_;
  std::size_t sent_ = 0;
  std::string text_;
  std::optional<Error> problem_;
};

// What says what a component that is started here gets says nothing to one that runs.
Result<void> check_words(const CallWords& words) {
  std::string wrong;
  auto refuse = [&](std::string_view flag, bool given) {
    if (given) wrong += fmt::format("{}{}", wrong.empty() ? "" : ", ", flag);
  };
  const RunWords& run = words.run;
  refuse("--provider", !words.provider.empty());
  refuse("--on", !run.on.empty());
  refuse("--dir", !run.folders.empty());
  refuse("--env", !run.env.empty());
  refuse("--allow-http", !run.allow_http.empty());
  refuse("--allow-net", !run.allow_net.empty());
  refuse("--ca-file", !run.ca_file.empty());
  refuse("--state", !run.state.empty());
  refuse("--memory", !run.memory.empty());
  refuse("--cpu", !run.cpu.empty());
  if (wrong.empty()) return {};
  return failure(
      Errc::kInvalid,
      fmt::format("--at calls what runs with what it was given there: leave out {}", wrong));
}

// The result, or what came in its place.
Result<std::string> outcome_of(const std::string& url, const std::string& answer) {
  boost::system::error_code problem;
  json::value value = json::parse(answer, problem);
  if (!problem && value.is_object()) {
    for (auto [member, good] : {std::pair("result", true), std::pair("error", false)}) {
      const json::value* found = value.get_object().if_contains(member);
      if (found == nullptr || !found->is_string()) continue;
      std::string text(found->get_string().begin(), found->get_string().end());
      if (good) return text;
      return failure(Errc::kInvalid, std::move(text));
    }
  }
  return failure(Errc::kUnavailable,
                 fmt::format("{}: it answers nothing that is understood here: is it a weft's admin "
                             "address, and of this version?",
                             url));
}

}  // namespace

Result<int> call_remote(const CallWords& words) {
  TRY_VOID(check_words(words));
  TRY(std::string url, admin_url(words.at, "/api/call"));
  AdminCall call{.target = words.run.target,
                 .function = words.form.function,
                 .arguments = words.form.arguments,
                 .json = words.form.json};
  // Without --time the host says when it is enough, and it may be waited for as long as a day.
  std::chrono::milliseconds patience = kAdminCallTimeMost;
  TRY(auto time, time_of(words));
  if (time) patience = call.time = std::min(*time, patience);
  std::string body = call.write();
  if (body.size() > kAdminCallBytesMax) {
    return failure(Errc::kLimit, fmt::format("the call and its arguments have {} bytes, and {} are "
                                             "what a host takes",
                                             body.size(), kAdminCallBytesMax));
  }
  TRY(std::string answer, Question(url, std::move(body)).run(patience + 2 * kAdminCallLate));
  TRY(std::string text, outcome_of(url, answer));
  TRY_VOID(print_line(text));
  return 0;
}

}  // namespace weft
