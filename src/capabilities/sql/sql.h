#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/chosen_backends.h"
#include "capabilities/sql/backend.h"

namespace weft::sql {

// weft:sql/database@0.1.0, and types and readwrite of wasi:sql@0.2.0-draft. Databases belong to the
// app: its components share those they open by the same name.
//
// A name is kept by the embedded backend, which goes by the name `sqlite`, unless the operator
// chose another driver (`postgres`), or other settings of that one.
class SqlCapability final : public Capability {
 public:
  // `state` outlives it.
  explicit SqlCapability(StateFolderOnDemand& state)
      : sqlite_(state), embedded_(sqlite_.backend()) {}

  std::string_view name() const override { return "sql"; }
  std::span<const Offer> offers() const override;
  std::span<const DriverInfo> drivers() const override;
  Result<void> check(const DriverChoice& choice) const override;
  Result<void> connect(std::string_view name, const DriverChoice& choice) const override;
  std::vector<ChosenServer> servers() const override { return chosen_.servers(); }
  Result<void> prepare(const Use& use) override;
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;

 private:
  Result<std::unique_ptr<Backend>> make_backend(const DriverChoice& choice);
  std::unique_ptr<Store> store(Site site);

  Sqlite sqlite_;
  std::unique_ptr<Backend> embedded_;
  ChosenBackends<Backend> chosen_;
};

}  // namespace weft::sql
