#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/config/source.h"
#include "capabilities/config/watch.h"

namespace weft::config {

// wasi:config: what a component asks for (`uses.config`) and the operator set, read-only. `store`
// in three versions and its first name, `runtime`.
//
// A key has the value that the files of weft give it, unless the operator chose a driver for it, or
// for all keys (kEvery): then what that has at the moment, where it has any.
class ConfigCapability final : public Capability {
 public:
  // Stands for all keys among the names of drivers.
  static constexpr std::string_view kEvery = "*";
  // The driver of keys that have what the files of weft give them.
  static constexpr std::string_view kManifest = "manifest";

  explicit ConfigCapability(std::chrono::milliseconds look_every = kLookEvery)
      : watch_(look_every) {}

  std::string_view name() const override { return "config"; }
  std::optional<UsesForm> uses() const override {
    return UsesForm{UsesForm::Shape::kValues, R"({ KEY = "VALUE" })"};
  }
  std::span<const Offer> offers() const override;
  std::span<const DriverInfo> drivers() const override;
  bool confidential() const override { return true; }
  // Whether what a driver was chosen for can be read now. Nothing of it is kept.
  Result<void> look(const DriverChoice& choice) const;
  Result<void> connect(std::string_view, const DriverChoice& choice) const override {
    return look(choice);
  }
  Result<void> prepare(const Use& use) override;
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;

 private:
  struct Chosen {
    DriverChoice choice;
    std::unique_ptr<Source> source;
  };

  Source* find(const DriverChoice& choice) const;

  // Of every app; one that was chosen otherwise since stays, because an earlier version of an app
  // may still use it.
  std::vector<Chosen> chosen_;
  SourceWatch watch_;  // Gone before the sources.
};

}  // namespace weft::config
