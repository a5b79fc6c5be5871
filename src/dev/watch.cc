#include "dev/watch.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/fnv.h"
#include "base/thread_name.h"
#include "dev/sdk_folder.h"

namespace weft {
namespace fs = std::filesystem;

namespace {

// How often the thread looks whether it is to end.
constexpr int kLookMs = 200;

constexpr std::uint32_t kEvents =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB;

}  // namespace

bool is_build_folder(const std::string& name) {
  constexpr std::array<std::string_view, 5> kNames{"build", "target", "node_modules", "__pycache__",
                                                   "dist"};
  return name.starts_with('.') || std::ranges::find(kNames, name) != kNames.end();
}

Snapshot Snapshot::of(const std::string& folder, const std::set<std::string>& without) {
  Snapshot snapshot;
  std::error_code problem;
  fs::recursive_directory_iterator each(folder, problem);
  for (fs::recursive_directory_iterator end; !problem && each != end; each.increment(problem)) {
    std::string name = each->path().filename();
    if (each->is_directory(problem)) {
      if (is_build_folder(name)) each.disable_recursion_pending();
      continue;
    }
    std::string path = each->path().lexically_normal();
    if (name.starts_with('.') || without.contains(path)) continue;
    if (snapshot.files_.size() == kFilesMax) break;
    std::error_code gone;
    auto size = fs::file_size(path, gone);
    if (gone) continue;
    std::uint64_t contents = 0;
    if (size <= kReadMax) {
      contents = fnv1a(read_file(path).value_or(""));
    } else {
      auto time = fs::last_write_time(path, gone);
      contents = size ^ static_cast<std::uint64_t>(time.time_since_epoch().count());
    }
    snapshot.files_.emplace(std::move(path), contents);
  }
  return snapshot;
}

std::string Snapshot::difference(const Snapshot& other) const {
  for (const auto& [path, contents] : files_) {
    auto found = other.files_.find(path);
    if (found == other.files_.end() || found->second != contents) return path;
  }
  for (const auto& [path, contents] : other.files_) {
    if (!files_.contains(path)) return path;
  }
  return {};
}

Watch::Watch(std::string folder, std::function<void()> changed)
    : folder_(std::move(folder)),
      changed_(std::move(changed)),
      events_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

Watch::~Watch() = default;

Result<std::unique_ptr<Watch>> Watch::start(const std::string& folder,
                                            std::function<void()> changed) {
  std::unique_ptr<Watch> watch(new Watch(folder, std::move(changed)));
  if (!watch->events_) return system_failure("watching for changes", errno);
  watch->add(folder);
  if (watch->folders_.empty()) {
    return system_failure(fmt::format("watching {} for changes", folder), errno);
  }
  watch->thread_ = std::jthread([self = watch.get()](std::stop_token stop) {
    name_thread("weft-watch");
    self->run(stop);
  });
  return watch;
}

// A folder and those below it.
void Watch::add(const std::string& folder) {
  if (folders_.size() == kFoldersMax) return;
  int number = inotify_add_watch(events_.get(), folder.c_str(), kEvents | IN_ONLYDIR);
  if (number < 0) return;
  folders_[number] = folder;
  std::error_code problem;
  for (fs::directory_iterator each(folder, problem), end; !problem && each != end;
       each.increment(problem)) {
    if (!each->is_directory(problem) || each->is_symlink(problem)) continue;
    if (!is_build_folder(each->path().filename())) add(each->path());
  }
}

// Whether something changed that counts.
bool Watch::take_events() {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  bool any = false;
  for (;;) {
    ssize_t count = read(events_.get(), buffer.data(), buffer.size());
    if (count <= 0) return any;
    for (ssize_t at = 0; at < count;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      std::string name(event.len == 0 ? "" : buffer.data() + at + sizeof(event));
      at += static_cast<ssize_t>(sizeof(event) + event.len);
      if (is_build_folder(name)) continue;
      any = true;
      auto parent = folders_.find(event.wd);
      if ((event.mask & IN_IGNORED) != 0 && parent != folders_.end()) folders_.erase(parent);
      bool folder = (event.mask & IN_ISDIR) != 0 && (event.mask & (IN_CREATE | IN_MOVED_TO)) != 0;
      if (folder && parent != folders_.end()) add(fmt::format("{}/{}", parent->second, name));
    }
  }
}

void Watch::run(std::stop_token stop) {
  bool news = false;
  while (!stop.stop_requested()) {
    pollfd wait{events_.get(), POLLIN, 0};
    int ready = poll(&wait, 1, news ? static_cast<int>(kPause.count()) : kLookMs);
    if (ready > 0) {
      news = take_events() || news;
    } else if (ready == 0 && news) {
      news = false;
      changed_();
    }
  }
}

}  // namespace weft
