#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/secret_lookup.h"
#include "capabilities/secrets/audit.h"
#include "capabilities/secrets/drivers/fixed.h"
#include "capabilities/secrets/drivers/sealed_file.h"
#include "capabilities/secrets/source.h"
#include "capabilities/state_folder.h"

namespace weft {
class Pool;
}  // namespace weft

namespace weft::secrets {

// weft:secrets and wasmcloud:secrets: names that the operator gives values. A name is in the
// embedded sealed file unless the operator's [secrets] says where it is.
class SecretsCapability final : public Capability, public SecretLookup {
 public:
  // `state` says where the sealed file is, and outlives it.
  explicit SecretsCapability(const StateFolderOnDemand& state);
  SecretsCapability(const StateFolderOnDemand& state, Variables variables);
  ~SecretsCapability() override;

  std::string_view name() const override { return "secrets"; }
  std::optional<UsesForm> uses() const override {
    return UsesForm{UsesForm::Shape::kNames, R"(["payment-key"])"};
  }
  std::span<const Offer> offers() const override;
  std::span<const DriverInfo> drivers() const override;
  bool confidential() const override { return true; }
  Result<void> prepare(const Use& use) override;
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;

  Result<Secret> look_up(std::string_view name, const DriverChoice* choice,
                         const Where& where) const override;
  bool is_local(const DriverChoice* choice) const override;
  std::optional<std::string> variable(std::string_view name,
                                      const DriverChoice& choice) const override;
  std::filesystem::path state_folder(const Where& where) const override {
    return state_.path_or(where.state_folder);
  }

 private:
  struct Chosen {
    DriverChoice choice;
    std::unique_ptr<Source> source;
  };

  std::unique_ptr<Reader> reader(Site site);
  Result<void> try_remote(const Use& use) const;

  const StateFolderOnDemand& state_;
  const Variables variables_;
  Audit audit_;
  std::shared_ptr<Pool> pool_;          // Of sources that read files; made with the first of them.
  std::shared_ptr<SealedFile> sealed_;  // Shared by the sources that are in it; made likewise.
  std::unique_ptr<Source> embedded_;
  // By name, with how each was chosen. One that was chosen otherwise since stays, because an
  // earlier version of an app may still use it.
  std::map<std::string, std::vector<Chosen>, std::less<>> chosen_;
};

}  // namespace weft::secrets
