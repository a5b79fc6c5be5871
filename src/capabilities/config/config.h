#pragma once

#include <memory>

#include "capabilities/capability.h"

namespace weft::config {

// wasi:config: what the operator set for a component (`uses.config`), read-only and the same for
// the life of the component. `store` in three versions and its first name, `runtime`.
class ConfigCapability final : public Capability {
 public:
  std::string_view name() const override { return "config"; }
  std::optional<UsesForm> uses() const override {
    return UsesForm{UsesForm::Shape::kValues, R"({ KEY = "VALUE" })"};
  }
  std::span<const Offer> offers() const override;
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;
};

}  // namespace weft::config
