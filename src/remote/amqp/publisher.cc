#include "remote/amqp/publisher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "io/loop.h"

namespace weft::remote::amqp {
namespace {

std::size_t bytes_of(const Publish& message) {
  return message.body.size() + kFrameAround;
}

// What AMQP has no room for is no message there.
Result<void> check(const Publish& message, std::size_t frame_most) {
  const Properties& properties = message.properties;
  auto fits = [](const std::optional<std::string>& text) {
    return !text || text->size() <= kShortBytesMax;
  };
  bool all =
      message.exchange.size() <= kShortBytesMax && message.routing_key.size() <= kShortBytesMax &&
      fits(properties.content_type) && fits(properties.correlation) && fits(properties.reply_to) &&
      fits(properties.message_id) && fits(properties.app_id) &&
      std::ranges::all_of(properties.headers,
                          [](const auto& header) { return header.name.size() <= kShortBytesMax; });
  if (!all) {
    return failure(Errc::kInvalid,
                   fmt::format("AMQP: names, topics and the content type have at most {} bytes",
                               kShortBytesMax));
  }
  std::size_t header = header_size(properties);
  if (header <= frame_most) return {};
  return failure(Errc::kInvalid, fmt::format("AMQP: metadata of {} bytes: the server takes {}",
                                             header, frame_most));
}

}  // namespace

struct Publisher::Request {
  explicit Request(Publisher& publisher)
      : timer(publisher.client_->loop(), [this, &publisher] { publisher.late(self); }) {}

  Requests::iterator self;
  Publish message;
  std::uint64_t tag = 0;   // None: it waits.
  bool was_sent = false;   // Once, at least.
  bool nowhere = false;    // It came back.
  unsigned suspected = 0;  // Channels that ended while it was the first without an answer.
  Breaker::Time asked_at{};
  Done done;
  Timer timer;
};

Publisher::Publisher(std::shared_ptr<Client> client, Prepare prepare, OnMessage on_message)
    : client_(std::move(client)),
      prepare_(std::move(prepare)),
      on_message_(std::move(on_message)) {}

Publisher::~Publisher() {
  if (channel_ != nullptr) channel_->let_go();
  client_->owed(-static_cast<std::ptrdiff_t>(sent_.size()));
}

void Publisher::publish(Publish message, Deadline deadline, Done done) {
  auto fail = [&](Error error) {
    client_->loop().defer([done = std::move(done), error = std::move(error)]() mutable {
      done(std::unexpected(std::move(error)));
    });
  };
  if (deadline.passed()) return fail({Errc::kTimeout, "the deadline has passed"});
  if (Result<void> well = check(message, client_->frame_most()); !well) {
    return fail(std::move(well).error());
  }
  if (auto why = client_->unavailable()) return fail(*std::move(why));
  std::size_t bytes = bytes_of(message);
  if (waiting_.size() + sent_.size() >= kWaitingMax || bytes_ + bytes > kHeldBytesMax) {
    return fail({Errc::kLimit, fmt::format("RabbitMQ: {} messages wait already",
                                           waiting_.size() + sent_.size())});
  }
  waiting_.emplace_back(*this);
  auto request = std::prev(waiting_.end());
  request->self = request;
  request->message = std::move(message);
  request->done = std::move(done);
  bytes_ += bytes;
  request->timer.arm(deadline);
  if (channel_ == nullptr) channel_ = client_->channel(*this);
  send_waiting();
}

void Publisher::opened() {
  prepare_(*channel_);
  channel_->select([this](Result<Method> selected) {
    if (!selected) return;
    ready_ = true;
    last_tag_ = 0;
    send_waiting();
  });
}

void Publisher::send_waiting() {
  if (!ready_ || client_->blocked()) return;
  while (!waiting_.empty() && sent_.size() < kSentMax && !client_->congested()) {
    auto request = waiting_.begin();
    sent_.splice(sent_.end(), waiting_, request);
    request->tag = ++last_tag_;
    request->was_sent = true;
    request->nowhere = false;
    request->asked_at = Deadline::Clock::now();
    by_tag_[request->tag] = request;
    client_->owed(1);
    channel_->publish(request->message);
  }
  client_->watch();
}

// A return stands before the confirm of its message.
void Publisher::came_back(Incoming message) {
  auto found = std::ranges::find_if(sent_, [&](const Request& each) {
    return each.message.mandatory && each.message.properties.message_id &&
           each.message.properties.message_id == message.properties.message_id;
  });
  if (found != sent_.end()) found->nowhere = true;
}

void Publisher::confirmed(const Method& answer) {
  client_->proven();
  if (answer.multiple) {
    while (!by_tag_.empty() && (answer.tag == 0 || by_tag_.begin()->first <= answer.tag)) {
      confirm(by_tag_.begin()->second, answer.id);
    }
    return;
  }
  // Nobody may wait for it any more.
  auto found = by_tag_.find(answer.tag);
  if (found != by_tag_.end()) confirm(found->second, answer.id);
}

void Publisher::confirm(Requests::iterator request, Id how) {
  client_->health().answered(request->asked_at);
  if (how == Id::kNack) {
    return finish(request,
                  failure(Errc::kFull, "RabbitMQ: a queue of that topic is full, or refuses it"));
  }
  finish(request, request->nowhere ? Routed::kNowhere : Routed::kTaken);
}

// The caller may call again, or let the publisher go: never from inside what it called.
void Publisher::finish(Requests::iterator request, Result<Routed> result) {
  client_->loop().defer([done = std::move(request->done), result = std::move(result)]() mutable {
    done(std::move(result));
  });
  bytes_ -= bytes_of(request->message);
  if (request->tag == 0) {
    waiting_.erase(request);
    return;
  }
  by_tag_.erase(request->tag);
  client_->owed(-1);
  sent_.erase(request);
}

void Publisher::late(Requests::iterator request) {
  bool was_sent = request->was_sent;
  if (request->tag != 0) client_->health().unanswered();
  if (!was_sent && client_->blocked()) {
    if (auto why = client_->unavailable()) return finish(request, std::unexpected(*std::move(why)));
  }
  finish(request, failure(Errc::kTimeout,
                          was_sent ? "RabbitMQ: no answer before the deadline: whether it was done "
                                     "is not known"
                                   : "RabbitMQ: the deadline passed before it was sent"));
}

void Publisher::fail_all(const Error& error) {
  while (!waiting_.empty()) {
    std::string_view doubt = waiting_.front().was_sent ? ": whether it was done is not known" : "";
    finish(waiting_.begin(), failure(error.code(), fmt::format("{}{}", error.message(), doubt)));
  }
}

void Publisher::closed(const Error& error) {
  ready_ = false;
  if (!sent_.empty() && ++sent_.front().suspected == kSendsMax) {
    finish(sent_.begin(),
           failure(error.code(), fmt::format("{}: each of the {} times that it was sent",
                                             error.message(), kSendsMax)));
  }
  // What is not answered goes again, before what waits already and in its order: at least once.
  client_->owed(-static_cast<std::ptrdiff_t>(sent_.size()));
  by_tag_.clear();
  while (!sent_.empty()) {
    auto request = std::prev(sent_.end());
    client_->health().unanswered();
    request->tag = 0;
    waiting_.splice(waiting_.begin(), sent_, request);
  }
  bool hopeless = error.code() == Errc::kDenied || error.code() == Errc::kInvalid;
  if (hopeless || client_->unavailable()) fail_all(error);
}

}  // namespace weft::remote::amqp
