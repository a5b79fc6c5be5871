#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "app/deployments.h"
#include "app/link_tap.h"
#include "app/linked_import.h"
#include "app/linked_node.h"
#include "capabilities/table.h"
#include "engine/deployment.h"
#include "engine/runtime.h"
#include "engine/shared_service.h"

namespace weft {

// What one request to an HTTP component, or one call of a component that another is linked to, may
// spend where nobody says otherwise. A command is bounded by what it is told only: whoever started
// it waits for it.
inline constexpr std::chrono::seconds kHttpCpu{10};
inline constexpr std::chrono::seconds kHttpTime{30};

// One thing for which a component cannot run as it is.
struct Lack {
  enum class Kind : std::uint8_t {
    kFile,       // Its file cannot be loaded or linked.
    kArguments,  // It was given arguments, and takes none.
    kImport,     // Nothing here serves an import.
    kUses,       // It imports a capability that it does not ask for.
    kOpen,       // What is behind a capability does not open.
    kLink,       // What it is linked to does not serve it.
  };
  Kind kind;
  std::string found;
  std::string write;                // What to write instead; may be empty.
  std::optional<Place> place = {};  // Where that is; absent: with the component.
};

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
    // What it may use: as for a component that was started by itself, or what its `uses` lines say,
    // by capability.
    enum class Granting : std::uint8_t { kAnything, kAsWritten } granting = Granting::kAnything;
    std::map<std::string, Use, std::less<>> uses = {};
    // What serves interfaces before the capabilities do. Plans of callees outlive this one.
    struct LinkTo {
      LinkSettings settings;
      // One of the three; none: it is not looked at, or what is wrong with it was told elsewhere.
      const Plan* callee = nullptr;
      std::shared_ptr<ProviderProcess> process = nullptr;
      std::shared_ptr<LinkedNode> node = nullptr;
      // Of a node that was there.
      std::shared_ptr<const NodeOffer> offer = nullptr;
    };
    std::vector<LinkTo> links = {};
    // What stands around each call of them, inside all else: made for each loop. Null: nothing.
    std::function<std::unique_ptr<Layer>()> link_meter = {};
    LinkTap tap = {};
    // One instance of it serves all that are linked to it, on every loop.
    bool shared = false;
  };

  // Whether what is behind the capabilities is opened: not to look only.
  enum class Opening : std::uint8_t { kOpen, kLookOnly };

  // Loads and links. Everything that it lacks is named in the one error. `capabilities` outlives
  // the plan.
  static Result<std::unique_ptr<Plan>> make(Runtime& runtime, const CapabilityTable& capabilities,
                                            Component component);
  // The same, each lack for itself. Null when its file cannot be loaded; where it lacks something
  // else it is there to be looked at, and to be deployed never.
  static std::unique_ptr<Plan> make(Runtime& runtime, const CapabilityTable& capabilities,
                                    Component component, Opening opening, std::vector<Lack>& lacks);

  const Component& component() const { return component_; }
  const ProgramInfo& info() const { return program_->info(); }
  // Where the callers of a shared one meet; else null.
  const std::shared_ptr<SharedService>& service() const { return service_; }
  // Whether something that it imports is served by that link.
  bool uses_link(const LinkSettings& link) const;
  bool serves_http() const;
  bool is_command() const;

  // On the loop's own thread. `others` has what it is linked to, on that loop; `observer`, where
  // there is one, is that loop's. All outlive it.
  std::unique_ptr<Deployment> deploy(EngineLoop& engine, const Deployments& others,
                                     LoopObserver* observer) const;

 private:
  // An imported interface, what serves it, and its functions' numbers in the program's info.
  struct Served {
    Match match;
    std::vector<std::uint32_t> functions;
  };

  struct ServedByLink {
    LinkedImport import;
    std::vector<std::uint32_t> functions;
  };

  explicit Plan(Component component) : component_(std::move(component)) {}

  const Use* use_of(const Capability& capability) const;
  const Component::LinkTo* link_of(const WantedInterface& wanted, std::vector<Lack>& lacks) const;
  void match_link(const Component::LinkTo& link, WantedInterface wanted,
                  std::vector<std::uint32_t> numbers, std::vector<Lack>& lacks);
  bool match_node(const Component::LinkTo& link, const WantedInterface& wanted,
                  std::span<const ImportedFunction* const> functions, LinkedImport& import,
                  std::vector<Lack>& lacks) const;
  void add_layers(std::vector<Lack>& lacks);
  void check_crossing(const ServedByLink& served, std::vector<Lack>& lacks) const;
  void deploy_links(Deployment& deployment, const Deployments& others,
                    LoopObserver* observer) const;
  Provider& provider_of(const LinkedImport& import, Deployment& deployment,
                        const Deployments& others) const;
  void check_arguments(std::vector<Lack>& lacks) const;
  void settle_limits();
  void match_imports(const CapabilityTable& capabilities, std::vector<Lack>& lacks);
  void prepare_capabilities(std::vector<Lack>& lacks);
  void link(std::vector<Lack>& lacks);

  Component component_;
  std::unique_ptr<Program> program_;
  std::vector<Served> served_;
  std::vector<ServedByLink> linked_imports_;
  std::unique_ptr<LinkedProgram> linked_;
  std::shared_ptr<SharedService> service_;  // Shared with its callers on all loops.
};

}  // namespace weft
