#include "engine/linked_instance.h"

#include <fmt/format.h>

#include "base/id.h"
#include "engine/arriving.h"
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

// Handles of arguments are resources of the callee. What is handed over is dropped there when the
// rest of the arguments is wrong.
class Inwards final : public Renumbering {
 public:
  Inwards(Context& from, Context& to, LinkedInstance& instance)
      : from_(from), to_(to), instance_(instance) {}

  Result<std::uint32_t> own(std::string_view, std::uint32_t number) override {
    TRY(auto taken, from_.resources().take(instance_.kind(), number));
    TRY(Held * held, check(*taken, instance_));
    given_.push_back(std::move(taken));
    return held->number;
  }
  Result<std::uint32_t> borrow(std::string_view, std::uint32_t number) override {
    TRY(Resource * lent, from_.resources().get(instance_.kind(), number));
    TRY(Held * held, check(*lent, instance_));
    return held->number;
  }
  Result<std::uint32_t> reader(PipeKind kind, std::uint32_t number) override {
    TRY(PipeReader end, from_.pipes().take_reader(number, kind));
    return to_.pipes().push(std::move(end));
  }
  Result<std::uint32_t> writer(PipeKind kind, std::uint32_t number) override {
    TRY(PipeWriter end, from_.pipes().take_writer(number, kind));
    return to_.pipes().push(std::move(end));
  }
  void all_well() {
    for (auto& each : given_) static_cast<Held&>(*each).given_back = true;
  }

 private:
  Context& from_;
  Context& to_;
  LinkedInstance& instance_;
  std::vector<std::unique_ptr<Resource>> given_;
};

class Outwards final : public Arriving {
 public:
  Outwards(Context& from, Context* to, LinkedInstance& instance)
      : Arriving(to, instance.kind()), from_(from), instance_(instance) {}

  Result<std::uint32_t> reader(PipeKind kind, std::uint32_t number) override {
    return keep(moved(from_.pipes().take_reader(number, kind), number), number);
  }
  Result<std::uint32_t> writer(PipeKind kind, std::uint32_t number) override {
    return keep(moved(from_.pipes().take_writer(number, kind), number), number);
  }

 private:
  std::unique_ptr<Resource> hold(std::uint32_t number) override {
    return std::make_unique<Held>(instance_.anchor(), number);
  }
  template <class End>
  Result<std::uint32_t> moved(Result<End> end, std::uint32_t number) {
    if (!end) return std::unexpected(std::move(end).error());
    if (to_ == nullptr) return number;
    return to_->pipes().push(*std::move(end));
  }

  Context& from_;
  LinkedInstance& instance_;
};

}  // namespace

LinkedInstance::LinkedInstance(Deployment& deployment, Owner* owner)
    : deployment_(deployment),
      owner_(owner),
      concurrent_(deployment.program.impl().linked->concurrent()),
      instance_(deployment),
      slot_(deployment.engine.add(*this)),
      callee_(bridge::callee_new(*deployment.program.impl().linked, &instance_,
                                 wake_key(deployment.engine, slot_))) {
  if (deployment.meter != nullptr) deployment.meter->instances.add();
}

LinkedInstance::~LinkedInstance() {
  over_ = true;
  anchor_->instance = nullptr;
  if (shared()) {
    fail_all(Errc::kUnavailable, fmt::format("component {} has ended", deployment_.component));
  }
  // What is still in it has a caller that goes too.
  for (Serving& serving : serving_) serving.done = {};
  deployment_.engine.remove(slot_);
}

