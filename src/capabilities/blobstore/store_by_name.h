#pragma once

#include <map>
#include <memory>
#include <string>

#include "capabilities/blobstore/container.h"

namespace weft::blobstore {

// Containers of several backends: each name's own, or else the embedded one's.
class StoreByName final : public Store {
 public:
  std::unique_ptr<Store> embedded;  // Null where every name has another.
  std::map<std::string, std::unique_ptr<Store>, std::less<>> others;

  Task<void> create(Request request, ContainerName name) override;
  Task<std::unique_ptr<Container>> open(Request request, ContainerName name) override;
  Task<void> remove(Request request, ContainerName name) override;
  Task<bool> exists(Request request, ContainerName name) override;
  // Between two backends the bytes go through this process.
  Task<void> copy(Request request, ObjectId from, ObjectId to) override;
  Task<void> move(Request request, ObjectId from, ObjectId to) override;

 private:
  Store& of(const ContainerName& name);
};

}  // namespace weft::blobstore
