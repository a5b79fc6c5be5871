#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/blobstore/backend.h"
#include "capabilities/capability.h"
#include "capabilities/chosen_backends.h"

namespace weft::blobstore {

class Bodies;

// wasi:blobstore@0.2.0-draft. Containers belong to the app: its components share those they open by
// the same name.
//
// A name is kept by the embedded backend, which goes by the name `files`, unless the operator chose
// another driver for it.
class BlobstoreCapability final : public Capability {
 public:
  explicit BlobstoreCapability(std::unique_ptr<Backend> embedded);
  ~BlobstoreCapability() override;

  std::string_view name() const override { return "blobstore"; }
  std::span<const Offer> offers() const override;
  std::span<const DriverInfo> drivers() const override;
  Result<void> check(const DriverChoice& choice) const override;
  Result<void> connect(std::string_view name, const DriverChoice& choice) const override;
  std::vector<ChosenServer> servers() const override { return chosen_.servers(); }
  Result<void> prepare(const Use& use) override;
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;

 private:
  std::unique_ptr<Store> store(Site site);

  std::unique_ptr<Backend> embedded_;
  ChosenBackends<Backend> chosen_;
  std::shared_ptr<Bodies> bodies_;  // Shared with every body; made when it is needed.
};

}  // namespace weft::blobstore
