#include "remote/mqtt/client.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"
#include "remote/said.h"

namespace weft::remote::mqtt {
namespace {

constexpr std::uint8_t kRefused = 0x80;  // Codes from there on.
constexpr std::uint8_t kNotAuthorized = 0x87;
constexpr std::uint8_t kBadUser = 0x86;
constexpr std::uint8_t kTakenOver = 0x8e;

Error refusal(std::uint8_t code, const Properties& properties, std::string_view what) {
  Errc kind = Errc::kUnavailable;
  if (code == kNotAuthorized || code == kBadUser || code == 0x8a) kind = Errc::kDenied;
  if (code == 0x8f || code == 0x90 || code == 0x95 || code == 0x99) kind = Errc::kInvalid;
  if (code == 0x97) kind = Errc::kFull;
  if (code == 0x84 || code == 0x9b || code == 0x9e) kind = Errc::kUnsupported;
  std::string why(reason_text(code));
  if (properties.reason) why += fmt::format(" ({})", said(*properties.reason));
  return {kind, fmt::format("MQTT: {}: {} (0x{:02x})", what, why, code)};
}

}  // namespace

struct Client::Request {
  explicit Request(Client& client) : timer(client.loop_, [this, &client] { client.late(self); }) {}

  Requests::iterator self;
  Publish message;
  bool reach = false;  // Nothing is sent: it waits for the greeting.
  bool sent = false;
  bool received = false;   // With QoS 2: PUBREC came.
  unsigned suspected = 0;  // Connections that broke while it was the first without an answer.
  Breaker::Time asked_at{};
  Done done;
  Timer timer;
};

Client::Client(Loop& loop, std::shared_ptr<const Settings> settings, Session session)
    : loop_(loop),
      settings_(std::move(settings)),
      health_(settings_->health != nullptr ? settings_->health : std::make_shared<Health>("")),
      session_(std::move(session)),
      breaker_(std::random_device{}()),
      retry_(loop,
             [this] {
               bool wanted = !waiting_.empty() || !filter_.empty();
               if (state_ == State::kDown && wanted && !left_) connect();
             }),
      silence_(loop, [this] { silent(); }),
      alive_(loop, [this] { keep_alive(); }),
      proven_(loop, [this] { breaker_.succeeded(); }) {}

Client::~Client() {
  if (connection_ != nullptr) connection_->close();
}

Error Client::unavailable() const {
  return {problem_->code(), fmt::format("MQTT: {}", problem_->message())};
}

// The caller may call again, or let the client go: never from inside what it called.
void Client::finish(Requests& from, Requests::iterator request, Result<void> result) {
  loop_.defer([done = std::move(request->done), result = std::move(result)]() mutable {
    if (done) done(std::move(result));
  });
  if (&from == &waiting_) waiting_bytes_ -= request->message.payload.size();
  if (request->message.id != 0) by_id_.erase(request->message.id);
  from.erase(request);
}

void Client::publish(Publish message, Deadline deadline, Done done) {
  add(std::move(message), deadline, std::move(done));
}

void Client::reach(Deadline deadline, Done done) {
  add({.topic = ""}, deadline, std::move(done));
}

void Client::add(Publish message, Deadline deadline, Done done) {
  auto fail = [&](std::unexpected<Error> error) {
    loop_.defer([done = std::move(done), error = std::move(error)]() mutable { done(error); });
  };
  if (deadline.passed()) return fail(failure(Errc::kTimeout, "the deadline has passed"));
  if (!breaker_.closed() && state_ != State::kReady) {
    if (state_ == State::kDown && breaker_.may_try(loop_.now())) connect();
    return fail(std::unexpected(unavailable()));
  }
  std::size_t bytes = message.payload.size();
  if (waiting_.size() >= kWaitingMax || waiting_bytes_ + bytes > kWaitingBytesMax) {
    return fail(
        failure(Errc::kLimit, fmt::format("MQTT: {} messages wait already", waiting_.size())));
  }
  waiting_.emplace_back(*this);
  auto request = std::prev(waiting_.end());
  request->self = request;
  request->reach = message.topic.empty();
  request->message = std::move(message);
  request->done = std::move(done);
  waiting_bytes_ += bytes;
  request->timer.arm(deadline);
  if (state_ == State::kReady) return send_waiting();
  if (state_ == State::kDown && !retry_.armed()) connect();
}

void Client::listen(std::string filter, std::uint8_t qos, OnMessage on_message,
                    std::function<void(Result<void>)> subscribed, Kept kept) {
  CHECK(filter_.empty() && !filter.empty());
  filter_ = std::move(filter);
  qos_ = qos;
  kept_ = kept;
  on_message_ = std::move(on_message);
  subscribed_ = std::move(subscribed);
  if (state_ == State::kReady) return subscribe();
  if (state_ == State::kDown && !retry_.armed()) connect();
}

bool Client::acknowledge(std::uint64_t connection, std::uint8_t qos, std::uint16_t id) {
  if (qos == 0) return true;
  if (state_ != State::kReady || connection != connections_) return false;
  write_answer(out(), qos == 1 ? Kind::kPuback : Kind::kPubrec, id);
  connection_->flush();
  return true;
}

void Client::leave() {
  left_ = true;
  retry_.disarm();
  silence_.disarm();
  alive_.disarm();
  proven_.disarm();
  if (state_ != State::kReady) return;
  write_disconnect(out());
  connection_->flush();
  // What is queued leaves at the end of this batch, also when nobody else has the client.
  loop_.post([self = shared_from_this()] {});
}

void Client::connect() {
  Breaker::Time next = std::max(breaker_.next(), not_before_);
  if (loop_.now() < next) return retry_.arm(Deadline::at(next));
  state_ = State::kConnecting;
  began_ = loop_.now();
  ++connections_;
  connection_ = Connection::open(loop_, settings_->endpoint, *this);
}

void Client::connected() {
  state_ = State::kGreeting;
  write(out(), Connect{.client_id = session_.client_id,
                       .clean_start = session_.expiry == 0,
                       .session_expiry = session_.expiry,
                       .receive_maximum = session_.at_once,
                       .user = settings_->user,
                       .password = settings_->password.reveal()});
  connection_->flush();
  watch();
}

Result<std::size_t> Client::received(BytesView bytes) {
  auto self = shared_from_this();
  std::size_t at = 0;
  pinged_ = false;
  silence_.disarm();
  for (;;) {
    TRY(std::optional<std::size_t> length, packet_length(bytes.subspan(at)));
    if (!length || *length > bytes.size() - at) break;
    TRY(Packet packet, read_packet(bytes.subspan(at, *length)));
    TRY_VOID(taken(std::move(packet)));
    if (held_) break;
    at += *length;
  }
  send_waiting();
  watch();
  return at;
}

Result<void> Client::taken(Packet packet) {
  if (state_ == State::kGreeting) return greeted(packet);
  switch (packet.kind) {
    case Kind::kPublish:
      if (on_message_) on_message_({std::move(packet.publish), connections_});
      return {};
    case Kind::kPuback:
    case Kind::kPubrec:
    case Kind::kPubcomp: answered(packet); return {};
    case Kind::kPubrel:
      write_answer(out(), Kind::kPubcomp, packet.id);
      connection_->flush();
      return {};
    case Kind::kSuback: {
      if (std::exchange(subscribing_, 0) != packet.id || !subscribed_) return {};
      auto tell = subscribed_;
      if (packet.code() < kRefused) {
        tell({});
      } else {
        tell(std::unexpected(refusal(packet.code(), packet.properties, "to listen")));
      }
      return {};
    }
    case Kind::kDisconnect:
      if (packet.code() == kTakenOver) not_before_ = loop_.now() + kTakenOverPause;
      return std::unexpected(refusal(packet.code(), packet.properties, "it ends the connection"));
    default: return {};
  }
}

Result<void> Client::greeted(const Packet& packet) {
  if (packet.kind != Kind::kConnack) return failure(Errc::kCorrupt, "it does not greet");
  if (packet.code() >= kRefused) {
    return std::unexpected(refusal(packet.code(), packet.properties, "it lets nobody in"));
  }
  state_ = State::kReady;
  proven_.arm(Deadline::after(kProvenAfter));
  health_->up();
  if (problem_) {
    log::info("mqtt", "the server is there again", {{"server", settings_->endpoint.text()}});
  }
  problem_.reset();
  sent_most_ = std::min<std::size_t>(kSentMax, packet.properties.receive_maximum.value_or(65'535));
  packet_most_ = packet.properties.packet_maximum.value_or(kPacketBytesMax);
  qos_most_ = packet.properties.maximum_qos.value_or(2);
  ping_every_ = kPingEvery;
  if (std::uint16_t bears = packet.properties.keep_alive.value_or(0); bears > 0) {
    ping_every_ = std::min(ping_every_, std::chrono::milliseconds(bears * 1'000 / 2));
  }
  alive_.arm(Deadline::after(ping_every_));
  if (!packet.session && forgotten_) forgotten_();
  if (!filter_.empty()) subscribe();
  return {};
}

void Client::subscribe() {
  subscribing_ = next_id();
  write_subscribe(out(), subscribing_, filter_, qos_, kept_);
  connection_->flush();
  watch();
}

std::uint16_t Client::next_id() {
  do {
    if (++last_id_ == 0) last_id_ = 1;
  } while (by_id_.contains(last_id_));
  return last_id_;
}

void Client::answered(const Packet& packet) {
  auto found = by_id_.find(packet.id);
  // Nobody waits for it any more; of QoS 2 the server wants an answer in any case.
  if (found == by_id_.end()) {
    if (packet.kind == Kind::kPubrec && packet.code() < kRefused) {
      write_answer(out(), Kind::kPubrel, packet.id);
      connection_->flush();
    }
    return;
  }
  auto request = found->second;
  health_->answered(request->asked_at);
  breaker_.succeeded();
  if (packet.code() >= kRefused) {
    return finish(sent_, request,
                  std::unexpected(refusal(packet.code(), packet.properties, "to publish")));
  }
  if (packet.kind == Kind::kPubrec) {
    request->received = true;
    write_answer(out(), Kind::kPubrel, packet.id);
    connection_->flush();
    return;
  }
  finish(sent_, request, {});
}

void Client::send_waiting() {
  if (state_ != State::kReady) return;
  while (!waiting_.empty() && sent_.size() < sent_most_ && !connection_->congested()) {
    auto request = waiting_.begin();
    if (request->reach) {
      finish(waiting_, request, {});
      continue;
    }
    request->message.qos = std::min(request->message.qos, qos_most_);
    std::size_t bytes = size_of(request->message);
    if (bytes > packet_most_) {
      finish(waiting_, request,
             failure(Errc::kInvalid, fmt::format("MQTT: a message of {} bytes: the server takes {}",
                                                 bytes, packet_most_)));
      continue;
    }
    if (request->message.qos == 0) {
      write(out(), request->message);
      finish(waiting_, request, {});
      continue;
    }
    waiting_bytes_ -= request->message.payload.size();
    sent_.splice(sent_.end(), waiting_, request);
    request->message.id = next_id();
    request->message.again = false;
    request->sent = true;
    request->received = false;
    request->asked_at = Deadline::Clock::now();
    by_id_[request->message.id] = request;
    write(out(), request->message);
  }
  connection_->flush();
  watch();
}

Buffer& Client::out() {
  wrote_ = loop_.now();
  return connection_->out();
}

void Client::hold() {
  held_ = true;
  connection_->pause();
}

void Client::go_on() {
  if (!std::exchange(held_, false)) return;
  connection_->resume();
  watch();
}

// Waits for an answer that is owed.
void Client::watch() {
  // Nothing is heard of a server that waits for us.
  if (connection_ == nullptr || left_ || held_) return silence_.disarm();
  if (sent_.empty() && state_ == State::kReady && subscribing_ == 0) return;
  Deadline end = Deadline::after(settings_->silence / 2);
  if (silence_.armed() && silence_.deadline().when() <= end.when()) return;
  silence_.arm(end);
}

// Also shows whether a server is there that owes nothing.
void Client::keep_alive() {
  if (state_ != State::kReady) return;
  if (loop_.now() < wrote_ + ping_every_) return alive_.arm(Deadline::at(wrote_ + ping_every_));
  write_ping(out());
  connection_->flush();
  alive_.arm(Deadline::after(ping_every_));
  if (held_) return;
  if (!std::exchange(pinged_, true)) silence_.arm(Deadline::after(settings_->silence));
}

void Client::silent() {
  if (!pinged_ && state_ == State::kReady) {
    pinged_ = true;
    write_ping(out());
    connection_->flush();
    return silence_.arm(Deadline::after(settings_->silence / 2));
  }
  if (!pinged_ && state_ != State::kReady) {
    pinged_ = true;
    return silence_.arm(Deadline::after(settings_->silence / 2));
  }
  broken(Error(Errc::kUnavailable,
               fmt::format("{}: no answer within {} ms", settings_->endpoint.text(),
                           settings_->silence.count())));
}

void Client::late(Requests::iterator request) {
  bool sent = request->sent;
  Requests& from = request->message.id != 0 ? sent_ : waiting_;
  if (&from == &sent_) health_->unanswered();
  finish(from, request,
         failure(Errc::kTimeout,
                 sent ? "MQTT: no answer before the deadline: whether it was done is not known"
                      : "MQTT: the deadline passed before it was sent"));
}

void Client::fail_waiting() {
  while (!waiting_.empty()) {
    std::string_view doubt = waiting_.front().sent ? ": whether it was done is not known" : "";
    finish(waiting_, waiting_.begin(),
           failure(problem_->code(), fmt::format("MQTT: {}{}", problem_->message(), doubt)));
  }
}

void Client::broken(Error error) {
  auto self = shared_from_this();
  if (connection_ != nullptr) connection_->close();
  connection_ = nullptr;
  if (left_) {
    state_ = State::kDown;
    return;
  }
  if (!problem_ || problem_->message() != error.message()) {
    log::warn("mqtt", "there is no connection", {{"why", error.message()}});
  }
  problem_ = std::move(error);
  health_->down();
  Breaker::Time now = loop_.now();
  breaker_.failed(state_ == State::kReady ? now : began_, now);
  state_ = State::kDown;
  silence_.disarm();
  alive_.disarm();
  proven_.disarm();
  pinged_ = false;
  subscribing_ = 0;
  held_ = false;
  by_id_.clear();
  // What is not answered goes again, before what waits already and in its order: at least once.
  if (!sent_.empty() && ++sent_.front().suspected == kSendsMax) {
    finish(sent_, sent_.begin(),
           failure(Errc::kUnavailable,
                   fmt::format("MQTT: the connection broke each of the {} times that it was sent",
                               kSendsMax)));
  }
  while (!sent_.empty()) {
    auto request = std::prev(sent_.end());
    health_->unanswered();
    request->message.id = 0;
    waiting_bytes_ += request->message.payload.size();
    waiting_.splice(waiting_.begin(), sent_, request);
  }
  if (!breaker_.closed() || problem_->code() == Errc::kDenied) fail_waiting();
  if (!waiting_.empty() || !filter_.empty())
    retry_.arm(Deadline::at(std::max(breaker_.next(), not_before_)));
}

}  // namespace weft::remote::mqtt
