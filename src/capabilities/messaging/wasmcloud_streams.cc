// wasmcloud:messaging@0.3.0 as it came later: records whose bodies are streams, and the default
// broker.
#include <algorithm>

#include "capabilities/answer_tasks.h"
#include "capabilities/hosted.h"
#include "capabilities/messaging/body.h"
#include "capabilities/messaging/hosts.h"
#include "wit/wasmcloud/messaging_0_3_0/consumer.h"
#include "wit/wasmcloud/messaging_0_3_0/handler.h"

namespace weft::messaging {
namespace {

namespace wit = ::weft::wit::wasmcloud::messaging_0_3_0;
using WitError = wit::types::Error;
using Published = std::expected<void, WitError>;
using Replied = std::expected<wit::types::BrokerMessage, WitError>;
using ByteStream = Stream<std::uint8_t>;

WitError error_of(const Error& error) {
  switch (error.code()) {
    case Errc::kTimeout: return WitError::timeout();
    case Errc::kDenied: return WitError::access_denied();
    case Errc::kUnavailable: return WitError::broker_unavailable();
    case Errc::kFull: return WitError::quota_exceeded();
    default: return WitError::other(error.message());
  }
}

// The record of a message, and what is not in its body's pipe yet.
std::pair<wit::types::BrokerMessage, std::shared_ptr<Body>> record_of(Loop& loop, Message message) {
  auto [stream, rest] = Body::make(loop, std::move(message.data));
  return {wit::types::BrokerMessage{std::move(message.topic), std::move(stream),
                                    std::move(message.reply_to)},
          std::move(rest)};
}

// All of a body. The subject is looked at first: of what is sent nowhere nothing is read.
Task<std::expected<Message, WitError>> read_message(Deadline deadline, std::string subject,
                                                    ByteStream body,
                                                    std::optional<std::string> reply_to) {
  using Read = std::expected<Message, WitError>;
  if (!check_topic(subject)) co_return Read(std::unexpected(WitError::subject_invalid()));
  deadline = earlier(deadline, Deadline::after(kBodyTimeMax));
  Result<Bytes> data = co_await body.read_all(kMessageBytesMax, deadline);
  if (data) {
    co_return Read(
        Message{std::move(subject), *std::move(data), std::nullopt, std::move(reply_to)});
  }
  bool too_large = data.error().code() == Errc::kLimit;
  co_return Read(
      std::unexpected(too_large ? WitError::message_too_large() : error_of(data.error())));
}

class Consumer final : public wit::consumer::Host {
 public:
  explicit Consumer(std::unique_ptr<Brokers> brokers) : brokers_(std::move(brokers)) {}

  Answer<Replied> request(Call& call, std::string_view subject, ByteStream body,
                          std::optional<std::uint32_t> timeout_ms) override {
    auto broker = brokers_->only(call.context().app());
    if (!broker) return Replied(std::unexpected(error_of(broker.error())));
    std::chrono::milliseconds timeout = kReplyTime;
    if (timeout_ms) {
      timeout = std::min<std::chrono::milliseconds>(std::chrono::milliseconds(*timeout_ms),
                                                    kReplyTimeMax);
    }
    Request request{call.context().loop(), earlier(call.deadline(), Deadline::after(timeout))};
    return ask(*broker, request, std::string(subject), std::move(body));
  }

  Answer<Published> publish(Call& call, wit::types::BrokerMessage msg) override {
    auto broker = brokers_->only(call.context().app());
    if (!broker) return Published(std::unexpected(error_of(broker.error())));
    return send(*broker, {call.context().loop(), call.deadline()}, std::move(msg));
  }

 private:
  static Task<Published> send(Broker* broker, Request request, wit::types::BrokerMessage msg) {
    auto message = co_await read_message(request.deadline, std::move(msg.subject),
                                         std::move(msg.body), std::move(msg.reply_to));
    if (!message) co_return std::unexpected(std::move(message).error());
    if (!*message) co_return Published(std::unexpected(std::move(*message).error()));
    Result<void> kept = co_await settled(broker->publish(request, **std::move(message)));
    if (!kept) co_return Published(std::unexpected(error_of(kept.error())));
    co_return Published();
  }

  // The host outlives its calls' tasks.
  Task<Replied> ask(Broker* broker, Request request, std::string subject, ByteStream body) {
    auto message =
        co_await read_message(request.deadline, std::move(subject), std::move(body), std::nullopt);
    if (!message) co_return std::unexpected(std::move(message).error());
    if (!*message) co_return Replied(std::unexpected(std::move(*message).error()));
    auto replies = co_await settled(broker->request(request, **std::move(message), 1));
    if (!replies) co_return Replied(std::unexpected(error_of(replies.error())));
    auto [record, rest] = record_of(request.loop, std::move(replies->front()));
    if (rest != nullptr && unread_.full()) {
      co_return Replied(std::unexpected(WitError::quota_exceeded()));
    }
    unread_.keep(std::move(rest));
    co_return Replied(std::move(record));
  }

  std::unique_ptr<Brokers> brokers_;
  UnreadBodies unread_;  // Of replies.
};

}  // namespace

std::unique_ptr<Provider> wasmcloud_streams_consumer(std::unique_ptr<Brokers> brokers) {
  return std::make_unique<Hosted<Consumer, wit::consumer::Binding>>(std::move(brokers));
}

const HandlerForm kWasmcloudStreamsHandler{
    .write = [](Writer& out, Loop& loop, const Message& message) -> std::shared_ptr<Body> {
      auto [record, rest] = record_of(loop, message);
      out.write(record);
      return std::move(rest);
    },
    .read = [](Reader& in) -> Handled {
      using WitFailure = wit::types::HandleMessageError;
      auto result = in.read<std::expected<void, WitFailure>>();
      if (result) return {};
      return result.error().match(
          [](const WitFailure::Reject&) { return Handled{false, true, "reject"}; },
          [](const WitFailure::Retry&) { return Handled{false, false, "retry"}; },
          [](const WitFailure::Other& e) { return Handled{false, false, e.value}; });
    }};

}  // namespace weft::messaging
