#include "capabilities/secrets/drivers/folder.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "base/read_file.h"
#include "io/loop.h"

namespace weft::secrets {
namespace {

namespace fs = std::filesystem;

// A name leads to a file of the folder and to nothing else.
Result<void> check_file_name(std::string_view name) {
  TRY_VOID(check_name(name));
  if (name != "." && name != ".." && name.find('/') == std::string_view::npos) return {};
  return failure(Errc::kNotFound,
                 fmt::format("{} is no name of a file: it has a slash or is a folder", name));
}

Result<Secret> read(const fs::path& path) {
  std::error_code problem;
  if (!fs::exists(path, problem) && !problem) {
    return failure(Errc::kNotFound, fmt::format("there is no file {}", path.string()));
  }
  auto text = read_file(path.string(), kValueBytesMax);
  if (!text) return std::unexpected(std::move(text).error().within(path.string()));
  drop_final_newline(*text);
  return Secret(*std::move(text));
}

class FolderReader final : public Reader {
 public:
  FolderReader(const fs::path& folder, const std::string& file, std::shared_ptr<Pool> pool)
      : folder_(folder), file_(file), pool_(std::move(pool)) {}

  Answer<Secret> get(Request request, std::string_view name) override {
    std::string_view file = file_.empty() ? name : file_;
    if (auto checked = check_file_name(file); !checked) return std::move(checked).error();
    struct Reading {
      fs::path path;
      Promise<Secret> promise = {};
      Result<Secret> value = failure(Errc::kInternal, "nothing was read");
    };
    // Shared by the two steps: the pool's thread reads, the loop answers.
    auto reading = std::make_shared<Reading>(folder_ / file);
    Answer<Secret> answer = reading->promise.answer();
    auto taken = pool_->submit(
        request.loop, [reading] { reading->value = read(reading->path); },
        [reading] { std::move(reading->promise).fulfil(std::move(reading->value)); });
    if (!taken) return std::move(taken).error();
    return answer;
  }

 private:
  const fs::path& folder_;
  const std::string& file_;
  std::shared_ptr<Pool> pool_;  // Shared by all sources that read files.
};

class FolderSource final : public Source {
 public:
  FolderSource(fs::path folder, std::string file, std::shared_ptr<Pool> pool)
      : folder_(std::move(folder)), file_(std::move(file)), pool_(std::move(pool)) {}

  Result<void> open() override {
    std::error_code problem;
    if (fs::is_directory(folder_, problem)) return {};
    return failure(Errc::kNotFound, fmt::format("there is no folder {}", folder_.string()));
  }
  std::unique_ptr<Reader> reader(Loop&) override {
    return std::make_unique<FolderReader>(folder_, file_, pool_);
  }

 private:
  const fs::path folder_;
  const std::string file_;
  std::shared_ptr<Pool> pool_;
};

}  // namespace

std::unique_ptr<Source> folder_source(fs::path folder, std::string file,
                                      std::shared_ptr<Pool> pool) {
  return std::make_unique<FolderSource>(std::move(folder), std::move(file), std::move(pool));
}

}  // namespace weft::secrets