void LinkedInstance::begin(std::uint32_t function, const Signature* carrying, Call& call,
                           Completion done) {
  if (serving_.size() >= kCallsMax) {
    return std::move(done).fail(
        Error(Errc::kLimit, fmt::format("{} calls are in component {} already: let some end first",
                                        serving_.size(), deployment_.component)));
  }
  if (free_.empty()) free_.emplace_back(*this);
  serving_.splice(serving_.begin(), free_, free_.begin());
  Serving& serving = serving_.front();
  serving.place = serving_.begin();
  serving.done = std::move(done);
  serving.function = function;
  serving.carrying = carrying;
  serving.in_guest = false;
  serving.limit = Deadline::never();
  if (deployment_.limits.time.count() > 0) {
    serving.limit = Deadline::at(instance_.context().loop().now() + deployment_.limits.time);
  }
  serving.until = earlier(call.deadline(), serving.limit);
  outside_++;
  if (polling_) {
    call.keep_arguments();
    deployment_.engine.wakes()->wake(slot_.index, slot_.generation);
  } else {
    take_on_context(call);
    if (auto entered = enter(serving, call.arguments()); !entered) {
      Completion failed = std::move(serving.done);
      free(serving);
      return std::move(failed).fail(std::move(entered).error());
    }
    if (concurrent_) {
      deployment_.engine.wakes()->wake(slot_.index, slot_.generation);
    } else {
      poll();
      // Answered; another call may have its place already.
      if (!serving.done || &serving.done.call() != &call) return;
    }
  }
  serving.deadline.arm(serving.until);
  serving.done.on_cancel(
      [](void* data) {
        auto& given_up = *static_cast<Serving*>(data);
        given_up.instance.given_up(given_up);
      },
      &serving);
}

// Of several calls of several callers nothing can be said.
void LinkedInstance::take_on_context(const Call& call) {
  Context& context = instance_.context();
  bool of_one = !shared() || serving_.size() == 1;
  context.request_id = of_one ? call.context().request_id : 0;
  context.trace = of_one ? call.context().trace : TraceContext{};
  context.trace_state = of_one ? call.context().trace_state : std::string();
  set_deadline();
}

// What the guest calls has the time of the call that may take longest; in a shared instance the
// component's own from now on, because a call that waited behind others is not to blame for that.
void LinkedInstance::set_deadline() {
  if (shared()) {
    bool limited = deployment_.limits.time.count() > 0;
    instance_.deadline =
        limited ? Deadline::at(instance_.context().loop().now() + deployment_.limits.time)
                : Deadline::never();
    return;
  }
  Deadline last = serving_.empty() ? Deadline::never() : serving_.front().until;
  for (const Serving& each : serving_) {
    if (each.until.when() > last.when()) last = each.until;
  }
  instance_.deadline = last;
}

// Hands the call to the guest's side, which polls it next.
Result<void> LinkedInstance::enter(Serving& serving, BytesView arguments) {
  serving.in_guest = true;
  outside_--;
  if (serving.carrying != nullptr) {
    crossing_.clear();
    Inwards inwards(serving.done.call().context(), instance_.context(), *this);
    TRY_VOID(relocate_arguments(*serving.carrying, arguments, inwards, crossing_));
    inwards.all_well();
    arguments = crossing_.view();
  }
  callee_->call(serving.function, {arguments.data(), arguments.size()}, &serving);
  return {};
}

// What came while the guest was being polled.
void LinkedInstance::catch_up() {
  for (std::uint32_t number : std::exchange(dropped_, {})) callee_->drop_resource(number);
  if (outside_ == 0) return;
  // The oldest are at the end; failing one may free it, and others.
  std::vector<Serving*> waiting;
  for (Serving& each : serving_) {
    if (!each.in_guest) waiting.push_back(&each);
  }
  for (auto each = waiting.rbegin(); each != waiting.rend(); ++each) {
    Serving& serving = **each;
    if (serving.in_guest || !serving.done) continue;
    Call& call = serving.done.call();
    take_on_context(call);
    if (auto entered = enter(serving, call.arguments()); !entered) {
      Completion failed = std::move(serving.done);
      free(serving);
      std::move(failed).fail(std::move(entered).error());
    }
  }
  deployment_.engine.wakes()->wake(slot_.index, slot_.generation);
}

void LinkedInstance::poll() {
  if (over_) return;
  if (polling_) {
    deployment_.engine.wakes()->wake(slot_.index, slot_.generation);
    return;
  }
  if (shared()) set_deadline();
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
  if (ended) return end(from_bridge(callee_->outcome()));
  catch_up();
}

