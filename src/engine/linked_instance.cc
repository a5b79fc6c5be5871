#include "engine/linked_instance.h"

#include <fmt/format.h>

#include "base/id.h"
#include "engine/fresh_http_calls.h"
#include "values/relocate.h"

namespace weft {
namespace {

// A resource of the instance's, as its caller holds it: it may outlive the instance.
struct Held final : Resource {
  Held(std::shared_ptr<LinkedInstance::Anchor> its_anchor, std::uint32_t its_number)
      : anchor(std::move(its_anchor)), number(its_number) {}
  ~Held() override {
    if (!given_back && anchor->instance != nullptr) anchor->instance->drop_resource(number);
  }

  std::shared_ptr<LinkedInstance::Anchor> anchor;  // Shared with the others and the instance.
  std::uint32_t number;
  bool given_back = false;
};

Result<Held*> check(Resource& resource, const LinkedInstance& instance) {
  auto& held = static_cast<Held&>(resource);
  if (held.anchor->instance == &instance) return &held;
  return failure(Errc::kNotFound, "the resource went with its instance, which has ended");
}

// Moves what one guest names in its bytes to the side of the other.
class Crossing : public Renumbering {
 public:
  Crossing(Context& from, Context& to, LinkedInstance& instance)
      : from_(from), to_(to), instance_(instance) {}

  Result<std::uint32_t> reader(PipeKind kind, std::uint32_t number) override {
    TRY(PipeReader end, from_.pipes().take_reader(number, kind));
    return to_.pipes().push(std::move(end));
  }
  Result<std::uint32_t> writer(PipeKind kind, std::uint32_t number) override {
    TRY(PipeWriter end, from_.pipes().take_writer(number, kind));
    return to_.pipes().push(std::move(end));
  }

