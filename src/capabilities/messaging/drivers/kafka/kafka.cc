#include "capabilities/messaging/drivers/kafka/kafka.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "capabilities/messaging/drivers/kafka/letters.h"
#include "capabilities/messaging/drivers/kafka/queue.h"
#include "capabilities/messaging/drivers/kafka/site.h"
#include "capabilities/messaging/drivers/kafka/watch.h"
#include "capabilities/messaging/drivers/nats/names.h"
#include "capabilities/messaging/per_broker.h"
#include "capabilities/shared_by.h"
#include "io/http/tls_client.h"
#include "io/loop.h"
#include "remote/endpoint.h"

namespace weft::messaging::kafka {
namespace {

using std::chrono::milliseconds;

constexpr std::uint16_t kPort = 9092;
constexpr std::size_t kServersMax = 64;
// How long the clients that are left have to end, when the host does.
constexpr std::chrono::seconds kEndTime{5};

constexpr std::array kMechanisms{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
constexpr std::array kCompressions{"none", "gzip", "snappy", "lz4", "zstd"};

constexpr std::array<DriverKey, 11> kKeys{{{"url", DriverKey::Kind::kText, "kafka://HOST:9092"},
                                           {"username"},
                                           {"password"},
                                           {"mechanism"},
                                           {"ca-file", DriverKey::Kind::kPath},
                                           {"prefix"},
                                           {"group-prefix"},
                                           {"compression"},
                                           {"session", DriverKey::Kind::kDuration},
                                           {"refresh", DriverKey::Kind::kDuration},
                                           {"timeout", DriverKey::Kind::kDuration}}};

class KafkaBroker final : public Broker {
 public:
  explicit KafkaBroker(std::shared_ptr<Site> site) : site_(std::move(site)) {}

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
    return std::make_unique<KafkaQueue>(site_, std::move(wanted), receiver);
  }
  Answer<std::vector<DeadLetter>> dead(Request request, std::size_t most) override {
    return letters(*site_, request, most);
  }
  Answer<void> replay(Request request, std::string group, std::uint64_t number) override {
    return kafka::replay(*site_, request, std::move(group), number);
  }
  Result<std::unique_ptr<Watch>> watch(std::string pattern,
                                       std::function<void(Message)> saw) override {
    TRY_VOID(check_pattern(pattern));
    return kafka::watch(site_, std::move(pattern), std::move(saw));
  }

 private:
  const std::shared_ptr<Site> site_;  // Shared with the loop's other brokers of that name.
};

class KafkaBackend final : public Backend {
 public:
  explicit KafkaBackend(Settings settings)
      : common_(std::make_shared<Common>(std::move(settings))) {}
  ~KafkaBackend() override { common_->endings->wait(Deadline::after(kEndTime)); }

  Result<void> open() override { return {}; }
  std::unique_ptr<Broker> broker(Loop& loop, BrokerName name) override {
    return std::make_unique<KafkaBroker>(sites_.get({&loop, name.owner, name.name}, [&] {
      auto producer = producers_.get(&loop, [&] {
        return std::make_shared<remote::kafka::Producer>(
            loop,
            std::shared_ptr<const remote::kafka::Settings>(common_, &common_->settings.server),
            common_->endings);
      });
      return std::make_shared<Site>(loop, common_, place(name), std::move(producer));
    }));
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    auto result = std::make_shared<Result<void>>();  // Shared by the two functions below.
    // Called once, by whichever has it to say.
    auto told = std::make_shared<Reached>(std::move(done));
    Result<void> accepted = common_->pool.submit(
        loop,
        [common = common_.get(), deadline, result] {
          *result = remote::kafka::reach(common->settings.server, deadline, common->endings);
        },
        [told, result] { (*told)(std::move(*result)); });
    if (!accepted) (*told)(std::move(accepted));
  }
  std::shared_ptr<const remote::Health> health() const override {
    return common_->settings.server.health;
  }

 private:
  std::shared_ptr<Place> place(const BrokerName& name) {
    return places_.get(name, [&] {
      return std::make_shared<Place>(Topics(nats::fill_in(common_->settings.prefix, name)),
                                     nats::fill_in(common_->settings.group_prefix, name));
    });
  }

