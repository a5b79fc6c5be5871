#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "door/call.h"
#include "engine/deployment.h"
#include "values/type.h"

namespace weft {

// Serves functions with the exports of another component on the same loop.
//
// Each instance that calls has an instance of its own behind it, made at its first call and gone
// with it; a trap or a limit ends that one, is an error of the calls in it, and the next call has a
// new one. A call runs on the caller's stack: what its guest answers without waiting is answered
// when `begin` returns. Only a callee that uses the component model's async parts runs after the
// caller's poll: Wasmtime nests no two of those. Resources of the callee stay in it, and the caller
// has a handle of each; streams and futures join the two guests.
class ComponentProvider final : public Provider {
 public:
  // What serves the function with the ordinal that is the place in the list.
  struct Export {
    std::uint32_t number;  // In ProgramInfo.
    // Of a function with handles, streams or futures: where in its bytes they are.
    std::unique_ptr<const Signature> carrying = nullptr;
  };

  // `callee` outlives it, and the contexts of those who call.
  ComponentProvider(Deployment& callee, std::vector<Export> exports)
      : callee_(callee), exports_(std::move(exports)) {}

  // The export of that number, of this program.
  static Result<Export> find(const ProgramInfo& program, std::uint32_t number);

  void begin(Call& call, Completion done) override;

 private:
  Deployment& callee_;
  std::vector<Export> exports_;
};

}  // namespace weft
