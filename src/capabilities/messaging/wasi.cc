// wasi:messaging@0.2.0-draft: messages and clients are resources.
#include <algorithm>

#include "capabilities/hosted.h"
#include "capabilities/messaging/hosts.h"
#include "wit/wasi/messaging_0_2_0_draft/incoming_handler.h"
#include "wit/wasi/messaging_0_2_0_draft/producer.h"
#include "wit/wasi/messaging_0_2_0_draft/request_reply.h"
#include "wit/wasi/messaging_0_2_0_draft/types.h"

namespace weft::messaging {
namespace {

namespace wit = ::weft::wit::wasi::messaging_0_2_0_draft;
using WitError = wit::types::Error;
using Pairs = std::vector<std::tuple<std::string, std::string>>;

// Replies to one request at most, whatever the guest asks for.
constexpr std::uint32_t kRepliesMax = 10'000;

WitError error_of(const Error& error) {
  std::string text(error.message());
  switch (error.code()) {
    case Errc::kTimeout: return WitError::timeout();
    case Errc::kDenied: return WitError::permission_denied(std::move(text));
    case Errc::kUnavailable: return WitError::connection(std::move(text));
    default: return WitError::other(std::move(text));
  }
}

template <class T>
std::expected<T, WitError> failed(const Error& error) {
  return std::unexpected(error_of(error));
}

class HostClient final : public wit::types::Client_ {
 public:
  explicit HostClient(std::string name) : name_(std::move(name)) {}

  Answer<std::expected<void, WitError>> disconnect(Call&) override {
    connected_ = false;
    return std::expected<void, WitError>();
  }
  // kUnavailable once it was disconnected.
  Result<std::string_view> name() const {
    if (connected_) return name_;
    return failure(Errc::kUnavailable, "the client was disconnected");
  }

 private:
  const std::string name_;
  bool connected_ = true;
};

class HostMessage final : public wit::types::Message {
 public:
  explicit HostMessage(messaging::Message message) : message_(std::move(message)) {}

  Answer<std::optional<std::string>> topic(Call&) override {
    if (message_.topic.empty()) return std::optional<std::string>();
    return std::optional(message_.topic);
  }
  Answer<std::optional<std::string>> content_type(Call&) override { return message_.content_type; }
  Answer<void> set_content_type(Call&, std::string_view type) override {
    message_.content_type = type;
    return {};
  }
  Answer<Bytes> data(Call&) override { return message_.data; }
  Answer<void> set_data(Call&, BytesView data) override {
    message_.data.assign(data.begin(), data.end());
    return {};
  }
  Answer<std::optional<Pairs>> metadata(Call&) override {
    if (message_.metadata.empty()) return std::optional<Pairs>();
    return std::optional(Pairs(message_.metadata.begin(), message_.metadata.end()));
  }
  Answer<void> add_metadata(Call&, std::string_view key, std::string_view value) override {
    if (message_.metadata.size() >= kMetadataMax) {
      return failure(Errc::kLimit, "a message has too many pairs of metadata");
    }
    message_.metadata.emplace_back(key, value);
    return {};
  }
  Answer<void> set_metadata(
      Call&, std::vector<std::tuple<std::string_view, std::string_view>> meta) override {
    if (meta.size() > kMetadataMax) {
      return failure(Errc::kLimit, "a message has too many pairs of metadata");
    }
    message_.metadata.clear();
    for (const auto& [key, value] : meta) message_.metadata.emplace_back(key, value);
    return {};
  }
  Answer<void> remove_metadata(Call&, std::string_view key) override {
    std::erase_if(message_.metadata, [&](const auto& pair) { return pair.first == key; });
    return {};
  }

  const messaging::Message& message() const { return message_; }
  messaging::Message take_for(std::string_view topic) && {
    message_.topic = topic;
    message_.reply_to.reset();
    return std::move(message_);
  }

 private:
  messaging::Message message_;
};

// Every handle of a kind is one of these: no other class makes them.
HostMessage& host(wit::types::Message& message) {
  return static_cast<HostMessage&>(message);
}
const HostClient& host(wit::types::Client_& client) {
  return static_cast<HostClient&>(client);
}

class TypesHost final : public wit::types::Host {
 public:
  explicit TypesHost(std::unique_ptr<Brokers> brokers) : brokers_(std::move(brokers)) {}

  using Connected = std::expected<std::unique_ptr<wit::types::Client_>, WitError>;
  Answer<Connected> client_connect(Call& call, std::string_view name) override {
    if (auto broker = brokers_->find(call.context().app(), name); !broker) {
      return Connected(std::unexpected(error_of(broker.error())));
    }
    return Connected(std::make_unique<HostClient>(std::string(name)));
  }
  Answer<std::unique_ptr<wit::types::Message>> make_message(Call&, BytesView data) override {
    messaging::Message message;
    message.data.assign(data.begin(), data.end());
    return std::unique_ptr<wit::types::Message>(std::make_unique<HostMessage>(std::move(message)));
  }

 private:
  std::unique_ptr<Brokers> brokers_;
};

class Producer final : public wit::producer::Host {
 public:
  explicit Producer(std::unique_ptr<Brokers> brokers) : brokers_(std::move(brokers)) {}

