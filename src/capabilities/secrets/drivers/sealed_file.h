#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"
#include "capabilities/secrets/drivers/sealed_format.h"
#include "capabilities/secrets/source.h"

namespace weft::secrets {

// The folder of it in a state folder.
inline constexpr std::string_view kStateFolder = "secrets";

// The secrets of one host, in a folder of their own: the sealed file and the key that it is sealed
// with. Read while it is being written: a write puts a whole new file in the place of the old one.
//
// From any thread. Every read looks whether the file was replaced since.
class SealedFile {
 public:
  static constexpr std::string_view kFileName = "secrets.sealed";
  static constexpr std::string_view kKeyName = "key";

  // Nothing is opened yet, or made. In an empty folder's place there is nothing.
  explicit SealedFile(std::filesystem::path folder) : folder_(std::move(folder)) {}

  const std::filesystem::path& folder() const { return folder_; }

  struct Listed {
    std::string name;
    std::int64_t created = 0;
    std::int64_t changed = 0;
  };

  // kNotFound: there is none of that name, or no file at all.
  Result<Secret> get(std::string_view name);
  // By name.
  Result<std::vector<Listed>> list();
  // Writers wait for each other, kLockMax at most. They make the folder and the key where they are
  // not there. `set` returns whether the name is new, `remove` whether it was there.
  Result<bool> set(std::string_view name, Secret value, std::int64_t now);
  Result<bool> remove(std::string_view name);

  static constexpr std::chrono::seconds kLockMax{10};

 private:
  struct Version {
    dev_t device = 0;
    ino_t file = 0;
    off_t size = 0;
    timespec changed = {};
    bool operator==(const Version& other) const;
  };

  std::filesystem::path file() const { return folder_ / kFileName; }
  std::filesystem::path key_file() const { return folder_ / kKeyName; }
  Result<void> refresh();
  Result<SealedEntries> read();
  Result<SealingKey> read_key() const;
  Result<SealingKey> make_key() const;
  Result<bool> change(const std::function<Result<bool>(SealedEntries&)>& work);

  const std::filesystem::path folder_;
  std::mutex mutex_;
  // Guarded. Absent: there was no file.
  std::optional<Version> version_;
  SealedEntries entries_;
};

// `file`: of a sealed file, under `name`, or where that is empty under the secret's own. The file
// is shared by the sources of a process.
std::unique_ptr<Source> sealed_source(std::shared_ptr<SealedFile> file, std::string name);

}  // namespace weft::secrets
