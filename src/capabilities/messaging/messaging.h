#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/chosen_backends.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/operable.h"

namespace weft::messaging {

// wasmcloud:messaging 0.2.0 and both of its 0.3.0, and wasi:messaging 0.2.0-draft. Brokers belong
// to the app.
//
// A name is served by the embedded backend, which goes by the name `embedded`, unless the operator
// chose another driver for it.
class MessagingCapability final : public Capability, public Operable {
 public:
  explicit MessagingCapability(std::unique_ptr<Backend> embedded)
      : embedded_(std::move(embedded)) {}

  std::string_view name() const override { return "messaging"; }
  std::optional<UsesForm> uses() const override {
    return UsesForm{.example = R"([""])", .unnamed = "the default broker"};
  }
  std::span<const Offer> offers() const override;
  std::span<const DriverInfo> drivers() const override;
  Result<void> check(const DriverChoice& choice) const override;
  Result<void> connect(std::string_view name, const DriverChoice& choice) const override;
  std::vector<ChosenServer> servers() const override { return chosen_.servers(); }
  Result<void> prepare(const Use& use) override;
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;
  // [[trigger.message]]
  std::optional<TriggerForm> trigger() const override;
  std::span<const Offer> handlers() const override;
  TriggerProblems check_trigger(const Use& use, const TriggerSettings& settings) const override;
  std::optional<TriggerProblem> check_beside(const TriggerPair& pair) const override;
  TriggerWords words(std::string_view component, const TriggerSettings& settings) const override;
  std::vector<Backlog> backlogs() const override;
  std::unique_ptr<Subscription> subscribe(const Waking& waking) override;
  Operable* operable() override { return this; }
  // `weft messages`: see operate.h.
  std::unique_ptr<OperatorWork> operate(OperatorCall call, OperatorEvents events) override;

 private:
  // Null where nothing was opened for the name.
  Backend* backend_of(const Use& use, std::string_view name) const;

  // Of the first grant that has the name; kNotFound: none has it, or nothing of it runs.
  Result<Backend*> granted(const OperatorCall& call) const;

  std::unique_ptr<Backend> embedded_;
  std::atomic<bool> embedded_open_ = false;
  ChosenBackends<Backend> chosen_;
};

}  // namespace weft::messaging
