#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/problems.h"
#include "app/table_reader.h"

namespace weft {

// What stands around a link, as the developer wrote it into the link's table:
//
//   retry = { functions = ["predict"], attempts = 3, wait = "50ms", attempt-deadline = "500ms" }
//   concurrency = { calls = 8, waiting = 100 }      # or the number alone
//   cache = { functions = ["embed"], entries = 1000, size = "16MiB", for = "10min" }
struct LinkLayerSettings {
  // Calls of functions that may run more than once are tried again.
  struct Retry {
    std::vector<Placed> functions = {};
    unsigned attempts = 3;  // With the first.
    std::chrono::nanoseconds wait = std::chrono::milliseconds(50);
    std::optional<std::chrono::nanoseconds> attempt_deadline = {};
  };
  struct Concurrency {
    std::size_t calls = 1;
    std::size_t waiting = 1024;
  };
  // Replies of functions whose results depend on their arguments alone are kept.
  struct Cache {
    std::vector<Placed> functions = {};
    std::size_t entries = 1000;
    std::uint64_t bytes = std::uint64_t{16} << 20;
    std::optional<std::chrono::nanoseconds> keep = {};
  };
  static constexpr std::size_t kFunctionsMax = 1000;

  std::optional<Retry> retry = {};
  std::optional<Concurrency> concurrency = {};
  std::optional<Cache> cache = {};

  bool any() const { return retry || concurrency || cache; }
  // Whether a function has its line in it.
  static bool has(const std::vector<Placed>& functions, std::string_view name);

  // The keys of a link's table; `where`, for messages: component.web.links."acme:ml/inference".
  static LinkLayerSettings read(TableReader& link, const std::string& where, Problems& problems);
};

}  // namespace weft
