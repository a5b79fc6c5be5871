#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <span>

#include "base/check.h"
#include "base/embedded_file.h"
#include "base/fd.h"
#include "capabilities/state_folder.h"
#include "node/object/key_file.h"
#include "node/policy/settings.h"

namespace weft {

// Generated from example/node.toml.
std::span<const EmbeddedFile> node_example_files();

namespace node {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFriends =
    "Public keys of those who may do what [group.friends] in node.toml says, one a file: "
    "alice.pem,\n"
    "as `weft key show FILE` prints it, or alice.pub, as ssh-keygen writes it. `weft key trust` "
    "puts\n"
    "one here; `weft node reload` has the node read them again. This file is no key and is not "
    "read.\n";

Result<void> make_folder(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return {};
  if (errno == EEXIST) return {};
  return system_failure(fmt::format("making {}", path.string()), errno);
}

// kConflict where there is one.
Result<void> write_new(const fs::path& path, std::string_view text) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd && errno == EEXIST) {
    return failure(Errc::kConflict, fmt::format("{} is there already", path.string()));
  }
  if (!fd) return system_failure(fmt::format("making {}", path.string()), errno);
  while (!text.empty()) {
    ssize_t count = ::write(fd.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure(fmt::format("writing {}", path.string()), errno);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd.get()) != 0) return system_failure("flushing " + path.string(), errno);
  return {};
}

std::string_view example(std::string_view name) {
  for (const EmbeddedFile& each : node_example_files()) {
    if (each.path.ends_with(name)) return each.text;
  }
  CHECK(false);
  return {};
}

}  // namespace

std::string_view example_settings() {
  return example("node.toml");
}

Result<void> init_folder(const fs::path& folder) {
  for (const char* name : {"node.toml", "node.key"}) {
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(folder / name, ignored))) continue;
    return failure(Errc::kConflict, fmt::format("{} is there already, and nothing was made: name "
                                                "another folder",
                                                (folder / name).string()));
  }
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return system_failure(fmt::format("making {}", folder.string()), failed.value());
  TRY_VOID(make_folder(folder / "node.d", 0755));
  TRY_VOID(make_folder(folder / "groups", 0755));
  TRY_VOID(make_folder(folder / "groups" / "friends", 0755));
  for (auto [path, text] :
       {std::pair(folder / "groups" / "friends" / "README", std::string_view(kFriends)),
        std::pair(folder / "weft-node.service", example("weft-node.service"))}) {
    auto made = write_new(path, text);
    if (!made && made.error().code() != Errc::kConflict) return made;
  }
  TRY_VOID(write_new_key_file(folder / "node.key", SigningKey::random()));
  // Last: with it there is a node.
  TRY_VOID(write_new(folder / "node.toml", example_settings()));
  return sync_folder(folder);
}

}  // namespace node
}  // namespace weft
