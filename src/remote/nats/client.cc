#include "remote/nats/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"

namespace weft::remote::nats {
namespace {

// Beside the subject in the line that publishes.
constexpr std::string_view kHeadersBegin = "NATS/1.0\r\n";

std::string new_inbox() {
  std::random_device random;
  return fmt::format("_INBOX.{:08x}{:08x}{:08x}.", random(), random(), random());
}

std::size_t bytes_of(const Outgoing& message) {
  std::size_t bytes = message.subject.size() + message.payload.size();
  for (const auto& [name, value] : message.headers) bytes += name.size() + value.size() + 4;
  return bytes;
}

std::size_t header_bytes_of(const Outgoing& message) {
  if (message.headers.empty()) return 0;
  std::size_t bytes = kHeadersBegin.size() + 2;
  for (const auto& [name, value] : message.headers) bytes += name.size() + value.size() + 4;
  return bytes;
}

void put(Buffer& out, std::size_t number) {
  std::array<char, 20> text;
  char* end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(std::string_view(text.data(), static_cast<std::size_t>(end - text.data())));
}

// What stands between the double quotes of an error.
std::string_view quoted(std::string_view text) {
  std::size_t begin = text.find('"');
  std::size_t end = text.rfind('"');
  if (begin == std::string_view::npos || end == begin) return {};
  return text.substr(begin + 1, end - begin - 1);
}

}  // namespace

struct Client::Request {
  explicit Request(Client& client) : timer(client.loop_, [this, &client] { client.late(self); }) {}

