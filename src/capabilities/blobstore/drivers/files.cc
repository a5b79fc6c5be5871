#include "capabilities/blobstore/drivers/files.h"

#include <utility>

#include "io/blocking.h"

namespace weft::blobstore {
namespace {

using Files = std::shared_ptr<BlobFiles>;
using Disk = std::shared_ptr<FileDisk>;

class FileReader final : public ObjectReader {
 public:
  FileReader(Files files, OpenFile file)
      : files_(std::move(files)),
        size_(file.extent.size),
        file_(std::make_shared<OpenFile>(std::move(file))) {}

  std::uint64_t size() const override { return size_; }
  Task<Bytes> read(Request request) override {
    if (done_ == size_) co_return Bytes();
    auto work = [disk = files_->disk(), file = file_, done = done_] {
      return disk->read(*file, done);
    };
    CO_TRY(Bytes part, co_await blocking(files_->pool(), request.loop, std::move(work)));
    done_ += part.size();
    co_return part;
  }

 private:
  Files files_;  // Shared with everything that is open.
  std::uint64_t size_;
  std::uint64_t done_ = 0;
  std::shared_ptr<OpenFile> file_;  // Shared with a read that a thread is at.
};

class FileWriter final : public ObjectWriter {
 public:
  FileWriter(Files files, Draft draft, ContainerName container, std::string name)
      : files_(std::move(files)),
        container_(std::move(container)),
        name_(std::move(name)),
        path_(draft.path),
        draft_(std::make_shared<Draft>(std::move(draft))) {}
  FileWriter(const FileWriter&) = delete;
  // A draft that does not go now, because too much waits or the pool is closed, goes at the next
  // start.
  ~FileWriter() override {
    if (path_.empty()) return;
    static_cast<void>(files_->pool().submit(
        [disk = files_->disk(), draft = std::move(draft_), path = path_] { disk->discard(path); }));
  }

  Task<void> write(Request request, Bytes part) override {
    auto work = [disk = files_->disk(), draft = draft_, part = std::move(part)] {
      return disk->write(*draft, part);
    };
    co_return co_await blocking(files_->pool(), request.loop, std::move(work));
  }

  Task<void> commit(Request request) override {
    auto work = [disk = files_->disk(), draft = draft_, container = container_, name = name_,
                 deadline = request.deadline]() -> Result<void> {
      TRY_VOID(check_begin(deadline));
      return disk->commit(*draft, container, name);
    };
    CO_TRY_VOID(co_await blocking(files_->pool(), request.loop, std::move(work)));
    path_.clear();
    co_return Result<void>();
  }

 private:
  Files files_;  // Shared with everything that is open.
  ContainerName container_;
  std::string name_;
  std::string path_;              // Empty once it is an object.
  std::shared_ptr<Draft> draft_;  // Shared with a write that a thread is at.
};

class FileContainer final : public Container {
  // On a thread of the pool.
  template <class F>
  auto on_disk(Request request, F work) {
    return blocking(files_->pool(), request.loop,
                    [disk = files_->disk(), name = name_, work = std::move(work)]() mutable {
                      return work(*disk, name);
                    });
  }

 public:
  FileContainer(Files files, ContainerName name)
      : files_(std::move(files)), name_(std::move(name)) {}

  Task<ContainerInfo> info(Request request) override {
    return on_disk(request, [](FileDisk& disk, const ContainerName& at) { return disk.info(at); });
  }

  Task<std::unique_ptr<ObjectReader>> read(Request request, std::string name,
                                           Range range) override {
    auto open = [name = std::move(name), range](FileDisk& disk, const ContainerName& at) {
      return disk.open(at, name, range);
    };
    CO_TRY(auto file, co_await on_disk(request, std::move(open)));
    co_return std::make_unique<FileReader>(files_, std::move(file));
  }

  Task<std::unique_ptr<ObjectWriter>> write(Request request, std::string name) override {
    CO_TRY_VOID(check_object(name));
    auto begin = [deadline = request.deadline](FileDisk& disk,
                                               const ContainerName& at) -> Result<Draft> {
      TRY_VOID(check_begin(deadline));
      return disk.begin(at);
    };
    CO_TRY(auto draft, co_await on_disk(request, begin));
    co_return std::make_unique<FileWriter>(files_, std::move(draft), name_, std::move(name));
  }

  Task<Page> list(Request request, std::string after) override {
    return on_disk(request, [after = std::move(after)](FileDisk& disk, const ContainerName& at) {
      return disk.list(at, after);
    });
  }

  Task<void> erase(Request request, std::vector<std::string> names) override {
    return on_disk(request,
                   [names = std::move(names), deadline = request.deadline](
                       FileDisk& disk, const ContainerName& at) -> Result<void> {
                     TRY_VOID(check_begin(deadline));
                     return disk.erase(at, names, deadline);
                   });
  }

  Task<std::optional<ObjectInfo>> find(Request request, std::string name) override {
    return on_disk(request, [name = std::move(name)](FileDisk& disk, const ContainerName& at) {
      return disk.find(at, name);
    });
  }

  Task<void> clear(Request request) override {
    return on_disk(
        request,
        [deadline = request.deadline](FileDisk& disk, const ContainerName& at) -> Result<void> {
          TRY_VOID(check_begin(deadline));
          return disk.clear(at, deadline);
        });
  }

 private:
  Files files_;  // Shared with the store and its other containers.
  ContainerName name_;
};

}  // namespace

Result<std::shared_ptr<BlobFiles>> BlobFiles::open(const std::filesystem::path& folder) {
  auto disk = std::make_shared<FileDisk>(folder);
  TRY_VOID(disk->sweep());
  return std::shared_ptr<BlobFiles>(new BlobFiles(std::move(disk)));
}

Task<void> FileStore::create(Request request, ContainerName name) {
  return blocking(files_->pool(), request.loop,
                  [disk = files_->disk(), name = std::move(name),
                   deadline = request.deadline]() -> Result<void> {
                    TRY_VOID(check_begin(deadline));
                    return disk->create(name);
                  });
}

Task<std::unique_ptr<Container>> FileStore::open(Request request, ContainerName name) {
  CO_TRY(bool there, co_await exists(request, name));
  if (!there) co_return no_container(name.name);
  co_return std::make_unique<FileContainer>(files_, std::move(name));
}

Task<void> FileStore::remove(Request request, ContainerName name) {
  return blocking(files_->pool(), request.loop,
                  [disk = files_->disk(), name = std::move(name), deadline = request.deadline] {
                    return disk->remove(name, deadline);
                  });
}

Task<bool> FileStore::exists(Request request, ContainerName name) {
  return blocking(files_->pool(), request.loop,
                  [disk = files_->disk(), name = std::move(name)] { return disk->exists(name); });
}

Task<void> FileStore::copy(Request request, ObjectId from, ObjectId to) {
  CO_TRY_VOID(check_object(from));
  CO_TRY_VOID(check_object(to));
  FileContainer source(files_, from.container);
  FileContainer target(files_, to.container);
  if (from == to) {
    CO_TRY(auto there, co_await source.find(request, from.object));
    if (!there) co_return no_object(from.container.name, from.object);
    co_return Result<void>();
  }
  co_return co_await copy_through(request, source, from.object, target, to.object);
}

Task<void> FileStore::move(Request request, ObjectId from, ObjectId to) {
  return blocking(files_->pool(), request.loop,
                  [disk = files_->disk(), from = std::move(from), to = std::move(to),
                   deadline = request.deadline]() -> Result<void> {
                    TRY_VOID(check_begin(deadline));
                    return disk->move(from, to);
                  });
}

}  // namespace weft::blobstore
