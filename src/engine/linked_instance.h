#pragma once

// For src/engine's own sources.

#include <list>
#include <vector>

#include "engine/bridge_host.h"
#include "engine/instance.h"
#include "io/timer.h"
#include "values/type.h"
#include "weft-engine/src/bridge.rs.h"

namespace weft {

// The instance of a component that serves the calls of other components' instances on its loop: of
// one, or of all.
//
// One that serves a single caller is owned by that one's context and goes with it. One that all
// share has an owner that is told of its end. A call that its caller gives up goes on in the guest
// without anybody who waits. One that passes its deadline ends the instance, because one call
// cannot be stopped alone; where it is shared, a deadline of the caller's ends the caller's wait
// only, and the instance ends when a call is past the component's own time and nothing has been
// answered for as long: a call that waited behind others is not to blame for that.
class LinkedInstance final : public Pollable, public Context::Attachment {
 public:
  // Calls in one at once; more are refused.
  static constexpr std::size_t kCallsMax = 1024;

  // Whom all callers share it with.
  class Owner {
   public:
    virtual ~Owner() = default;
    // It is over. Inside one of its calls or polls: not to be destroyed at once.
    virtual void ended(LinkedInstance& instance) = 0;
  };

  // `owner`: null where it is one caller's, else it outlives the instance.
  explicit LinkedInstance(Deployment& deployment, Owner* owner = nullptr);
  ~LinkedInstance() override;

  // The guest takes the call up inside, but for two cases. From inside a poll of it the call begins
  // when that is over. In a component that uses the async parts it begins as the turn ends, because
  // Wasmtime nests no two of those.
  void begin(std::uint32_t function, const Signature* carrying, Call& call, Completion done);
  // One that a reply gave is gone on the caller's side.
  void drop_resource(std::uint32_t number);
  // Of its resources on the callers' side, and of those of the component's other instances.
  ResourceKind kind() const { return &deployment_; }
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
    Completion done;  // Without a call where nobody waits any more.
    std::uint32_t function = 0;
    const Signature* carrying = nullptr;
    bool in_guest = false;
    Deadline limit = Deadline::never();  // By the component's own time.
    Deadline until = Deadline::never();  // By the caller's too, while it waits.
    Timer deadline;
    std::list<Serving>::iterator place;
  };

  bool shared() const { return owner_ != nullptr; }
  void take_on_context(const Call& call);
  void set_deadline();
  Result<void> enter(Serving& serving, BytesView arguments);
  void catch_up();
  void free(Serving& serving);
  void given_up(Serving& serving);
  void out_of_time(Serving& serving);
  bool only_the_callers_time(Serving& serving);
  void end(const RunOutcome& outcome);
  void stop();
  void fail_all(Errc code, const std::string& message);

  Deployment& deployment_;
  Owner* owner_;
  // It uses the component model's async parts.
  const bool concurrent_;
  Instance instance_;
  EngineLoop::Slot slot_;
  rust::Box<bridge::Callee> callee_;
  std::shared_ptr<Anchor> anchor_ = std::make_shared<Anchor>(this);  // Shared with the handles.
  Buffer crossing_;
  std::list<Serving> serving_;
  std::list<Serving> free_;
  std::vector<std::uint32_t> dropped_;  // In a poll: told to the guest's side after it.
  std::size_t outside_ = 0;             // Of serving_: those that are not in the guest yet.
  Deadline::Clock::time_point last_reply_;
  std::uint64_t cpu_counted_ns_ = 0;
  bool polling_ = false;
  bool over_ = false;
};

}  // namespace weft
