#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/read_file.h"
#include "capabilities/config/source.h"
#include "door/codec.h"

namespace weft::config {
namespace {

namespace fs = std::filesystem;

// A file that was written so lately may be written again without a sign of it, because the clock of
// files is coarse: it is read again.
constexpr std::int64_t kSettledSeconds = 2;

struct Version {
  std::string name;
  dev_t device = 0;
  ino_t file = 0;
  off_t size = 0;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  friend bool operator==(const Version&, const Version&) = default;
};

// What tells one state of a file or a folder from the next.
struct State {
  std::vector<Version> versions;
  bool is_folder = false;

  bool settled() const {
    std::int64_t now = ::time(nullptr);
    return std::ranges::all_of(
        versions, [&](const Version& version) { return now - version.seconds > kSettledSeconds; });
  }
  friend bool operator==(const State&, const State&) = default;
};

Version version_of(std::string name, const struct stat& info) {
  return {std::move(name), info.st_dev,         info.st_ino,
          info.st_size,    info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

class FileSource final : public Source {
 public:
  explicit FileSource(std::string path) : path_(std::move(path)) {}

  Result<void> open() override {
    if (now() != nullptr) return {};
    TRY(State state, look_at());
    TRY(Values values, read(state));
    settled_ = state.settled();
    state_ = std::move(state);
    put(std::move(values));
    return {};
  }

  void look() override {
    auto state = look_at();
    if (state && *state == state_ && settled_) return;
    Result<Values> values = std::unexpected(Error(Errc::kInternal, ""));
    if (state) {
      values = read(*state);
      settled_ = state->settled();
      state_ = *std::move(state);
    } else {
      values = std::unexpected(std::move(state).error());
    }
    std::string problem = values ? "" : values.error().message();
    if (problem != told_ && !problem.empty()) {
      log::warn("config", problem + ": the values from before hold");
    }
    told_ = std::move(problem);
    if (values && *values != *now()) {
      put(*std::move(values));
      log::info("config", "values have changed", {{"file", path_}});
    }
  }

  std::optional<std::string> get(std::string_view key) const override {
    ValuesNow values = now();
    if (values == nullptr) return std::nullopt;
    auto found = values->find(key);
    if (found == values->end()) return std::nullopt;
    return found->second;
  }

 private:
  ValuesNow now() const {
    std::lock_guard hold(mutex_);
    return values_;
  }
  void put(Values values) {
    auto next = std::make_shared<const Values>(std::move(values));
    std::lock_guard hold(mutex_);
    values_ = std::move(next);
  }

  Result<State> look_at() const {
    struct stat info{};
    if (::stat(path_.c_str(), &info) != 0) {
      return system_failure(fmt::format("{}: it cannot be read", path_), errno);
    }
    State state;
    state.is_folder = S_ISDIR(info.st_mode);
    if (!state.is_folder) {
      state.versions.push_back(version_of("", info));
      return state;
    }
    std::error_code problem;
    for (fs::directory_iterator entry(path_, problem), end; !problem && entry != end;
         entry.increment(problem)) {
      std::string name = entry->path().filename();
      // What Kubernetes keeps versions in is no key, nor is what an editor hides.
      if (name.starts_with('.') || ::stat(entry->path().c_str(), &info) != 0) continue;
      if (!S_ISREG(info.st_mode)) continue;
      state.versions.push_back(version_of(std::move(name), info));
      if (state.versions.size() > kSourceKeysMax) {
        return failure(Errc::kLimit,
                       fmt::format("{}: it has more than {} files", path_, kSourceKeysMax));
      }
    }
    if (problem) {
      return system_failure(fmt::format("{}: it cannot be read", path_), problem.value());
    }
    std::ranges::sort(state.versions, {}, &Version::name);
    return state;
  }

  Result<Values> read(const State& state) const {
    auto values = state.is_folder ? read_folder(state) : read_one();
    if (!values) return values;
    if (values->size() > kSourceKeysMax) {
      return failure(Errc::kLimit,
                     fmt::format("{}: it has more than {} keys", path_, kSourceKeysMax));
    }
    for (const auto& [key, value] : *values) {
      if (key.size() <= kKeyBytesMax && value.size() <= kValueBytesMax) continue;
      return failure(Errc::kLimit, fmt::format("{}: a key has at most {} bytes and a value {}",
                                               path_, kKeyBytesMax, kValueBytesMax));
    }
    return values;
  }

  Result<Values> read_one() const {
    auto text = read_file(path_, kSourceBytesMax);
    if (!text) return std::unexpected(std::move(text).error().within(path_));
    bool json = path_.ends_with(".json");
    if (!json && !path_.ends_with(".toml")) {
      return failure(Errc::kInvalid,
                     fmt::format("{}: name a file that ends with .json or .toml, or a folder with "
                                 "a file for each key",
                                 path_));
    }
    auto values = json ? parse_json(*text) : parse_toml(*text);
    if (!values) return std::unexpected(std::move(values).error().within(path_));
    return values;
  }

  Result<Values> read_folder(const State& state) const {
    Values values;
    std::size_t bytes = 0;
    for (const Version& version : state.versions) {
      std::string file = (fs::path(path_) / version.name).string();
      auto text = read_file(file, kValueBytesMax);
      if (!text) return std::unexpected(std::move(text).error().within(file));
      bytes += text->size();
      if (bytes > kSourceBytesMax) {
        return failure(Errc::kLimit, fmt::format("{}: its files have more than {} bytes together",
                                                 path_, kSourceBytesMax));
      }
      if (!is_utf8(*text)) return failure(Errc::kCorrupt, file + ": it is not UTF-8");
      // What editors put at the end of a file.
      if (text->ends_with('\n')) text->pop_back();
      values.insert_or_assign(version.name, *std::move(text));
    }
    return values;
  }

  const std::string path_;
  // Of who opens it, and then of the thread that looks.
  State state_;
  bool settled_ = false;
  std::string told_;
  mutable std::mutex mutex_;
  ValuesNow values_;  // Guarded.
};

}  // namespace

std::unique_ptr<Source> file_source(std::string path) {
  return std::make_unique<FileSource>(std::move(path));
}

}  // namespace weft::config
