#include "capabilities/keyvalue/drivers/redis/client.h"

#include <fmt/format.h>

#include <optional>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"
#include "remote/said.h"

namespace weft::keyvalue::redis {

using remote::Breaker;

struct Client::Request {
  explicit Request(Client& client) : timer(client.loop_, [this, &client] { client.late(self); }) {}

  Requests::iterator self;
  Commands commands;  // Until they are sent, or for as long as they may be sent again.
  unsigned replies_left = 0;
  Repeat repeat = Repeat::kNo;
  bool repeated = false;
  std::optional<Error> error;
  Done done;  // Null once it was given up.
  remote::Health::Clock::time_point sent{};
  Timer timer;
};

void Commands::head(std::size_t words) {
  ++count_;
  bytes_.append(fmt::format("*{}\r\n", words));
}

void Commands::word(std::string_view word) {
  bytes_.append(fmt::format("${}\r\n", word.size()));
  bytes_.append(word);
  bytes_.append("\r\n");
}

Commands& Commands::add(std::initializer_list<std::string_view> words) {
  head(words.size());
  for (std::string_view each : words) word(each);
  return *this;
}

Commands& Commands::add(const std::vector<std::string_view>& words) {
  head(words.size());
  for (std::string_view each : words) word(each);
  return *this;
}

Error error_of(std::string_view text) {
  struct Known {
    std::string_view begin;
    Errc code;
  };
  static constexpr Known kKnown[] = {
      {"OOM", Errc::kFull},
      {"MISCONF", Errc::kFull},
      {"NOAUTH", Errc::kDenied},
      {"WRONGPASS", Errc::kDenied},
      {"NOPERM", Errc::kDenied},
      {"LOADING", Errc::kUnavailable},
      {"BUSY", Errc::kUnavailable},
      {"MASTERDOWN", Errc::kUnavailable},
      {"READONLY", Errc::kUnavailable},
      {"CLUSTERDOWN", Errc::kUnavailable},
      {"TRYAGAIN", Errc::kUnavailable},
      {"WRONGTYPE", Errc::kCorrupt},
  };
  std::string_view first = text.substr(0, text.find(' '));
  std::string message = fmt::format("Redis: {}", remote::said(text));
  for (const Known& known : kKnown) {
    if (first == known.begin) return Error(known.code, std::move(message));
  }
  return Error(Errc::kIo, std::move(message));
}

Client::Client(Loop& loop, std::shared_ptr<const Settings> settings)
    : loop_(loop),
      settings_(std::move(settings)),
      breaker_(std::random_device{}()),
      retry_(loop,
             [this] {
               if (state_ == State::kDown && !waiting_.empty()) connect();
             }),
      silence_(loop, [this] {
        std::size_t unsent = connection_->unsent();
        if (unsent > 0 && unsent < std::exchange(unsent_, unsent)) {
          silence_.arm(Deadline::after(settings_->silence));
          return;
        }
        broken(Error(Errc::kUnavailable,
                     fmt::format("{}: no answer within {} ms", settings_->endpoint.text(),
                                 settings_->silence.count())));
      }) {}

Client::~Client() {
  if (connection_ != nullptr) connection_->close();
}

Error Client::unavailable() const {
  return Error(problem_->code(), fmt::format("Redis: {}", problem_->message()));
}

// The caller may call again, or let the client go: never from inside what it called.
void Client::finish(Done done, Result<Reply> result) {
  loop_.defer(
      [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void Client::send(Commands commands, Deadline deadline, Repeat repeat, Done done) {
  if (deadline.passed()) {
    return finish(std::move(done), failure(Errc::kTimeout, "the deadline has passed"));
  }
  if (!breaker_.closed()) {
    // An attempt is made for the next one who asks.
    if (state_ == State::kDown && breaker_.may_try(loop_.now())) connect();
    return finish(std::move(done), std::unexpected(unavailable()));
  }
  if (waiting_.size() >= kWaitingMax ||
      waiting_bytes_ + commands.bytes().size() > kWaitingBytesMax) {
    return finish(
        std::move(done),
        failure(Errc::kLimit, fmt::format("Redis: {} requests wait already", waiting_.size())));
  }
  waiting_.emplace_back(*this);
  auto request = std::prev(waiting_.end());
  request->self = request;
  request->commands = std::move(commands);
  request->repeat = repeat;
  request->done = std::move(done);
  waiting_bytes_ += request->commands.bytes().size();
  if (!deadline.is_never()) request->timer.arm(deadline);
  if (state_ == State::kReady) return send_waiting();
  if (state_ == State::kDown && !retry_.armed()) connect();
}

void Client::connect() {
  if (!breaker_.may_try(loop_.now())) {
    retry_.arm(Deadline::at(breaker_.next()));
    return;
  }
  state_ = State::kConnecting;
  began_ = loop_.now();
  parser_ = {};
  connection_ = remote::Connection::open(loop_, settings_->endpoint, *this);
}

void Client::connected() {
  state_ = State::kGreeting;
  Commands greeting;
  std::vector<std::string_view> hello{"HELLO", "3"};
  std::string_view user = settings_->user.empty() ? "default" : std::string_view(settings_->user);
  if (!settings_->password.reveal().empty()) {
    hello.insert(hello.end(), {"AUTH", user, settings_->password.reveal()});
  }
  hello.insert(hello.end(), {"SETNAME", "weft"});
  greeting.add(hello);
  if (settings_->database != 0) greeting.add({"SELECT", std::to_string(settings_->database)});
  greetings_ = greeting.count();
  connection_->out().append(greeting.bytes());
  connection_->flush();
  silence_.arm(Deadline::after(settings_->silence));
}

Result<void> Client::greeted(Reply reply) {
  if (reply.kind == Reply::Kind::kError) return std::unexpected(error_of(reply.text()));
  if (--greetings_ > 0) return {};
  state_ = State::kReady;
  if (problem_) {
    log::info("redis", "the server is there again", {{"server", settings_->endpoint.text()}});
    problem_.reset();
  }
  breaker_.succeeded();
  settings_->health->up();
  silence_.disarm();
  send_waiting();
  return {};
}

Result<std::size_t> Client::received(BytesView bytes) {
  auto self = shared_from_this();
  std::size_t at = 0;
  if (silence_.armed()) silence_.arm(Deadline::after(settings_->silence));
  while (at < bytes.size()) {
    Result<std::size_t> used = parser_.feed(bytes.subspan(at));
    if (!used) return used;
    at += *used;
    if (!parser_.done()) break;
    Reply next = parser_.take();
    if (next.kind == Reply::Kind::kPush) continue;
    Result<void> taken = greetings_ > 0 ? greeted(std::move(next)) : reply(std::move(next));
    if (!taken) return std::unexpected(std::move(taken).error());
  }
  if (sent_.empty() && greetings_ == 0) silence_.disarm();
  send_waiting();
  return at;
}

Result<void> Client::reply(Reply reply) {
  if (sent_.empty()) return failure(Errc::kCorrupt, "the server answers what nobody asked");
  Request& request = sent_.front();
  if (!request.error && reply.kind == Reply::Kind::kError) request.error = error_of(reply.text());
  if (!request.error) {
    for (const Reply& each : reply.items) {
      if (each.kind == Reply::Kind::kError) request.error = error_of(each.text());
    }
  }
  if (--request.replies_left > 0) return {};
  settings_->health->answered(request.sent);
  if (request.done) {
    if (request.error) {
      finish(std::move(request.done), std::unexpected(*std::move(request.error)));
    } else {
      finish(std::move(request.done), std::move(reply));
    }
  }
  sent_.pop_front();
  return {};
}

void Client::write(Requests::iterator request) {
  waiting_bytes_ -= request->commands.bytes().size();
  sent_.splice(sent_.end(), waiting_, request);
  request->replies_left = request->commands.count();
  request->sent = remote::Health::Clock::now();
  connection_->out().append(request->commands.bytes());
  // Only what may be sent again is kept.
  if (request->repeat == Repeat::kNo || request->repeated) request->commands = {};
  unsent_ = SIZE_MAX;
  if (!silence_.armed()) silence_.arm(Deadline::after(settings_->silence));
}

void Client::send_waiting() {
  if (state_ != State::kReady || waiting_.empty()) return;
  while (!waiting_.empty() && sent_.size() < kSentMax && !connection_->congested()) {
    write(waiting_.begin());
  }
  connection_->flush();
}

// Its deadline has passed. An answer that is still owed goes nowhere.
void Client::late(Requests::iterator request) {
  bool waits = request->replies_left == 0;
  std::string_view what = waits ? "the deadline passed before it was sent"
                          : request->repeat == Repeat::kYes
                              ? "no answer before the deadline"
                              : "no answer before the deadline: whether it was done is not known";
  finish(std::exchange(request->done, nullptr),
         failure(Errc::kTimeout, fmt::format("Redis: {}: {}", settings_->endpoint.text(), what)));
  if (!waits) return;
  waiting_bytes_ -= request->commands.bytes().size();
  waiting_.erase(request);
}

void Client::fail_waiting() {
  for (Request& request : waiting_) {
    finish(std::move(request.done), std::unexpected(unavailable()));
  }
  waiting_.clear();
  waiting_bytes_ = 0;
}

void Client::broken(Error error) {
  if (!problem_ || problem_->message() != error.message()) {
    log::warn("redis", "there is no connection", {{"why", error.message()}});
  }
  problem_ = std::move(error);
  settings_->health->down();
  if (connection_ != nullptr) connection_->close();
  connection_ = nullptr;
  Breaker::Time now = loop_.now();
  breaker_.failed(state_ == State::kReady ? now : began_, now);
  state_ = State::kDown;
  greetings_ = 0;
  silence_.disarm();
  // What may be sent again goes before what waits already.
  while (!sent_.empty()) {
    auto request = std::prev(sent_.end());
    settings_->health->unanswered();
    if (request->done && request->repeat == Repeat::kYes && !request->repeated) {
      request->repeated = true;
      request->replies_left = 0;
      request->error.reset();
      waiting_bytes_ += request->commands.bytes().size();
      waiting_.splice(waiting_.begin(), sent_, request);
      continue;
    }
    if (request->done) {
      finish(std::move(request->done),
             failure(Errc::kUnavailable, fmt::format("Redis: {}: whether it was done is not known",
                                                     problem_->message())));
    }
    sent_.erase(request);
  }
  // A refusal stays one: whoever waits hears of it now.
  if (!breaker_.closed() || problem_->code() == Errc::kDenied) fail_waiting();
  if (!waiting_.empty()) retry_.arm(Deadline::at(breaker_.next()));
}

}  // namespace weft::keyvalue::redis
