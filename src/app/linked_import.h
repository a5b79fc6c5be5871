#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "app/link_settings.h"
#include "app/linked_node.h"
#include "door/call.h"
#include "engine/runtime.h"
#include "provider/provider_process.h"

namespace weft {

class LinkLayers;
class Plan;
class Replay;

// An interface that a component imports and another component of its app, a process or a node
// serves.
struct LinkedImport {
  LinkSettings settings;
  const Plan* callee = nullptr;                        // One of the three.
  std::shared_ptr<ProviderProcess> process = nullptr;  // Shared with the edition.
  std::shared_ptr<LinkedNode> node = nullptr;          // The same.
  NodeImport at_node = {};                             // What of it is called,
  std::shared_ptr<const NodeOffer> offer = nullptr;    // and what that was checked against.
  Replay* replay = nullptr;                            // In the place of each.
  // What a Link is made of, for each imported function. Of a process all are of one interface.
  std::vector<Function> functions = {};
  // Of a component: for each function the export's number in ProgramInfo. It is a function's
  // ordinal too where the component is shared; else that is the place in this list.
  std::vector<std::uint32_t> exports = {};
  // Null: nothing but the time-out stands around it. Shared with the other imports that the link
  // serves.
  std::shared_ptr<const LinkLayers> layers = nullptr;
};

// An interface that a component imports.
struct WantedInterface {
  std::string_view import;     // What the import is called: "primary", or as the interface.
  std::string_view interface;  // "acme:ml/inference@1.2.0"; of a plain name that says none, it.
};

// The exports that serve these functions of it, by their numbers. The failure says which do not
// fit, wanted and offered side by side. `who` exports them: "component engine".
Result<std::vector<std::uint32_t>> match_exports(const WantedInterface& wanted,
                                                 std::span<const ImportedFunction* const> functions,
                                                 std::span<const ExportedFunction> exports,
                                                 std::string_view who);

// The export that somebody means, who may have left its version out; else what was written.
std::string_view named_among(std::string_view written, std::span<const ExportedFunction> exports);

// What a process offers, as if a component exported it.
std::vector<ExportedFunction> exports_of(const provider::Offer& offer);

}  // namespace weft
