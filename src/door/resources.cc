#include "door/resources.h"

#include <fmt/format.h>

#include "base/check.h"

namespace weft {

void Resource::dispose(std::unique_ptr<Resource> resource) {
  if (resource == nullptr || resource->pins_ == 0) return;
  resource->orphan_ = true;
  static_cast<void>(resource.release());
}

ResourceTable::~ResourceTable() {
  for (Entry& entry : entries_) Resource::dispose(std::move(entry.resource));
}

Result<std::uint32_t> ResourceTable::push(ResourceKind kind, std::unique_ptr<Resource> resource) {
  CHECK(resource != nullptr);
  if (open_ >= limit_) {
    return failure(Errc::kLimit,
                   fmt::format("{} handles are open, and no more than {} may be", open_, limit_));
  }
  std::uint32_t number = 0;
  if (free_.empty()) {
    number = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
    // Room for every number to come back, so that a drop never allocates.
    if (free_.capacity() < entries_.size()) free_.reserve(entries_.capacity());
  } else {
    number = free_.back();
    free_.pop_back();
  }
  entries_[number] = {kind, std::move(resource)};
  ++open_;
  return number;
}

Result<Resource*> ResourceTable::find(ResourceKind kind, std::uint32_t number) {
  if (number >= entries_.size() || entries_[number].resource == nullptr) {
    return failure(Errc::kInvalid, fmt::format("handle {} is not open", number));
  }
  if (entries_[number].kind != kind) {
    return failure(Errc::kInvalid, fmt::format("handle {} is of another resource type", number));
  }
  return entries_[number].resource.get();
}

Result<Resource*> ResourceTable::get(ResourceKind kind, std::uint32_t number) {
  return find(kind, number);
}

Result<std::unique_ptr<Resource>> ResourceTable::take(ResourceKind kind, std::uint32_t number) {
  TRY(Resource * resource, find(kind, number));
  if (resource->pins_ != 0) {
    return failure(Errc::kConflict,
                   fmt::format("handle {} is lent to a call that has not ended yet", number));
  }
  std::unique_ptr<Resource> taken = std::move(entries_[number].resource);
  entries_[number].kind = nullptr;
  free_.push_back(number);
  --open_;
  return taken;
}

void ResourceTable::drop(std::uint32_t number) {
  if (number >= entries_.size() || entries_[number].resource == nullptr) return;
  std::unique_ptr<Resource> resource = std::move(entries_[number].resource);
  entries_[number].kind = nullptr;
  free_.push_back(number);
  --open_;
  Resource::dispose(std::move(resource));
}

}  // namespace weft
