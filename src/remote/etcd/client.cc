#include "remote/etcd/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"
#include "remote/base64.h"
#include "remote/endpoint.h"

namespace weft::remote::etcd {
namespace {

namespace json = boost::json;

constexpr std::uint16_t kPort = 2379;
constexpr std::size_t kServersMax = 64;
constexpr std::string_view kDoubt = ": whether it was done is not known";

// Numbers of gRPC for what is wrong.
enum class Code : std::uint32_t {
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

Errc errc_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return Errc::kInvalid;
    case Code::kNotFound: return Errc::kNotFound;
    case Code::kPermissionDenied:
    case Code::kUnauthenticated: return Errc::kDenied;
    case Code::kResourceExhausted: return Errc::kFull;
    case Code::kDeadlineExceeded:
    case Code::kUnavailable: return Errc::kUnavailable;
    default: return Errc::kIo;
  }
}

// Nothing of the request has left this host.
bool before_it_was_sent(HttpProblem problem) {
  switch (problem) {
    case HttpProblem::kDenied:
    case HttpProblem::kUrl:
    case HttpProblem::kDnsTimeout:
    case HttpProblem::kDnsError:
    case HttpProblem::kConnectionRefused:
    case HttpProblem::kConnectionTimeout:
    case HttpProblem::kUnroutable:
    case HttpProblem::kUnavailable:
    case HttpProblem::kConnectionLimit:
    case HttpProblem::kTlsCertificate:
    case HttpProblem::kTlsProtocol: return true;
    default: return false;
  }
}

}  // namespace

// One request, waiting or under way. Owned by its client.
class Client::Exchange final : public HttpTransferListener {
 public:
  Exchange(Client& client, std::string path, std::string body, Repeat may_repeat, Done to)
      : path(std::move(path)),
        body(std::move(body)),
        repeat(may_repeat),
        done(std::move(to)),
        timer(client.loop_, [this] { client_.late(*this); }),
        client_(client) {}

  // The operator said where etcd is.
  bool may_connect(const IpAddress&) override { return true; }
  std::int64_t read(std::span<std::uint8_t> room) override {
    std::size_t part = std::min(room.size(), body.size() - at);
    std::copy_n(body.begin() + static_cast<std::ptrdiff_t>(at), part, room.begin());
    at += part;
    return part == 0 ? kEnd : static_cast<std::int64_t>(part);
  }
  void head(unsigned status, const HttpHeaders&) override { status_ = status; }
  bool has_room() override { return true; }
  void data(BytesView bytes) override {
    std::size_t most = kAnswerBytesMax + 1;
    std::size_t room = most - std::min(most, answer_.size());
    answer_ += as_text(bytes.first(std::min(bytes.size(), room)));
  }
  void finished(const HttpHeaders&) override { client_.ended(*this, read_answer()); }
  void failed(HttpProblem problem, const std::string& detail) override {
    client_.failed(*this, problem, detail);
  }

  void reset() {
    transfer.reset();
    at = 0;
    status_ = 0;
    answer_.clear();
    wrong_token = unavailable = false;
  }

  const std::string path;
  const std::string body;
  const Repeat repeat;
  Done done;
  Timer timer;
  Breaker::Time began{};
  std::size_t at = 0;  // Of the body.
  bool repeated = false;
  bool logs_in = false;
  bool logged_in_again = false;
  bool wrong_token = false;
  bool unavailable = false;  // The server's own word.
  std::unique_ptr<HttpTransfer> transfer;

 private:
  Result<json::object> read_answer();

  Client& client_;
  unsigned status_ = 0;
  std::string answer_;
};

