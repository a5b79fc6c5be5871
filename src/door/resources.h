#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.h"

namespace weft {

// Tells one kind of resource from another: the address of a constant that the kind's generated
// binding defines. Two bindings of one WIT resource never share a kind.
using ResourceKind = const void*;

// A thing a guest holds a handle to. The table owns it until the guest drops the handle.
class Resource {
 public:
  virtual ~Resource() = default;
};

// The resources of one component instance, by the 32-bit number under which they cross the door.
//
// One owner (the instance's Context), one loop. A number is checked against the kind it is used as:
// a wrong or stale one is an error for that guest and nothing else. Freed numbers are used again.
class ResourceTable {
 public:
  static constexpr std::uint32_t kHandlesMax = 65'536;

  // Fails with kLimit when `limit` resources are open.
  Result<std::uint32_t> push(ResourceKind kind, std::unique_ptr<Resource> resource);
  // The resource lent for one call. It lives until the handle is dropped or taken.
  Result<Resource*> get(ResourceKind kind, std::uint32_t number);
  // Takes the resource out: what an `own` parameter does.
  Result<std::unique_ptr<Resource>> take(ResourceKind kind, std::uint32_t number);
  // What the guest's drop of a handle does. Nothing happens for a number that is not in use.
  void drop(std::uint32_t number);

  std::uint32_t size() const { return open_; }
  void set_limit(std::uint32_t limit) { limit_ = limit; }

 private:
  struct Entry {
    ResourceKind kind = nullptr;
    std::unique_ptr<Resource> resource;
  };
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::uint32_t open_ = 0;
  std::uint32_t limit_ = kHandlesMax;
};

}  // namespace weft
