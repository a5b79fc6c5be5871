#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weft::remote {

// Stands between a driver and its real server and does to what passes what networks do. For tests;
// runs on a thread of its own.
class FaultProxy {
 public:
  enum class Fault : std::uint8_t {
    kNone,
    kRefuse,    // Nobody listens.
    kStall,     // Connections are made, and nothing passes.
    kDelay,     // Everything takes 50 ms longer.
    kSlice,     // One byte at a time.
    kCut,       // Both sides are closed in the middle of the next answer.
    kCutAsked,  // And before an answer, when the server has been asked.
    kThrottle,  // 256 KiB a second.
  };

  explicit FaultProxy(std::uint16_t server_port);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;

  // The same for the life of the proxy.
  std::uint16_t port() const;
  // From now on, also on connections that are open. kRefuse closes those.
  void set(Fault fault);
  // Connections that were made so far.
  std::size_t connections() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft::remote
