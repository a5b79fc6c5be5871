#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/edition_settings.h"
#include "io/http/tls.h"
#include "triggers/event/call_settings.h"
#include "triggers/http/router.h"
#include "triggers/http/static_handler.h"

namespace weft {

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

  // What wakes a component beside requests.
  struct Event {
    std::size_t component = 0;  // Of plans().
    Capability* capability = nullptr;
    const Offer* handler = nullptr;
    // Of the handler's functions: their numbers among the program's exports.
    std::vector<std::uint32_t> functions = {};
    const Use* use = nullptr;  // The plan's, or nobody's.
    std::string trigger = {};  // Its name: "message".
    TriggerSettings settings = {};
    CallSettings calls = {};
  };

  // Checks and loads what the files say; starts the providers that do not run for `before` already.
  // Null when the problems, among which are those of reading, have failed: they are all told at
  // once. `capabilities` and the runtime outlive it.
  static std::shared_ptr<const Edition> make(Runtime& runtime, const CapabilityTable& capabilities,
                                             const EditionSources& sources,
                                             EditionSettings settings, Plan::Opening opening,
                                             Problems& problems, const Edition* before = nullptr);

  // Of one component by itself, which takes every request, or is a command.
  static std::shared_ptr<const Edition> of(std::unique_ptr<Plan> plan);

  const EditionSettings& settings() const { return settings_; }
  const Environment& environment() const { return settings_.environment; }
  const std::vector<AppSettings>& apps() const { return settings_.apps; }
  const std::vector<std::unique_ptr<Plan>>& plans() const { return plans_; }
  const std::vector<RunningProvider>& providers() const { return providers_; }
  // Of the routes, in the table's order. Without a table everything goes to the one component.
  const std::vector<Target>& targets() const { return targets_; }
  const std::vector<Event>& events() const { return events_; }
  TriggerWords words(const Event& event) const;
  const std::shared_ptr<const RouteTable>& routes() const { return routes_; }
  // What the environment's certificate and key make; null without them. Shared with the listeners.
  const std::shared_ptr<TlsContext>& tls() const { return tls_; }
  // The one component, when it is a command and there is nothing else.
  const Plan* command() const;
  // Whether there is something that serves requests.
  bool serves() const;

 private:
  friend class EditionMaker;
  Edition() = default;

  EditionSettings settings_;
  std::vector<RunningProvider> providers_;
  std::vector<std::unique_ptr<Plan>> plans_;
  std::vector<Target> targets_;
  std::vector<Event> events_;
  std::shared_ptr<const RouteTable> routes_;  // Shared with what reads it on each loop.
  std::shared_ptr<TlsContext> tls_;
};

}  // namespace weft
