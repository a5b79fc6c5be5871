#pragma once

#include <cstddef>
#include <memory>

#include "capabilities/capability.h"
#include "capabilities/sql/backend.h"
#include "capabilities/sql/drivers/pooled/connection.h"
#include "io/pool.h"

namespace weft::sql::pooled {

inline constexpr std::size_t kConnectionsByDefault = 8;
// Threads of a backend for what of a library would block, and work that waits for one.
inline constexpr Pool::Options kHelpers{.threads = 2, .waiting_max = 256};

struct Options {
  std::size_t connections = kConnectionsByDefault;  // On each loop, for each place.
  Times times = {};
};

// `connections`, `statement-timeout` and `idle-timeout`, which every such driver takes.
Result<Options> read_options(const DriverChoice& choice);

// `system` uses `helpers`, which end with the backend.
std::unique_ptr<Backend> backend(std::shared_ptr<const System> system,
                                 std::shared_ptr<Pool> helpers, Options options);

}  // namespace weft::sql::pooled
