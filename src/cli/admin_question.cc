#include "cli/admin_question.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "io/http_client/http_client.h"
#include "io/loop.h"
#include "observe/call_desk.h"

namespace weft {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kConnectMax{5};
// Of a result; the host's own bound for a text is lower.
constexpr std::size_t kAnswerBytesMax = std::size_t{1} << 30;

// The last line of an answer that is lines.
bool is_outcome(std::string_view line) {
  return line.starts_with(R"({"result":)") || line.starts_with(R"({"error":)");
}

// One question and its answer, on a loop that this thread runs.
class Question final : private HttpTransferListener {
 public:
  Question(std::string url, std::string body, const OnAdminLine& on_line)
      : url_(std::move(url)),
        body_(std::move(body)),
        on_line_(on_line),
        client_(loop_, {.timeout_max = kNoMost}) {}

  // The answer's text, whatever its status is.
  Result<std::string> run(std::chrono::milliseconds patience) {
    loop_.post([this, patience] { ask(patience); });
    loop_.run();
    transfer_.reset();
    if (problem_) return std::unexpected(*std::move(problem_));
    if (over_) return R"({"result":""})";
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
  void head(unsigned status, const HttpHeaders&) override { status_ = status; }
  bool has_room() override { return true; }
  void data(BytesView bytes) override {
    if (problem_ || over_) return;
    text_ += as_text(bytes);
    take_lines();
    if (text_.size() > kAnswerBytesMax) end(Error(Errc::kLimit, url_ + ": its answer is too long"));
  }
  void finished(const HttpHeaders&) override { loop_.stop(); }
  void failed(HttpProblem problem, const std::string& detail) override {
    end(Error(Errc::kUnavailable,
              fmt::format("{}: {}. Name the admin address of a host: start it with --admin, or "
                          "with [admin] listen",
                          url_, detail.empty() ? to_string(problem) : detail)));
  }

  // What is left is the outcome, or a line that is not whole yet.
  void take_lines() {
    if (!on_line_ || status_ != 200) return;
    std::size_t begin = 0;
    for (std::size_t end = text_.find('\n'); end != text_.npos && !over_;
         end = text_.find('\n', begin)) {
      std::string_view line = std::string_view(text_).substr(begin, end - begin);
      if (is_outcome(line)) break;
      auto more = on_line_(line);
      begin = end + 1;
      if (!more) return this->end(std::move(more).error());
      if (*more == AdminLines::kEnough) over_ = true;
    }
    text_.erase(0, begin);
    if (over_) loop_.stop();
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
  const OnAdminLine& on_line_;
  Loop loop_;
  HttpClient client_;
  std::unique_ptr<HttpTransfer> transfer_;
  std::size_t sent_ = 0;
  std::string text_;
  unsigned status_ = 0;
  bool over_ = false;  // Nothing more is wanted.
  std::optional<Error> problem_;
};

// Only what a caller does something about.
Errc kind_of(const json::object& answer) {
  const json::value* kind = answer.if_contains("kind");
  bool cancelled = kind != nullptr && kind->is_string() &&
                   std::string_view(kind->get_string()) == to_string(Errc::kCancelled);
  return cancelled ? Errc::kCancelled : Errc::kInvalid;
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
      return failure(kind_of(value.get_object()), std::move(text));
    }
  }
  return failure(Errc::kUnavailable,
                 fmt::format("{}: it answers nothing that is understood here: is it a weft's admin "
                             "address, and of this version?",
                             url));
}

}  // namespace

Result<std::string> ask_admin(const std::string& url, const AdminCall& call,
                              std::chrono::milliseconds patience, const OnAdminLine& on_line) {
  if (call.target.empty()) {
    return failure(Errc::kInvalid,
                   "name what is asked: an app that runs there, APP, or something of it, APP/NAME");
  }
  std::string body = call.write();
  if (body.size() > kAdminCallBytesMax) {
    return failure(Errc::kLimit, fmt::format("the call and its arguments have {} bytes, and {} are "
                                             "what a host takes",
                                             body.size(), kAdminCallBytesMax));
  }
  TRY(std::string answer,
      Question(url, std::move(body), on_line).run(patience + 2 * kAdminCallLate));
  return outcome_of(url, answer);
}

}  // namespace weft
