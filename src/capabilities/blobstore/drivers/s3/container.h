#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "capabilities/blobstore/container.h"
#include "capabilities/blobstore/drivers/object_keys.h"
#include "capabilities/blobstore/drivers/s3/client.h"

namespace weft::blobstore::s3 {

// The containers that this process is making just now. Shared by the stores of all loops.
class Making {
 public:
  // False: somebody is at it.
  bool begin(const std::string& prefix);
  void end(const std::string& prefix);

 private:
  std::mutex mutex_;
  std::set<std::string> prefixes_;
};

// A container as one loop reaches it: its prefix in the bucket. One that weft made has a marker,
// whose etag tells it from one of that name before; a place that the operator names has none and is
// always there.
class S3Container final : public Container {
 public:
  S3Container(std::shared_ptr<Client> client, ContainerName name);

  Task<ContainerInfo> info(Request request) override;
  Task<std::unique_ptr<ObjectReader>> read(Request request, std::string name, Range range) override;
  Task<std::unique_ptr<ObjectWriter>> write(Request request, std::string name) override;
  Task<Page> list(Request request, std::string after) override;
  Task<void> erase(Request request, std::vector<std::string> names) override;
  Task<std::optional<ObjectInfo>> find(Request request, std::string name) override;
  Task<void> clear(Request request) override;

  // Which container of that name is there now. kNotFound where none is.
  Task<std::string> version(Request request);
  const ObjectKeys& keys() const { return keys_; }
  const ContainerName& name() const { return name_; }

 private:
  struct Names {
    std::vector<std::string> names;
    bool more = false;
  };
  bool made() const;
  Task<Names> plain_names(Request request, std::string after);
  Task<Names> special_names(Request request, std::string after);
  Task<Names> hashed_names(Request request, std::string spelled, std::string after);

  std::shared_ptr<Client> client_;  // Shared by all of the loop.
  const ContainerName name_;
  const ObjectKeys keys_;
};

class S3Store final : public Store {
 public:
  S3Store(std::shared_ptr<Client> client, std::shared_ptr<Making> making)
      : client_(std::move(client)), making_(std::move(making)) {}

  Task<void> create(Request request, ContainerName name) override;
  Task<std::unique_ptr<Container>> open(Request request, ContainerName name) override;
  Task<void> remove(Request request, ContainerName name) override;
  Task<bool> exists(Request request, ContainerName name) override;
  Task<void> copy(Request request, ObjectId from, ObjectId to) override;
  Task<void> move(Request request, ObjectId from, ObjectId to) override;

 private:
  bool made() const { return !client_->settings().prefix; }

  std::shared_ptr<Client> client_;  // Shared by all of the loop.
  std::shared_ptr<Making> making_;  // Shared by all loops.
};

}  // namespace weft::blobstore::s3
