#include "engine/component_provider.h"

#include <fmt/format.h>

#include "engine/linked_instance.h"

namespace weft {

Result<ComponentProvider::Export> ComponentProvider::find(const ProgramInfo& program,
                                                          std::uint32_t number) {
  const ExportedFunction& function = program.exports[number];
  Export found{number};
  if (!function.plain) {
    TRY(Signature signature, parse_signature(function.signature));
    found.carrying = std::make_unique<const Signature>(std::move(signature));
  }
  return found;
}

void ComponentProvider::begin(Call& call, Completion done) {
  // One for all interfaces that the caller has of it: they may share resources.
  auto* instance = static_cast<LinkedInstance*>(call.context().attachment(&callee_));
  if (instance == nullptr || instance->over()) {
    if (callee_.contexts >= callee_.limits.instances_max) {
      std::move(done).fail(Error(
          Errc::kLimit,
          fmt::format("component {} has as many instances as it may have", callee_.component)));
      return;
    }
    auto made = std::make_unique<LinkedInstance>(callee_);
    instance = made.get();
    call.context().attach(&callee_, std::move(made));
  }
  const Export& serving = exports_[call.function().ordinal];
  instance->begin(serving.number, serving.carrying.get(), call, std::move(done));
}

}  // namespace weft