 protected:
  Context& from_;
  Context& to_;
  LinkedInstance& instance_;
};

// Handles of arguments are resources of the callee: its instance is their kind.
struct Inwards final : Crossing {
  using Crossing::Crossing;
  Result<std::uint32_t> own(std::string_view, std::uint32_t number) override {
    TRY(auto taken, from_.resources().take(&instance_, number));
    TRY(Held * held, check(*taken, instance_));
    held->given_back = true;
    return held->number;
  }
  Result<std::uint32_t> borrow(std::string_view, std::uint32_t number) override {
    TRY(Resource * lent, from_.resources().get(&instance_, number));
    TRY(Held * held, check(*lent, instance_));
    return held->number;
  }
};

struct Outwards final : Crossing {
  using Crossing::Crossing;
  Result<std::uint32_t> own(std::string_view, std::uint32_t number) override {
    return to_.resources().push(&instance_, std::make_unique<Held>(instance_.anchor(), number));
  }
  Result<std::uint32_t> borrow(std::string_view resource, std::uint32_t) override {
    return failure(Errc::kInvalid, fmt::format("a borrow<{}> cannot be given back", resource));
  }
};

}  // namespace

LinkedInstance::LinkedInstance(Deployment& deployment)
    : deployment_(deployment),
      instance_(deployment),
      slot_(deployment.engine.add(*this)),
      callee_(bridge::callee_new(*deployment.program.impl().linked, &instance_,
                                 wake_key(deployment.engine, slot_))) {
  if (deployment.meter != nullptr) deployment.meter->instances.add();
}

LinkedInstance::~LinkedInstance() {
  anchor_->instance = nullptr;
  // What is still in it has a caller that goes too.
  for (Serving& serving : serving_) serving.done = {};
  deployment_.engine.remove(slot_);
}

void LinkedInstance::begin(std::uint32_t function, Start start, const Signature* carrying,
                           Call& call, Completion done) {
  if (serving_.size() >= kCallsMax) {
    return std::move(done).fail(
        Error(Errc::kLimit, fmt::format("{} calls are in component {} already: let some end first",
                                        serving_.size(), deployment_.component)));
  }
  Context& context = instance_.context();
  context.request_id = call.context().request_id;
  context.trace = call.context().trace;
  context.trace_state = call.context().trace_state;
  Deadline deadline = call.deadline();
  if (deployment_.limits.time.count() > 0) {
    deadline = earlier(deadline, Deadline::at(context.loop().now() + deployment_.limits.time));
  }
  instance_.deadline = deadline;
  if (free_.empty()) free_.emplace_back(*this);
  serving_.splice(serving_.begin(), free_, free_.begin());
  Serving& serving = serving_.front();
  serving.place = serving_.begin();
  serving.done = std::move(done);
  serving.carrying = carrying;
  BytesView arguments = call.arguments();
  if (carrying != nullptr) {
    crossing_.clear();
    Inwards inwards(call.context(), context, *this);
    if (auto crossed = relocate_arguments(*carrying, arguments, inwards, crossing_); !crossed) {
      Completion failed = std::move(serving.done);
      free(serving);
      return std::move(failed).fail(std::move(crossed).error());
    }
    arguments = crossing_.view();
  }
  callee_->call(function, {arguments.data(), arguments.size()}, &serving);
  if (start == Start::kNow) {
    poll();
    if (!serving.done) return;
  } else {
    deployment_.engine.wakes()->wake(slot_.index, slot_.generation);
  }
  serving.deadline.arm(deadline);
  serving.done.on_cancel(
      [](void* data) {
        auto& given_up = *static_cast<Serving*>(data);
        given_up.instance.given_up(given_up);
      },
      &serving);
}

void LinkedInstance::poll() {
  if (over_) return;
  if (polling_) {
    deployment_.engine.wakes()->wake(slot_.index, slot_.generation);
    return;
  }
  polling_ = true;
  bool ended;
  {
    WakeTarget::Poll polling(*deployment_.engine.wakes(), slot_.index, slot_.generation);
    ended = callee_->poll();
  }
  polling_ = false;
  if (deployment_.meter != nullptr) {
    bridge::Spent spent = callee_->spent();
    deployment_.meter->cpu_ns.add(spent.cpu_ns - std::exchange(cpu_counted_ns_, spent.cpu_ns));
    deployment_.meter->memory_peak.raise(spent.memory_bytes);
  }
  if (ended) end(from_bridge(callee_->outcome()));
}

void LinkedInstance::Serving::reply(rust::Slice<const std::uint8_t> bytes) {
  Completion finished = std::move(done);
  const Signature* type = carrying;
  instance.free(*this);
  BytesView reply{bytes.data(), bytes.size()};
  if (type == nullptr) {
    finished.reply().append(reply);
    return std::move(finished).finish();
  }
  Outwards outwards(instance.instance_.context(), finished.call().context(), instance);
  if (auto crossed = relocate_result(*type, reply, outwards, finished.reply()); !crossed) {
    return std::move(finished).fail(std::move(crossed).error());
  }
  std::move(finished).finish();
}

void LinkedInstance::drop_resource(std::uint32_t number) {
  if (over_) return;
  callee_->drop_resource(number);
  deployment_.engine.wakes()->wake(slot_.index, slot_.generation);
}

void LinkedInstance::free(Serving& serving) {
  serving.deadline.disarm();
  serving.done = {};
  free_.splice(free_.begin(), serving_, serving.place);
}

void LinkedInstance::given_up(Serving& serving) {
  callee_->give_up(&serving);
  free(serving);
}

void LinkedInstance::out_of_time(Serving& serving) {
  std::string request = id_text(instance_.context().request_id);
  Completion late = std::move(serving.done);
  callee_->give_up(&serving);
  free(serving);
  log::warn(deployment_.component, "out of time in a call from another component",
            {{"app", deployment_.app}, {"request", request}});
  note_out_of_time(deployment_, "out of time", false, request);
  over_ = true;
  std::move(late).fail(Error(
      Errc::kTimeout, fmt::format("component {} did not answer in time", deployment_.component)));
  fail_all(Errc::kUnavailable, fmt::format("component {} was ended: another call of it was out of "
                                           "time",
                                           deployment_.component));
}

void LinkedInstance::end(const RunOutcome& outcome) {
  over_ = true;
  std::string request = id_text(instance_.context().request_id);
  report(deployment_, outcome, {"request", request}, request);
  fail_all(Errc::kUnavailable, outcome.well() ? "the component has ended" : outcome.message);
}

void LinkedInstance::fail_all(Errc code, const std::string& message) {
  while (!serving_.empty()) {
    Serving& serving = serving_.front();
    Completion failed = std::move(serving.done);
    free(serving);
    std::move(failed).fail(Error(code, message));
  }
}

}  // namespace weft
