#include "capabilities/messaging/drivers/nats/settings.h"

#include "remote/nats/access.h"

namespace weft::messaging::nats {

Result<remote::nats::Settings> read_server(const DriverChoice& choice) {
  auto secret = [&](std::string_view key) {
    const Secret* found = choice.find(key);
    return found == nullptr ? Secret() : *found;
  };
  remote::nats::Access access{.url = secret("url"),
                              .username = choice.text("username"),
                              .password = secret("password"),
                              .token = secret("token"),
                              .nkey = secret("nkey"),
                              .credentials_file = choice.text("credentials-file"),
                              .ca_file = choice.text("ca-file")};
  TRY(access.timeout, choice.duration("timeout", access.timeout));
  TRY(remote::nats::Settings settings, remote::nats::read_access(access));
  settings.health = std::make_shared<remote::Health>(settings.endpoints.front().text());
  return settings;
}

}  // namespace weft::messaging::nats
