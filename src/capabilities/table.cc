#include "capabilities/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "capabilities/blobstore/blobstore.h"
#include "capabilities/config/config.h"
#include "capabilities/cron/cron.h"
#include "capabilities/keyvalue/keyvalue.h"
#include "capabilities/lock/drivers/table.h"
#include "capabilities/lock/lock.h"
#include "capabilities/logging/logging.h"
#include "capabilities/messaging/log_broker.h"
#include "capabilities/messaging/messaging.h"
#include "capabilities/secrets/secrets.h"
#include "capabilities/sensor/drivers/simulated/simulated.h"
#include "capabilities/sensor/sensor.h"
#include "capabilities/sql/sql.h"

namespace weft {
namespace {

const FunctionInfo* find_function(const Offer& offer, std::string_view name) {
  auto found = std::ranges::find(offer.functions, name, &FunctionInfo::name);
  return found == offer.functions.end() ? nullptr : &*found;
}

bool fits(const Offer& offer, const Import& import) {
  return offer.interface == import.interface &&
         std::ranges::all_of(import.functions, [&](const DeclaredFunction& declared) {
           const FunctionInfo* served = find_function(offer, declared.name);
           return served != nullptr && served->signature == declared.signature;
         });
}

std::vector<Function> link_functions(const Offer& offer, const Import& import) {
  std::vector<Function> functions;
  for (const DeclaredFunction& declared : import.functions) {
    const FunctionInfo* served = find_function(offer, declared.name);
    auto ordinal = static_cast<std::size_t>(served - offer.functions.data());
    functions.push_back(make_function(offer.interface, offer.functions, ordinal));
  }
  return functions;
}

std::string_view without_version(std::string_view interface) {
  return interface.substr(0, interface.find('@'));
}

std::string_view package_of(std::string_view interface) {
  return interface.substr(0, interface.find('/'));
}

}  // namespace

Result<Match> CapabilityTable::match(const Import& import) const {
  for (const auto& capability : capabilities_) {
    for (const Offer& offer : capability->offers()) {
      if (!fits(offer, import)) continue;
      return Match{capability.get(), &offer, link_functions(offer, import)};
    }
  }
  return failure(Errc::kUnsupported, explain(import));
}

const Offer* CapabilityTable::handler(const Capability& capability,
                                      std::span<const Import> exports) {
  auto exported = [&](const Offer& offer, const FunctionInfo& wanted) {
    return std::ranges::any_of(exports, [&](const Import& each) {
      return each.interface == offer.interface &&
             std::ranges::any_of(each.functions, [&](const DeclaredFunction& function) {
               return function.name == wanted.name && function.signature == wanted.signature;
             });
    });
  };
  for (const Offer& offer : capability.handlers()) {
    bool all = std::ranges::all_of(
        offer.functions, [&](const FunctionInfo& wanted) { return exported(offer, wanted); });
    if (all) return &offer;
  }
  return nullptr;
}

const Capability* CapabilityTable::find(std::string_view name) const {
  for (const auto& capability : capabilities_) {
    if (capability->name() == name) return capability.get();
  }
  return nullptr;
}

void CapabilityTable::keep_in(std::filesystem::path state_folder,
                              StateFolderOnDemand::Place place) {
  CHECK(state_ != nullptr);
  state_->move_to(std::move(state_folder), place);
}

std::vector<std::string_view> CapabilityTable::offered() const {
  std::set<std::string_view> names;
  for (const auto& capability : capabilities_) {
    for (const Offer& offer : capability->offers()) names.insert(offer.interface);
  }
  return {names.begin(), names.end()};
}

// Says which function does not fit, or else which versions of the interface, or which interfaces of
// the package there are.
std::string CapabilityTable::explain(const Import& import) const {
  const Offer* named = nullptr;
  for (const auto& capability : capabilities_) {
    for (const Offer& offer : capability->offers()) {
      if (named == nullptr && offer.interface == import.interface) named = &offer;
    }
  }
  if (named != nullptr) {
    for (const DeclaredFunction& declared : import.functions) {
      const FunctionInfo* served = find_function(*named, declared.name);
      if (served == nullptr) {
        return fmt::format("{} is offered, without a function {}", import.interface, declared.name);
      }
      if (served->signature == declared.signature) continue;
      return fmt::format(
          "{} is offered, with another type of {}: {} here, and the component wants {}",
          import.interface, declared.name, served->signature, declared.signature);
    }
  }
  std::vector<std::string_view> versions;
  std::vector<std::string_view> neighbours;
  for (std::string_view name : offered()) {
    if (without_version(name) == without_version(import.interface)) versions.push_back(name);
    if (package_of(name) == package_of(import.interface)) neighbours.push_back(name);
  }
  if (!versions.empty()) {
    return fmt::format("{} is not offered; what is: {}", import.interface,
                       fmt::join(versions, ", "));
  }
  if (!neighbours.empty()) {
    return fmt::format("{} is not offered; of its package: {}", import.interface,
                       fmt::join(neighbours, ", "));
  }
  return fmt::format("{} is not offered by anything here", import.interface);
}

CapabilityTable embedded_capabilities(const EmbeddedOptions& options) {
  auto state = std::make_unique<StateFolderOnDemand>(options.state_folder);
  std::vector<std::unique_ptr<Capability>> all;
  all.push_back(std::make_unique<blobstore::BlobstoreCapability>(blobstore::files_backend(*state)));
  all.push_back(std::make_unique<config::ConfigCapability>());
  // Messages, the tokens of locks and how far schedules have come lie in the same file, so that
  // writes of all share flushes; their capabilities go first.
  auto embedded = keyvalue::lmdb_backend(*state);
  all.push_back(std::make_unique<lock::LockCapability>(lock::embedded_backend(*embedded)));
  all.push_back(std::make_unique<cron::CronCapability>(
      std::make_unique<cron::Backend>(lock::embedded_backend(*embedded), *embedded)));
  all.push_back(
      std::make_unique<messaging::MessagingCapability>(messaging::log_backend(*embedded)));
  all.push_back(std::make_unique<keyvalue::KeyvalueCapability>(std::move(embedded)));
  all.push_back(std::make_unique<logging::LoggingCapability>());
  all.push_back(std::make_unique<sql::SqlCapability>(*state));
  all.push_back(std::make_unique<sensor::SensorCapability>(
      sensor::simulated::simulated_backend(*sensor::simulated::read_settings({}))));
  auto secrets = std::make_unique<secrets::SecretsCapability>(*state);
  const SecretLookup* lookup = secrets.get();
  all.push_back(std::move(secrets));
  return CapabilityTable(std::move(all), std::move(state), lookup);
}

}  // namespace weft
