#include "node/policy/groups.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/fd.h"
#include "capabilities/state_folder.h"
#include "node/object/key_file.h"
#include "node/policy/settings.h"

namespace weft::node {

namespace fs = std::filesystem;

namespace {

// Who can write there says who may use the machine.
void check_mode(const fs::path& path, Problems& problems) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || (info.st_mode & S_IWOTH) == 0) return;
  problems.error({path.string()},
                 fmt::format("anybody may write it (mode {:04o}), and so give keys rights here",
                             info.st_mode & 07777),
                 fmt::format("chmod o-w {}", path.string()));
}

std::vector<fs::path> sorted_entries(const fs::path& folder, Problems& problems) {
  std::vector<fs::path> entries;
  std::error_code failed;
  fs::directory_iterator at(folder, failed);
  for (; !failed && at != fs::directory_iterator(); at.increment(failed)) {
    if (!at->path().filename().string().starts_with('.')) entries.push_back(at->path());
    if (entries.size() > kGroupKeysMax) break;  // More keys than are taken.
  }
  if (failed) problems.error({folder.string()}, failed.message(), "make it a folder to be read");
  std::ranges::sort(entries);
  return entries;
}

bool is_node_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path / "node.toml", ignored);
}

bool is_key_file(const fs::path& path) {
  return path.extension() == ".pem" || path.extension() == ".pub";
}

}  // namespace

class GroupsReader {
 public:
  GroupsReader(Groups& groups, Problems& problems) : groups_(groups), problems_(problems) {}

  void read(const fs::path& folder) {
    check_mode(folder, problems_);
    for (const fs::path& path : sorted_entries(folder, problems_)) {
      std::error_code ignored;
      if (fs::is_directory(path, ignored)) {
        read_group(path);
      } else if (is_key_file(path)) {
        problems_.error({path.string()}, "it is a key that is in no group",
                        "move it into a folder: groups/NAME/");
      }
    }
  }

 private:
  void read_group(const fs::path& folder) {
    std::string group = folder.filename().string();
    if (auto fits = check_group_name(group); !fits) {
      problems_.error({folder.string()}, fits.error().message(), "");
      return;
    }
    if (groups_.names_.size() == kGroupsMax) {
      problems_.error({folder.string()}, fmt::format("there are more than {} groups", kGroupsMax),
                      "put several into one");
      return;
    }
    groups_.names_.push_back(group);
    check_mode(folder, problems_);
    for (const fs::path& path : sorted_entries(folder, problems_)) {
      if (is_key_file(path)) read_file(group, path);
    }
  }

  void read_file(const std::string& group, const fs::path& path) {
    check_mode(path, problems_);
    auto keys = read_public_key_file(path);
    if (!keys) {
      problems_.error({path.string()}, keys.error().message(), "");
      return;
    }
    for (const NamedKey& each : *keys) add(group, path, each.key);
  }

  // The first file of a group, by name, is what the key is called.
  void add(const std::string& group, const fs::path& path, const PublicKey& key) {
    if (groups_.members_.size() == kGroupKeysMax && !groups_.members_.contains(key)) {
      if (!told_) {
        problems_.error({path.string()}, fmt::format("there are more than {} keys", kGroupKeysMax),
                        "trust fewer");
      }
      told_ = true;
      return;
    }
    std::vector<Groups::Member>& member = groups_.members_[key];
    // Groups come in the order of their names.
    if (!member.empty() && member.back().group == group) return;
    member.push_back({group, path.stem().string()});
  }

  Groups& groups_;
  Problems& problems_;
  bool told_ = false;
};

std::optional<Groups> Groups::read(const fs::path& folder, Problems& problems) {
  Groups groups;
  std::error_code ignored;
  if (!fs::exists(folder, ignored)) return groups;
  std::size_t before = problems.errors();
  GroupsReader(groups, problems).read(folder);
  if (problems.errors() != before) return std::nullopt;
  return groups;
}

std::span<const Groups::Member> Groups::of(const PublicKey& key) const {
  auto found = members_.find(key);
  if (found == members_.end()) return {};
  return found->second;
}

const Groups::Member* Groups::in(std::string_view group, const PublicKey& key) const {
  std::span<const Member> all = of(key);
  auto found = std::ranges::find(all, group, &Member::group);
  return found == all.end() ? nullptr : &*found;
}

const Groups::Member* Groups::choose(const PublicKey& key, const Audience& audience) const {
  if (audience.kind == Audience::Kind::kGroup) return in(audience.group, key);
  std::span<const Member> all = of(key);
  return all.empty() ? nullptr : &all.front();
}

Result<void> check_groups_folder(const fs::path& groups, std::string_view group) {
  if (is_node_folder(groups)) {
    return failure(Errc::kInvalid,
                   fmt::format("{} is a node's folder, whose groups are in a folder "
                               "of it: write weft key trust {} {} ...",
                               groups.string(), (groups / "groups").string(), group));
  }
  std::error_code failed;
  fs::path whole = fs::absolute(groups, failed).lexically_normal();
  if (whole.filename().empty()) whole = whole.parent_path();
  fs::path above = whole.parent_path();
  if (above.filename() == "groups" && is_node_folder(above.parent_path())) {
    return failure(Errc::kInvalid, fmt::format("{} is one group of a node: name the folder of all "
                                               "of them, {}",
                                               groups.string(), above.string()));
  }
  if (!fs::exists(whole, failed) && !fs::exists(above, failed)) {
    return failure(Errc::kNotFound,
                   fmt::format("there is no folder {}: name the groups of a node, DIR/groups",
                               above.string()));
  }
  return {};
}

Result<fs::path> trust_key(const fs::path& groups, std::string_view group, std::string_view name,
                           const PublicKey& key) {
  TRY_VOID(check_group_name(group));
  // The same characters keep a name from leaving the folder.
  if (!check_group_name(name)) {
    return failure(Errc::kInvalid, fmt::format("\"{}\" cannot be the name of a key's file: write "
                                               "1 to {} of a-z A-Z 0-9 . _ -, no dot first",
                                               name.substr(0, 2 * kGroupNameMax), kGroupNameMax));
  }
  fs::path folder = groups / group;
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return system_failure(fmt::format("making {}", folder.string()), failed.value());
  fs::path path = folder / fmt::format("{}.pem", name);
  std::string text = public_key_pem(key);
  fs::path aside = folder / fmt::format(".{}.pem.{}", name, ::getpid());
  ::unlink(aside.c_str());
  {
    Fd fd(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd) return system_failure(fmt::format("making {}", aside.string()), errno);
    ssize_t written = ::write(fd.get(), text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size()) || ::fsync(fd.get()) != 0) {
      int error = errno;
      ::unlink(aside.c_str());
      return system_failure(fmt::format("writing {}", aside.string()), error);
    }
  }
  // A link, unlike a rename, takes no other's place.
  int linked = ::link(aside.c_str(), path.c_str());
  int error = errno;
  ::unlink(aside.c_str());
  if (linked != 0 && error == EEXIST) {
    auto there = read_public_key_file(path);
    if (there && there->size() == 1 && there->front().key == key) return path;
    return failure(Errc::kConflict, fmt::format("{} is there already, and has another key: give "
                                                "this one another name with --as NAME",
                                                path.string()));
  }
  if (linked != 0) return system_failure(fmt::format("making {}", path.string()), error);
  TRY_VOID(sync_folder(folder));
  return path;
}

}  // namespace weft::node
