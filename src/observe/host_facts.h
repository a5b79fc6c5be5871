#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "observe/loop_observer.h"

namespace weft {

// A server that a capability's driver talks to, as its clients see it.
struct ServerFacts {
  std::string capability;
  std::string name;  // Of the operator's table: [keyvalue.carts].
  std::string driver;
  std::string server;  // Where it is.
  bool asked = false;
  bool up = false;
  std::uint64_t losses = 0;
  std::uint64_t answered = 0;
  std::uint64_t unanswered = 0;
  std::chrono::nanoseconds time{};  // Of what was answered, added up.
};

// Groups of messages that are shown; those beyond are one, under kOtherLabel.
inline constexpr std::size_t kBacklogsMax = 1024;

// What waits for a group of messages, as the driver knows it.
struct BacklogFacts {
  std::string app;
  std::string broker;
  std::string group;
  std::uint64_t messages = 0;
};

// What there is to say of a host beside its meters, at one moment.
struct HostFacts {
  enum class State : std::uint8_t { kStarting, kServing, kStopping };

  State state = State::kServing;
  std::vector<std::string> urls = {};
  std::size_t loops = 0;
  std::size_t connections = 0;
  std::uint64_t reloads = 0;
  std::uint64_t reload_failures = 0;
  std::uint64_t programs_cached = 0;  // Loaded with their compiled form from the cache.
  std::uint64_t programs_compiled = 0;
  std::uint64_t spans_exported = 0;
  std::uint64_t spans_dropped = 0;
  std::chrono::system_clock::time_point started = {};
  std::vector<ServerFacts> servers = {};
  std::vector<BacklogFacts> backlogs = {};
};

std::string_view to_string(HostFacts::State state);

// What the admin server shows of a host. Asked on the admin server's thread, while the host lives.
class HostView {
 public:
  virtual ~HostView() = default;
  virtual HostFacts facts() = 0;
  // Apps, their components, routes and grants: a JSON array.
  virtual std::shared_ptr<const std::string> apps() = 0;
};

// What the process uses, as the system says. 0 where it says nothing.
struct ProcessUse {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t open_files_max = 0;

  static ProcessUse now();
};

}  // namespace weft
