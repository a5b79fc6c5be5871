#include "blob_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "capabilities/blobstore/backend.h"
#include "io/loop.h"
#include "io/test_task.h"

namespace weft::powercut {
namespace {

using blobstore::Container;
using blobstore::ContainerName;
using blobstore::ObjectId;
using blobstore::Request;

constexpr std::uint64_t kObjects = 12;

struct BlobOperation {
  enum class Kind : std::uint8_t { kPut, kErase, kPutAndMove };
  Kind kind;
  std::string name;
  std::string data;  // Begins with "<n>:"; the rest follows from n.
};

BlobOperation blob_operation(std::uint64_t seed, std::uint64_t n) {
  std::mt19937_64 chance(seed * 1'000'003 + n);
  BlobOperation operation;
  auto number = chance() % kObjects;
  // Some have names that no file can have.
  operation.name = fmt::format("{}/{}", number, std::string(number % 3 == 0 ? 500 : 3, 'n'));
  auto kind = chance() % 6;
  operation.kind = kind == 0   ? BlobOperation::Kind::kErase
                   : kind == 1 ? BlobOperation::Kind::kPutAndMove
                               : BlobOperation::Kind::kPut;
  std::size_t size = chance() % 4 == 0 ? chance() % 150'000 : chance() % 100;
  operation.data = fmt::format("{}:", n);
  while (operation.data.size() < size) operation.data += fmt::format("{:x}", chance());
  return operation;
}

const ContainerName kContainer{"app", "powercut"};

// A folder's objects, opened by one loop.
class Objects {
 public:
  static Result<std::unique_ptr<Objects>> open(const std::filesystem::path& folder) {
    auto objects = std::make_unique<Objects>(folder);
    TRY_VOID(objects->backend_->open());
    objects->store_ = objects->backend_->store(objects->loop_);
    return objects;
  }
  explicit Objects(const std::filesystem::path& folder)
      : state_(folder), backend_(blobstore::files_backend(state_)) {}
  ~Objects() {
    // The loop outlives what posts to it.
    backend_.reset();
  }

  template <class T>
  Result<T> wait(Task<T> task) {
    return testing::run_task(loop_, std::move(task));
  }
  Request request() { return {loop_, Deadline::never()}; }
  blobstore::Store& store() { return *store_; }

  Result<void> put(Container& container, const std::string& name, std::string_view data) {
    TRY(auto writer, wait(container.write(request(), name)));
    for (; !data.empty(); data.remove_prefix(std::min(data.size(), blobstore::kPartBytesMax))) {
      auto part = data.substr(0, blobstore::kPartBytesMax);
      TRY_VOID(wait(writer->write(request(), to_bytes(part))));
    }
    return wait(writer->commit(request()));
  }
  Result<std::string> get(Container& container, const std::string& name) {
    TRY(auto reader, wait(container.read(request(), name, {})));
    std::string text;
    for (;;) {
      TRY(Bytes part, wait(reader->read(request())));
      if (part.empty()) return text;
      text += as_text(part);
    }
  }

 private:
  Loop loop_;
  StateFolderOnDemand state_;
  std::unique_ptr<blobstore::Backend> backend_;
  std::unique_ptr<blobstore::Store> store_;
};

Result<void> run(Objects& objects, Container& container, const BlobOperation& operation) {
  switch (operation.kind) {
    case BlobOperation::Kind::kErase:
      return objects.wait(container.erase(objects.request(), {operation.name}));
    case BlobOperation::Kind::kPut: return objects.put(container, operation.name, operation.data);
    case BlobOperation::Kind::kPutAndMove: break;
  }
  std::string aside = operation.name + " aside";
  TRY_VOID(objects.put(container, aside, operation.data));
  ObjectId from{kContainer, aside}, to{kContainer, operation.name};
  return objects.wait(objects.store().move(objects.request(), from, to));
}

// `last` was the last operation on the object that was acknowledged, -1 where none was.
Result<void> check_object(Objects& objects, Container& container, std::uint64_t seed,
                          const std::string& name, const std::vector<std::uint64_t>& operations,
                          std::int64_t last) {
  auto data = objects.get(container, name);
  if (data) {
    std::uint64_t n = 0;
    std::from_chars(data->data(), data->data() + data->size(), n);
    bool known = std::ranges::find(operations, n) != operations.end();
    if (!known || blob_operation(seed, n).data != *data) {
      return failure(Errc::kCorrupt, fmt::format("{:.10} holds {:.40}... ({} bytes), which nobody "
                                                 "wrote",
                                                 name, *data, data->size()));
    }
    if (static_cast<std::int64_t>(n) >= last) return {};
  } else {
    if (data.error().code() != Errc::kNotFound) return std::unexpected(data.error());
    if (last < 0) return {};
    for (auto n : operations) {
      bool erased = blob_operation(seed, n).kind == BlobOperation::Kind::kErase;
      if (erased && static_cast<std::int64_t>(n) >= last) return {};
    }
  }
  return failure(Errc::kNotFound,
                 fmt::format("{:.10} holds {:.40}, and operation {} was acknowledged", name,
                             data.value_or("(none)"), last));
}

}  // namespace

Result<void> run_blobs(const std::filesystem::path& folder, std::uint64_t seed, Range range,
                       Promise promise, const std::function<void(std::uint64_t)>& acknowledged) {
  TRY(auto objects, Objects::open(folder));
  TRY(bool there, objects->wait(objects->store().exists(objects->request(), kContainer)));
  if (!there) TRY_VOID(objects->wait(objects->store().create(objects->request(), kContainer)));
  TRY(auto container, objects->wait(objects->store().open(objects->request(), kContainer)));
  for (std::uint64_t n = range.first; n < range.first + range.count; ++n) {
    if (promise == Promise::kTooEarly) acknowledged(n);
    TRY_VOID(run(*objects, *container, blob_operation(seed, n)));
    if (promise == Promise::kWhenDone) acknowledged(n);
  }
  return {};
}

Result<void> check_blobs(const std::filesystem::path& folder, std::uint64_t seed, std::uint64_t end,
                         const std::function<bool(std::uint64_t)>& acknowledged) {
  TRY(auto objects, Objects::open(folder));
  std::map<std::string, std::vector<std::uint64_t>> operations;
  bool any = false;
  for (std::uint64_t n = 0; n < end; ++n) {
    operations[blob_operation(seed, n).name].push_back(n);
    any |= acknowledged(n);
  }
  auto container = objects->wait(objects->store().open(objects->request(), kContainer));
  // Cut before there was anything.
  if (!container && container.error().code() == Errc::kNotFound && !any) return {};
  if (!container) return std::unexpected(container.error());
  for (const auto& [name, numbers] : operations) {
    std::int64_t last = -1;
    for (auto n : numbers) last = acknowledged(n) ? static_cast<std::int64_t>(n) : last;
    TRY_VOID(check_object(*objects, **container, seed, name, numbers, last));
  }
  // Every name that is listed reads back.
  TRY(auto page, objects->wait((*container)->list(objects->request(), "")));
  for (const std::string& name : page.names) TRY_VOID(objects->get(**container, name));
  return {};
}

}  // namespace weft::powercut
