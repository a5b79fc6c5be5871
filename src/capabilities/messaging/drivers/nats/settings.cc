#include "capabilities/messaging/drivers/nats/settings.h"

#include "base/limits.h"
#include "remote/nats/access.h"

namespace weft::messaging::nats {

std::string text_of(const DriverChoice& choice, std::string_view key) {
  const Secret* found = choice.find(key);
  return found == nullptr ? std::string() : std::string(found->reveal());
}

Result<remote::nats::Settings> read_server(const DriverChoice& choice) {
  auto secret = [&](std::string_view key) {
    const Secret* found = choice.find(key);
    return found == nullptr ? Secret() : *found;
  };
  remote::nats::Access access{.url = secret("url"),
                              .username = text_of(choice, "username"),
                              .password = secret("password"),
                              .token = secret("token"),
                              .nkey = secret("nkey"),
                              .credentials_file = text_of(choice, "credentials-file"),
                              .ca_file = text_of(choice, "ca-file")};
  if (const Secret* timeout = choice.find("timeout")) {
    TRY(std::uint64_t ns, parse_duration_ns(timeout->reveal()));
    access.timeout = std::chrono::milliseconds(ns / 1'000'000);
  }
  TRY(remote::nats::Settings settings, remote::nats::read_access(access));
  settings.health = std::make_shared<remote::Health>(settings.endpoints.front().text());
  return settings;
}

}  // namespace weft::messaging::nats
