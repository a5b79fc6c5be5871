#pragma once

#include "workload.h"

// The same operations on a SQL database: statements by themselves, and transactions of two.
namespace weft::powercut {

// Opens the state folder and runs the operations one by one; `acknowledged` is called with each
// one's number once it was answered.
Result<void> run_sql_workload(const std::filesystem::path& folder, std::uint64_t seed, Range range,
                              const std::function<void(std::uint64_t)>& acknowledged);

// As check_workload, of what run_sql_workload left.
Result<void> check_sql_workload(const std::filesystem::path& folder, std::uint64_t seed,
                                std::uint64_t end,
                                const std::function<bool(std::uint64_t)>& acknowledged);

}  // namespace weft::powercut
