#include "capabilities/blobstore/drivers/memory.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

namespace weft::blobstore {
namespace {

using ObjectPtr = std::shared_ptr<const MemoryObject>;

std::uint64_t seconds_now() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(since).count());
}

Result<std::shared_ptr<MemoryContainer>> find_container(MemoryBlobs& blobs,
                                                        const ContainerName& name) {
  auto found = blobs.containers.find(name);
  if (found == blobs.containers.end()) return no_container(name.name);
  return found->second;
}

// Under the lock.
Result<void> put_object(MemoryBlobs& blobs, MemoryContainer& container, const std::string& name,
                        ObjectPtr object) {
  auto found = container.objects.find(name);
  if (found == container.objects.end()) {
    MemoryShare share(blobs.budget);
    TRY_VOID(share.take(name.size() + MemoryBlobs::kNameCost));
    MemoryContainer::Entry entry{nullptr, 0, std::move(share)};
    found = container.objects.emplace(name, std::move(entry)).first;
  }
  found->second.object = std::move(object);
  found->second.created_at = seconds_now();
  return {};
}

class MemoryReader final : public ObjectReader {
 public:
  MemoryReader(ObjectPtr object, Extent extent)
      : object_(std::move(object)), size_(extent.size), left_(extent.size), skip_(extent.offset) {
    while (left_ > 0 && skip_ >= object_->parts[part_].size())
      skip_ -= object_->parts[part_++].size();
  }

  std::uint64_t size() const override { return size_; }
  Task<Bytes> read(Request) override {
    if (left_ == 0) co_return Bytes();
    const Bytes& part = object_->parts[part_];
    BytesView view = BytesView(part).subspan(skip_);
    view = view.first(std::min({view.size(), kPartBytesMax, static_cast<std::size_t>(left_)}));
    left_ -= view.size();
    skip_ += view.size();
    if (skip_ == part.size()) {
      ++part_;
      skip_ = 0;
    }
    co_return Bytes(view.begin(), view.end());
  }

 private:
  ObjectPtr object_;  // Shared with the container, where it may be replaced.
  std::uint64_t size_;
  std::uint64_t left_;
  std::size_t part_ = 0;
  std::size_t skip_;
};

class MemoryWriter final : public ObjectWriter {
 public:
  MemoryWriter(std::shared_ptr<MemoryBlobs> blobs, std::shared_ptr<MemoryContainer> container,
               ContainerName place, std::string name)
      : blobs_(std::move(blobs)),
        container_(std::move(container)),
        place_(std::move(place)),
        name_(std::move(name)),
        object_(std::make_shared<MemoryObject>(blobs_->budget)) {}

  Task<void> write(Request, Bytes part) override {
    if (part.empty()) co_return Result<void>();
    CO_TRY_VOID(object_->share.take(part.size()));
    object_->size += part.size();
    object_->parts.push_back(std::move(part));
    co_return Result<void>();
  }

  Task<void> commit(Request request) override {
    CO_TRY_VOID(check_begin(request.deadline));
    std::lock_guard hold(blobs_->mutex);
    auto there = find_container(*blobs_, place_);
    if (!there || *there != container_) co_return no_container(place_.name);
    co_return put_object(*blobs_, *container_, name_, std::move(object_));
  }

 private:
  std::shared_ptr<MemoryBlobs> blobs_;  // Shared with every store, container and writer.
  std::shared_ptr<MemoryContainer> container_;
  ContainerName place_;
  std::string name_;
  std::shared_ptr<MemoryObject> object_;  // To be shared once it is committed.
};

class OpenMemoryContainer final : public Container {
 public:
  OpenMemoryContainer(std::shared_ptr<MemoryBlobs> blobs, ContainerName name)
      : blobs_(std::move(blobs)), name_(std::move(name)) {}

  Task<ContainerInfo> info(Request) override {
    return at_once<ContainerInfo>([](Self& self) -> Result<ContainerInfo> {
      return ContainerInfo{self.container->created_at};
    });
  }

  Task<std::unique_ptr<ObjectReader>> read(Request, std::string name, Range range) override {
    using Opened = std::unique_ptr<ObjectReader>;
    return at_once<Opened>([name = std::move(name), range](Self& self) -> Result<Opened> {
      TRY_VOID(check_object(name));
      auto found = self.container->objects.find(name);
      if (found == self.container->objects.end()) return no_object(self.name.name, name);
      const ObjectPtr& object = found->second.object;
      return std::make_unique<MemoryReader>(object, clamp(range, object->size));
    });
  }

  Task<std::unique_ptr<ObjectWriter>> write(Request request, std::string name) override {
    using Opened = std::unique_ptr<ObjectWriter>;
    return at_once<Opened>([request, name = std::move(name)](Self& self) -> Result<Opened> {
      TRY_VOID(check_object(name));
      TRY_VOID(check_begin(request.deadline));
      return std::make_unique<MemoryWriter>(self.blobs, self.container, self.name, name);
    });
  }

