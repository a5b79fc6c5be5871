#include "engine/component_provider.h"

namespace weft {

// A fake program exports no functions.
Result<ComponentProvider::Export> ComponentProvider::find(const ProgramInfo&, std::uint32_t) {
  return failure(Errc::kUnsupported, "the fake engine links no components");
}

void ComponentProvider::begin(Call&, Completion done) {
  std::move(done).fail(
      Error(Errc::kUnsupported, callee_.component + ": the fake engine links no components"));
}

}  // namespace weft
