#pragma once

// For src/engine's own sources.

#include <list>

#include "engine/bridge_host.h"
#include "engine/instance.h"
#include "io/timer.h"
#include "values/type.h"
#include "weft-engine/src/bridge.rs.h"

namespace weft {

// The instance of a component that serves the calls of one instance of another.
//
// Owned by the caller's context, with which it goes. A call that its caller gives up goes on in the
// guest without anybody who waits; one that passes its deadline ends the instance, because one call
// cannot be stopped alone.
class LinkedInstance final : public Pollable, public Context::Attachment {
 public:
  // Calls in one at once; more are refused.
  static constexpr std::size_t kCallsMax = 1024;

  explicit LinkedInstance(Deployment& deployment);
  ~LinkedInstance() override;

  // When its guest takes a call up: inside `begin`, or as the turn ends.
  enum class Start : std::uint8_t { kNow, kNextTurn };

  // Not from inside a poll of it.
  void begin(std::uint32_t function, Start start, const Signature* carrying, Call& call,
             Completion done);
  // One that a reply gave is gone on the caller's side.
  void drop_resource(std::uint32_t number);
  // Ended: it takes no more calls.
  bool over() const { return over_; }

  void poll() override;

  // How the caller's handles find it, or find it gone.
  struct Anchor {
    LinkedInstance* instance;
  };
  const std::shared_ptr<Anchor>& anchor() const { return anchor_; }

 private:
  // One call in it, used again for the next.
  struct Serving final : public bridge::ReplySink {
    explicit Serving(LinkedInstance& in_instance)
        : instance(in_instance),
          deadline(in_instance.deployment_.engine.loop(), [this] { instance.out_of_time(*this); }) {
    }
    void reply(rust::Slice<const std::uint8_t> bytes) override;

    LinkedInstance& instance;
    Completion done;
    const Signature* carrying = nullptr;
    Timer deadline;
    std::list<Serving>::iterator place;
  };

  void free(Serving& serving);
  void given_up(Serving& serving);
  void out_of_time(Serving& serving);
  void end(const RunOutcome& outcome);
  void fail_all(Errc code, const std::string& message);

  Deployment& deployment_;
  Instance instance_;
  EngineLoop::Slot slot_;
  rust::Box<bridge::Callee> callee_;
  std::shared_ptr<Anchor> anchor_ = std::make_shared<Anchor>(this);  // Shared with the handles.
  Buffer crossing_;
  std::list<Serving> serving_;
  std::list<Serving> free_;
  std::uint64_t cpu_counted_ns_ = 0;
  bool polling_ = false;
  bool over_ = false;
};

}  // namespace weft
