#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "door/call.h"
#include "door/context.h"
#include "io/timer.h"
#include "provider/provider_process.h"

namespace weft {

// The process's own side ends a call at its deadline, and says more of it: what is later is ended
// here.
inline constexpr std::chrono::milliseconds kProcessCallLate{250};

// One call of a function that a process serves, by nobody's component: what `weft call` makes.
//
// Made, used and destroyed on the loop's thread, and not destroyed inside `done`. Dropping it
// cancels the call.
class ProcessCall final : private Caller {
 public:
  // Called once, on the loop; inside start, where nothing had to be waited for.
  using Done = std::function<void(Result<Bytes>)>;

  // `app`, which is the one that the process belongs to, outlives it.
  ProcessCall(Loop& loop, ProviderProcess& process, const Function& function, std::string_view app,
              Done done);
  ProcessCall(const ProcessCall&) = delete;
  ~ProcessCall() override;

  // `arguments` are copied where they are needed for longer.
  void start(BytesView arguments, std::chrono::milliseconds most);

 private:
  void completed(Call& call) override;

  // Outlives what may still finish a call.
  CallPool pool_;
  std::unique_ptr<Context> context_;
  std::unique_ptr<Provider> provider_;
  Link link_;
  Timer late_;
  Done done_;
  Call* call_ = nullptr;
};

}  // namespace weft