Result<json::object> Client::Exchange::read_answer() {
  if (answer_.size() > kAnswerBytesMax) {
    return failure(Errc::kLimit,
                   fmt::format("etcd: an answer of more than {} bytes", kAnswerBytesMax));
  }
  boost::system::error_code problem;
  json::value value = json::parse(json::string_view(answer_.data(), answer_.size()), problem);
  json::object* object = problem ? nullptr : value.if_object();
  if (object == nullptr) {
    unavailable = status_ >= 500;
    return failure(unavailable ? Errc::kUnavailable : Errc::kCorrupt,
                   fmt::format("etcd: an answer with status {} that is no JSON: is it etcd's "
                               "address?",
                               status_));
  }
  if (status_ == 200 && !object->contains("error")) return std::move(*object);
  auto code = static_cast<Code>(number_in(*object, "code"));
  const json::value* said = object->if_contains("error");
  const json::string* text = said == nullptr ? nullptr : said->if_string();
  std::string_view words = text == nullptr ? "an error without words" : std::string_view(*text);
  wrong_token = code == Code::kUnauthenticated || words.contains("invalid auth token");
  unavailable = errc_of(code) == Errc::kUnavailable;
  Errc errc = errc_of(code);
  // What is wrong with a name or a password has a code of another kind.
  if (words.contains("authentication failed") || words.contains("user name is empty") ||
      words.contains("permission denied")) {
    errc = Errc::kDenied;
  }
  if (words.contains("too large") || words.contains("larger than max") ||
      words.contains("too many operations")) {
    errc = Errc::kInvalid;
  }
  return failure(errc, fmt::format("etcd: {}", words));
}

Client::Client(Loop& loop, std::shared_ptr<const Settings> settings)
    : loop_(loop),
      settings_(std::move(settings)),
      health_(settings_->health != nullptr ? settings_->health : std::make_shared<Health>("")),
      http_(loop, {.ca_file = settings_->ca_file,
                   .connections_max = kAtOnceMax + 16,
                   .connections_per_host_max = kAtOnceMax + 16,
                   .transfers_max = kAtOnceMax + 16,
                   .connect_timeout = settings_->timeout,
                   .first_byte_timeout = settings_->timeout,
                   .between_bytes_timeout = settings_->timeout}),
      breaker_(std::random_device{}()),
      retry_(loop, [this] { start_waiting(); }) {
  CHECK(!settings_->servers.empty());
}

Client::~Client() = default;

std::string Client::url(std::string_view path) const {
  return fmt::format("{}/v3/{}", settings_->servers[server_], path);
}

HttpHeaders Client::headers() const {
  HttpHeaders headers{{"content-type", "application/json"}};
  if (!token_.reveal().empty()) headers.emplace_back("authorization", token_.reveal());
  return headers;
}

