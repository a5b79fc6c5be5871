#include "node/links/fetched.h"

#include <fmt/format.h>

#include "base/read_file.h"
#include "base/whole_file.h"
#include "node/library/chunks.h"

namespace weft::node::links {

namespace fs = std::filesystem;

fs::path Fetched::name_file(const std::string& at, const std::string& library) const {
  return folder_ / (Hash::of(as_bytes(at + "\n" + library)).text() + ".name");
}

Result<void> Fetched::make_folder() const {
  std::error_code failed;
  fs::create_directories(folder_, failed);
  if (failed) return system_failure(fmt::format("make {}", folder_.string()), failed.value());
  return {};
}

std::optional<fs::path> Fetched::find(const Hash& module) const {
  fs::path file = folder_ / (module.text() + ".wasm");
  auto list = library::ChunkList::of_file(file);
  if (!list || list->name() != module) return std::nullopt;
  return file;
}

std::optional<Hash> Fetched::last(const std::string& at, const std::string& library) const {
  auto text = read_file(name_file(at, library).string(), 2 * Hash::kBytes);
  if (!text) return std::nullopt;
  auto hash = Hash::parse(*text);
  return hash ? std::optional(*hash) : std::nullopt;
}

Result<fs::path> Fetched::keep(const Hash& module, BytesView bytes) const {
  TRY_VOID(make_folder());
  fs::path file = folder_ / (module.text() + ".wasm");
  TRY_VOID(write_whole(file, bytes, Durable::kYes));
  return file;
}

Result<void> Fetched::remember(const std::string& at, const std::string& library,
                               const Hash& module) const {
  if (last(at, library) == module) return {};
  TRY_VOID(make_folder());
  return write_whole(name_file(at, library), as_bytes(module.text()), Durable::kYes);
}

}  // namespace weft::node::links