  const std::shared_ptr<Common> common_;  // Shared with the loops, which may outlive it.
  PerLoop<remote::kafka::Producer> producers_;
  SharedBy<std::tuple<Loop*, std::string, std::string>, Site> sites_;
  PerBroker<Place> places_;
};

Result<void> read_url(std::string_view urls, remote::kafka::Settings& server) {
  std::size_t count = 0;
  while (!urls.empty()) {
    std::size_t end = std::min(urls.find(','), urls.size());
    TRY(remote::ServerUrl url,
        remote::ServerUrl::parse(urls.substr(0, end), {"kafka", "kafkas", kPort}));
    urls.remove_prefix(std::min(end + 1, urls.size()));
    bool tls = url.scheme == "kafkas";
    if (!url.path.empty()) return failure(Errc::kInvalid, "the URL has a path: Kafka knows none");
    auto way = tls ? remote::kafka::Settings::Way::kTls : remote::kafka::Settings::Way::kPlain;
    if (count > 0 && way != server.way) {
      return failure(Errc::kInvalid, "the URLs of one cluster are all kafka:// or all kafkas://");
    }
    server.way = way;
    if (++count > kServersMax) {
      return failure(Errc::kInvalid, fmt::format("more than {} servers", kServersMax));
    }
    remote::Endpoint endpoint{url.host, url.port == 0 ? kPort : url.port};
    server.servers += (count > 1 ? "," : "") + endpoint.text();
    if (url.user.empty()) continue;
    server.user = url.user;
    server.password = url.password;
  }
  return {};
}

Result<void> read_choice(const DriverChoice& choice, std::string_view key, auto& allowed,
                         std::string& into) {
  std::string text = choice.text(key);
  if (text.empty()) return {};
  if (std::ranges::find(allowed, std::string_view(text)) == allowed.end()) {
    return failure(Errc::kInvalid,
                   fmt::format("{}: write one of {}", key, fmt::join(allowed, ", ")));
  }
  into = std::move(text);
  return {};
}

Result<void> read_time(const DriverChoice& choice, std::string_view key, milliseconds least,
                       milliseconds most, milliseconds& into) {
  TRY(milliseconds time, choice.duration(key, into));
  if (time < least || time > most) {
    return failure(Errc::kInvalid,
                   fmt::format("{}: {}ms to {}ms", key, least.count(), most.count()));
  }
  into = time;
  return {};
}

Result<void> read_server(const DriverChoice& choice, remote::kafka::Settings& server) {
  const Secret* url = choice.find("url");
  if (url == nullptr || url->reveal().empty()) {
    return failure(Errc::kInvalid, "no url: write url = \"kafka://HOST:9092\"");
  }
  TRY_VOID(read_url(url->reveal(), server));
  if (const Secret* user = choice.find("username")) server.user = user->reveal();
  if (const Secret* password = choice.find("password")) server.password = *password;
  TRY_VOID(read_choice(choice, "mechanism", kMechanisms, server.mechanism));
  TRY_VOID(read_choice(choice, "compression", kCompressions, server.compression));
  if (server.user.empty() && choice.find("mechanism") != nullptr) {
    return failure(Errc::kInvalid, "mechanism is for a username: name one");
  }
  server.ca_file = choice.text("ca-file");
  if (server.way == remote::kafka::Settings::Way::kPlain && !server.ca_file.empty()) {
    return failure(Errc::kInvalid, "ca-file is for TLS: write kafkas:// in the URL");
  }
  // Says what is wrong with the file, before librdkafka does.
  if (!server.ca_file.empty()) TRY_VOID(TlsClient::make(server.ca_file));
  TRY_VOID(read_time(choice, "timeout", milliseconds(100), milliseconds(300'000), server.timeout));
  TRY_VOID(
      read_time(choice, "session", milliseconds(1'000), milliseconds(3'600'000), server.session));
  TRY_VOID(
      read_time(choice, "refresh", milliseconds(100), milliseconds(3'600'000), server.refresh));
  server.health =
      std::make_shared<remote::Health>(server.servers.substr(0, server.servers.find(',')));
  return {};
}

Result<void> read_prefix(const DriverChoice& choice, std::string_view key, std::string& into) {
  if (choice.find(key) == nullptr) return {};
  into = choice.text(key);
  if (into.empty()) return {};
  if (Result<void> well = nats::check_subject_pattern(into); !well) {
    return std::unexpected(std::move(well).error().within(key));
  }
  return {};
}

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  Settings settings;
  TRY_VOID(read_server(choice, settings.server));
  TRY_VOID(read_prefix(choice, "prefix", settings.prefix));
  TRY_VOID(read_prefix(choice, "group-prefix", settings.group_prefix));
  if (settings.group_prefix.empty()) {
    return failure(Errc::kInvalid, "group-prefix: groups of two brokers would be one");
  }
  return settings;
}

std::unique_ptr<Backend> kafka_backend(Settings settings) {
  return std::make_unique<KafkaBackend>(std::move(settings));
}

}  // namespace weft::messaging::kafka
