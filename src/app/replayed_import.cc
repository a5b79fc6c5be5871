#include "app/replayed_import.h"

#include <fmt/format.h>

#include "base/check.h"
#include "record/replay_provider.h"
#include "values/difference.h"

namespace weft {
namespace {

// Where the types differ; empty: they are alike, or nothing is recorded.
std::string difference_of(const ImportedFunction& imported, const RecordedFunction* recorded) {
  auto wanted = parse_signature(imported.signature);
  if (!wanted) return wanted.error().message();
  return recorded == nullptr ? "" : difference(*wanted, recorded->type).value_or("");
}

}  // namespace

Result<std::vector<Function>> match_recording(const Replay& replay, std::string_view app,
                                              std::string_view component,
                                              std::span<const ImportedFunction* const> functions) {
  std::vector<Function> matched;
  std::string wrong;
  for (const ImportedFunction* each : functions) {
    const RecordedFunction* recorded = replay.find({app, component, each->interface, each->name});
    std::string differ = difference_of(*each, recorded);
    if (!differ.empty()) {
      wrong += fmt::format("{}{}: {}", wrong.empty() ? "" : "; ", each->name, differ);
    }
    matched.push_back({.interface = each->interface,
                       .name = each->name,
                       .signature = each->signature,
                       .ordinal = static_cast<std::uint32_t>(matched.size()),
                       .plain = each->plain});
  }
  if (wrong.empty()) return matched;
  return failure(Errc::kUnsupported,
                 fmt::format("the recording offers other types of {}, so record anew: {}",
                             functions.front()->interface, wrong));
}

std::unique_ptr<Provider> replay_provider(Replay& replay, const std::string& app,
                                          const std::string& component,
                                          const std::vector<Function>& functions) {
  std::vector<RecordedFunction> imported;
  for (const Function& each : functions) {
    auto made = RecordedFunction::make(each.interface, each.name, each.signature, "");
    CHECK(made);  // The engine writes signatures, and match_recording has read it.
    imported.push_back(*std::move(made));
  }
  return std::make_unique<ReplayProvider>(replay, app, component, std::move(imported));
}

}  // namespace weft
