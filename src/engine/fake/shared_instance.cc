#include "engine/shared_instance.h"

namespace weft {

// A fake program exports no functions.
class LinkedInstance {};
class SharedInstance::Watch {};
struct SharedInstance::Ended {};

SharedInstance::SharedInstance(Deployment& deployment, const ProgramInfo&)
    : deployment_(deployment) {}
SharedInstance::~SharedInstance() = default;

void SharedInstance::begin(Call&, Completion done) {
  std::move(done).fail(
      Error(Errc::kUnsupported, deployment_.component + ": the fake engine links no components"));
}

void SharedInstance::end() {}

}  // namespace weft