  Requests::iterator self;
  std::uint64_t number = 0;
  Outgoing message;  // Until it is sent, or for as long as it may be sent again.
  Repeat repeat = Repeat::kNo;
  bool sent = false;
  bool repeated = false;
  bool late = false;         // Nobody waits for the answer any more.
  bool ping_only = false;    // Nothing is published.
  bool published = false;    // A PONG is its answer.
  std::string reply;         // Where it is published: what others answer to.
  Breaker::Time sent_at{};   // First,
  Breaker::Time asked_at{};  // and last.
  Each each;                 // Null: one answer.
  // Of its own, where there are several answers: they may come under the subjects of what was
  // asked for.
  std::uint64_t subscription = 0;
  Done done;
  Timer timer;
};

Client::Client(Loop& loop, std::shared_ptr<const Settings> settings)
    : loop_(loop),
      settings_(std::move(settings)),
      health_(settings_->health != nullptr ? settings_->health : std::make_shared<Health>("")),
      breaker_(std::random_device{}()),
      inbox_(new_inbox()),
      retry_(loop,
             [this] {
               if (state_ == State::kDown && !(waiting_.empty() && subscriptions_.empty())) {
                 connect();
               }
             }),
      silence_(loop, [this] { silent(); }) {
  CHECK(!settings_->endpoints.empty());
}

Client::~Client() {
  if (connection_ != nullptr) connection_->close();
}

Error Client::unavailable() const {
  return Error(problem_->code(), fmt::format("NATS: {}", problem_->message()));
}

// The caller may call again, or let the client go: never from inside what it called.
void Client::finish(Done done, Result<Message> result) {
  if (!done) return;
  loop_.defer(
      [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void Client::request(Outgoing message, Deadline deadline, Repeat repeat, Done done) {
  add(std::move(message), deadline, repeat, nullptr, std::move(done));
}

void Client::request(Outgoing message, Deadline deadline, Each each, Done done) {
  add(std::move(message), deadline, Repeat::kNo, std::move(each), std::move(done));
}

void Client::publish(Outgoing message, std::string reply, Deadline deadline,
                     std::move_only_function<void(Result<void>)> done) {
  CHECK(reply.empty() || is_subject(reply));
  auto request =
      make(std::move(message), deadline, [done = std::move(done)](Result<Message> answer) mutable {
        if (!answer) return done(std::unexpected(std::move(answer).error()));
        done({});
      });
  if (request == waiting_.end()) return;
  request->published = true;
  request->reply = std::move(reply);
  start();
}

void Client::reach(Deadline deadline, std::move_only_function<void(Result<void>)> done) {
  auto request =
      make({"PING", {}, {}}, deadline, [done = std::move(done)](Result<Message> answer) mutable {
        if (!answer) return done(std::unexpected(std::move(answer).error()));
        done({});
      });
  if (request == waiting_.end()) return;
  request->ping_only = request->published = true;
  start();
}

void Client::add(Outgoing message, Deadline deadline, Repeat repeat, Each each, Done done) {
  auto request = make(std::move(message), deadline, std::move(done));
  if (request == waiting_.end()) return;
  request->repeat = repeat;
  request->each = std::move(each);
  start();
}

// One more that waits; none where it failed.
Client::Requests::iterator Client::make(Outgoing message, Deadline deadline, Done done) {
  auto fail = [&](std::unexpected<Error> error) {
    finish(std::move(done), std::move(error));
    return waiting_.end();
  };
  if (deadline.passed()) return fail(failure(Errc::kTimeout, "the deadline has passed"));
  if (!is_subject(message.subject) || message.subject.size() > kSubjectBytesMax) {
    return fail(failure(Errc::kInvalid, "NATS: that is no subject"));
  }
  if (!breaker_.closed()) {
    // An attempt is made for the next one who asks.
    if (state_ == State::kDown && breaker_.may_try(loop_.now())) connect();
    return fail(std::unexpected(unavailable()));
  }
  std::size_t bytes = bytes_of(message);
  if (waiting_.size() >= kWaitingMax || waiting_bytes_ + bytes > kWaitingBytesMax) {
    return fail(
        failure(Errc::kLimit, fmt::format("NATS: {} requests wait already", waiting_.size())));
  }
  waiting_.emplace_back(*this);
  auto request = std::prev(waiting_.end());
  request->self = request;
  request->message = std::move(message);
  request->done = std::move(done);
  waiting_bytes_ += bytes;
  request->timer.arm(earlier(deadline, Deadline::at(loop_.now() + kAnswerMax)));
  return request;
}

void Client::start() {
  if (state_ == State::kReady) return send_waiting();
  if (state_ == State::kDown && !retry_.armed()) connect();
}

void Client::publish(Outgoing message, std::string_view reply) {
  CHECK(is_subject(message.subject) && message.subject.size() <= kSubjectBytesMax);
  if (state_ != State::kReady || connection_->congested()) return;
  if (header_bytes_of(message) + message.payload.size() > payload_max_) return;
  write(message, reply);
  connection_->flush();
}

void Client::connect() {
  if (!breaker_.may_try(loop_.now())) {
    retry_.arm(Deadline::at(breaker_.next()));
    return;
  }
  state_ = State::kConnecting;
  began_ = loop_.now();
  parser_ = {};
  connection_ = Connection::open(loop_, settings_->endpoints[endpoint_], *this);
}

// The server speaks first; and again once TLS is spoken it is our turn.
void Client::connected() {
  auto self = shared_from_this();
  if (state_ == State::kConnecting) {
    state_ = State::kInfo;
    watch();
    return;
  }
  if (auto greeted = greet(); !greeted) broken(std::move(greeted).error());
}

Result<std::size_t> Client::received(BytesView bytes) {
  auto self = shared_from_this();
  std::size_t at = 0;
  pinged_ = false;
  silence_.disarm();
  while (at < bytes.size()) {
    Result<std::size_t> used = parser_.feed(bytes.subspan(at));
    if (!used) return used;
    at += *used;
    if (!parser_.done()) break;
    Result<void> done = taken(parser_.take());
    if (!done) return std::unexpected(std::move(done).error());
    // What comes now was there before TLS began: the connection sees it, and breaks.
    if (state_ == State::kTls) break;
  }
  send_waiting();
  watch();
  return at;
}

Result<void> Client::taken(ServerOp op) {
  using Kind = ServerOp::Kind;
  switch (op.kind) {
    case Kind::kInfo: return on_info(op.text);
    case Kind::kMessage: return on_message(std::move(op));
    case Kind::kError: return on_error(op.text);
    case Kind::kOk: return {};
    case Kind::kPing:
      if (state_ == State::kInfo) return failure(Errc::kCorrupt, "it does not say who it is");
      connection_->out().append("PONG\r\n");
      connection_->flush();
      return {};
    case Kind::kPong: break;
  }
  if (state_ == State::kReady) ponged();
  if (state_ != State::kGreeting) return {};
  state_ = State::kReady;
  breaker_.succeeded();
  health_->up();
  if (problem_) {
    log::info("nats", "the server is there again",
              {{"server", settings_->endpoints[endpoint_].text()}});
  }
  problem_.reset();
  return {};
}

Result<void> Client::on_error(std::string_view text) {
  std::string what = fmt::format("the server says: {}", text);
  bool permissions = text.starts_with("Permissions Violation") || text.starts_with("permissions");
  if (!permissions) {
    bool refused = text.starts_with("Authorization Violation") ||
                   text.starts_with("Authentication") || text.starts_with("User Authentication") ||
                   text.starts_with("Account Authentication");
    if (text.starts_with("Invalid") || text.starts_with("Slow Consumer")) {
      log::warn("nats", what);
      return {};
    }
    return failure(refused ? Errc::kDenied : Errc::kUnavailable, what);
  }
  std::string_view subject = quoted(text);
  if (subject.starts_with(inbox_)) return failure(Errc::kDenied, what);
  bool told = false;
  for (auto request = sent_.begin(); request != sent_.end();) {
    if (request->message.subject != subject) {
      ++request;
      continue;
    }
    told = true;
    finish(std::move(request->done), failure(Errc::kDenied, fmt::format("NATS: {}", what)));
    auto next = std::next(request);
    answered(request);
    request = next;
  }
  if (!told) log::warn("nats", what);
  return {};
}

Result<void> Client::on_message(ServerOp op) {
  Message message{std::move(op.subject), std::move(op.reply), {}, std::move(op.payload)};
  if (!op.headers.empty()) {
    TRY(message.headers, parse_headers(op.headers));
  }
  if (auto many = many_.find(op.subscription); many != many_.end()) {
    return answer(many->second, std::move(message));
  }
  if (op.subscription != kInboxSubscription) {
    auto found = subscriptions_.find(op.subscription);
    // What was on its way when the subscription ended.
    if (found == subscriptions_.end()) return {};
    auto keep = found->second.on_message;
    (*keep)(std::move(message));
    return {};
  }
  std::string_view text = message.subject;
  if (!text.starts_with(inbox_)) return failure(Errc::kCorrupt, "an answer to somebody else");
  text.remove_prefix(inbox_.size());
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return answer(number, std::move(message));
}

Result<void> Client::answer(std::uint64_t number, Message message) {
  auto found = by_number_.find(number);
  if (found == by_number_.end()) return {};  // Nobody waits for it any more.
  auto request = found->second;
  if (request->each && message.headers.status == 0) {
    Message copy{message.subject, message.reply, message.headers, {}};
    if (request->each(std::move(message))) return {};
    message = std::move(copy);
  }
  finish(std::move(request->done), std::move(message));
  if (!request->late) health_->answered(request->asked_at);
  answered(request);
  return {};
}

void Client::answered(Requests::iterator request) {
  by_number_.erase(request->number);
  if (request->subscription != 0) {
    many_.erase(request->subscription);
    if (state_ == State::kReady) {
      connection_->out().append(fmt::format("UNSUB {}\r\n", request->subscription));
      connection_->flush();
    }
  }
  if (request->repeat == Repeat::kFetch) --fetches_sent_;
  sent_.erase(request);
}

void Client::write(const Outgoing& message, std::string_view reply) {
  Buffer& out = connection_->out();
  std::size_t headers = header_bytes_of(message);
  std::size_t total = headers + message.payload.size();
  out.append(headers == 0 ? "PUB " : "HPUB ");
  out.append(message.subject);
  if (!reply.empty()) {
    out.append(" ");
    out.append(reply);
  }
  out.append(" ");
  if (headers > 0) {
    put(out, headers);
    out.append(" ");
  }
  put(out, total);
  out.append("\r\n");
  if (headers > 0) {
    out.append(kHeadersBegin);
    for (const auto& [name, value] : message.headers) {
      CHECK(value.find_first_of("\r\n") == std::string::npos);
      out.append(name);
      out.append(": ");
      out.append(value);
      out.append("\r\n");
    }
    out.append("\r\n");
  }
  out.append(message.payload);
  out.append("\r\n");
}

void Client::send(Requests::iterator request) {
  waiting_bytes_ -= bytes_of(request->message);
  std::size_t bytes = header_bytes_of(request->message) + request->message.payload.size();
  if (bytes > payload_max_) {
    finish(std::move(request->done),
           failure(Errc::kInvalid,
                   fmt::format("NATS: a message of {} bytes: the server takes {} (max_payload)",
                               bytes, payload_max_)));
    waiting_.erase(request);
    return;
  }
  sent_.splice(sent_.end(), waiting_, request);
  if (request->repeat == Repeat::kFetch) ++fetches_sent_;
  request->asked_at = loop_.now();
  if (!std::exchange(request->sent, true)) request->sent_at = request->asked_at;
  request->number = next_++;
  by_number_.emplace(request->number, request);
  std::string reply =
      request->published ? request->reply : fmt::format("{}{}", inbox_, request->number);
  if (request->published) published_.push_back(request->number);
  if (request->each) {
    // Two words behind the inbox, which takes one.
    reply = fmt::format("{}all.{}", inbox_, request->number);
    request->subscription = next_subscription_++;
    many_.emplace(request->subscription, request->number);
    connection_->out().append(fmt::format("SUB {} {}\r\n", reply, request->subscription));
  }
  if (!request->ping_only) write(request->message, reply);
  // Only what may be sent again is kept.
  if (request->repeat == Repeat::kNo || request->repeated) {
    request->message.payload = {};
    request->message.headers = {};
  }
}

bool Client::may_send(const Request& request) const {
  if (sent_.size() >= kSentMax || connection_->congested()) return false;
  return request.repeat != Repeat::kFetch || fetches_sent_ == 0 ||
         (fetches_sent_ + 1) * (payload_max_ + payload_max_ / 3) <= kReadBytesMax;
}

void Client::send_waiting() {
  if (state_ != State::kReady || waiting_.empty()) return;
  while (!waiting_.empty() && may_send(waiting_.front())) {
    send(waiting_.begin());
  }
  ping_behind();
  connection_->flush();
  watch();
}

// One PING for all that a batch of handlers publishes.
void Client::ping_behind() {
  bool owed = !published_.empty() && (pings_.empty() || pings_.back() < published_.back());
  if (!owed || std::exchange(ping_planned_, true)) return;
  loop_.defer_last([weak = weak_from_this()] {
    auto self = weak.lock();
    if (self == nullptr) return;
    self->ping_planned_ = false;
    if (self->state_ != State::kReady || self->published_.empty()) return;
    self->ping();
    self->connection_->flush();
  });
}

void Client::ping() {
  pings_.push_back(next_ - 1);
  connection_->out().append("PING\r\n");
}

// The server has all that went before that PING.
void Client::ponged() {
  if (pings_.empty()) return;
  std::uint64_t last = pings_.front();
  pings_.pop_front();
  while (!published_.empty() && published_.front() <= last) {
    std::uint64_t number = published_.front();
    published_.pop_front();
    auto found = by_number_.find(number);
    if (found == by_number_.end()) continue;  // It was too late, or refused.
    finish(std::move(found->second->done), Message());
    health_->answered(found->second->asked_at);
    answered(found->second);
  }
}

// Waits for an answer that is owed, or only for a sign of life. What is sent meanwhile does not put
// the end of the wait off: what comes does.
void Client::watch() {
  bool owed = connection_ != nullptr && (!sent_.empty() || state_ != State::kReady);
  if (!owed && (connection_ == nullptr || subscriptions_.empty())) return silence_.disarm();
  Deadline end = Deadline::at(loop_.now() + (owed ? settings_->silence / 2 : kPingEvery));
  if (silence_.armed() && silence_.deadline().when() <= end.when()) return;
  if (!silence_.armed()) unsent_ = SIZE_MAX;
  silence_.arm(end);
}

// Nothing came for half the time: whoever is there answers a ping, also where an answer takes long.
void Client::silent() {
  std::size_t unsent = connection_->unsent();
  if (unsent > 0 && unsent < std::exchange(unsent_, unsent)) {
    silence_.arm(Deadline::after(settings_->silence / 2));
    return;
  }
  if (!pinged_) {
    pinged_ = true;
    if (state_ == State::kReady) {
      ping();
      connection_->flush();
    }
    return silence_.arm(Deadline::after(settings_->silence / 2));
  }
  broken(Error(Errc::kUnavailable,
               fmt::format("{}: no answer within {} ms", settings_->endpoints[endpoint_].text(),
                           settings_->silence.count())));
}

// What is said of a request that was given up.
std::string_view Client::doubt(const Request& request) {
  bool reads = request.repeat == Repeat::kRead || request.repeat == Repeat::kFetch;
  bool in_doubt = request.sent && !reads;
  return in_doubt ? ": whether it was done is not known" : "";
}

// Its deadline has passed. An answer that is still owed goes nowhere.
void Client::late(Requests::iterator request) {
  std::string_view what =
      request->sent ? "no answer before the deadline" : "the deadline passed before it was sent";
  finish(std::exchange(request->done, nullptr),
         failure(Errc::kTimeout, fmt::format("NATS: {}{}", what, doubt(*request))));
  if (by_number_.contains(request->number)) {
    if (!std::exchange(request->late, true)) {
      health_->unanswered();
      // The server still holds a large answer, and counts it.
      if (request->repeat == Repeat::kFetch) return request->timer.arm(Deadline::after(kAnswerMax));
    }
    answered(request);
    return send_waiting();
  }
  waiting_bytes_ -= bytes_of(request->message);
  waiting_.erase(request);
}

void Client::fail_waiting() {
  for (Request& request : waiting_) {
    finish(
        std::move(request.done),
        failure(problem_->code(), fmt::format("NATS: {}{}", problem_->message(), doubt(request))));
  }
  waiting_.clear();
  waiting_bytes_ = 0;
}

bool Client::may_repeat(const Request& request) const {
  return request.repeat != Repeat::kNo && !request.repeated && !request.late &&
         loop_.now() - request.sent_at < kRepeatWithin;
}

// Another process is there: it may not know what the one before was sent.
void Client::drop_doubtful() {
  for (auto request = waiting_.begin(); request != waiting_.end();) {
    auto next = std::next(request);
    if (request->sent && request->repeat == Repeat::kKnown) {
      finish(std::move(request->done),
             failure(Errc::kUnavailable,
                     fmt::format("NATS: another server is there now{}", doubt(*request))));
      waiting_bytes_ -= bytes_of(request->message);
      waiting_.erase(request);
    }
    request = next;
  }
}

void Client::broken(Error error) {
  auto self = shared_from_this();
  if (!problem_ || problem_->message() != error.message()) {
    log::warn("nats", "there is no connection", {{"why", error.message()}});
  }
  problem_ = std::move(error);
  health_->down();
  if (connection_ != nullptr) connection_->close();
  connection_ = nullptr;
  Breaker::Time now = loop_.now();
  breaker_.failed(state_ == State::kReady ? now : began_, now);
  state_ = State::kDown;
  endpoint_ = (endpoint_ + 1) % settings_->endpoints.size();
  silence_.disarm();
  pinged_ = false;
  by_number_.clear();
  many_.clear();
  fetches_sent_ = 0;
  published_.clear();
  pings_.clear();
  // What may be sent again goes before what waits already, in its order.
  while (!sent_.empty()) {
    auto request = std::prev(sent_.end());
    health_->unanswered();
    request->number = 0;
    if (may_repeat(*request)) {
      request->repeated = true;
      waiting_bytes_ += bytes_of(request->message);
      waiting_.splice(waiting_.begin(), sent_, request);
      continue;
    }
    finish(std::move(request->done),
           failure(Errc::kUnavailable,
                   fmt::format("NATS: {}{}", problem_->message(), doubt(*request))));
    sent_.erase(request);
  }
  // A refusal stays one: whoever waits hears of it now.
  if (!breaker_.closed() || problem_->code() == Errc::kDenied) fail_waiting();
  if (!waiting_.empty() || !subscriptions_.empty()) retry_.arm(Deadline::at(breaker_.next()));
}

}  // namespace weft::remote::nats