  using Sent = std::expected<void, WitError>;
  Answer<Sent> send(Call& call, wit::types::Client_& client, std::string_view topic,
                    std::unique_ptr<wit::types::Message> message) override {
    auto name = host(client).name();
    if (!name) return failed<void>(name.error());
    auto broker = brokers_->find(call.context().app(), *name);
    if (!broker) return failed<void>(broker.error());
    return (*broker)
        ->publish({call.context().loop(), call.deadline()},
                  std::move(host(*message)).take_for(topic))
        .settle([](Result<void> kept) -> Sent {
          if (!kept) return failed<void>(kept.error());
          return {};
        });
  }

 private:
  std::unique_ptr<Brokers> brokers_;
};

class Options final : public wit::request_reply::RequestOptions {
 public:
  Answer<void> set_timeout_ms(Call&, std::uint32_t timeout_ms) override {
    timeout =
        std::min<std::chrono::milliseconds>(std::chrono::milliseconds(timeout_ms), kReplyTimeMax);
    return {};
  }
  Answer<void> set_expected_replies(Call&, std::uint32_t expected) override {
    replies = std::clamp(expected, 1U, kRepliesMax);
    return {};
  }

  std::chrono::milliseconds timeout = kReplyTime;
  std::uint32_t replies = 1;
};

class RequestReply final : public wit::request_reply::Host {
 public:
  explicit RequestReply(std::unique_ptr<Brokers> brokers) : brokers_(std::move(brokers)) {}

  Answer<std::unique_ptr<wit::request_reply::RequestOptions>> make_request_options(Call&) override {
    return std::unique_ptr<wit::request_reply::RequestOptions>(std::make_unique<Options>());
  }

  using Messages = std::vector<std::unique_ptr<wit::types::Message>>;
  using Replied = std::expected<Messages, WitError>;
  Answer<Replied> request(
      Call& call, wit::types::Client_& client, std::string_view topic, wit::types::Message& message,
      std::optional<std::unique_ptr<wit::request_reply::RequestOptions>> options) override {
    auto name = host(client).name();
    if (!name) return failed<Messages>(name.error());
    auto broker = brokers_->find(call.context().app(), *name);
    if (!broker) return failed<Messages>(broker.error());
    Options wanted;
    const Options& given = options ? static_cast<Options&>(**options) : wanted;
    messaging::Message sent = host(message).message();
    sent.topic = topic;
    Deadline deadline = earlier(call.deadline(), Deadline::after(given.timeout));
    return (*broker)
        ->request({call.context().loop(), deadline}, std::move(sent), given.replies)
        .settle([](Result<std::vector<messaging::Message>> replies) -> Replied {
          if (!replies) return failed<Messages>(replies.error());
          Messages messages;
          for (messaging::Message& each : *replies) {
            messages.push_back(std::make_unique<HostMessage>(std::move(each)));
          }
          return messages;
        });
  }

  // One that asked for none has nobody to reply to: nothing happens.
  using Sent = std::expected<void, WitError>;
  Answer<Sent> reply(Call& call, wit::types::Message& reply_to,
                     std::unique_ptr<wit::types::Message> message) override {
    std::optional<std::string> address = host(reply_to).message().reply_to;
    if (!address) return Sent();
    // The address is known to the broker that the message came from, and to no other.
    messaging::Message answer = std::move(host(*message)).take_for(*address);
    std::vector<Broker*> all = brokers_->all(call.context().app());
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
      auto given = all[i]->publish({call.context().loop(), call.deadline()}, answer);
    }
    return all.back()
        ->publish({call.context().loop(), call.deadline()}, std::move(answer))
        .settle([](Result<void> kept) -> Sent {
          if (!kept) return failed<void>(kept.error());
          return {};
        });
  }

 private:
  std::unique_ptr<Brokers> brokers_;
};

}  // namespace

std::unique_ptr<Provider> wasi_types(std::unique_ptr<Brokers> brokers) {
  return std::make_unique<Hosted<TypesHost, wit::types::Binding>>(std::move(brokers));
}

std::unique_ptr<Provider> wasi_producer(std::unique_ptr<Brokers> brokers) {
  return std::make_unique<Hosted<Producer, wit::producer::Binding>>(std::move(brokers));
}

std::unique_ptr<Provider> wasi_request_reply(std::unique_ptr<Brokers> brokers) {
  return std::make_unique<Hosted<RequestReply, wit::request_reply::Binding>>(std::move(brokers));
}

const HandlerForm kWasiHandler{
    .write = [](Writer& out, Loop&, const Message& message) -> std::shared_ptr<Body> {
      out.own(wit::types::Message::kKind, std::make_unique<HostMessage>(message));
      return nullptr;
    },
    .read = [](Reader& in) -> Handled {
      auto result = in.read<std::expected<void, WitError>>();
      if (result) return {};
      return result.error().match(
          [](const WitError::Timeout&) { return Handled{false, false, "timeout"}; },
          [](const WitError::Connection& e) {
            return Handled{false, false, "connection: " + e.value};
          },
          [](const WitError::PermissionDenied& e) {
            return Handled{false, true, "permission-denied: " + e.value};
          },
          [](const WitError::Other& e) { return Handled{false, false, e.value}; });
    }};

}  // namespace weft::messaging
