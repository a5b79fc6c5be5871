#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "app/problems.h"
#include "provider/provider_process.h"

namespace weft {

// A provider's process and what it was started with.
struct RunningProvider {
  std::string app;
  std::string name;
  // Everything that it was started with, the state of its program's file too, as one digest: the
  // same, and the process goes on.
  std::string made_of;
  // Shared by the editions that use it, and by their plans.
  std::shared_ptr<ProviderProcess> process;
};

// The file that would be run: found in the folder or in PATH. kNotFound or kDenied, with what to
// do, when it is none.
Result<std::string> find_program(const std::string& word, const std::string& folder);

// The processes for these settings, in their order: each the one among `before` that was started
// with the same, or a new one. Those start at the same time, and it blocks until they are ready.
std::vector<Result<RunningProvider>> run_providers(std::vector<ProviderSettings> settings,
                                                   std::span<const RunningProvider> before);

}  // namespace weft
