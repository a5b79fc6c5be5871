#include <fmt/format.h>

#include <filesystem>

#include "dev/component_file.h"
#include "dev/own_tools.h"
#include "dev/process.h"
#include "dev/tools.h"
#include "engine/wit.h"

namespace weft {
namespace fs = std::filesystem;

namespace {

// The module's path, out of go.mod.
Result<std::string> module_of(const fs::path& folder) {
  std::string file = folder / "go.mod";
  auto text = read_file(file);
  if (!text) {
    return failure(Errc::kNotFound, fmt::format("there is no {}: go mod init NAME makes it", file));
  }
  constexpr std::string_view kWord = "module ";
  std::size_t at = text->starts_with(kWord) ? 0 : text->find("\nmodule ");
  if (at == text->npos) {
    return failure(Errc::kInvalid, fmt::format("{} has no line: module NAME", file));
  }
  std::size_t begin = text->find_first_not_of(" \n\"", text->find(' ', at));
  std::size_t end = text->find_first_of(" \n\"\r", begin);
  return text->substr(begin, end - begin);
}

}  // namespace

Result<GuestBuilt> build_go(const SdkFolder& sdk, const GuestBuild& guest, Effort effort) {
  TRY_VOID(check_go());
  const BuildSettings& settings = guest.settings;
  fs::path folder = (fs::path(guest.folder) / settings.folder).lexically_normal();
  fs::path parts = fs::absolute(fs::path(guest.output).parent_path() / ".weft" / guest.name);
  std::error_code problem;
  fs::create_directories(parts, problem);
  std::string core = parts / "core.wasm";
  std::vector<std::string> words{"env", "GOOS=wasip1", "GOARCH=wasm", "go", "build", "-o", core};
  if (settings.wit) {
    std::string wit = (fs::path(guest.folder) / settings.wit->text).string();
    TRY(std::string module, module_of(folder));
    TRY_VOID(make_go_bindings({wit, sdk.packages(wit), settings.world.text}, module,
                              (folder / "gen").string()));
    // In a program, Go's exports cannot be called before main: with a world of its own a command
    // exports wasi:cli/run instead.
    words.emplace_back("-buildmode=c-shared");
  }
  // The bindings take memory before Go's runtime is up, from a function that it keeps to itself.
  std::string link = "-checklinkname=0";
  if (effort == Effort::kFull) link += " -s -w";
  words.push_back("-ldflags=" + link);
  for (const Placed& flag : settings.flags) words.push_back(flag.text);
  TRY(ProcessResult built, run_process(words, {.folder = folder, .echo = effort == Effort::kFull}));
  if (built.exit_code != 0) {
    return failure(Errc::kInvalid,
                   fmt::format("component {} does not compile{}", guest.name,
                               effort == Effort::kFull ? "" : ":\n" + built.output));
  }
  if (settings.wit) {
    TRY(std::string section, read_file((folder / "gen/component_type.section").string()));
    TRY(std::string bytes, read_file(core));
    core = parts / "typed.wasm";
    TRY_VOID(write_file(core, bytes + section));
  }
  TRY(bool changed, write_component(core, guest.output));
  return GuestBuilt{changed, ""};
}

}  // namespace weft
