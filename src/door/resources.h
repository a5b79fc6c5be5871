#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"

namespace weft {

class PipeTable;

// Tells one kind of resource from another: the address of a constant that the kind's generated
// binding defines. Two bindings of one WIT resource never share a kind.
using ResourceKind = const void*;

// A thing a guest holds a handle to. The table owns it until the guest drops the handle.
class Resource {
 public:
  Resource() = default;
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;
  virtual ~Resource() = default;

  // Destroys the resource: now, or when the last pin is gone.
  static void dispose(std::unique_ptr<Resource> resource);

 private:
  friend class ResourcePin;
  friend class ResourceTable;
  std::uint32_t pins_ = 0;
  bool orphan_ = false;
};

// Keeps a lent resource alive while a call that waits works on it: the guest may drop the handle of
// a call it has cancelled, before that call has unwound. On the resource's loop.
class ResourcePin {
 public:
  explicit ResourcePin(Resource& resource) : resource_(&resource) { ++resource.pins_; }
  ResourcePin(ResourcePin&& other) noexcept : resource_(std::exchange(other.resource_, nullptr)) {}
  ResourcePin& operator=(ResourcePin&&) = delete;
  ~ResourcePin() {
    if (resource_ != nullptr && --resource_->pins_ == 0 && resource_->orphan_) delete resource_;
  }

 private:
  Resource* resource_;
};

// The resources of one component instance, by the 32-bit number under which they cross the door.
//
// One owner (the instance's Context), one loop. A number is checked against the kind it is used as:
// a wrong or stale one is an error for that guest and nothing else. Freed numbers are used again.
class ResourceTable {
 public:
  static constexpr std::uint32_t kHandlesMax = 65'536;

  ResourceTable() = default;
  ResourceTable(const ResourceTable&) = delete;
  ResourceTable& operator=(const ResourceTable&) = delete;
  ~ResourceTable();

  // Fails with kLimit when `limit` resources are open.
  Result<std::uint32_t> push(ResourceKind kind, std::unique_ptr<Resource> resource);
  // The resource lent for one call. It lives until the handle is dropped or taken.
  Result<Resource*> get(ResourceKind kind, std::uint32_t number);
  // Takes the resource out: what an `own` parameter does. Fails with kConflict while a call that
  // waits still works on it.
  Result<std::unique_ptr<Resource>> take(ResourceKind kind, std::uint32_t number);
  // What the guest's drop of a handle does. Nothing happens for a number that is not in use.
  void drop(std::uint32_t number);

  std::uint32_t size() const { return open_; }
  // Where the ends of pipes cross by number; null where none can.
  PipeTable* pipes() const { return pipes_; }
  void set_pipes(PipeTable& pipes) { pipes_ = &pipes; }
  void set_limit(std::uint32_t limit) { limit_ = limit; }

 private:
  Result<Resource*> find(ResourceKind kind, std::uint32_t number);

  struct Entry {
    ResourceKind kind = nullptr;
    std::unique_ptr<Resource> resource;
  };
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::uint32_t open_ = 0;
  std::uint32_t limit_ = kHandlesMax;
  PipeTable* pipes_ = nullptr;
};

}  // namespace weft
