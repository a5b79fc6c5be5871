#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "base/error.h"
#include "door/call.h"

namespace weft::node::runs {

// Processor time that a run is charged for each call that a link of its module makes of another
// node: what signing and sending it costs beside the guest.
inline constexpr std::chrono::nanoseconds kLinkCallPrice{100'000};

// Who pays for what the links of one instance move. Gone with the instance's run.
class LinkPayer {
 public:
  virtual ~LinkPayer() = default;
  // Arguments that are about to go out; each time where a call is tried again. kLimit: they may
  // not.
  virtual Result<void> sends(std::size_t bytes) = 0;
  // The result that came of them.
  virtual void receives(std::size_t bytes) = 0;
};

// Around the calls of one link on one loop: has the instance's payer pay for them.
std::unique_ptr<Layer> link_meter();

// Before the guest of this instance starts. `payer` outlives the guest.
void attach_payer(Context& context, LinkPayer& payer);

}  // namespace weft::node::runs
