#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/capability.h"
#include "capabilities/chosen_backends.h"
#include "capabilities/keyvalue/backend.h"
#include "capabilities/keyvalue/watch.h"

namespace weft::keyvalue {

// wasi:keyvalue: store, atomics and batch of 0.2.0-draft and 0.2.0-draft2. Buckets belong to the
// app: its components share those they open by the same name.
//
// A name is kept by the embedded backend, which goes by the name `lmdb`, unless the operator chose
// another driver for it.
class KeyvalueCapability final : public Capability {
 public:
  explicit KeyvalueCapability(std::unique_ptr<Backend> embedded) : embedded_(std::move(embedded)) {}

  std::string_view name() const override { return "keyvalue"; }
  std::span<const Offer> offers() const override;
  std::span<const DriverInfo> drivers() const override;
  Result<void> check(const DriverChoice& choice) const override;
  Result<void> connect(std::string_view name, const DriverChoice& choice) const override;
  std::vector<ChosenServer> servers() const override { return chosen_.servers(); }
  Result<void> prepare(const Use& use) override;
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;
  // [[trigger.keyvalue]]: watcher of both drafts.
  std::optional<TriggerForm> trigger() const override;
  std::span<const Offer> handlers() const override;
  TriggerProblems check_trigger(const Use& use, const TriggerSettings& settings) const override;
  std::optional<TriggerProblem> check_beside(const TriggerPair& pair) const override;
  TriggerWords words(std::string_view component, const TriggerSettings& settings) const override;
  std::unique_ptr<Subscription> subscribe(const Waking& waking) override;

 private:
  std::unique_ptr<Store> store(Site site);

  WatchHub watches_;  // Of this process's own writes.
  std::unique_ptr<Backend> embedded_;
  ChosenBackends<Backend> chosen_;
};

}  // namespace weft::keyvalue
