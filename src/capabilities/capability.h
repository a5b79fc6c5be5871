#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "capabilities/waking.h"
#include "door/binding.h"
#include "door/call.h"

namespace weft {

class Loop;
class Operable;
namespace remote {
class Health;
}

// One function of an interface, as a component declares it. The signature is the canonical text of
// its type.
struct DeclaredFunction {
  std::string_view name;
  std::string_view signature;
};

// An interface that a component imports, with the functions that it declares of it.
struct Import {
  std::string_view interface;  // "wasi:keyvalue/store@0.2.0-draft"
  std::span<const DeclaredFunction> functions;
};

// A setting that a driver or a trigger takes, and what its text must be.
struct DriverKey {
  // A time is from kTimeMin.
  static constexpr std::chrono::milliseconds kTimeMin{1};
  static constexpr std::chrono::milliseconds kTimeMax = std::chrono::hours(1);
  static constexpr std::uint64_t kCountMax = 1'000'000;
  enum class Kind : std::uint8_t { kText, kSize, kDuration, kPath, kCount };
  std::string_view name;
  Kind kind = Kind::kText;
  // What a message shows where it is missing. Empty: it may be missing.
  std::string_view needed = {};
  // Of this one.
  std::chrono::milliseconds time_max = kTimeMax;
  std::uint64_t count_max = kCountMax;
  std::uint64_t count_min = 1;
};

// A backend of a capability, by the name that operators choose it with.
struct DriverInfo {
  std::string_view name;
  std::span<const DriverKey> keys;
};

// The driver that the operator chose for a name: [keyvalue.carts]. The settings were checked to be
// the driver's.
struct DriverChoice {
  std::string driver;
  std::vector<std::pair<std::string, Secret>> settings = {};

  const Secret* find(std::string_view key) const;
  // `otherwise` where it is missing.
  std::string text(std::string_view key, std::string otherwise = {}) const;
  // The same; 1 ms at least.
  Result<std::chrono::milliseconds> duration(std::string_view key,
                                             std::chrono::milliseconds otherwise) const;
  friend bool operator==(const DriverChoice&, const DriverChoice&) = default;
};

// What a component was granted of one capability: its `uses` line, and what serves the names in it.
struct Use {
  // Any name, as for a component that was started by itself.
  bool any_name = false;
  // uses.keyvalue = ["carts"]
  std::vector<std::string> names = {};
  // uses.config = { currency = "EUR" }
  std::vector<std::pair<std::string, std::string>> values = {};
  // By name; a name that is not here has the embedded default.
  std::map<std::string, DriverChoice, std::less<>> drivers = {};

  bool allows(std::string_view name) const;
};

// What a developer writes for a component that is to have this name too.
std::string how_to_grant(const Use& use, std::string_view capability, std::string_view name);
// Of a trigger whose `key` names what the component is not granted: what to write of the two.
TriggerProblem not_granted(const Use& use, std::string_view capability, std::string_view key,
                           std::string_view name);

// The server behind a name for which the operator chose a driver.
struct ChosenServer {
  std::string name;
  std::string driver;
  std::shared_ptr<const remote::Health> health;  // Shared with its clients.
};

// How a component asks for a capability: what stands after `uses.NAME =`.
struct UsesForm {
  enum class Shape : std::uint8_t {
    kNames,   // A list of names, each of which an operator may give a driver.
    kValues,  // A table of strings, in the place of which an operator may put others.
  };
  Shape shape = Shape::kNames;
  std::string_view example = R"(["NAME"])";  // What a message shows.
  // What the one that has no name, "", is called: that of who names none. Empty: there is none.
  std::string_view unnamed = {};
};

// How a developer writes what wakes a component: [[trigger.NAME]], and its keys beside `component`.
struct TriggerForm {
  std::string_view name;
  std::span<const DriverKey> keys;
};

// Whom a provider is made for. `use` outlives it.
struct Site {
  Loop& loop;
  const Use& use;
  // What the component imports it as: the interface's name, or one of its own.
  std::string_view import = {};
};

// One interface in one version and shape, as a capability serves it.
struct Offer {
  std::string_view interface;
  // In the order of the provider's ordinals.
  std::span<const FunctionInfo> functions;
};

// An interface family that weft ships: key-value, config, logging. One object per process, made by
// `main`'s link table; `prepare` and the constants are for the thread that loads components,
// `provider` for any loop's.
class Capability {
 public:
  virtual ~Capability() = default;

