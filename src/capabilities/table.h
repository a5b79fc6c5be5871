#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/secret_lookup.h"
#include "capabilities/state_folder.h"

namespace weft {

// The capabilities of a process. Made by `main`, outlives every provider of theirs.
class CapabilityTable {
 public:
  CapabilityTable() = default;
  // `state` is what the capabilities keep their data in, where they keep any.
  explicit CapabilityTable(std::vector<std::unique_ptr<Capability>> capabilities,
                           std::unique_ptr<StateFolderOnDemand> state = nullptr,
                           const SecretLookup* secrets = nullptr)
      : state_(std::move(state)), secrets_(secrets), capabilities_(std::move(capabilities)) {}

  // What serves the import, not made ready yet. Fails with kUnsupported when nothing does; the
  // message says what is offered in its place, or which function is declared otherwise.
  Result<Match> match(const Import& import) const;

  // The first of the capability's handlers all of whose functions are exported so, or null.
  static const Offer* handler(const Capability& capability, std::span<const Import> exports);

  // The capability that `uses` calls by this name, or null.
  const Capability* find(std::string_view name) const;
  std::span<const std::unique_ptr<Capability>> all() const { return capabilities_; }

  // What reads secrets for weft itself: one of the capabilities, or null.
  const SecretLookup* secrets() const { return secrets_; }

  // Where the capabilities keep their data, in the place of what they were made with. Before any of
  // them was prepared. kLoose: an operator's file that is read next may say otherwise.
  void keep_in(std::filesystem::path state_folder,
               StateFolderOnDemand::Place place = StateFolderOnDemand::Place::kFirm);

  // Every interface that is served, each once, in order.
  std::vector<std::string_view> offered() const;

 private:
  std::string explain(const Import& import) const;

  std::unique_ptr<StateFolderOnDemand> state_;
  const SecretLookup* secrets_ = nullptr;  // Among the capabilities.
  std::vector<std::unique_ptr<Capability>> capabilities_;
};

// Where the embedded drivers keep their data.
struct EmbeddedOptions {
  std::filesystem::path state_folder;  // Made when something needs it.
};

// The link table: every capability that weft ships, on its embedded driver. A new capability is one
// line there.
CapabilityTable embedded_capabilities(const EmbeddedOptions& options);

}  // namespace weft
