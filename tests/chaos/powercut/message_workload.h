#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "workload.h"

// The same for messages of the embedded log: each operation publishes one, under one of a few keys,
// and a group that is there from the first moment handles them.
namespace weft::powercut {

// Opens the state folder, publishes messages, up to 32 at a time, and handles them as they come;
// `acknowledged` is called with a message's number once it is kept, and with handled(number) once
// it is handled.
Result<void> run_messages(const std::filesystem::path& folder, std::uint64_t seed, Range range,
                          const std::function<void(std::uint64_t)>& acknowledged);

constexpr std::uint64_t handled(std::uint64_t number) {
  return number | std::uint64_t{1} << 40;
}

// Opens the state folder again and fails, saying how, when a message that was acknowledged and not
// handled is not brought, or those of one key come out of order. The parameters are
// check_workload's.
Result<void> check_messages(const std::filesystem::path& folder, std::uint64_t seed,
                            std::uint64_t end,
                            const std::function<bool(std::uint64_t)>& acknowledged);

}  // namespace weft::powercut
