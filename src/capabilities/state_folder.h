#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace weft {

// The folder in which a host keeps what must outlive it.
//
// Holds the folder for one process, by a lock on the folder itself and one on a file in it, which
// may be deleted by mistake: a second open fails and names the first one's pid. The folder
// carries the version of its layout in the file `format`; a folder that holds somebody else's files
// is refused and left as it is. Movable, one owner; drivers keep their files in folders of their
// own below `path()` and must be gone before it is closed.
class StateFolder {
 public:
  static constexpr int kFormat = 1;

  // Makes the folder, its parents too, when it is not there.
  static Result<StateFolder> open(std::filesystem::path path);
  // Makes sure that it is there and a state folder of weft, and does not hold it: for what may be
  // changed beside the process that does.
  static Result<void> prepare(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  // The folder `name` in it, made when it is not there.
  Result<std::filesystem::path> subfolder(std::string_view name) const;

 private:
  StateFolder(std::filesystem::path path, Fd folder, Fd owner)
      : path_(std::move(path)), folder_lock_(std::move(folder)), owner_lock_(std::move(owner)) {}

  std::filesystem::path path_;
  Fd folder_lock_;
  Fd owner_lock_;
};

// The state folder of a host that may never need one: taken when the first capability asks.
//
// One per process, on the thread that loads components.
class StateFolderOnDemand {
 public:
  explicit StateFolderOnDemand(std::filesystem::path path) : path_(std::move(path)) {}

  // Says where it is, before it was asked for: an operator's file that names it is read by those
  // who know the capabilities. kFirm: whatever a file says later.
  enum class Place : unsigned char { kLoose, kFirm };
  void move_to(std::filesystem::path path, Place place = Place::kFirm);
  const std::filesystem::path& path() const { return path_; }
  // The same, or `other` where that names one and the place is loose.
  std::filesystem::path path_or(const std::filesystem::path& other) const {
    return place_ == Place::kFirm || other.empty() ? path_ : other;
  }
  // The folder `name` in the state folder.
  Result<std::filesystem::path> subfolder(std::string_view name);

 private:
  std::filesystem::path path_;
  Place place_ = Place::kLoose;
  std::optional<StateFolder> folder_;
};

// Flushes a folder's list of names to the disk: a new file is only there after a power cut when its
// folder was flushed.
Result<void> sync_folder(const std::filesystem::path& folder);

}  // namespace weft
