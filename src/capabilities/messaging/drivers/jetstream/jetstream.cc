#include "capabilities/messaging/drivers/jetstream/jetstream.h"

#include <fmt/format.h>

#include <array>
#include <boost/json/object.hpp>
#include <tuple>
#include <utility>

#include "base/limits.h"
#include "capabilities/messaging/drivers/jetstream/letters.h"
#include "capabilities/messaging/drivers/jetstream/publishing.h"
#include "capabilities/messaging/drivers/jetstream/queue.h"
#include "capabilities/messaging/drivers/nats/settings.h"
#include "capabilities/messaging/per_broker.h"
#include "capabilities/shared_by.h"
#include "io/loop.h"

namespace weft::messaging::jetstream {
namespace {

using remote::nats::Client;
using remote::nats::Problem;

constexpr unsigned kReplicasMax = 5;

constexpr std::array<DriverKey, 14> kKeys{{{"url", DriverKey::Kind::kText, "nats://HOST:4222"},
                                           {"username"},
                                           {"password"},
                                           {"token"},
                                           {"nkey"},
                                           {"credentials-file", DriverKey::Kind::kPath},
                                           {"ca-file", DriverKey::Kind::kPath},
                                           {"prefix"},
                                           {"stream"},
                                           {"replicas"},
                                           {"max-age"},
                                           {"max-bytes", DriverKey::Kind::kSize},
                                           {"ack-wait", DriverKey::Kind::kDuration},
                                           {"timeout", DriverKey::Kind::kDuration}}};

class StreamBroker final : public Broker {
 public:
  explicit StreamBroker(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}

  Answer<void> publish(Request request, Message message) override {
    TRY_VOID(check_message(message));
    return jetstream::publish(stream_, request, message);
  }
  Answer<std::vector<Message>> request(Request request, Message message,
                                       std::size_t replies) override {
    TRY_VOID(check_message(message));
    return ask(stream_, request, std::move(message), replies);
  }
  std::unique_ptr<Queue> subscribe(Wanted wanted, Receiver& receiver) override {
    return std::make_unique<StreamQueue>(stream_, std::move(wanted), receiver);
  }
  Answer<std::vector<DeadLetter>> dead(Request request, std::size_t most) override {
    return letters(stream_, request, most);
  }
  Answer<void> replay(Request request, std::string group, std::uint64_t number) override {
    return replay_letter(stream_, request, std::move(group), number);
  }
  // What a stream takes a server still brings to whoever listens.
  Result<std::unique_ptr<Watch>> watch(std::string pattern,
                                       std::function<void(Message)> saw) override {
    return nats::watch(stream_->shared_link(), stream_->place()->subjects, pattern,
                       nats::ReplyTo::kServer, std::move(saw));
  }

 private:
  const std::shared_ptr<Stream> stream_;  // Shared with the loop's other brokers of that name.
};

class StreamBackend final : public Backend {
 public:
  explicit StreamBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Broker> broker(Loop& loop, BrokerName name) override {
    return std::make_unique<StreamBroker>(streams_.get({&loop, name.owner, name.name}, [&] {
      return std::make_shared<Stream>(on(loop), settings_, making_, place(name));
    }));
  }
  // Whether there is JetStream for this account.
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    std::shared_ptr<nats::Link> link = on(loop);
    remote::nats::api(
        link->client(), "INFO", {}, deadline, Client::Repeat::kRead,
        [link, done = std::move(done)](Result<remote::nats::ApiAnswer> answer) mutable {
          if (!answer) return done(std::unexpected(std::move(answer).error()));
          if (answer->problem == Problem::kNone) return done({});
          done(std::unexpected(std::move(answer->error)));
        });
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->server.health; }

 private:
  std::shared_ptr<nats::Link> on(Loop& loop) {
    return links_.get(&loop, [&] {
      return std::make_shared<nats::Link>(
          loop, std::shared_ptr<const remote::nats::Settings>(settings_, &settings_->server));
    });
  }
  std::shared_ptr<Place> place(const BrokerName& name) {
    return places_.get(name, [&] {
      std::string stream = nats::fill_in(settings_->stream, name);
      return std::make_shared<Place>(nats::Subjects(nats::fill_in(settings_->prefix, name)), stream,
                                     stream + "_dead");
    });
  }

  const std::shared_ptr<const Settings> settings_;  // Shared with the loops, which may outlive it.
  const std::shared_ptr<remote::nats::Streams> making_ =
      std::make_shared<remote::nats::Streams>();  // Likewise.
  PerLoop<nats::Link> links_;
  SharedBy<std::tuple<Loop*, std::string, std::string>, Stream> streams_;
  PerBroker<Place> places_;
};

Result<void> read_stream(const DriverChoice& choice, Settings& settings) {
  if (choice.find("prefix") != nullptr) settings.prefix = choice.text("prefix");
  if (Result<void> well = nats::check_subject_pattern(settings.prefix); !well) {
    return std::unexpected(std::move(well).error().within("prefix"));
  }
  if (choice.find("stream") != nullptr) settings.stream = choice.text("stream");
  Result<void> well = nats::check_subject_pattern(settings.stream);
  if (well && settings.stream.contains('.')) {
    well = failure(Errc::kInvalid, "the name of a stream has no dots");
  }
  if (!well) return std::unexpected(std::move(well).error().within("stream"));
  return {};
}

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  Settings settings;
  TRY(settings.server, nats::read_server(choice));
  TRY_VOID(read_stream(choice, settings));
  if (std::string replicas = choice.text("replicas"); !replicas.empty()) {
    if (replicas.size() != 1 || replicas[0] < '1' || replicas[0] > '0' + char(kReplicasMax)) {
      return failure(Errc::kInvalid, fmt::format("replicas: a number from 1 to {}", kReplicasMax));
    }
    settings.replicas = static_cast<unsigned>(replicas[0] - '0');
  }
  TRY(settings.max_age, choice.duration("max-age", settings.max_age));
  TRY(settings.ack_wait, choice.duration("ack-wait", settings.ack_wait));
  if (settings.ack_wait < std::chrono::milliseconds(100)) {
    return failure(Errc::kInvalid, "ack-wait: 100ms at least");
  }
  if (std::string bytes = choice.text("max-bytes"); !bytes.empty()) {
    TRY(std::uint64_t most, parse_size(bytes));
    settings.max_bytes = static_cast<std::int64_t>(most);
  }
  return settings;
}

std::unique_ptr<Backend> jetstream_backend(Settings settings) {
  return std::make_unique<StreamBackend>(std::move(settings));
}

}  // namespace weft::messaging::jetstream
