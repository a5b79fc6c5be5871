#include "dev/sdk_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "base/deadline.h"
#include "base/read_file.h"
#include "base/sha256.h"
#include "dev/embedded.h"

namespace weft {
namespace fs = std::filesystem;

namespace {

// Tells versions of weft apart by their files.
std::string version_of_files() {
  constexpr std::size_t kDigits = 16;
  std::string all;
  for (const EmbeddedFile& file : embedded_files()) {
    for (std::string_view part : {file.path, file.text})
      all += fmt::format("{} {}", part.size(), part);
  }
  return sha256_hex(as_bytes(all)).substr(0, kDigits);
}

struct Package {
  std::string_view prefix;   // How WIT names its interfaces.
  std::string_view version;  // What follows the interface's name.
  std::string_view file;
};

constexpr std::array<Package, 16> kPackages{{
    {"wasi:keyvalue", "@0.2.0-draft", "wit/keyvalue-draft/keyvalue.wit"},
    {"wasi:keyvalue", "@0.2.0-draft2", "wit/keyvalue-draft2/keyvalue.wit"},
    {"wasi:blobstore", "@0.2.0-draft", "wit/blobstore/blobstore.wit"},
    {"wasi:config", "@0.2.0-rc.1", "wit/config/config.wit"},
    {"wasi:logging", "@0.1.0-draft", "wit/logging/logging.wit"},
    {"weft:secrets", "@0.1.0", "wit/secrets/secrets.wit"},
    {"weft:cron", "@0.1.0", "wit/cron/cron.wit"},
    {"weft:lock", "@0.1.0", "wit/lock/lock.wit"},
    {"weft:node", "@0.1.0", "wit/node/node.wit"},
    {"weft:sensor", "@0.1.0", "wit/sensor/sensor.wit"},
    {"weft:sensor-io", "@0.1.0", "wit/sensor/deps/ready.wit"},
    {"weft:sql", "@0.1.0", "wit/sql/sql.wit"},
    {"wasi:sql", "@0.2.0-draft", "wit/wasi-sql/sql.wit"},
    {"wasi:messaging", "@0.2.0-draft", "wit/messaging/messaging.wit"},
    {"wasmcloud:messaging", "@0.2.0", "wit/messaging-wasmcloud/messaging.wit"},
    {"wasmcloud:messaging", "@0.3.0", "wit/messaging-wasmcloud-streams/messaging.wit"},
}};

// The texts of a .wit file, or of all in a folder.
std::string wit_text(const std::string& path) {
  std::string all;
  std::error_code problem;
  if (!fs::is_directory(path, problem)) return read_file(path).value_or("");
  for (fs::recursive_directory_iterator each(path, problem), end; !problem && each != end;
       each.increment(problem)) {
    if (each->path().extension() != ".wit") continue;
    all += read_file(each->path()).value_or("");
    all += '\n';
  }
  return all;
}

// Whether the text names an interface of the package and does not declare the package.
bool uses(std::string_view text, const Package& package) {
  if (text.find(fmt::format("package {}", package.prefix)) != text.npos) return false;
  std::string begin = fmt::format("{}/", package.prefix);
  for (auto at = text.find(begin); at != text.npos; at = text.find(begin, at + 1)) {
    std::string_view rest = text.substr(at + begin.size());
    auto end = rest.find('@');
    if (end == rest.npos) return false;
    rest.remove_prefix(end);
    if (!rest.starts_with(package.version)) continue;
    rest.remove_prefix(package.version.size());
    if (rest.empty() || rest[0] < '0' || rest[0] > '9') return true;
  }
  return false;
}

// What cannot be removed stays.
void drop_old_versions(const std::string& folder) {
  std::vector<std::pair<fs::file_time_type, fs::path>> versions;
  std::error_code problem;
  for (fs::directory_iterator each(folder, problem), end; !problem && each != end;
       each.increment(problem)) {
    versions.emplace_back(each->last_write_time(problem), each->path());
  }
  std::ranges::sort(versions, std::greater());
  for (std::size_t i = SdkFolder::kVersionsMax; i < versions.size(); ++i) {
    fs::remove_all(versions[i].second, problem);
  }
}

}  // namespace

Result<void> write_file(const std::string& path, std::string_view text) {
  std::error_code problem;
  fs::path folder = fs::path(path).parent_path();
  if (!folder.empty()) fs::create_directories(folder, problem);
  if (problem) {
    return failure(Errc::kIo, fmt::format("cannot make the folder {}: {}", folder.string(),
                                          problem.message()));
  }
  std::string aside = fmt::format("{}.new.{}", path, getpid());
  std::ofstream out(aside, std::ios::binary | std::ios::trunc);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  if (!out) return system_failure(fmt::format("writing {}", aside), errno);
  if (std::rename(aside.c_str(), path.c_str()) != 0) {
    return system_failure(fmt::format("writing {}", path), errno);
  }
  return {};
}

Result<std::string> read_file(const std::string& path) {
  // What a build reads and makes: sources, and components of languages that bring a lot along.
  constexpr std::size_t kFileBytesMax = std::size_t{1} << 30;
  auto text = read_file(path, kFileBytesMax);
  if (!text) return std::unexpected(std::move(text).error().within(path));
  return text;
}

Result<SdkFolder> SdkFolder::open(const std::string& cache) {
  if (cache.empty()) {
    return failure(Errc::kNotFound,
                   "there is no cache folder for the SDK: set HOME or XDG_CACHE_HOME");
  }
  SdkFolder sdk(fmt::format("{}/sdk/{}", cache, version_of_files()));
  std::string whole = sdk.path_ + "/whole";
  std::error_code problem;
  if (fs::exists(whole, problem)) return sdk;
  for (const EmbeddedFile& file : embedded_files()) {
    TRY_VOID(write_file(fmt::format("{}/{}", sdk.path_, file.path), file.text));
  }
  TRY_VOID(write_file(whole, "Every file is here.\n"));
  drop_old_versions(fmt::format("{}/sdk", cache));
  return sdk;
}

Result<Fd> SdkFolder::lock() const {
  std::string file = path_ + "/lock";
  Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return system_failure(fmt::format("opening {}", file), errno);
  constexpr std::chrono::milliseconds kLook{20};
  Deadline deadline = Deadline::after(kLockMax);
  while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR && errno != EWOULDBLOCK) {
      return system_failure(fmt::format("locking {}", file), errno);
    }
    if (deadline.passed()) {
      return failure(Errc::kTimeout, fmt::format("another build holds {}: try again", file));
    }
    std::this_thread::sleep_for(kLook);
  }
  return fd;
}

std::vector<std::string> SdkFolder::packages(const std::string& wit) const {
  std::string text = wit_text(wit);
  std::vector<std::string> paths;
  for (const Package& package : kPackages) {
    if (uses(text, package)) paths.push_back(fmt::format("{}/{}", path_, package.file));
  }
  return paths;
}

}  // namespace weft
