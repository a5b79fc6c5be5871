#pragma once

#include <memory>

#include "capabilities/capability.h"
#include "capabilities/keyvalue/bucket.h"
#include "capabilities/state_folder.h"

namespace weft::keyvalue {

// Where buckets are kept: one backend for the process, a store of it for each loop.
class Backend {
 public:
  virtual ~Backend() = default;
  // Opens it, once; on the thread that loads components.
  virtual Result<void> open() = 0;
  // On any loop's thread, when it is open.
  virtual std::unique_ptr<Store> store(Loop& loop) = 0;
};

std::unique_ptr<Backend> memory_backend();
// In the folder `keyvalue` of the state folder, which outlives it.
std::unique_ptr<Backend> lmdb_backend(StateFolderOnDemand& state);

// wasi:keyvalue: store, atomics and batch of 0.2.0-draft and 0.2.0-draft2. Buckets belong to the
// app: its components share those they open by the same name.
class KeyvalueCapability final : public Capability {
 public:
  explicit KeyvalueCapability(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}

  std::string_view name() const override { return "keyvalue"; }
  std::span<const Offer> offers() const override;
  Result<void> prepare() override { return backend_->open(); }
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;

 private:
  std::unique_ptr<Backend> backend_;
};

}  // namespace weft::keyvalue
