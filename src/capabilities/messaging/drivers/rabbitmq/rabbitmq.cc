#include "capabilities/messaging/drivers/rabbitmq/rabbitmq.h"

#include <fmt/format.h>

#include <array>
#include <tuple>
#include <utility>

#include "capabilities/messaging/drivers/nats/names.h"
#include "capabilities/messaging/drivers/rabbitmq/letters.h"
#include "capabilities/messaging/drivers/rabbitmq/queue.h"
#include "capabilities/messaging/drivers/rabbitmq/watch.h"
#include "capabilities/messaging/per_broker.h"
#include "capabilities/shared_by.h"
#include "io/http/tls_client.h"
#include "io/loop.h"

namespace weft::messaging::rabbitmq {
namespace {

constexpr std::uint16_t kPort = 5672;
constexpr std::uint16_t kTlsPort = 5671;
// So that the names of queues, with a group's behind it, are within AMQP's 255 bytes.
constexpr std::size_t kPrefixBytesMax = 180;

constexpr std::array<DriverKey, 9> kKeys{{{"url", DriverKey::Kind::kText, "amqp://HOST:5672"},
                                          {"username"},
                                          {"password"},
                                          {"vhost"},
                                          {"ca-file", DriverKey::Kind::kPath},
                                          {"prefix"},
                                          {"exchange"},
                                          {"queue-type"},
                                          {"timeout", DriverKey::Kind::kDuration}}};

class RabbitBroker final : public Broker {
 public:
  explicit RabbitBroker(std::shared_ptr<Site> site) : site_(std::move(site)) {}

  Answer<void> publish(Request request, Message message) override {
    TRY_VOID(check_message(message));
    return site_->publish(request, message);
  }
  Answer<std::vector<Message>> request(Request request, Message message,
                                       std::size_t replies) override {
    TRY_VOID(check_message(message));
    return site_->ask(request, std::move(message), replies);
  }
  std::unique_ptr<Queue> subscribe(Wanted wanted, Receiver& receiver) override {
    return std::make_unique<RabbitQueue>(site_, std::move(wanted), receiver);
  }
  Answer<std::vector<DeadLetter>> dead(Request request, std::size_t most) override {
    return letters(site_, request, most);
  }
  Answer<void> replay(Request request, std::string group, std::uint64_t number) override {
    return rabbitmq::replay(site_, request, std::move(group), number);
  }
  Result<std::unique_ptr<Watch>> watch(std::string pattern,
                                       std::function<void(Message)> saw) override {
    TRY_VOID(check_pattern(pattern));
    return rabbitmq::watch(site_, std::move(pattern), std::move(saw));
  }

 private:
  const std::shared_ptr<Site> site_;  // Shared with the loop's other brokers of that name.
};

class RabbitBackend final : public Backend {
 public:
  explicit RabbitBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Broker> broker(Loop& loop, BrokerName name) override {
    return std::make_unique<RabbitBroker>(sites_.get({&loop, name.owner, name.name}, [&] {
      return std::make_shared<Site>(loop, settings_, place(name));
    }));
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    auto client = std::make_shared<remote::amqp::Client>(
        loop, std::shared_ptr<const remote::amqp::Settings>(settings_, &settings_->server),
        "weft check");
    client->reach(deadline, [client, done = std::move(done)](Result<void> reached) mutable {
      client->leave();
      done(std::move(reached));
    });
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->server.health; }

 private:
  std::shared_ptr<Place> place(const BrokerName& name) {
    return places_.get(name, [&] {
      const std::string& exchange =
          settings_->exchange.empty() ? settings_->prefix : settings_->exchange;
      return std::make_shared<Place>(
          Names{nats::fill_in(settings_->prefix, name), nats::fill_in(exchange, name)});
    });
  }

  const std::shared_ptr<const Settings> settings_;  // Shared with the loops, which may outlive it.
  SharedBy<std::tuple<Loop*, std::string, std::string>, Site> sites_;
  PerBroker<Place> places_;
};

Result<void> read_server(const DriverChoice& choice, remote::amqp::Settings& server) {
  const Secret* text = choice.find("url");
  if (text == nullptr) {
    return failure(Errc::kInvalid, "no url: write url = \"amqp://HOST:5672\"");
  }
  TRY(remote::ServerUrl url, remote::ServerUrl::parse(text->reveal(), {"amqp", "amqps", kPort}));
  bool tls = url.scheme == "amqps";
  server.endpoint = {url.host, url.port != 0 ? url.port : tls ? kTlsPort : kPort};
  if (!url.user.empty()) {
    server.user = url.user;
    server.password = url.password;
  }
  if (!url.path.empty()) server.vhost = url.path;
  if (const Secret* user = choice.find("username")) server.user = user->reveal();
  if (const Secret* password = choice.find("password")) server.password = *password;
  if (const Secret* vhost = choice.find("vhost")) server.vhost = vhost->reveal();
  if (server.vhost.empty() || server.vhost.size() > remote::amqp::kShortBytesMax) {
    return failure(Errc::kInvalid,
                   fmt::format("vhost: 1 to {} bytes", remote::amqp::kShortBytesMax));
  }
  std::string authorities = choice.text("ca-file");
  if (tls) {
    TRY(server.endpoint.tls, TlsClient::make(authorities));
  }
  if (!tls && !authorities.empty()) {
    return failure(Errc::kInvalid, "ca-file is for TLS: write amqps:// in the URL");
  }
  TRY(server.silence, choice.duration("timeout", server.silence));
  if (server.silence < remote::amqp::kSilenceMin) {
    return failure(Errc::kInvalid, "timeout: 1s at least");
  }
  server.health = std::make_shared<remote::Health>(server.endpoint.text());
  return {};
}

Result<void> check_name(std::string_view key, const std::string& pattern) {
  if (Result<void> well = nats::check_subject_pattern(pattern); !well) {
    return std::unexpected(std::move(well).error().within(key));
  }
  std::string longest(nats::kTokenBytesMax, 'x');
  if (nats::fill_in(pattern, {longest, longest}).size() <= kPrefixBytesMax) return {};
  return failure(Errc::kInvalid, fmt::format("{}: with {} bytes for each name it has more than {}",
                                             key, nats::kTokenBytesMax, kPrefixBytesMax));
}

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  Settings settings;
  TRY_VOID(read_server(choice, settings.server));
  if (choice.find("prefix") != nullptr) settings.prefix = choice.text("prefix");
  TRY_VOID(check_name("prefix", settings.prefix));
  settings.exchange = choice.text("exchange");
  if (!settings.exchange.empty()) TRY_VOID(check_name("exchange", settings.exchange));
  if (std::string type = choice.text("queue-type"); !type.empty()) {
    if (type != "quorum" && type != "classic") {
      return failure(Errc::kInvalid, "queue-type: \"quorum\" or \"classic\"");
    }
    settings.queue_type = type == "quorum" ? QueueType::kQuorum : QueueType::kClassic;
  }
  return settings;
}

std::unique_ptr<Backend> rabbitmq_backend(Settings settings) {
  return std::make_unique<RabbitBackend>(std::move(settings));
}

}  // namespace weft::messaging::rabbitmq
