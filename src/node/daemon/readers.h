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

// What is to be read.
struct ReadFrom {
  Hash run = {};
  std::uint64_t frame = 0;
  // Told, on the run's loop, how many bytes from that frame on were handed out before: it has them
  // paid for, or fails, and nothing is read. Null: nobody has read any.
  std::function<Result<void>(std::uint64_t bytes)> pay_again = {};
};

// The output of a run of this loop.
Result<std::unique_ptr<wire::OutputReader>> near_reader(Loop& loop, runs::Runs& runs,
                                                        const ReadFrom& what,
                                                        std::function<void()> ready);

// The same of a run of another loop, `there`, whose `runs` outlive the loop's work. `ready` is
// called on `here`.
Task<std::unique_ptr<wire::OutputReader>> far_reader(Loop& here, Loop& there, runs::Runs& runs,
                                                     ReadFrom what, std::function<void()> ready);

}  // namespace weft::node::daemon
