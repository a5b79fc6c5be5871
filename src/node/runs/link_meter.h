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
  // A call is about to be made; each time where it is tried again. kLimit: it may not.
  virtual Result<void> asks() = 0;
  // Its arguments are about to go out. kLimit: they may not.
  virtual Result<void> sends(std::size_t bytes) = 0;
  // They never left.
  virtual void unsent(std::size_t bytes) = 0;
  // So many bytes came for it, as they do, whatever becomes of the call. kLimit: no more may come.
  virtual Result<void> receives(std::size_t bytes) = 0;
};

// Around the calls of one link on one loop: has the instance's payer pay for each. What they move,
// whoever serves them tells the payer itself, which knows it.
std::unique_ptr<Layer> link_meter();

// Under whose address an instance has its payer.
inline constexpr char kPayerOwner = 0;

struct AttachedPayer final : Context::Attachment {
  explicit AttachedPayer(LinkPayer& given) : payer(given) {}
  LinkPayer& payer;
};

// Before the guest of this instance starts. `payer` outlives the guest.
inline void attach_payer(Context& context, LinkPayer& payer) {
  context.attach(&kPayerOwner, std::make_unique<AttachedPayer>(payer));
}

// Null: nobody is asked to pay. Of a call that was cancelled the payer may be gone.
inline LinkPayer* payer_of(Context& context) {
  auto* attached = static_cast<AttachedPayer*>(context.attachment(&kPayerOwner));
  return attached == nullptr ? nullptr : &attached->payer;
}

}  // namespace weft::node::runs
