#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"
#include "capabilities/keyvalue/drivers/lmdb_environment.h"

// Writes whose outcome can be checked from the outside: operation `n` of a seed is always the same.
namespace weft::powercut {

inline constexpr std::uint64_t kKeys = 24;

// What operation `n` does. A key of a pair is only ever written together with its twin.
struct Operation {
  enum class Kind : std::uint8_t { kSet, kErase, kPair };
  Kind kind;
  std::string key;
  std::string value;  // Begins with "<n>:"; the rest follows from n.
};
Operation operation(std::uint64_t seed, std::uint64_t n);

struct Range {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

// Opens the state folder and runs the operations, up to 32 at a time; `acknowledged` is called with
// each one's number once its write was answered.
Result<void> run_workload(const std::filesystem::path& folder, std::uint64_t seed, Range range,
                          keyvalue::lmdb::Flush flush,
                          const std::function<void(std::uint64_t)>& acknowledged);

// Opens the state folder again and fails, saying how, when an acknowledged operation is lost or one
// is half there. `acknowledged(n)` says whether n was; operations from `end` on were never begun.
Result<void> check_workload(const std::filesystem::path& folder, std::uint64_t seed,
                            std::uint64_t end,
                            const std::function<bool(std::uint64_t)>& acknowledged);

}  // namespace weft::powercut
