#include "capabilities/messaging/drivers/nats/nats.h"

#include <array>
#include <utility>

#include "capabilities/messaging/drivers/nats/link.h"
#include "capabilities/messaging/drivers/nats/queue.h"
#include "capabilities/messaging/drivers/nats/settings.h"
#include "capabilities/messaging/drivers/nats/wire.h"
#include "capabilities/messaging/per_broker.h"
#include "capabilities/shared_by.h"
#include "io/loop.h"

namespace weft::messaging::nats {
namespace {

constexpr std::array<DriverKey, 9> kKeys{{{"url", DriverKey::Kind::kText, "nats://HOST:4222"},
                                          {"username"},
                                          {"password"},
                                          {"token"},
                                          {"nkey"},
                                          {"credentials-file", DriverKey::Kind::kPath},
                                          {"ca-file", DriverKey::Kind::kPath},
                                          {"prefix"},
                                          {"timeout", DriverKey::Kind::kDuration}}};

class CoreBroker final : public Broker {
 public:
  CoreBroker(std::shared_ptr<Link> link, std::shared_ptr<Space> space)
      : link_(std::move(link)), space_(std::move(space)) {}

  Answer<void> publish(Request request, Message message) override {
    TRY_VOID(check_message(message));
    return nats::publish(*link_, space_->subjects, request, message);
  }
  Answer<std::vector<Message>> request(Request request, Message message,
                                       std::size_t replies) override {
    TRY_VOID(check_message(message));
    return ask(*link_, space_, request, message, replies);
  }
  std::unique_ptr<Queue> subscribe(Wanted wanted, Receiver& receiver) override {
    return std::make_unique<CoreQueue>(link_, space_, std::move(wanted), receiver);
  }
  Answer<std::vector<DeadLetter>> dead(Request, std::size_t most) override {
    return space_->dead.first(most);
  }
  Answer<void> replay(Request, std::string group, std::uint64_t number) override {
    return pass_letter(space_->dead, space_->replays, space_->turns, group, number);
  }
  Result<std::unique_ptr<Watch>> watch(std::string pattern,
                                       std::function<void(Message)> saw) override {
    return nats::watch(link_, space_->subjects, pattern, ReplyTo::kMessage, std::move(saw));
  }

 private:
  const std::shared_ptr<Link> link_;    // Shared by the loop's brokers.
  const std::shared_ptr<Space> space_;  // Shared by all loops.
};

class CoreBackend final : public Backend {
 public:
  explicit CoreBackend(Settings settings)
      : settings_(std::make_shared<const Settings>(std::move(settings))) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Broker> broker(Loop& loop, BrokerName name) override {
    std::shared_ptr<Link> link = on(loop);
    auto make = [&] { return std::make_shared<Space>(fill_in(settings_->prefix, name)); };
    return std::make_unique<CoreBroker>(std::move(link), spaces_.get(name, make));
  }
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    std::shared_ptr<Link> link = on(loop);
    link->client().reach(deadline, [link, done = std::move(done)](Result<void> reached) mutable {
      done(std::move(reached));
    });
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->server.health; }

 private:
  std::shared_ptr<Link> on(Loop& loop) {
    return links_.get(&loop, [&] {
      return std::make_shared<Link>(
          loop, std::shared_ptr<const remote::nats::Settings>(settings_, &settings_->server));
    });
  }

  const std::shared_ptr<const Settings> settings_;  // Shared with the loops, which may outlive it.
  PerLoop<Link> links_;
  PerBroker<Space> spaces_;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  Settings settings;
  TRY(settings.server, read_server(choice));
  if (choice.find("prefix") != nullptr) settings.prefix = choice.text("prefix");
  if (settings.prefix.empty()) return settings;
  if (Result<void> well = check_subject_pattern(settings.prefix); !well) {
    return std::unexpected(std::move(well).error().within("prefix"));
  }
  return settings;
}

std::unique_ptr<Backend> nats_backend(Settings settings) {
  return std::make_unique<CoreBackend>(std::move(settings));
}

}  // namespace weft::messaging::nats
