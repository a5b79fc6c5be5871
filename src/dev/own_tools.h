#pragma once

#include "dev/guest_compiler.h"

namespace weft {

// Builds components with the tools of their language: weft says what they need to be told for
// WebAssembly, makes the bindings that they do not make themselves, and the component of what they
// made. What is missing is named with what brings it. All that the tools say is shown as it comes
// with Effort::kFull, and else part of the error.

// `go build`. Bindings of the world are written to the folder `gen` beside go.mod; what the world
// exports is the module's packages export_NAME.
Result<GuestBuilt> build_go(const SdkFolder& sdk, const GuestBuild& guest, Effort effort);

// `cargo build`, for wasm32-wasip2 or wasm32-wasip1, whichever Rust has here. Where it has neither
// but has the standard library's source, as Debian's packages do, that is built with the guest.
// The library or program is called as the component is.
Result<GuestBuilt> build_rust(const GuestBuild& guest, Effort effort);

}  // namespace weft
