#pragma once

#include <memory>

#include "capabilities/capability.h"
#include "capabilities/keyvalue/backend.h"

namespace weft::keyvalue {

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
