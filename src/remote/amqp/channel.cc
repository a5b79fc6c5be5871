#include "remote/amqp/channel.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "base/check.h"
#include "io/loop.h"
#include "remote/amqp/client.h"
#include "remote/said.h"

namespace weft::remote::amqp {
namespace {

// Whose channels are that were let go.
class Nobody final : public ChannelOwner {
  void opened() override {}
  void closed(const Error&) override {}
};

}  // namespace

Channel::Channel(std::shared_ptr<Client> client, ChannelOwner& owner)
    : client_(std::move(client)),
      owner_(&owner),
      breaker_(std::random_device{}()),
      retry_(client_->loop(), [this] { client_->open_channels(); }),
      late_(client_->loop(), [this] {
        client_->broken(Error(
            Errc::kTimeout, fmt::format("a method has no answer within {} s", kCallTime.count())));
      }) {}

Channel::~Channel() {
  if (number_ != 0 && !close_sent_) write_channel_close(out(), number_);
  if (number_ != 0) client_->closing(number_);
  client_->forget(*this);
}

Buffer& Channel::out() {
  return client_->out();
}

void Channel::begin(Number number) {
  number_ = number;
  state_ = State::kOpening;
  close_sent_ = false;
  began_ = client_->loop().now();
  write_channel_open(call_, number_);
  expect(Id::kChannelOpenOk, [this](Result<Method> opened) {
    if (!opened) return;
    if (state_ == State::kClosing) {
      write_channel_close(call_, number_);
      return expect(Id::kChannelCloseOk, {});
    }
    state_ = State::kOpen;
    owner_->opened();
  });
}

// One after the other: RabbitMQ has some answered by their queue, after what was asked for later.
void Channel::expect(Id answer, Done done) {
  CHECK(expected_.size() < kCallsMax);
  expected_.push_back({answer, std::move(done), {}, std::exchange(call_, Buffer())});
  if (expected_.size() == 1) send_next();
}

void Channel::send_next() {
  late_.disarm();
  if (expected_.empty()) return;
  out().append(expected_.front().frames.view());
  close_sent_ = close_sent_ || expected_.front().answer == Id::kChannelCloseOk;
  late_.arm(Deadline::after(kCallTime));
  client_->watch();
}

void Channel::declare(const ExchangeSpec& exchange, Done done) {
  write_exchange_declare(call_, number_, exchange);
  expect(Id::kExchangeDeclareOk, std::move(done));
}
void Channel::declare(const QueueSpec& queue, Done done) {
  write_queue_declare(call_, number_, queue);
  expect(Id::kQueueDeclareOk, std::move(done));
}
void Channel::bind(const Binding& binding, Done done) {
  write_queue_bind(call_, number_, binding);
  expect(Id::kQueueBindOk, std::move(done));
}
void Channel::delete_exchange(std::string_view name, Done done) {
  write_exchange_delete(call_, number_, name);
  expect(Id::kExchangeDeleteOk, std::move(done));
}
void Channel::delete_queue(std::string_view name, Done done) {
  write_queue_delete(call_, number_, name);
  expect(Id::kQueueDeleteOk, std::move(done));
}
void Channel::prefetch(std::uint16_t count, Done done) {
  write_qos(call_, number_, count);
  expect(Id::kQosOk, std::move(done));
}
void Channel::consume(const ConsumeSpec& consume, Done done) {
  write_consume(call_, number_, consume);
  expect(Id::kConsumeOk, std::move(done));
}
void Channel::cancel(std::string_view consumer, Done done) {
  write_cancel(call_, number_, consumer);
  expect(Id::kCancelOk, std::move(done));
}
void Channel::select(Done done) {
  write_select(call_, number_);
  expect(Id::kSelectOk, std::move(done));
}
void Channel::get(std::string_view queue, Got got) {
  write_get(call_, number_, queue);
  expect(Id::kGetOk, {});
  expected_.back().got = std::move(got);
}

void Channel::publish(const Publish& message) {
  write_publish(out(), number_, client_->frame_most(), message);
}
void Channel::acknowledge(std::uint64_t tag, Multiple multiple) {
  write_ack(out(), number_, tag, multiple);
}
void Channel::give_back(std::uint64_t tag, Requeue requeue) {
  write_nack(out(), number_, tag, requeue);
}

void Channel::reopen(Error why) {
  if (state_ != State::kOpen) return;
  state_ = State::kReopening;
  why_ = std::move(why);
  write_channel_close(call_, number_);
  expect(Id::kChannelCloseOk, {});
}

void Channel::let_go() {
  static Nobody nobody;
  owner_ = &nobody;
  closed_ = {};
  for (Expected& each : expected_) {
    each.done = {};
    each.got = {};
  }
}

void Channel::close(std::move_only_function<void()> done) {
  closed_ = std::move(done);
  if (state_ == State::kOpen) {
    write_channel_close(call_, number_);
    expect(Id::kChannelCloseOk, {});
  } else if (state_ == State::kDown) {
    client_->loop().defer([self = shared_from_this()] { self->lost({Errc::kUnavailable, ""}); });
  }
  state_ = State::kClosing;
}

Result<void> Channel::taken(const Frame& frame) {
  auto self = shared_from_this();
  if (frame.kind != Frame::Kind::kMethod) return content_came(frame);
  if (content_) return corrupt("a message that is broken off");
  TRY(Method method, read_method(frame.payload));
  return method_came(std::move(method));
}

Result<void> Channel::method_came(Method method) {
  bool over = state_ == State::kClosing || state_ == State::kReopening;
  switch (method.id) {
    case Id::kDeliver:
    case Id::kReturn:
    case Id::kGetOk: content_ = Content{std::move(method)}; return {};
    case Id::kAck:
    case Id::kNack:
      if (!over) owner_->confirmed(method);
      return {};
    case Id::kCancel:
      if (!over) owner_->cancelled(method.consumer);
      return {};
    case Id::kFlow: write_flow_ok(out(), number_, method.active); return {};
    case Id::kChannelClose: server_closes(method); return {};
    default: return answered(std::move(method));
  }
}

Result<void> Channel::answered(Method method) {
  if (expected_.empty()) return corrupt("an answer to nothing");
  bool empty = method.id == Id::kGetEmpty && expected_.front().answer == Id::kGetOk;
  if (expected_.front().answer != method.id && !empty) {
    // Also a channel that is not opened: what we wrote first is then not answered.
    return corrupt("an answer to something else");
  }
  Expected expected = std::move(expected_.front());
  expected_.pop_front();
  send_next();
  if (method.id == Id::kChannelCloseOk) {
    ended(why_ ? *std::exchange(why_, std::nullopt) : Error(Errc::kCancelled, ""));
    return {};
  }
  if (expected.got) expected.got(std::nullopt);
  if (expected.done) expected.done(std::move(method));
  return {};
}

Result<void> Channel::content_came(const Frame& frame) {
  if (!content_) return corrupt("a part of a message without its method");
  Content& content = *content_;
  if (!content.header) {
    if (frame.kind != Frame::Kind::kHeader) return corrupt("a message without its head");
    TRY(content.header, read_content_header(frame.payload));
    content.left = content.header->body_bytes;
    if (content.left <= kBodyBytesMax) content.body.reserve(content.left);
  } else {
    if (frame.kind != Frame::Kind::kBody || frame.payload.size() > content.left) {
      return corrupt("a message that is longer than it says");
    }
    content.left -= frame.payload.size();
    if (content.header->body_bytes <= kBodyBytesMax) {
      content.body.insert(content.body.end(), frame.payload.begin(), frame.payload.end());
    }
  }
  return content.left == 0 ? whole() : Result<void>();
}

Result<void> Channel::whole() {
  Content content = *std::exchange(content_, std::nullopt);
  Incoming message{.how = std::move(content.method),
                   .properties = std::move(content.header->properties),
                   .body = std::move(content.body),
                   .too_large = content.header->body_bytes > kBodyBytesMax};
  if (message.how.id == Id::kGetOk) {
    if (expected_.empty() || expected_.front().answer != Id::kGetOk) {
      return corrupt("a message that nobody asked for");
    }
    Got got = std::move(expected_.front().got);
    expected_.pop_front();
    send_next();
    if (got) got(std::move(message));
    return {};
  }
  if (state_ != State::kOpen) return {};
  if (message.how.id == Id::kReturn) {
    owner_->came_back(std::move(message));
  } else {
    owner_->came(std::move(message));
  }
  return {};
}

void Channel::server_closes(const Method& method) {
  write_channel_close_ok(out(), number_);
  Error error(code_of(method.code), fmt::format("RabbitMQ: {}", said(method.text)));
  // It crossed ours: the answer to that is still to come.
  if (close_sent_) client_->closing(number_);
  ended(error);
}

// The channel is no more, the connection is well.
void Channel::ended(const Error& error) {
  client_->by_number_.erase(number_);
  auto now = client_->loop().now();
  if (now - began_ > kProvenAfter) breaker_.succeeded();
  breaker_.failed(state_ == State::kOpening ? began_ : now, now);
  lost(error);
  if (state_ == State::kDown) retry_.arm(Deadline::at(breaker_.next()));
}

void Channel::lost(const Error& error) {
  auto self = shared_from_this();
  bool closing = state_ == State::kClosing;
  state_ = closing ? State::kGone : State::kDown;
  number_ = 0;
  content_.reset();
  late_.disarm();
  retry_.disarm();
  why_.reset();
  for (Expected& each : std::exchange(expected_, {})) {
    if (each.got) each.got(std::unexpected(error));
    if (each.done) each.done(std::unexpected(error));
  }
  if (!closing && state_ == State::kDown) return owner_->closed(error);
  if (closed_) std::exchange(closed_, {})();
}

}  // namespace weft::remote::amqp
