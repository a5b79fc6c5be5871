#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "capabilities/blobstore/container.h"

namespace weft::blobstore {

// An object that is open for reading: the bytes stay, whatever becomes of its name.
struct OpenFile {
  Fd file;
  Extent extent;
};

// A file beside the objects that is to become one of them. Dropped without it stays behind: whoever
// drops it calls FileDisk::discard, or the next start sweeps it.
struct Draft {
  Fd file;
  std::string path;
};

// Containers as folders and objects as files, whole at any moment: every function blocks, and holds
// across a power cut when it has returned. The folder belongs to this process alone.
//
//   ROOT/CONTAINER/.container   there as long as the container is; its time is the container's
//   ROOT/CONTAINER/NAME         one object; .draft-N: one that is being written
//   ROOT/.trash/N               a container that was deleted
//
// From any thread.
class FileDisk {
 public:
  explicit FileDisk(std::filesystem::path root) : root_(std::move(root)) {}

  // Removes what an earlier process left half done.
  Result<void> sweep();

  Result<void> create(const ContainerName& name);
  Result<ContainerInfo> info(const ContainerName& name);
  Result<bool> exists(const ContainerName& name);
  Result<void> remove(const ContainerName& name, Deadline deadline);

  Result<OpenFile> open(const ContainerName& container, const std::string& name, Range range);
  Result<Bytes> read(const OpenFile& file, std::uint64_t done) const;

  Result<Draft> begin(const ContainerName& container);
  Result<void> write(const Draft& draft, BytesView part) const;
  Result<void> commit(const Draft& draft, const ContainerName& container, const std::string& name);
  void discard(const std::string& draft) const;

  Result<Page> list(const ContainerName& container, const std::string& after);
  Result<std::optional<ObjectInfo>> find(const ContainerName& container, const std::string& name);
  Result<void> erase(const ContainerName& container, const std::vector<std::string>& names,
                     Deadline deadline);
  Result<void> clear(const ContainerName& container, Deadline deadline);
  Result<void> move(const ObjectId& from, const ObjectId& to);

 private:
  std::string folder_of(const ContainerName& name) const;
  std::string trash() const;
  Result<void> check_there(const ContainerName& name) const;
  Result<Draft> draft_in(const std::string& folder);
  Result<std::string> write_name(const std::string& folder, const std::string& name);
  Result<void> put_in_place(const std::string& path, const ContainerName& container,
                            const std::string& name);
  Result<bool> unlink_object(const std::string& folder, const std::string& file);
  void drop_name(const std::string& folder, const std::string& file);

  const std::filesystem::path root_;
  // Held for a change of names that is more than one system call, never for a flush.
  std::mutex names_;
  std::atomic<std::uint64_t> next_draft_ = 0;
};

}  // namespace weft::blobstore