  // What `uses` calls it, and the operator's file the table of its names: none of the keys that
  // either file has besides.
  virtual std::string_view name() const = 0;
  // Everything it serves. Of offers with one interface name the first that fits is taken.
  virtual std::span<const Offer> offers() const = 0;
  // The `uses` line without which no component may import it. Nothing where nothing can be reached
  // by it, so that it needs no line.
  virtual std::optional<UsesForm> uses() const { return UsesForm{}; }
  // What an operator may choose between for a name. Empty: nothing is to be chosen.
  virtual std::span<const DriverInfo> drivers() const { return {}; }
  // Whether a name may stand in `uses` and in the operator's file.
  virtual Result<void> check_name(std::string_view) const { return {}; }
  // Whether the driver can be made with these settings, as far as that is known without opening
  // anything. The message says which of them is wrong and what to write: it begins with the key, or
  // with "the URL".
  virtual Result<void> check(const DriverChoice&) const { return {}; }
  // Asks the server behind what was chosen for a name, once: is it there, does it let us in, has it
  // what the settings name? Blocks for some seconds at most. Keeps nothing, and changes nothing
  // there.
  virtual Result<void> connect(std::string_view /*name*/, const DriverChoice&) const { return {}; }
  // The servers behind what was chosen and is used, as their clients see them. From any thread.
  virtual std::vector<ChosenServer> servers() const { return {}; }
  // Whether what is in its calls may be secret: then nobody who watches is told.
  virtual bool confidential() const { return false; }
  // Called when a component that imports one of its interfaces is loaded and all its imports are
  // matched, before any provider is made for that use: the time to open what is behind it. Once or
  // often; never while another thread makes a provider.
  virtual Result<void> prepare(const Use&) { return {}; }
  // Serves that one of its offers to a component on a loop.
  virtual std::unique_ptr<Provider> provider(const Offer& offer, Site site) = 0;

  // Whether it wakes components, and how that is written.
  virtual std::optional<TriggerForm> trigger() const { return {}; }
  // The interfaces that it calls of a component that it wakes. Of those that the component exports
  // the first is taken.
  virtual std::span<const Offer> handlers() const { return {}; }
  // All that keeps a component with these grants from being woken so.
  virtual TriggerProblems check_trigger(const Use&, const TriggerSettings&) const { return {}; }
  // What keeps `one` from standing beside the other.
  virtual std::optional<TriggerProblem> check_beside(const TriggerPair&) const { return {}; }
  // That trigger of a component; its settings were checked.
  virtual TriggerWords words(std::string_view /*component*/, const TriggerSettings&) const {
    return {};
  }
  // What waits for triggers, where the drivers in use know it. From any thread.
  virtual std::vector<Backlog> backlogs() const { return {}; }
  // Wakes the component from now on. `prepare` was called for its grants.
  virtual std::unique_ptr<Subscription> subscribe(const Waking&) { return nullptr; }

  // Itself, where operators may ask something of it while a host runs.
  virtual Operable* operable() { return nullptr; }
};

// What serves one import: the answer to "can this component be linked?".
struct Match {
  Capability* capability = nullptr;
  const Offer* offer = nullptr;
  // For each declared function, what a Link is made of.
  std::vector<Function> functions;

  std::unique_ptr<Provider> provider(Site site) const { return capability->provider(*offer, site); }
};

}  // namespace weft