// The caller may call again, or let the client go: never from inside what it called.
void Client::finish(Done done, Result<json::object> result) {
  if (!done) return;
  loop_.defer(
      [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void Client::ask(std::string_view path, std::string body, Deadline deadline, Repeat repeat,
                 Done done) {
  if (deadline.passed()) {
    return finish(std::move(done), failure(Errc::kTimeout, "the deadline has passed"));
  }
  // One at a time finds out whether it is there again.
  if (!breaker_.closed() && (!breaker_.may_try(loop_.now()) || !running_.empty())) {
    return finish(std::move(done), std::unexpected(*problem_));
  }
  if (waiting_.size() >= kWaitingMax || waiting_bytes_ + body.size() > kWaitingBytesMax) {
    return finish(
        std::move(done),
        failure(Errc::kLimit, fmt::format("etcd: {} requests wait already", waiting_.size())));
  }
  waiting_bytes_ += body.size();
  waiting_.push_back(std::make_unique<Exchange>(*this, std::string(path), std::move(body), repeat,
                                                std::move(done)));
  if (!deadline.is_never()) waiting_.back()->timer.arm(deadline);
  if (std::exchange(scheduled_, true)) return;
  // What a batch of handlers asks is started at its end.
  loop_.defer([weak = weak_from_this()] {
    auto self = weak.lock();
    if (self == nullptr) return;
    self->scheduled_ = false;
    self->start_waiting();
  });
}

void Client::start_waiting() {
  if (waiting_.empty()) return;
  if (!breaker_.may_try(loop_.now())) {
    if (!retry_.armed()) retry_.arm(Deadline::at(breaker_.next()));
    return;
  }
  if (!settings_->user.empty() && token_.reveal().empty()) {
    if (waiting_.front()->logs_in) return start(waiting_.begin());
    return authenticate();
  }
  // One finds out for all whether a server is there again.
  std::size_t most = problem_ ? 1 : kAtOnceMax;
  while (!waiting_.empty() && running_.size() < most) start(waiting_.begin());
}

void Client::start(Exchanges::iterator exchange) {
  Exchange& one = **exchange;
  waiting_bytes_ -= one.body.size();
  running_.splice(running_.end(), waiting_, exchange);
  one.reset();
  one.began = Deadline::Clock::now();
  HttpClientRequest request{.method = "POST",
                            .url = url(one.path),
                            .headers = headers(),
                            .body_length = static_cast<std::int64_t>(one.body.size())};
  auto started = http_.start(request, one);
  if (started) {
    one.transfer = *std::move(started);
    return;
  }
  finish(std::move(one.done), std::unexpected(std::move(started).error()));
  running_.erase(find(running_, one));
}

void Client::authenticate() {
  if (std::exchange(logging_in_, true)) return;
  json::object body{{"name", settings_->user},
                    {"password", json::string(settings_->password.reveal())}};
  auto done = [weak = weak_from_this()](Result<json::object> answer) {
    if (auto self = weak.lock()) self->authenticated(std::move(answer));
  };
  waiting_.push_front(std::make_unique<Exchange>(*this, "auth/authenticate", json::serialize(body),
                                                 Repeat::kYes, std::move(done)));
  waiting_bytes_ += waiting_.front()->body.size();
  waiting_.front()->logs_in = true;
  waiting_.front()->timer.arm(Deadline::after(settings_->timeout * 2));
  start(waiting_.begin());
}

void Client::authenticated(Result<json::object> answer) {
  logging_in_ = false;
  if (!answer) return fail_waiting(answer.error());
  const json::value* token = answer->if_contains("token");
  const json::string* text = token == nullptr ? nullptr : token->if_string();
  if (text == nullptr || text->empty()) {
    return fail_waiting(Error(Errc::kCorrupt, "etcd: it lets us in without a token"));
  }
  token_ = Secret(std::string(text->data(), text->size()));
  start_waiting();
}

Client::Exchanges::iterator Client::find(Exchanges& among, const Exchange& exchange) {
  return std::ranges::find_if(among, [&](const auto& each) { return each.get() == &exchange; });
}

// It waits again, before all others.
void Client::again(Exchanges::iterator exchange) {
  (*exchange)->reset();
  waiting_bytes_ += (*exchange)->body.size();
  waiting_.splice(waiting_.begin(), running_, exchange);
}

void Client::ended(Exchange& exchange, Result<json::object> answer) {
  auto one = find(running_, exchange);
  CHECK(one != running_.end());
  health_->answered(exchange.began);
  if (exchange.wrong_token && !exchange.logs_in && !exchange.logged_in_again &&
      !settings_->user.empty()) {
    // It was not done. Tokens end.
    exchange.logged_in_again = true;
    token_ = Secret();
    again(one);
    return start_waiting();
  }
  if (!answer && exchange.unavailable) {
    server_failed(exchange.began, answer.error());
    if (exchange.repeat == Repeat::kYes && !exchange.repeated) {
      exchange.repeated = true;
      again(one);
    } else {
      Error error = std::move(answer).error();
      std::string_view doubt = exchange.repeat == Repeat::kYes ? "" : kDoubt;
      finish(std::move(exchange.done),
             failure(error.code(), fmt::format("{}{}", error.message(), doubt)));
      running_.erase(one);
    }
  } else {
    if (problem_) log::info("etcd", "the server is there again", {{"server", url("")}});
    problem_.reset();
    breaker_.succeeded();
    health_->up();
    retry_.disarm();
    finish(std::move(exchange.done), std::move(answer));
    running_.erase(one);
  }
  start_waiting();
}

void Client::failed(Exchange& exchange, HttpProblem problem, const std::string& detail) {
  auto one = find(running_, exchange);
  CHECK(one != running_.end());
  std::string_view colon = detail.empty() || detail == to_string(problem) ? "" : ": ";
  server_failed(exchange.began,
                Error(Errc::kUnavailable,
                      fmt::format("etcd: {}: {}{}{}", settings_->servers[server_],
                                  to_string(problem), colon, colon.empty() ? "" : detail)));
  bool sent = !before_it_was_sent(problem);
  if (sent) health_->unanswered();
  bool repeatable = !sent || (exchange.repeat == Repeat::kYes && !exchange.repeated);
  if (repeatable && breaker_.closed()) {
    if (sent) exchange.repeated = true;
    again(one);
  } else {
    std::string_view doubt = sent && exchange.repeat == Repeat::kNo ? kDoubt : "";
    finish(std::move(exchange.done),
           failure(problem_->code(), fmt::format("{}{}", problem_->message(), doubt)));
    running_.erase(one);
  }
  if (!breaker_.closed()) fail_waiting(*problem_);
  start_waiting();
}

void Client::server_failed(Breaker::Time began, Error error) {
  if (!problem_ || problem_->message() != error.message()) {
    log::warn("etcd", "there is no answer", {{"why", error.message()}});
  }
  problem_ = std::move(error);
  health_->down();
  breaker_.failed(began, Deadline::Clock::now());
  server_ = (server_ + 1) % settings_->servers.size();
}

// Its deadline has passed.
void Client::late(Exchange& exchange) {
  auto waits = find(waiting_, exchange);
  bool sent = waits == waiting_.end();
  std::string_view doubt = sent && exchange.repeat == Repeat::kNo ? kDoubt : "";
  std::string_view what =
      sent ? "no answer before the deadline" : "the deadline passed before it was sent";
  finish(std::move(exchange.done), failure(Errc::kTimeout, fmt::format("etcd: {}{}", what, doubt)));
  if (sent) {
    health_->unanswered();
    running_.erase(find(running_, exchange));
  } else {
    waiting_bytes_ -= exchange.body.size();
    waiting_.erase(waits);
  }
  start_waiting();
}

void Client::fail_waiting(const Error& error) {
  for (auto& each : waiting_) finish(std::move(each->done), std::unexpected(error));
  waiting_.clear();
  waiting_bytes_ = 0;
}

Result<Settings> read_access(const Access& access) {
  if (access.url.reveal().empty()) {
    return failure(Errc::kInvalid, "no url: write url = \"http://HOST:2379\"");
  }
  Settings settings{.user = access.username,
                    .password = access.password,
                    .ca_file = access.ca_file,
                    .timeout = access.timeout};
  std::string_view urls = access.url.reveal();
  bool plain = false;
  while (!urls.empty()) {
    std::size_t end = std::min(urls.find(','), urls.size());
    TRY(ServerUrl url, ServerUrl::parse(urls.substr(0, end), {"http", "https", kPort}));
    urls.remove_prefix(std::min(end + 1, urls.size()));
    if (!url.path.empty()) return failure(Errc::kInvalid, "the URL has a path: etcd's has none");
    if (!url.user.empty()) {
      settings.user = url.user;
      settings.password = url.password;
    }
    plain = plain || url.scheme == "http";
    Endpoint server{url.host, url.port == 0 ? kPort : url.port};
    settings.servers.push_back(fmt::format("{}://{}", url.scheme, server.text()));
    if (settings.servers.size() > kServersMax) {
      return failure(Errc::kInvalid, fmt::format("more than {} servers", kServersMax));
    }
  }
  if (plain && !access.ca_file.empty()) {
    return failure(Errc::kInvalid, "ca-file is for TLS: write https:// in the URL");
  }
  if (settings.user.empty() && !settings.password.reveal().empty()) {
    return failure(Errc::kInvalid, "password: it stands without a username");
  }
  if (settings.timeout < std::chrono::milliseconds(10)) {
    return failure(Errc::kInvalid, "timeout: at least 10ms");
  }
  if (auto read = HttpClient::check({.ca_file = settings.ca_file}); !read) {
    return std::unexpected(std::move(read).error().within("ca-file"));
  }
  return settings;
}

std::uint64_t number_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name));
  if (value == nullptr) return 0;
  std::uint64_t number = 0;
  if (const json::string* text = value->if_string()) {
    std::from_chars(text->data(), text->data() + text->size(), number);
    return number;
  }
  boost::system::error_code problem;
  number = value->to_number<std::uint64_t>(problem);
  return problem ? 0 : number;
}

Result<Bytes> bytes_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name));
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  if (text == nullptr) return Bytes();
  return from_base64(std::string_view(text->data(), text->size()));
}

const json::object* object_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name));
  return value == nullptr ? nullptr : value->if_object();
}

const json::array* array_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name));
  return value == nullptr ? nullptr : value->if_array();
}

std::string end_of_prefix(std::string prefix) {
  while (!prefix.empty()) {
    if (prefix.back() != '\xff') {
      ++prefix.back();
      return prefix;
    }
    prefix.pop_back();
  }
  return std::string(1, '\0');
}

}  // namespace weft::remote::etcd
