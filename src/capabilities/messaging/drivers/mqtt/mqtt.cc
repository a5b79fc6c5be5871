#include "capabilities/messaging/drivers/mqtt/mqtt.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "capabilities/messaging/drivers/mqtt/queue.h"
#include "capabilities/messaging/drivers/mqtt/site.h"
#include "capabilities/messaging/drivers/nats/names.h"
#include "capabilities/messaging/per_broker.h"
#include "capabilities/shared_by.h"
#include "io/http/tls_client.h"
#include "io/loop.h"

namespace weft::messaging::mqtt {
namespace {

constexpr std::uint16_t kPort = 1883;
constexpr std::uint16_t kTlsPort = 8883;
constexpr std::size_t kClientIdBytesMax = 64;

constexpr std::array<DriverKey, 9> kKeys{{{"url", DriverKey::Kind::kText, "mqtt://HOST:1883"},
                                          {"username"},
                                          {"password"},
                                          {"ca-file", DriverKey::Kind::kPath},
                                          {"prefix"},
                                          {"client-id"},
                                          {"qos"},
                                          {"session"},
                                          {"timeout", DriverKey::Kind::kDuration}}};

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

// A connection of its own until it is dropped. Other than a group's it shares with nobody.
class Listening final : public Watch {
 public:
  explicit Listening(std::shared_ptr<remote::mqtt::Client> client) : client_(std::move(client)) {}
  ~Listening() override {
    *here_ = false;
    client_->leave();
  }

  void begin(const std::shared_ptr<Place>& place, std::string filter,
             std::function<void(Message)> saw) {
    client_->listen(
        std::move(filter), 0,
        [here = here_, place, saw = std::move(saw)](remote::mqtt::Incoming incoming) {
          if (!*here) return;
          auto message = from_wire(place->topics, std::move(incoming.message));
          if (message) saw(*std::move(message));
        },
        [](Result<void> listens) {
          if (!listens) log::warn("messaging", listens.error().message());
        });
  }

 private:
  const std::shared_ptr<remote::mqtt::Client> client_;  // Shared with what it has under way.
  const std::shared_ptr<bool> here_ = std::make_shared<bool>(true);  // Messages may come later.
};

class MqttBroker final : public Broker {
 public:
  explicit MqttBroker(std::shared_ptr<Site> site) : site_(std::move(site)) {}

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
    return std::make_unique<MqttQueue>(site_, std::move(wanted), receiver);
  }
  Answer<std::vector<DeadLetter>> dead(Request, std::size_t most) override {
    return site_->place()->dead.first(most);
  }
  Answer<void> replay(Request, std::string group, std::uint64_t number) override {
    Place& place = *site_->place();
    return nats::pass_letter(place.dead, place.replays, place.turns, group, number);
  }
  // By QoS 0: what is shown may have gaps.
  Result<std::unique_ptr<Watch>> watch(std::string pattern,
                                       std::function<void(Message)> saw) override {
    TRY_VOID(check_pattern(pattern));
    TRY(std::string filter, site_->place()->topics.filter(pattern));
    auto listening = std::make_unique<Listening>(site_->watching_client());
    listening->begin(site_->place(), std::move(filter), std::move(saw));
    return listening;
  }

 private:
  const std::shared_ptr<Site> site_;  // Shared with the loop's other brokers of that name.
};

class MqttBackend final : public Backend {
 public:
  explicit MqttBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Broker> broker(Loop& loop, BrokerName name) override {
    return std::make_unique<MqttBroker>(sites_.get({&loop, name.owner, name.name}, [&] {
      std::string host = settings_->client_id.empty() ? host_name() : settings_->client_id;
      return std::make_shared<Site>(
          loop, settings_, place(name),
          nats::fill_in(fmt::format("weft-{}-{{app}}-{{broker}}", host), name));
    }));
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    auto client = std::make_shared<remote::mqtt::Client>(
        loop, std::shared_ptr<const remote::mqtt::Settings>(settings_, &settings_->server),
        remote::mqtt::Session{});
    client->reach(deadline, [client, done = std::move(done)](Result<void> reached) mutable {
      client->leave();
      done(std::move(reached));
    });
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->server.health; }

 private:
  std::shared_ptr<Place> place(const BrokerName& name) {
    return places_.get(name, [&] {
      return std::make_shared<Place>(Topics(nats::fill_in(settings_->prefix, name)));
    });
  }

  const std::shared_ptr<const Settings> settings_;  // Shared with the loops, which may outlive it.
  SharedBy<std::tuple<Loop*, std::string, std::string>, Site> sites_;
  PerBroker<Place> places_;
};

Result<void> read_server(const DriverChoice& choice, remote::mqtt::Settings& server) {
  const Secret* text = choice.find("url");
  if (text == nullptr) {
    return failure(Errc::kInvalid, "no url: write url = \"mqtt://HOST:1883\"");
  }
  TRY(remote::ServerUrl url, remote::ServerUrl::parse(text->reveal(), {"mqtt", "mqtts", kPort}));
  bool tls = url.scheme == "mqtts";
  if (!url.path.empty()) return failure(Errc::kInvalid, "the URL has a path: MQTT knows none");
  server.endpoint = {url.host, url.port != 0 ? url.port : tls ? kTlsPort : kPort};
  server.user = url.user;
  server.password = url.password;
  if (const Secret* user = choice.find("username")) server.user = user->reveal();
  if (const Secret* password = choice.find("password")) server.password = *password;
  std::string authorities = choice.text("ca-file");
  if (tls) {
    TRY(server.endpoint.tls, TlsClient::make(authorities));
  }
  if (!tls && !authorities.empty()) {
    return failure(Errc::kInvalid, "ca-file is for TLS: write mqtts:// in the URL");
  }
  TRY(server.silence, choice.duration("timeout", server.silence));
  server.health = std::make_shared<remote::Health>(server.endpoint.text());
  return {};
}

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  Settings settings;
  TRY_VOID(read_server(choice, settings.server));
  if (choice.find("prefix") != nullptr) settings.prefix = choice.text("prefix");
  std::string dotted = settings.prefix;
  bool dots = dotted.contains('.');
  std::ranges::replace(dotted, '/', '.');
  if (!dotted.empty() && (dots || !nats::check_subject_pattern(dotted))) {
    return failure(Errc::kInvalid,
                   "prefix: write parts of letters, digits, - and _ with slashes between them, and "
                   "{app} and {broker} for their names");
  }
  settings.client_id = choice.text("client-id");
  if (settings.client_id.size() > kClientIdBytesMax) {
    return failure(Errc::kInvalid, fmt::format("client-id: {} bytes at most", kClientIdBytesMax));
  }
  if (std::string qos = choice.text("qos"); !qos.empty()) {
    if (qos != "0" && qos != "1" && qos != "2") {
      return failure(Errc::kInvalid, "qos: \"0\", \"1\" or \"2\"");
    }
    settings.qos = static_cast<std::uint8_t>(qos[0] - '0');
  }
  TRY(std::chrono::milliseconds session, choice.duration("session", settings.session));
  if (session < std::chrono::seconds(1)) return failure(Errc::kInvalid, "session: 1s at least");
  settings.session = std::min(std::chrono::floor<std::chrono::seconds>(session),
                              std::chrono::seconds(0xffff'fffe));
  return settings;
}

std::unique_ptr<Backend> mqtt_backend(Settings settings) {
  return std::make_unique<MqttBackend>(std::move(settings));
}

}  // namespace weft::messaging::mqtt
