#include "node/runs/link_meter.h"

#include <utility>

#include "base/check.h"

namespace weft::node::runs {
namespace {

class LinkMeter final : public Layer {
 public:
  Flow before(Call& call, State&) override {
    LinkPayer* payer = payer_of(call.context());
    CHECK(payer != nullptr);  // Every run attaches itself.
    auto may = payer->asks();
    if (may) return Flow::kOn;
    call.refuse(std::move(may).error());
    return Flow::kAnswered;
  }
};

}  // namespace

std::unique_ptr<Layer> link_meter() {
  return std::make_unique<LinkMeter>();
}

}  // namespace weft::node::runs
