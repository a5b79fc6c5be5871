#pragma once

#include <memory>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/chosen_backends.h"
#include "capabilities/cron/trigger.h"
#include "capabilities/keyvalue/backend.h"
#include "capabilities/lock/store.h"
#include "capabilities/operable.h"

namespace weft::cron {

// Where schedules are kept, once for the process: their locks, and how far they have come.
class Backend final : public DriverBackend {
 public:
  Backend(std::unique_ptr<lock::Backend> locks, std::unique_ptr<keyvalue::Backend> records)
      : locks_(std::move(locks)), own_(std::move(records)), records_(*own_) {}
  // With somebody else's records, which outlive it.
  Backend(std::unique_ptr<lock::Backend> locks, keyvalue::Backend& records)
      : locks_(std::move(locks)), records_(records) {}

  Result<void> open() override;
  void reach(Loop& loop, Deadline deadline, Reached done) override {
    locks_->reach(loop, deadline, std::move(done));
  }
  std::shared_ptr<const remote::Health> health() const override { return locks_->health(); }

  Keeping keeping(Loop& loop, std::string_view app);

 private:
  std::unique_ptr<lock::Backend> locks_;
  std::unique_ptr<keyvalue::Backend> own_;
  keyvalue::Backend& records_;
};

// [[trigger.cron]]: calls weft:cron/handler of a component at times that weft.toml names.
//
// What is kept of a schedule is in the state folder, unless the trigger names a store for which the
// operator chose another driver: hosts that share it run each schedule once.
class CronCapability final : public Capability, public Operable {
 public:
  explicit CronCapability(std::unique_ptr<Backend> embedded) : embedded_(std::move(embedded)) {}

  std::string_view name() const override { return "cron"; }
  std::optional<UsesForm> uses() const override {
    return UsesForm{UsesForm::Shape::kNames, R"(["shared"])"};
  }
  std::span<const Offer> offers() const override { return {}; }
  std::span<const DriverInfo> drivers() const override;
  Result<void> check(const DriverChoice& choice) const override;
  Result<void> connect(std::string_view name, const DriverChoice& choice) const override;
  std::vector<ChosenServer> servers() const override { return chosen_.servers(); }
  Result<void> prepare(const Use& use) override;
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;
  std::optional<TriggerForm> trigger() const override;
  std::span<const Offer> handlers() const override;
  TriggerProblems check_trigger(const Use& use, const TriggerSettings& settings) const override;
  std::optional<TriggerProblem> check_beside(const TriggerPair& pair) const override;
  TriggerWords words(std::string_view component, const TriggerSettings& settings) const override;
  std::unique_ptr<Subscription> subscribe(const Waking& waking) override;
  Operable* operable() override { return this; }
  // "run": the one schedule of the component that is named, or that of the argument "schedule".
  std::unique_ptr<OperatorWork> operate(OperatorCall call, OperatorEvents events) override;

 private:
  // Where a trigger's schedule is kept.
  Backend& backend_of(const Waking& waking) const;

  std::unique_ptr<Backend> embedded_;
  ChosenBackends<Backend> chosen_;
};

// What a trigger's keys say; kInvalid with the first thing that is wrong.
Result<TriggerOptions> read_trigger(const TriggerSettings& settings);

}  // namespace weft::cron
