#pragma once

#include <string>

#include "app/build_settings.h"
#include "base/error.h"

namespace weft {

// What compiling for WebAssembly takes from the system: clang, lld and the wasm libraries. The
// error names everything that is missing, with the Debian packages that have it.
Result<void> check_compiler(BuildSettings::Language language);

// The same for Go: that there is one, and that it is new enough for WebAssembly.
Result<void> check_go();
// The same for Rust: that there are cargo and rustc.
Result<void> check_rust();
// What it links with where it has no copy of its own: lld and Debian's C library.
Result<void> check_linker();
// Rust is here, and neither its standard library for WebAssembly nor the source of it.
std::unexpected<Error> no_rust_target();

// The compiler's program.
std::string compiler_of(BuildSettings::Language language);

// What a failed build command lacked, for people: the package of a tool that the shell did not
// find. Empty: nothing that is known.
std::string advice_for(std::string_view command, int exit_code, std::string_view output);

}  // namespace weft
