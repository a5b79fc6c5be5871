// wasmcloud:messaging@0.2.0: records, and the default broker.
#include "capabilities/hosted.h"
#include "capabilities/messaging/hosts.h"
#include "wit/wasmcloud/messaging_0_2_0/consumer.h"
#include "wit/wasmcloud/messaging_0_2_0/handler.h"

namespace weft::messaging {
namespace {

namespace wit = ::weft::wit::wasmcloud::messaging_0_2_0;

wit::types::BrokerMessage record_of(Message message) {
  return {std::move(message.topic), std::move(message.data), std::move(message.reply_to)};
}

class Consumer final : public wit::consumer::Host {
 public:
  explicit Consumer(std::unique_ptr<Brokers> brokers) : brokers_(std::move(brokers)) {}

  using Replied = std::expected<wit::types::BrokerMessage, std::string>;
  Answer<Replied> request(Call& call, std::string_view subject, BytesView body,
                          std::uint32_t timeout_ms) override {
    auto broker = brokers_->only(call.context().app());
    if (!broker) return Replied(std::unexpected(std::string(broker.error().message())));
    Deadline deadline =
        earlier(call.deadline(), Deadline::after(std::min<std::chrono::milliseconds>(
                                     std::chrono::milliseconds(timeout_ms), kReplyTimeMax)));
    Message message{std::string(subject), Bytes(body.begin(), body.end())};
    return (*broker)
        ->request({call.context().loop(), deadline}, std::move(message), 1)
        .settle([](Result<std::vector<Message>> replies) -> Replied {
          if (!replies) return std::unexpected(std::string(replies.error().message()));
          return record_of(std::move(replies->front()));
        });
  }

  using Published = std::expected<void, std::string>;
  Answer<Published> publish(Call& call, wit::types::BrokerMessage msg) override {
    auto broker = brokers_->only(call.context().app());
    if (!broker) return Published(std::unexpected(std::string(broker.error().message())));
    Message message{std::move(msg.subject), std::move(msg.body), {}, std::move(msg.reply_to)};
    return (*broker)
        ->publish({call.context().loop(), call.deadline()}, std::move(message))
        .settle([](Result<void> kept) -> Published {
          if (!kept) return std::unexpected(std::string(kept.error().message()));
          return {};
        });
  }

 private:
  std::unique_ptr<Brokers> brokers_;
};

}  // namespace

std::unique_ptr<Provider> wasmcloud_consumer(std::unique_ptr<Brokers> brokers) {
  return std::make_unique<Hosted<Consumer, wit::consumer::Binding>>(std::move(brokers));
}

const HandlerForm kWasmcloudHandler{
    // The fields of the record in their order, out of what is there.
    .write = [](Writer& out, Loop&, const Message& message) -> std::shared_ptr<Body> {
      out.write(message.topic);
      out.write(message.data);
      out.write(message.reply_to);
      return nullptr;
    },
    .read = [](Reader& in) -> Handled {
      auto result = in.read<std::expected<void, std::string>>();
      if (result) return {};
      return {.well = false, .reason = std::move(result).error()};
    }};

}  // namespace weft::messaging
