#include "dev/tools.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstdlib>
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
constexpr std::array<Tool, 5> kTools{{
    {"componentize-py", "pip install componentize-py==0.25.1"},
    {"componentize-qjs", "npm install -g componentize-qjs@0.4.5"},
    {"npm", "apt install npm"},
    {"node", "apt install nodejs"},
    {"make", "apt install make"},
}};

// Exports to WebAssembly (go:wasmexport) came with it; the bindings ask for the one after.
constexpr int kGoMinor = 25;
constexpr std::string_view kGoAdvice =
    "install Go 1.25 or newer from go.dev (Debian 12's is older)";
constexpr std::string_view kRustAdvice =
    "with rustup: rustup target add wasm32-wasip2; with Debian's Rust: apt install cargo-web "
    "rustc-web rust-web-src lld-22 wasi-libc";

}  // namespace

Result<void> check_go() {
  auto said = run_process({"go", "env", "GOVERSION"});
  if (!said) {
    return failure(Errc::kNotFound, fmt::format("go is not installed: {}", kGoAdvice));
  }
  constexpr std::string_view kBegin = "go1.";
  std::string_view version = said->output;
  if (!version.starts_with(kBegin) || std::atoi(version.data() + kBegin.size()) >= kGoMinor) {
    return {};
  }
  return failure(Errc::kNotFound, fmt::format("{} is too old for WebAssembly: {}",
                                              version.substr(0, version.find('\n')), kGoAdvice));
}

Result<void> check_rust() {
  for (std::string_view program : {"cargo", "rustc"}) {
    if (is_in_path(program)) continue;
    return failure(Errc::kNotFound, fmt::format("{} is not installed: {}", program, kRustAdvice));
  }
  return {};
}

Result<void> check_linker() {
  if (is_in_path("wasm-ld-22") && is_file(kLibraries, "libc.a")) return {};
  return failure(Errc::kNotFound,
                 "Rust links with lld and wasi-libc: apt install lld-22 wasi-libc");
}

std::unexpected<Error> no_rust_target() {
  return failure(
      Errc::kNotFound,
      fmt::format("Rust is here without its standard library for WebAssembly: {}", kRustAdvice));
}

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