  Task<Page> list(Request, std::string after) override {
    return at_once<Page>([after = std::move(after)](Self& self) -> Result<Page> {
      Page page;
      std::size_t bytes = 0;
      auto& objects = self.container->objects;
      for (auto at = objects.upper_bound(after); at != objects.end(); ++at) {
        bytes += at->first.size();
        page.more = bytes > kPageBytesMax && !page.names.empty();
        if (page.more) break;
        page.names.push_back(at->first);
      }
      return page;
    });
  }

  Task<void> erase(Request request, std::vector<std::string> names) override {
    return at_once<void>([request, names = std::move(names)](Self& self) -> Result<void> {
      TRY_VOID(check_names(names));
      TRY_VOID(check_begin(request.deadline));
      for (const std::string& name : names) self.container->objects.erase(name);
      return {};
    });
  }

  Task<std::optional<ObjectInfo>> find(Request, std::string name) override {
    using Found = std::optional<ObjectInfo>;
    return at_once<Found>([name = std::move(name)](Self& self) -> Result<Found> {
      TRY_VOID(check_object(name));
      auto found = self.container->objects.find(name);
      if (found == self.container->objects.end()) return Found();
      return Found(ObjectInfo{found->second.object->size, found->second.created_at});
    });
  }

  Task<void> clear(Request request) override {
    return at_once<void>([request](Self& self) -> Result<void> {
      TRY_VOID(check_begin(request.deadline));
      self.container->objects.clear();
      return {};
    });
  }

 private:
  struct Self {
    std::shared_ptr<MemoryBlobs> blobs;
    std::shared_ptr<MemoryContainer> container;
    ContainerName name;
  };

  // Runs `work` under the lock, unless the container is gone.
  template <class T, class Work>
  Task<T> at_once(Work work) {
    std::lock_guard hold(blobs_->mutex);
    CO_TRY(auto container, find_container(*blobs_, name_));
    Self self{blobs_, std::move(container), name_};
    co_return work(self);
  }

  std::shared_ptr<MemoryBlobs> blobs_;  // Shared with the store and its other containers.
  ContainerName name_;
};

}  // namespace

Result<void> MemoryShare::take(std::size_t bytes) {
  if (budget_->bytes_.fetch_add(bytes) + bytes <= budget_->bytes_max_) {
    bytes_ += bytes;
    return {};
  }
  budget_->bytes_ -= bytes;
  return failure(Errc::kFull,
                 fmt::format("the memory store is at its bound of {} bytes", budget_->bytes_max_));
}

Task<void> MemoryStore::create(Request request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  CO_TRY_VOID(check_begin(request.deadline));
  std::lock_guard hold(blobs_->mutex);
  if (blobs_->containers.contains(name)) co_return container_there(name.name);
  auto container = std::make_shared<MemoryContainer>(blobs_->budget);
  CO_TRY_VOID(container->share.take(MemoryBlobs::kNameCost));
  container->created_at = seconds_now();
  blobs_->containers.emplace(std::move(name), std::move(container));
  co_return Result<void>();
}

Task<std::unique_ptr<Container>> MemoryStore::open(Request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  std::lock_guard hold(blobs_->mutex);
  CO_TRY_VOID(find_container(*blobs_, name));
  co_return std::make_unique<OpenMemoryContainer>(blobs_, std::move(name));
}

Task<void> MemoryStore::remove(Request request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  CO_TRY_VOID(check_begin(request.deadline));
  std::lock_guard hold(blobs_->mutex);
  CO_TRY_VOID(find_container(*blobs_, name));
  blobs_->containers.erase(name);
  co_return Result<void>();
}

Task<bool> MemoryStore::exists(Request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  std::lock_guard hold(blobs_->mutex);
  co_return blobs_->containers.contains(name);
}

Result<void> MemoryStore::put(const ObjectId& from, const ObjectId& to, Source source) {
  TRY_VOID(check_object(from));
  TRY_VOID(check_object(to));
  std::lock_guard hold(blobs_->mutex);
  TRY(auto old_place, find_container(*blobs_, from.container));
  TRY(auto new_place, find_container(*blobs_, to.container));
  auto found = old_place->objects.find(from.object);
  if (found == old_place->objects.end()) return no_object(from.container.name, from.object);
  if (from == to) return {};
  TRY_VOID(put_object(*blobs_, *new_place, to.object, found->second.object));
  if (source == Source::kGoes) old_place->objects.erase(found);
  return {};
}

Task<void> MemoryStore::copy(Request request, ObjectId from, ObjectId to) {
  CO_TRY_VOID(check_begin(request.deadline));
  co_return put(from, to, Source::kStays);
}

Task<void> MemoryStore::move(Request request, ObjectId from, ObjectId to) {
  CO_TRY_VOID(check_begin(request.deadline));
  co_return put(from, to, Source::kGoes);
}

}  // namespace weft::blobstore
