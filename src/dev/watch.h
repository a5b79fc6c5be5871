#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/fd.h"

namespace weft {

// What the files of an app were at one moment: their lengths and a hash of their contents.
//
// Left out are folders that builds write to (build, target, node_modules, __pycache__, those that
// begin with a dot) and the files named in `without`.
class Snapshot {
 public:
  // So many files are looked at.
  static constexpr std::size_t kFilesMax = 20'000;
  // Of longer ones the length and the time count, and not what is in them.
  static constexpr std::uint64_t kReadMax = 1 << 20;

  static Snapshot of(const std::string& folder, const std::set<std::string>& without);

  // A file that is another one, there or not there; empty: none.
  std::string difference(const Snapshot& other) const;

 private:
  std::map<std::string, std::uint64_t> files_;
};

// Folders that builds write to.
bool is_build_folder(const std::string& name);

// Tells when something below a folder changes: once the changes pause for kPause, from a thread of
// its own.
class Watch {
 public:
  static constexpr std::chrono::milliseconds kPause{15};
  static constexpr std::size_t kFoldersMax = 4096;

  // `changed` is called on the watch's thread, and not after the destructor.
  static Result<std::unique_ptr<Watch>> start(const std::string& folder,
                                              std::function<void()> changed);
  ~Watch();

 private:
  Watch(std::string folder, std::function<void()> changed);
  void add(const std::string& folder);
  void run(std::stop_token stop);
  bool take_events();

  std::string folder_;
  std::function<void()> changed_;
  Fd events_;
  std::map<int, std::string> folders_;  // By the watch's number.
  std::jthread thread_;
};

}  // namespace weft
