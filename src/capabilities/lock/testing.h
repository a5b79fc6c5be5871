#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "capabilities/lock/drivers/etcd/etcd.h"
#include "capabilities/lock/drivers/nats/nats.h"
#include "capabilities/lock/drivers/redis/redis.h"

namespace weft::lock {

// The drivers on a server of a test's, by its port. `prefix` keeps tests apart where it can.
inline std::unique_ptr<Backend> redis_at(std::uint16_t port, const std::string& /*prefix*/) {
  redis::Settings settings;
  settings.endpoint = {"127.0.0.1", port};
  settings.silence = std::chrono::milliseconds(1'500);
  return redis::redis_backend(std::move(settings));
}

inline std::unique_ptr<Backend> etcd_at(std::uint16_t port, const std::string& prefix) {
  etcd::Settings settings;
  settings.server.servers = {fmt::format("http://127.0.0.1:{}", port)};
  settings.server.timeout = std::chrono::milliseconds(2'000);
  settings.prefix = prefix;
  return etcd::etcd_backend(std::move(settings));
}

inline std::unique_ptr<Backend> nats_at(std::uint16_t port, const std::string& prefix) {
  nats::Settings settings;
  settings.server.endpoints = {{"127.0.0.1", port}};
  settings.server.silence = std::chrono::milliseconds(1'500);
  settings.prefix = prefix;
  return nats::nats_backend(std::move(settings));
}

}  // namespace weft::lock
