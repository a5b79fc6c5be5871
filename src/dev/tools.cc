#include "dev/tools.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <filesystem>
#include <vector>

#include "dev/process.h"

namespace weft {
namespace {

// Where Debian's and LLVM's own packages put the wasm libraries.
constexpr std::string_view kLibraries = "/usr/lib/wasm32-wasi/";
constexpr std::string_view kBuiltins =
    "/usr/lib/llvm-22/lib/clang/22/lib/wasi/libclang_rt.builtins-wasm32.a";

bool is_file(std::string_view folder, std::string_view name) {
  std::error_code problem;
  return std::filesystem::exists(fmt::format("{}{}", folder, name), problem);
}

struct Tool {
  std::string_view name;    // A program, or a package's module.
  std::string_view advice;  // How it is installed.
};

// What the templates' build commands run.
constexpr std::array<Tool, 6> kTools{{
    {"componentize-py", "pip install componentize-py==0.25.1"},
    {"npm", "apt install npm"},
    {"node", "apt install nodejs"},
    {"cargo", "apt install cargo-web rustc-web rust-web-src"},
    {"go", "apt install golang"},
    {"make", "apt install make"},
}};

}  // namespace

std::string compiler_of(BuildSettings::Language language) {
  return language == BuildSettings::Language::kC ? "clang-22" : "clang++-22";
}

Result<void> check_compiler(BuildSettings::Language language) {
  std::vector<std::string_view> packages;
  if (!is_in_path(compiler_of(language))) packages.push_back("clang-22");
  if (!is_in_path("wasm-ld-22") && !is_in_path("wasm-ld")) packages.push_back("lld-22");
  if (!is_file(kLibraries, "libc.a")) packages.push_back("wasi-libc");
  if (!is_file(kBuiltins, "")) packages.push_back("libclang-rt-22-dev-wasm32");
  if (language == BuildSettings::Language::kCxx) {
    if (!is_file(kLibraries, "libc++.a")) packages.push_back("libc++-22-dev-wasm32");
    if (!is_file(kLibraries, "libc++abi.a")) packages.push_back("libc++abi-22-dev-wasm32");
  }
  if (packages.empty()) return {};
  return failure(Errc::kNotFound,
                 fmt::format("the compiler for WebAssembly is not all here: apt install {}",
                             fmt::join(packages, " ")));
}

std::string advice_for(std::string_view command, int exit_code, std::string_view output) {
  // What a shell exits with when it finds no program.
  constexpr int kNoProgram = 127;
  if (exit_code != kNoProgram && output.find("not found") == output.npos) return {};
  for (const Tool& tool : kTools) {
    if (command.find(tool.name) == command.npos || is_in_path(tool.name)) continue;
    return fmt::format("{} is not installed: {}", tool.name, tool.advice);
  }
  return {};
}

}  // namespace weft
