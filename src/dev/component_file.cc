#include "dev/component_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "dev/sdk_folder.h"
#include "engine/wit.h"

namespace weft {
namespace fs = std::filesystem;

namespace {

// How a core module begins; a component has another version.
constexpr std::string_view kModule{"\0asm\1\0\0\0", 8};

bool file_has_export(const std::string& file) {
  return file.ends_with(".wit") && read_file(file).value_or("").find("export ") != file.npos;
}

}  // namespace

Result<bool> write_component(const std::string& made, const std::string& output) {
  TRY(std::string bytes, read_file(made));
  bool is_module = bytes.starts_with(kModule);
  if (!is_module && made == output) return true;
  std::string aside = output + ".new";
  if (is_module) {
    TRY_VOID(make_component(made, WasiAdapter::kFitting, aside));
    TRY(bytes, read_file(aside));
  }
  std::error_code problem;
  if (read_file(output).value_or("") == bytes) {
    fs::remove(aside, problem);
    return false;
  }
  if (!is_module) TRY_VOID(write_file(aside, bytes));
  if (std::rename(aside.c_str(), output.c_str()) != 0) {
    return system_failure(fmt::format("writing {}", output), errno);
  }
  return true;
}

bool has_exports(const std::string& wit) {
  std::error_code problem;
  if (!fs::is_directory(wit, problem)) return file_has_export(wit);
  for (fs::directory_iterator each(wit, problem), end; !problem && each != end;
       each.increment(problem)) {
    if (file_has_export(each->path())) return true;
  }
  return false;
}

}  // namespace weft
