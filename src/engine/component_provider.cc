#include "engine/component_provider.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/linked_instance.h"

namespace weft {
namespace {

bool is_concurrent(const ProgramInfo& program) {
  constexpr std::string_view kWasi03 = "@0.3.";
  auto any = [](const auto& each) {
    return each.is_async || each.signature.contains("stream<") || each.signature.contains("future");
  };
  auto of_wasi = [&](const ImportedFunction& each) { return each.interface.contains(kWasi03); };
  return std::ranges::any_of(program.exports, any) || std::ranges::any_of(program.functions, any) ||
         std::ranges::any_of(program.functions, of_wasi);
}

}  // namespace

Result<ComponentProvider::Export> ComponentProvider::find(const ProgramInfo& program,
                                                          std::uint32_t number) {
  const ExportedFunction& function = program.exports[number];
  Export found{.number = number, .concurrent = is_concurrent(program)};
  if (!function.plain) {
    TRY(Signature signature, parse_signature(function.signature));
    found.carrying = std::make_unique<const Signature>(std::move(signature));
  }
  return found;
}

void ComponentProvider::begin(Call& call, Completion done) {
  auto* instance = static_cast<LinkedInstance*>(call.context().attachment(this));
  if (instance == nullptr || instance->over()) {
    if (callee_.contexts >= callee_.limits.instances_max) {
      std::move(done).fail(Error(
          Errc::kLimit,
          fmt::format("component {} has as many instances as it may have", callee_.component)));
      return;
    }
    auto made = std::make_unique<LinkedInstance>(callee_);
    instance = made.get();
    call.context().attach(this, std::move(made));
  }
  const Export& serving = exports_[call.function().ordinal];
  auto start = serving.concurrent ? LinkedInstance::Start::kNextTurn : LinkedInstance::Start::kNow;
  instance->begin(serving.number, start, serving.carrying.get(), call, std::move(done));
}

}  // namespace weft
