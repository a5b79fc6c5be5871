#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/linked_node.h"
#include "app/settle.h"

namespace weft {

// What is to be served, as the command line names it.
struct EditionSources {
  // Apps: each a weft.toml, or a folder with one.
  std::vector<std::string> apps = {};
  // Or one component by itself.
  std::optional<Plan::Component> alone = {};
  std::string environment_file = {};  // Empty: none.
  GivenVariables variables = {};
  // --allow-http and --allow-net: for every component.
  std::vector<std::string> allow_http = {};
  std::vector<std::string> allow_net = {};
  std::vector<std::string> arguments = {};  // Of an app that is one command.
  // Threads that serve; as many as there are processors, unless somebody says otherwise.
  std::size_t loops = processors();
  LinkTap tap = {};
  NodeLinks* nodes = nullptr;  // Outlives every edition; null: there are none.
  VariableLookup process = process_variables();

  static std::size_t processors();
};

// What the sources say, read and put together: everything that is known before anything is loaded,
// and without an engine.
struct EditionSettings {
  Environment environment = {};
  std::vector<AppSettings> apps = {};  // None for a component by itself.

  // What is wrong is told; what it returns is whole only when the problems have not failed.
  static EditionSettings read(const EditionSources& sources, const CapabilityTable& capabilities,
                              Problems& problems);

  // Instances at once that the limits of all components come to, on all loops; kInstancesMax at
  // most.
  std::uint32_t instances(const EditionSources& sources) const;
};

// The weft.toml that a word of the command line names; nothing when it names no app.
std::optional<std::string> manifest_of(const std::string& word);

}  // namespace weft
