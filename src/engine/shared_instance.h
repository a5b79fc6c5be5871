#pragma once

#include <memory>
#include <vector>

#include "door/call.h"
#include "engine/deployment.h"
#include "values/type.h"

namespace weft {

class LinkedInstance;

// Serves every caller with one instance of a component, on the loop that it lives on: what it keeps
// in its memory is kept for all of them, from one call to the next.
//
// The instance is made at the first call. A trap or a limit ends it, fails the calls in it, and the
// next call makes another, which knows nothing of the state before: the log says so. A function's
// ordinal is the export's number in ProgramInfo. On the deployment's loop, which outlives it, as do
// the calls of it; ServiceHome is how other loops' callers get here.
class SharedInstance final : public Provider {
 public:
  // Its program's exports that cannot be called, as their streams cannot leave the loop, are not
  // linked to.
  SharedInstance(Deployment& deployment, const ProgramInfo& program);
  ~SharedInstance() override;

  void begin(Call& call, Completion done) override;
  // Ends the instance, if there is one, and fails what is in it. A later call makes another.
  void end();

 private:
  struct Ended;
  class Watch;

  Deployment& deployment_;
  // By the export's number; null for those whose bytes are passed on as they are.
  std::vector<std::unique_ptr<const Signature>> carrying_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<LinkedInstance> instance_;
  // Those that are destroyed as the turn ends, in which they still have frames. Shared with the
  // work that destroys them.
  std::shared_ptr<Ended> ended_;
};

}  // namespace weft
