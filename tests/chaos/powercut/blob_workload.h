#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "workload.h"

// The same for objects in files: each operation writes, moves or erases one whole object.
namespace weft::powercut {

// When an operation is said to be done. Too early is for showing that the check sees it.
enum class Promise : std::uint8_t { kWhenDone, kTooEarly };

// Opens the state folder and runs the operations, one after the other.
Result<void> run_blobs(const std::filesystem::path& folder, std::uint64_t seed, Range range,
                       Promise promise, const std::function<void(std::uint64_t)>& acknowledged);

// Opens the state folder again and fails, saying how, when an acknowledged object is lost or one is
// half there. The parameters are check_workload's.
Result<void> check_blobs(const std::filesystem::path& folder, std::uint64_t seed, std::uint64_t end,
                         const std::function<bool(std::uint64_t)>& acknowledged);

}  // namespace weft::powercut
