#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/settle.h"
#include "io/http/tls.h"
#include "triggers/http/router.h"
#include "triggers/http/static_handler.h"

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
  VariableLookup process = process_variables();
};

// One version of everything that is served: the files as they were read at one moment, the plans
// made of them, and which request goes where.
//
// Immutable; shared by the loops' decks, of which the last one to go takes it along.
class Edition {
 public:
  // Where a route leads.
  struct Target {
    std::size_t component = 0;  // Of plans().
    // Given: the files of that folder, and no component. Shared by the loops' handlers.
    std::shared_ptr<const StaticFolder> files = {};
    std::string route = {};  // As it was written.
    std::string name = {};   // What the access log calls it.
    std::string app = {};
  };

  // Reads, checks, loads; starts the providers that do not run for `before` already. Null when the
  // problems have failed: they are all told at once. `capabilities` and the runtime outlive it.
  static std::shared_ptr<const Edition> make(Runtime& runtime, const CapabilityTable& capabilities,
                                             const EditionSources& sources, Plan::Opening opening,
                                             Problems& problems, const Edition* before = nullptr);

  // Of one component by itself, which takes every request, or is a command.
  static std::shared_ptr<const Edition> of(std::unique_ptr<Plan> plan);

  const Environment& environment() const { return environment_; }
  const std::vector<AppSettings>& apps() const { return apps_; }
  const std::vector<std::unique_ptr<Plan>>& plans() const { return plans_; }
  // Of the routes, in the table's order. Without a table everything goes to the one component.
  const std::vector<Target>& targets() const { return targets_; }
  const std::shared_ptr<const RouteTable>& routes() const { return routes_; }
  // What the environment's certificate and key make; null without them. Shared with the listeners.
  const std::shared_ptr<TlsContext>& tls() const { return tls_; }
  // The one component, when it is a command and there is nothing else.
  const Plan* command() const;
  // Whether there is something that serves requests.
  bool serves() const;

  // The weft.toml that a word of the command line names; nothing when it names no app.
  static std::optional<std::string> manifest_of(const std::string& word);

 private:
  friend class EditionMaker;
  Edition() = default;

  Environment environment_;
  std::vector<AppSettings> apps_;
  std::vector<RunningProvider> providers_;
  std::vector<std::unique_ptr<Plan>> plans_;
  std::vector<Target> targets_;
  std::shared_ptr<const RouteTable> routes_;  // Shared with what reads it on each loop.
  std::shared_ptr<TlsContext> tls_;
};

}  // namespace weft
