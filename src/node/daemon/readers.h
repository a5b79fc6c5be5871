#pragma once

#include <functional>
#include <memory>

#include "io/task.h"
#include "node/runs/runs.h"
#include "node/wire/node_api.h"

namespace weft {
class Loop;
}

namespace weft::node::daemon {

// Records that wait between two loops.
inline constexpr std::size_t kBetweenLoopsMax = 256 << 10;

// The output of a run of this loop.
Result<std::unique_ptr<wire::OutputReader>> near_reader(Loop& loop, runs::Runs& runs,
                                                        const Hash& run, std::uint64_t from,
                                                        std::function<void()> ready);

// The same of a run of another loop, `there`, whose `runs` outlive the loop's work. `ready` is
// called on `here`.
Task<std::unique_ptr<wire::OutputReader>> far_reader(Loop& here, Loop& there, runs::Runs& runs,
                                                     Hash run, std::uint64_t from,
                                                     std::function<void()> ready);

}  // namespace weft::node::daemon