void LinkedInstance::Serving::reply(rust::Slice<const std::uint8_t> bytes) {
  Completion finished = std::move(done);
  const Signature* type = carrying;
  instance.last_reply_ = instance.instance_.context().loop().now();
  instance.free(*this);
  BytesView reply{bytes.data(), bytes.size()};
  if (type == nullptr) {
    if (!finished) return;
    finished.reply().append(reply);
    return std::move(finished).finish();
  }
  Buffer unread;
  Outwards outwards(instance.instance_.context(), finished ? &finished.call().context() : nullptr,
                    instance);
  Buffer& out = finished ? finished.reply() : unread;
  auto crossed = outwards.over(relocate_result(*type, reply, outwards, out));
  if (!finished) return;
  if (!crossed) return std::move(finished).fail(std::move(crossed).error());
  std::move(finished).finish();
}

void LinkedInstance::drop_resource(std::uint32_t number) {
  if (over_) return;
  if (polling_) {
    dropped_.push_back(number);
  } else {
    callee_->drop_resource(number);
  }
  deployment_.engine.wakes()->wake(slot_.index, slot_.generation);
}

void LinkedInstance::free(Serving& serving) {
  if (!std::exchange(serving.in_guest, true)) outside_--;
  serving.deadline.disarm();
  serving.done = {};
  free_.splice(free_.begin(), serving_, serving.place);
  if (!shared() && !serving_.empty() && serving.until.when() == instance_.deadline.when()) {
    set_deadline();
  }
}

// The guest goes on with it: it keeps its place among the calls, and the component's own time.
void LinkedInstance::given_up(Serving& serving) {
  Completion done = std::move(serving.done);
  if (serving.in_guest) {
    serving.until = serving.limit;
    serving.deadline.arm(serving.limit);
  } else {
    free(serving);
  }
  std::move(done).fail(Error(Errc::kCancelled, "the caller has given the call up"));
}

void LinkedInstance::out_of_time(Serving& serving) {
  if (shared() && only_the_callers_time(serving)) return;
  std::string request = id_text(instance_.context().request_id);
  Completion late = std::move(serving.done);
  callee_->give_up(&serving);
  free(serving);
  log::warn(deployment_.component, "out of time in a call from another component",
            {{"app", deployment_.app}, {"request", request}});
  note_out_of_time(deployment_, "out of time", false, request);
  stop();
  if (late) {
    std::move(late).fail(Error(
        Errc::kTimeout, fmt::format("component {} did not answer in time", deployment_.component)));
  }
  fail_all(Errc::kUnavailable, fmt::format("component {} was ended: another call of it was out of "
                                           "time",
                                           deployment_.component));
}

// Ends the wait of the call's caller. True: the instance goes on.
bool LinkedInstance::only_the_callers_time(Serving& serving) {
  Deadline limit = serving.limit;
  auto now = Deadline::Clock::now();
  bool past = limit.when() <= now;
  if (past) {
    // Whatever was answered since it came was answered before it.
    limit = Deadline::at(last_reply_ + deployment_.limits.time);
    if (limit.when() <= now) return false;
  }
  if (serving.done) {
    std::move(serving.done)
        .fail(Error(Errc::kTimeout,
                    fmt::format("component {} did not answer in time", deployment_.component)));
  }
  if (!serving.in_guest) {
    free(serving);
  } else {
    serving.deadline.arm(limit);
  }
  return true;
}

void LinkedInstance::end(const RunOutcome& outcome) {
  stop();
  std::string request = id_text(instance_.context().request_id);
  report(deployment_, outcome, {"request", request}, request);
  fail_all(Errc::kUnavailable, outcome.well() ? "the component has ended" : outcome.message);
}

void LinkedInstance::stop() {
  over_ = true;
  if (owner_ != nullptr) owner_->ended(*this);
}

void LinkedInstance::fail_all(Errc code, const std::string& message) {
  while (!serving_.empty()) {
    Serving& serving = serving_.front();
    Completion failed = std::move(serving.done);
    free(serving);
    if (failed) std::move(failed).fail(Error(code, message));
  }
}

}  // namespace weft
