#pragma once

#include <memory>
#include <optional>
#include <string>

#include "capabilities/blobstore/container.h"
#include "capabilities/blobstore/drivers/object_keys.h"
#include "remote/azure/blobs.h"

namespace weft::blobstore::azure {

// What an operator sets: see the README of this folder.
struct Settings {
  static constexpr std::size_t kPartBytesByDefault = std::size_t{8} << 20;

  remote::azure::Settings server = {};
  std::optional<std::string> prefix = {};  // The one place of a container that is there already.
  std::size_t part_bytes = kPartBytesByDefault;
};

// What the containers of one loop have in common.
struct Place {
  std::shared_ptr<remote::azure::Blobs> blobs;  // Shared by all of the loop.
  std::shared_ptr<const Settings> settings;     // Shared by all loops.

  // One that weft makes has a marker, see AzureContainer.
  bool made() const { return !settings->prefix; }
  ObjectKeys keys_of(const ContainerName& name) const;
};

// Whether a name of an object can be that of a blob: no backslashes, no segment with a dot at its
// end, not too many segments, and characters below U+D800, whose order in UTF-16 is that of their
// bytes in UTF-8.
bool is_blob_name(std::string_view name);

// A container as one loop reaches it: its prefix in the account's container. One that weft made
// has a marker, whose ETag tells it from one of that name before; a place that the operator names
// has none and is always there.
class AzureContainer final : public Container {
 public:
  AzureContainer(Place place, ContainerName name);

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
  Task<Names> plain_names(Request request, std::string after);
  Task<Names> special_names(Request request, std::string after);
  Task<Names> hashed_names(Request request, std::string spelled, std::string after);

  const Place place_;
  const ContainerName name_;
  const ObjectKeys keys_;
};

class AzureStore final : public Store {
 public:
  explicit AzureStore(Place place) : place_(std::move(place)) {}

  Task<void> create(Request request, ContainerName name) override;
  Task<std::unique_ptr<Container>> open(Request request, ContainerName name) override;
  Task<void> remove(Request request, ContainerName name) override;
  Task<bool> exists(Request request, ContainerName name) override;
  Task<void> copy(Request request, ObjectId from, ObjectId to) override;
  Task<void> move(Request request, ObjectId from, ObjectId to) override;

 private:
  const Place place_;
};

}  // namespace weft::blobstore::azure
