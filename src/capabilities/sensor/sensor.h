#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/chosen_backends.h"
#include "capabilities/sensor/source.h"
#include "capabilities/sensor/trigger.h"

namespace weft::sensor {

// weft:sensor. A name of `uses.sensor` is a space of sensors.
//
// A space for which the operator chose no driver is simulated, and the log says so.
class SensorCapability final : public Capability {
 public:
  // `own`: what serves the spaces for which nobody chose anything.
  explicit SensorCapability(std::unique_ptr<Backend> own);

  std::string_view name() const override { return "sensor"; }
  Result<void> check_name(std::string_view space) const override;
  std::span<const Offer> offers() const override;
  std::optional<UsesForm> uses() const override {
    return UsesForm{UsesForm::Shape::kNames, R"(["boiler"])"};
  }
  std::span<const DriverInfo> drivers() const override;
  Result<void> check(const DriverChoice& choice) const override;
  Result<void> connect(std::string_view name, const DriverChoice& choice) const override;
  std::vector<ChosenServer> servers() const override { return chosen_.servers(); }
  Result<void> prepare(const Use& use) override;
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;
  // [[trigger.sensor]]
  std::optional<TriggerForm> trigger() const override;
  std::span<const Offer> handlers() const override;
  TriggerProblems check_trigger(const Use& use, const TriggerSettings& settings) const override;
  std::optional<TriggerProblem> check_beside(const TriggerPair& pair) const override;
  TriggerWords words(std::string_view component, const TriggerSettings& settings) const override;
  std::unique_ptr<Subscription> subscribe(const Waking& waking) override;

  // What serves the space; null where nothing was opened for it. From any thread.
  Backend* backend_of(const Use& use, std::string_view space) const;

 private:
  std::unique_ptr<Backend> own_;
  std::set<std::string, std::less<>> told_;  // Of those that are simulated: spaces that apps name.
  ChosenBackends<Backend> chosen_;
};

// What a trigger's keys say; kInvalid.
Result<TriggerOptions> read_trigger(const TriggerSettings& settings);

}  // namespace weft::sensor
