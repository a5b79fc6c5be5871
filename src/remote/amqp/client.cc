#include "remote/amqp/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"
#include "remote/said.h"

namespace weft::remote::amqp {
namespace {

using std::chrono::milliseconds;

}  // namespace

// Somebody who asks whether the server is there.
struct Client::Reaching {
  explicit Reaching(Client& client)
      : timer(client.loop_, [this, &client] {
          Done told = std::move(done);
          client.reaching_.erase(self);
          told(failure(Errc::kTimeout, "RabbitMQ: no answer before the deadline"));
        }) {}

  std::list<Reaching>::iterator self;
  Done done;
  Timer timer;
};

Client::Client(Loop& loop, std::shared_ptr<const Settings> settings, std::string name)
    : loop_(loop),
      settings_(std::move(settings)),
      health_(settings_->health != nullptr ? settings_->health : std::make_shared<Health>("")),
      name_(std::move(name)),
      silence_most_(std::max(settings_->silence, kSilenceMin)),
      breaker_(std::random_device{}()),
      retry_(loop,
             [this] {
               bool wanted = !attached_.empty() || !reaching_.empty();
               if (state_ == State::kDown && wanted && !left_) connect();
             }),
      silence_(loop, [this] { check_silence(); }),
      alive_(loop, [this] { keep_alive(); }),
      proven_(loop, [this] { breaker_.succeeded(); }) {}

Client::~Client() {
  if (connection_ != nullptr) connection_->close();
}

std::shared_ptr<Channel> Client::channel(ChannelOwner& owner) {
  auto channel = std::make_shared<Channel>(shared_from_this(), owner);
  attached_.push_back(channel.get());
  if (state_ == State::kReady) {
    // Never inside this call.
    loop_.defer([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->open_channels();
    });
  } else if (state_ == State::kDown && !retry_.armed() && !left_) {
    connect();
  }
  return channel;
}

void Client::reach(Deadline deadline, Done done) {
  if (state_ == State::kReady) {
    return loop_.defer([done = std::move(done)]() mutable { done({}); });
  }
  reaching_.emplace_back(*this);
  auto reaching = std::prev(reaching_.end());
  reaching->self = reaching;
  reaching->done = std::move(done);
  reaching->timer.arm(deadline);
  if (state_ == State::kDown && !retry_.armed()) connect();
}

void Client::reached(Result<void> how) {
  for (Reaching& each : std::exchange(reaching_, {})) {
    loop_.defer([done = std::move(each.done), how]() mutable { done(std::move(how)); });
  }
}

std::optional<Error> Client::unavailable() {
  if (blocked_ && loop_.now() - blocked_since_ > kPatience) return blocked_;
  if (state_ == State::kReady || breaker_.closed()) return std::nullopt;
  if (state_ == State::kDown && breaker_.may_try(loop_.now()) && !left_) connect();
  return problem_;
}

void Client::leave() {
  left_ = true;
  retry_.disarm();
  silence_.disarm();
  alive_.disarm();
  proven_.disarm();
  if (state_ != State::kReady) return;
  write_connection_close(out());
  // What is queued leaves at the end of this batch, also when nobody else has the client.
  loop_.post([self = shared_from_this()] {});
}

void Client::connect() {
  if (loop_.now() < breaker_.next()) return retry_.arm(Deadline::at(breaker_.next()));
  state_ = State::kConnecting;
  began_ = loop_.now();
  connection_ = Connection::open(loop_, settings_->endpoint, *this);
}

void Client::connected() {
  state_ = State::kStarting;
  heard_ = loop_.now();
  write_greeting(out());
  watch();
}

Buffer& Client::out() {
  if (connection_ == nullptr) {
    // It broke, and not all channels know it yet: nothing leaves any more.
    nowhere_.clear();
    return nowhere_;
  }
  wrote_ = loop_.now();
  connection_->flush();
  return connection_->out();
}

Result<std::size_t> Client::received(BytesView bytes) {
  auto self = shared_from_this();
  std::size_t at = 0;
  heard_ = loop_.now();
  for (;;) {
    TRY(std::optional<std::size_t> length, frame_length(bytes.subspan(at)));
    if (!length || *length > bytes.size() - at) break;
    TRY(Frame frame, read_frame(bytes.subspan(at, *length)));
    at += *length;
    TRY_VOID(taken(frame));
  }
  if (state_ == State::kReady) {
    for (const auto& channel : channels()) {
      if (channel->open()) channel->owner_->may_send();
    }
  }
  watch();
  return at;
}

Result<void> Client::taken(const Frame& frame) {
  if (frame.kind == Frame::Kind::kHeartbeat) return {};
  if (frame.channel == 0) {
    if (frame.kind != Frame::Kind::kMethod) {
      return failure(Errc::kCorrupt, "AMQP: a message for the connection itself");
    }
    TRY(Method method, read_method(frame.payload));
    return connection_method(method);
  }
  if (closing_.contains(frame.channel)) {
    if (frame.kind != Frame::Kind::kMethod) return {};
    TRY(Method method, read_method(frame.payload));
    if (method.id == Id::kChannelClose) write_channel_close_ok(out(), frame.channel);
    if (method.id == Id::kChannelCloseOk) closing_.erase(frame.channel);
    return {};
  }
  auto found = by_number_.find(frame.channel);
  if (found == by_number_.end()) {
    return failure(Errc::kCorrupt, "AMQP: a frame of a channel that is not there");
  }
  return found->second->taken(frame);
}

Error Client::closed_by_server(const Method& method) const {
  return {code_of(method.code), said(method.text)};
}

Result<void> Client::connection_method(const Method& method) {
  bool ready_now = state_ == State::kReady;
  switch (method.id) {
    case Id::kStart:
      if (state_ == State::kStarting) return start(method);
      break;
    case Id::kTune:
      if (state_ != State::kTuning) break;
      tune(method);
      return {};
    case Id::kConnectionOpenOk:
      if (state_ != State::kOpening) break;
      ready();
      return {};
    case Id::kConnectionClose:
      write_connection_close_ok(out());
      return std::unexpected(closed_by_server(method));
    case Id::kConnectionCloseOk: return failure(Errc::kUnavailable, "it has closed the connection");
    case Id::kBlocked:
      if (!ready_now) break;
      blocked_ = Error(Errc::kUnavailable,
                       fmt::format("RabbitMQ takes no messages now: {}", said(method.text)));
      blocked_since_ = loop_.now();
      log::warn("amqp", "the server takes no messages now", {{"why", said(method.text)}});
      return {};
    case Id::kUnblocked:
      if (!ready_now) break;
      blocked_.reset();
      log::info("amqp", "the server takes messages again");
      return {};
    default: break;
  }
  return failure(Errc::kCorrupt, "AMQP: a method of the connection at the wrong time");
}

Result<void> Client::start(const Method& method) {
  if (!method.mechanisms.contains("PLAIN")) {
    return failure(Errc::kUnsupported,
                   fmt::format("it lets nobody in by name and password (PLAIN), "
                               "only by {}",
                               said(method.mechanisms)));
  }
  write_start_ok(out(), {settings_->user, settings_->password.reveal(), name_});
  state_ = State::kTuning;
  return {};
}

void Client::tune(const Method& method) {
  number_most_ =
      method.channel_max == 0 ? kChannelsMax : std::min(method.channel_max, kChannelsMax);
  std::size_t frame = method.frame_max == 0 ? kFrameBytesMax : method.frame_max;
  frame_most_ = std::clamp(frame, kFrameBytesMin, kFrameBytesMax);
  // The server sends one twice in this time: it is heard within the time-out, whatever it owes.
  auto seconds = std::max<std::int64_t>(silence_most_.count() / 1'000, 1);
  auto ours = static_cast<std::uint16_t>(std::min<std::int64_t>(seconds, 60));
  std::uint16_t heartbeat = method.heartbeat == 0 ? ours : std::min(method.heartbeat, ours);
  heartbeat_ = std::chrono::seconds(heartbeat);
  write_tune_ok(out(), number_most_, static_cast<std::uint32_t>(frame_most_), heartbeat);
  write_connection_open(out(), settings_->vhost);
  state_ = State::kOpening;
}

void Client::ready() {
  state_ = State::kReady;
  proven_.arm(Deadline::after(kProvenAfter));
  alive_.arm(Deadline::after(heartbeat_ / 2));
  health_->up();
  if (problem_) {
    log::info("amqp", "the server is there again", {{"server", settings_->endpoint.text()}});
  }
  problem_.reset();
  last_number_ = 0;
  reached({});
  open_channels();
}

// All that have been called may go meanwhile.
std::vector<std::shared_ptr<Channel>> Client::channels() {
  std::vector<std::shared_ptr<Channel>> all;
  for (Channel* each : attached_) {
    if (auto channel = each->weak_from_this().lock()) all.push_back(std::move(channel));
  }
  return all;
}

void Client::open_channels() {
  if (state_ != State::kReady || left_) return;
  for (const auto& channel : channels()) {
    if (!channel->waits()) continue;
    if (by_number_.size() + closing_.size() >= number_most_) {
      channel->lost({Errc::kLimit, fmt::format("RabbitMQ: {} channels are open", number_most_)});
      channel->retry_.arm(Deadline::after(kRetryMax));
      continue;
    }
    do {
      last_number_ = last_number_ == number_most_ ? 1 : last_number_ + 1;
    } while (by_number_.contains(last_number_) || closing_.contains(last_number_));
    by_number_[last_number_] = channel.get();
    channel->begin(last_number_);
  }
}

void Client::forget(Channel& channel) {
  std::erase(attached_, &channel);
}

void Client::closing(Number number) {
  by_number_.erase(number);
  closing_.insert(number);
}

bool Client::owes() const {
  if (state_ != State::kReady) return state_ != State::kDown && state_ != State::kConnecting;
  bool unanswered =
      std::ranges::any_of(attached_, [](const Channel* each) { return each->owes(); });
  return unanswered || (unconfirmed_ > 0 && !blocked_);
}

void Client::watch() {
  if (connection_ == nullptr || left_ || state_ == State::kConnecting) return silence_.disarm();
  bool owed = owes();
  if (owed && !std::exchange(owed_, owed)) {
    owed_since_ = loop_.now();
    unsent_ = SIZE_MAX;
  }
  owed_ = owed;
  Breaker::Time end =
      owed ? std::max(heard_, owed_since_) + silence_most_ : heard_ + 2 * heartbeat_;
  // It is armed anew when it fires, not at each frame.
  if (silence_.armed() && silence_.deadline().when() <= end) return;
  silence_.arm(Deadline::at(end));
}

void Client::check_silence() {
  if (connection_ == nullptr) return;
  auto limit = owed_ ? silence_most_ : 2 * heartbeat_;
  Breaker::Time since = owed_ ? std::max(heard_, owed_since_) : heard_;
  if (loop_.now() < since + limit) return watch();
  std::size_t unsent = connection_->unsent();
  if (unsent > 0 && unsent < std::exchange(unsent_, unsent)) {
    // It takes what we send: it is slow, and not gone.
    return silence_.arm(Deadline::after(silence_most_ / 2));
  }
  broken(Error(Errc::kUnavailable,
               fmt::format("{}: no answer within {} ms", settings_->endpoint.text(),
                           std::chrono::duration_cast<milliseconds>(limit).count())));
}

void Client::keep_alive() {
  if (state_ != State::kReady) return;
  if (loop_.now() >= wrote_ + heartbeat_ / 2) write_heartbeat(out());
  alive_.arm(Deadline::at(wrote_ + heartbeat_ / 2));
}

void Client::broken(Error error) {
  auto self = shared_from_this();
  if (connection_ != nullptr) connection_->close();
  connection_ = nullptr;
  silence_.disarm();
  alive_.disarm();
  proven_.disarm();
  bool was_ready = state_ == State::kReady;
  state_ = State::kDown;
  owed_ = false;
  blocked_.reset();
  by_number_.clear();
  closing_.clear();
  if (!left_) {
    if (!problem_ || problem_->message() != error.message()) {
      log::warn("amqp", "there is no connection",
                {{"server", settings_->endpoint.text()}, {"why", error.message()}});
    }
    Breaker::Time now = loop_.now();
    breaker_.failed(was_ready ? now : began_, now);
    health_->down();
  }
  Error told(error.code(), fmt::format("RabbitMQ: {}", error.message()));
  problem_ = std::move(told);
  bool hopeless = error.code() != Errc::kUnavailable && error.code() != Errc::kTimeout;
  if (hopeless || !breaker_.closed() || left_) reached(std::unexpected(*problem_));
  for (const auto& channel : channels()) channel->lost(*problem_);
  if (left_ || state_ != State::kDown) return;
  if (!attached_.empty() || !reaching_.empty()) retry_.arm(Deadline::at(breaker_.next()));
}

}  // namespace weft::remote::amqp
