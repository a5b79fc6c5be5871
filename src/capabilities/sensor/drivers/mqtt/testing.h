#pragma once

#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>

#include "base/check.h"
#include "capabilities/sensor/drivers/mqtt/mqtt.h"
#include "io/loop.h"
#include "remote/mqtt/client.h"
#include "remote/mqtt/testing.h"

namespace weft::sensor::mqtt {

// Publishes to a real server, on a loop of its own. For tests.
class Publisher {
 public:
  explicit Publisher(std::uint16_t port) {
    auto settings = std::make_shared<remote::mqtt::Settings>();
    settings->endpoint = {"127.0.0.1", port};
    client_ =
        std::make_shared<remote::mqtt::Client>(loop_, std::move(settings), remote::mqtt::Session{});
  }

  // Returns when the server has it.
  void publish(const std::string& topic, const std::string& payload, bool retain = false) {
    remote::mqtt::Publish message{.topic = topic, .qos = 1, .retain = retain};
    message.payload.assign(payload.begin(), payload.end());
    std::optional<Result<void>> told;
    client_->publish(std::move(message), Deadline::after(std::chrono::seconds(20)),
                     [&](Result<void> done) { told = std::move(done); });
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (!told && !limit.passed()) {
      loop_.context().restart();
      loop_.context().run_for(std::chrono::milliseconds(5));
    }
    CHECK(told.has_value() && told->has_value());
  }

 private:
  Loop loop_;
  std::shared_ptr<remote::mqtt::Client> client_;
};

// Two sensors on the server that the tests of a process share.
inline std::unique_ptr<Backend> backend_of_tests() {
  Settings settings;
  settings.server.endpoint = {"127.0.0.1", remote::mqtt::shared_server().port()};
  settings.places = {{{"hall/open", "1"}, "conform/hall", "/open"},
                     {{"temperature", "Cel"}, "conform/temperature"}};
  settings.filter = "conform/#";
  return mqtt_backend(std::move(settings));
}
inline void publish_for_tests() {
  static Publisher publisher(remote::mqtt::shared_server().port());
  static int number = 0;
  publisher.publish("conform/temperature", std::to_string(20 + ++number % 5), true);
  publisher.publish("conform/hall", R"({"open": true})", true);
}

}  // namespace weft::sensor::mqtt
