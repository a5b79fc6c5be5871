#include "engine/kept_guest.h"

#include <utility>

#include "base/check.h"

namespace weft {
namespace {

// Fake programs remember nothing: each call is a run of its own.
class FakeKept final : public KeptGuest {
 public:
  explicit FakeKept(Deployment& deployment) : deployment_(deployment) {}

  void call(std::uint32_t function, GuestRun::Exchange exchange, GuestRun::Done done) override {
    CHECK(!called_);
    called_ = true;
    run_ = GuestRun::call_with(deployment_, function, std::move(exchange), std::move(done));
  }
  bool over() const override { return called_; }

 private:
  Deployment& deployment_;
  bool called_ = false;
  std::unique_ptr<GuestRun> run_;
};

}  // namespace

std::unique_ptr<KeptGuest> KeptGuest::make(Deployment& deployment) {
  return std::make_unique<FakeKept>(deployment);
}

}  // namespace weft
