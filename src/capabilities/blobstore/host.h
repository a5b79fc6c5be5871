#pragma once

#include <memory>

#include "capabilities/blobstore/bodies.h"
#include "capabilities/blobstore/container.h"
#include "capabilities/capability.h"

namespace weft::blobstore {

// What the host classes of one provider are made of.
struct Ground {
  std::shared_ptr<Store> store;    // Shared with the calls that wait for it.
  std::shared_ptr<Bodies> bodies;  // Shared with every body.
  const Use& use;
};

// The providers of one interface each, as blobstore.cc lists them.
std::unique_ptr<Provider> draft_types(const Ground& ground);
std::unique_ptr<Provider> draft_container(const Ground& ground);
std::unique_ptr<Provider> draft_blobstore(const Ground& ground);

}  // namespace weft::blobstore
