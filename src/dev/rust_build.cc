#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "dev/component_file.h"
#include "dev/own_tools.h"
#include "dev/process.h"
#include "dev/tools.h"

namespace weft {
namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

// Where Debian's wasi-libc lies, which its Rust has no copy of.
constexpr std::string_view kLibraries = "/usr/lib/wasm32-wasi";

// What rustc prints about itself; empty: it does not know.
std::string ask(const std::string& folder, std::initializer_list<std::string> words) {
  Words all{"rustc", "--print"};
  all.insert(all.end(), words);
  auto said = run_process(all, {.folder = folder});
  if (!said || said->exit_code != 0) return "";
  return said->output.substr(0, said->output.find('\n'));
}

bool has_target(const std::string& folder, const std::string& target) {
  std::string libraries = ask(folder, {"target-libdir", "--target", target});
  std::error_code problem;
  return !libraries.empty() && fs::is_directory(libraries, problem);
}

// The command up to its options, the target that it builds for, and what rustc is told at the end.
struct Cargo {
  Words words;
  std::string_view target;
  Words last = {};
};

Result<Cargo> choose(const GuestBuild& guest, const std::string& folder) {
  TRY_VOID(check_rust());
  for (std::string_view target : {"wasm32-wasip2", "wasm32-wasip1"}) {
    if (has_target(folder, std::string(target))) return Cargo{{"cargo", "build"}, target};
  }
  std::error_code problem;
  fs::path source = fs::path(ask(folder, {"sysroot"})) / "lib/rustlib/src/rust/library/std";
  if (!fs::is_directory(source, problem)) return no_rust_target();
  TRY_VOID(check_linker());
  Cargo cargo{{"env", "RUSTC_BOOTSTRAP=1",
               fmt::format("CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS=-Clinker=wasm-ld-22 "
                           "-Clink-self-contained=no -Lnative={}",
                           kLibraries),
               "cargo", "rustc", "-Zbuild-std=std,panic_abort"},
              "wasm32-wasip1"};
  // A library has no main, and so another beginning. It is named for the guest alone, so that the
  // standard library is the same for both.
  bool is_program = fs::exists(fs::path(folder) / "src/main.rs", problem);
  if (is_program) {
    cargo.words.insert(cargo.words.end(), {"--bin", guest.name});
  } else {
    cargo.words.emplace_back("--lib");
  }
  cargo.last = {
      "--", fmt::format("-Clink-arg={}/crt1-{}.o", kLibraries, is_program ? "command" : "reactor")};
  return cargo;
}

// Where cargo puts what it makes: weft says it, to find it.
fs::path target_folder(const std::string& folder) {
  const char* named = std::getenv("CARGO_TARGET_DIR");
  if (named != nullptr && *named != 0) return fs::absolute(named);
  return fs::absolute(fs::path(folder) / "target");
}

}  // namespace

Result<GuestBuilt> build_rust(const GuestBuild& guest, Effort effort) {
  std::string folder = (fs::path(guest.folder) / guest.settings.folder).lexically_normal();
  TRY(Cargo cargo, choose(guest, folder));
  Words words = std::move(cargo.words);
  fs::path target = target_folder(folder);
  words.insert(words.end(), {"--target", std::string(cargo.target), "--target-dir", target});
  if (effort == Effort::kFull) words.emplace_back("--release");
  for (const Placed& flag : guest.settings.flags) words.push_back(flag.text);
  words.insert(words.end(), cargo.last.begin(), cargo.last.end());
  TRY(ProcessResult built, run_process(words, {.folder = folder, .echo = effort == Effort::kFull}));
  if (built.exit_code != 0) {
    return failure(Errc::kInvalid,
                   fmt::format("component {} does not compile{}", guest.name,
                               effort == Effort::kFull ? "" : ":\n" + built.output));
  }
  fs::path made = target / cargo.target / (effort == Effort::kFull ? "release" : "debug");
  std::error_code problem;
  // Programs keep their name; in a library's - becomes _.
  std::string library = guest.name;
  std::ranges::replace(library, '-', '_');
  for (const std::string& name : {guest.name, library}) {
    std::string file = made / (name + ".wasm");
    if (!fs::exists(file, problem)) continue;
    fs::create_directories(fs::path(guest.output).parent_path(), problem);
    TRY(bool changed, write_component(file, guest.output));
    return GuestBuilt{changed, ""};
  }
  return failure(Errc::kNotFound,
                 fmt::format("component {0}: cargo made no {1}/{0}.wasm: name the [lib], with "
                             "crate-type = [\"cdylib\"], or the [[bin]] as the component",
                             guest.name, made.string()));
}

}  // namespace weft
