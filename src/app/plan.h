#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "capabilities/table.h"
#include "engine/deployment.h"
#include "engine/runtime.h"

namespace weft {

// What one request to an HTTP component may spend where nobody says otherwise. A command is bounded
// by what it is told only: whoever started it waits for it.
inline constexpr std::chrono::seconds kHttpCpu{10};
inline constexpr std::chrono::seconds kHttpTime{30};

// One component as it is to run: its program, linked, and what serves its imports.
//
// Made once, before any loop runs it; outlives its deployments. Immutable, for every loop.
class Plan {
 public:
  struct Component {
    std::string app = {};
    std::string name = {};
    std::string file = {};
    // Absent: as the kind of the program has it. They end up in `limits`.
    std::optional<std::chrono::nanoseconds> cpu = {};
    std::optional<std::chrono::milliseconds> time = {};
    Limits limits = {};
    WasiGrants grants = {};
    Use use = {};  // Of every capability alike.
  };

  // Loads and links. Every import that nothing serves is named in the one error. `capabilities`
  // outlives the plan.
  static Result<std::unique_ptr<Plan>> make(Runtime& runtime, const CapabilityTable& capabilities,
                                            Component component);

  const Component& component() const { return component_; }
  const ProgramInfo& info() const { return program_->info(); }

  // On the loop's own thread.
  std::unique_ptr<Deployment> deploy(EngineLoop& engine) const;

 private:
  // An imported interface, what serves it, and its functions' numbers in the program's info.
  struct Served {
    Match match;
    std::vector<std::uint32_t> functions;
  };

  explicit Plan(Component component) : component_(std::move(component)) {}

  Result<void> check_arguments() const;
  void settle_limits();
  Result<void> match_imports(const CapabilityTable& capabilities);
  Result<void> prepare_capabilities();

  Component component_;
  std::unique_ptr<Program> program_;
  std::vector<Served> served_;
  std::unique_ptr<LinkedProgram> linked_;
};

}  // namespace weft
