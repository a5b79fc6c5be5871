#include "node/runs/link_meter.h"

#include <utility>

namespace weft::node::runs {
namespace {

// Under whose address the instance has its payer.
constexpr char kOwner = 0;

struct Attached final : Context::Attachment {
  explicit Attached(LinkPayer& given) : payer(given) {}
  LinkPayer& payer;
};

LinkPayer& payer_of(Call& call) {
  auto* attached = static_cast<Attached*>(call.context().attachment(&kOwner));
  CHECK(attached != nullptr);  // Every run attaches itself.
  return attached->payer;
}

class LinkMeter final : public Layer {
 public:
  Flow before(Call& call, State&) override {
    auto may = payer_of(call).sends(call.arguments().size());
    if (may) return Flow::kOn;
    call.refuse(std::move(may).error());
    return Flow::kAnswered;
  }
  // Of a call that was cancelled the payer may be gone.
  Flow after(Call& call, State&) override {
    if (call.cancelled() || call.outcome() != Call::State::kDone) return Flow::kOn;
    payer_of(call).receives(call.reply().size());
    return Flow::kOn;
  }
};

}  // namespace

std::unique_ptr<Layer> link_meter() {
  return std::make_unique<LinkMeter>();
}

void attach_payer(Context& context, LinkPayer& payer) {
  context.attach(&kOwner, std::make_unique<Attached>(payer));
}

}  // namespace weft::node::runs
