#pragma once

// For the fake engine's own sources.

#include <memory>

#include "door/context.h"
#include "engine/deployment.h"
#include "engine/fake/program.h"
#include "io/timer.h"

namespace weft {

// One run of a fake program: its calls go through the door as a real guest's do, and it is polled
// on its loop when it was woken there or elsewhere.
class FakeGuest final : public Pollable, private Caller {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Never from inside start. The guest may be destroyed in it.
    virtual void ended(Result<Bytes> reply) = 0;
  };

  FakeGuest(Deployment& deployment, Owner& owner);
  FakeGuest(const FakeGuest&) = delete;
  ~FakeGuest() override;

  void start(std::uint64_t request_id);
  void poll() override;

 private:
  enum class Progress : std::uint8_t { kOn, kWait, kFailed };

  void completed(Call&) override { wake(); }
  void wake() { deployment_.engine.wakes()->wake(slot_.index, slot_.generation); }
  Progress call(const FakeStep& step);
  Progress pause();
  Progress keep();
  void end(Result<Bytes> reply);

  Deployment& deployment_;
  Owner& owner_;
  std::unique_ptr<Context> context_;
  EngineLoop::Slot slot_;
  Timer limit_;
  Deadline deadline_ = Deadline::never();
  std::size_t step_ = 0;
  Call* call_ = nullptr;
  bool pausing_ = false;
  bool over_ = false;
  Bytes handle_;
  Bytes reply_;
  std::string problem_;
};

}  // namespace weft
