#pragma once

#include <memory>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/chosen_backends.h"
#include "capabilities/lock/store.h"

namespace weft::lock {

// weft:lock. A name of `uses.lock` is a space of locks, which belong to the app.
//
// A space is kept by the embedded backend, which goes by the name `embedded`, unless the operator
// chose another driver for it.
class LockCapability final : public Capability {
 public:
  explicit LockCapability(std::unique_ptr<Backend> embedded) : embedded_(std::move(embedded)) {}

  std::string_view name() const override { return "lock"; }
  Result<void> check_name(std::string_view space) const override;
  std::span<const Offer> offers() const override;
  std::optional<UsesForm> uses() const override {
    return UsesForm{UsesForm::Shape::kNames, R"(["orders"])"};
  }
  std::span<const DriverInfo> drivers() const override;
  Result<void> check(const DriverChoice& choice) const override;
  Result<void> connect(std::string_view name, const DriverChoice& choice) const override;
  std::vector<ChosenServer> servers() const override { return chosen_.servers(); }
  Result<void> prepare(const Use& use) override;
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;

  // What serves the space; null where nothing was opened for it. From any thread.
  Backend* backend_of(const Use& use, std::string_view space) const;

 private:
  std::unique_ptr<Backend> embedded_;
  ChosenBackends<Backend> chosen_;
};

}  // namespace weft::lock
