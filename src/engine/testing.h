#pragma once

// What the tests of the engine share: the runtime, guests, and one deployment on one loop whose
// imports a script serves.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "door/codec.h"
#include "engine/guest_run.h"
#include "engine/http_calls.h"
#include "io/pool.h"

namespace weft::testing {

// The one runtime of the test program, without a cache of compiled programs.
Runtime& runtime();
// The file of a guest that the build tree made.
std::string guest(std::string_view name);
// A file with this content in a folder of the test program's own.
std::string file_with(std::string_view name, std::string_view content);

template <class T>
T must(Result<T> result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().message().c_str());
  CHECK(result.has_value());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// The counters of the test guests' interfaces; counts how many there are.
struct Counter : Resource {
  explicit Counter(std::uint32_t start) : value(start) { ++alive; }
  ~Counter() override { --alive; }
  std::uint32_t value;
  static inline int alive = 0;
};

// The address sanitizer does not know the stacks of the engine's fibers: what an exception leaves
// behind on one looks to it like an overflow.
#if __has_feature(address_sanitizer)
inline constexpr bool kMayThrow = false;
#else
inline constexpr bool kMayThrow = true;
#endif

// Serves whatever the test guests import: gives the arguments back, and knows the counters and
// wasi:keyvalue's buckets. How each call is finished is the test's to say.
class Script : public Provider {
 public:
  enum class Way : std::uint8_t {
    kInline,  // inside begin
    kLater,   // in `waiting`, until the test finishes it
    kThread,  // at once, by way of another thread
    kFail,
    kDrop,   // its completion is dropped
    kThrow,  // by an exception: only where kMayThrow
  };

  explicit Script(Loop& loop) : loop_(loop) {}

  void begin(Call& call, Completion done) override;
  // Finishes one of those that wait.
  void finish(std::size_t index);

  std::function<Way(const Call&)> way = [](const Call&) { return Way::kInline; };
  // Serves calls in the test's own way: false for those that it leaves to the script.
  std::function<bool(Call&, Completion&)> serve;
  // Each reply gets a byte too many.
  bool garble = false;
  std::vector<Completion> waiting;
  int begun = 0;
  int cancelled = 0;  // Of those that were told to wait.
  // On their way through another thread.
  int travelling = 0;

 private:
  Result<void> answer(Call& call, Buffer& reply);

  Loop& loop_;
  Pool pool_{{.threads = 2, .waiting_max = 4096}};
};

// A loop with an engine, run on the test's own thread.
class Ground {
 public:
  Ground();
  explicit Ground(Runtime& runtime);
  ~Ground();

  Loop& loop() { return loop_; }
  EngineLoop& engine() { return *engine_; }
  // Runs the loop until `over`, which is asked once a turn. False after 30 seconds.
  bool run_until(const std::function<bool()>& over);

 private:
  Loop loop_;
  std::unique_ptr<EngineLoop> engine_;
};

struct StageOptions {
  Limits limits = {};
  WasiGrants grants = {};
};

// One component deployed on a ground, with everything it imports served by a script.
class Stage {
 public:
  struct Ended {
    RunOutcome outcome;
    Bytes reply;
  };

  Stage(Ground& ground, const std::string& file, const StageOptions& options = {});
  ~Stage();

  const ProgramInfo& info() const { return program_->info(); }
  Deployment& deployment() { return *deployment_; }
  Script& script() { return *script_; }
  // The number of the export with this name.
  std::uint32_t function(std::string_view name) const;

  // Starts and waits for the end.
  Ended command();
  Ended call(std::string_view name, BytesView arguments);

 private:
  Ground& ground_;
  std::unique_ptr<Program> program_;
  std::unique_ptr<LinkedProgram> linked_;
  std::unique_ptr<Deployment> deployment_;
  Script* script_ = nullptr;
};

}  // namespace weft::testing
