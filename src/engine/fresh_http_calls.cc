#include "engine/fresh_http_calls.h"

#include "base/log.h"
#include "engine/guest_exchange.h"
#include "engine/instance.h"
#include "engine/response_clock.h"

namespace weft {
namespace {

// Of a `tracestate` header, what is passed on: the standard's own least bound. A longer one is not.
constexpr std::size_t kTraceStateMax = 512;

}  // namespace

// One request in one fresh instance. Goes back to the free list when its guest has ended.
class FreshHttpCalls::Running final : public Pollable,
                                      public GuestExchange::Owner,
                                      public ResponseClock::Owner {
 public:
  explicit Running(FreshHttpCalls& calls)
      : calls_(calls),
        exchange_(*this),
        clock_(calls.deployment_.engine.loop(), calls.deployment_.limits, exchange_, *this) {}
  ~Running() override { stop(); }

  void start(HttpExchange::Ptr exchange) {
    Deployment& deployment = calls_.deployment_;
    EngineLoop& engine = deployment.engine;
    instance_.emplace(deployment);
    instance_->context().request_id = exchange->id;
    instance_->context().trace = exchange->watch.trace;
    instance_->context().trace_state = trace_state_of(*exchange);
    instance_->deadline = clock_.on_request();
    exchange_.open(std::move(exchange));
    slot_ = engine.add(*this);
    task_.emplace(bridge::start_http(*deployment.program.impl().linked, &*instance_, &exchange_,
                                     wake_key(engine, slot_)));
    poll();
  }

  void poll() override {
    bool ended;
    {
      WakeTarget::Poll polling(*calls_.deployment_.engine.wakes(), slot_.index, slot_.generation);
      ended = (*task_)->poll();
    }
    if (exchange_.finished()) exchange_.close();
    if (ended) return end();
    if (!exchange_.is_open()) clock_.on_response();
  }

  void on_head() override { instance_->deadline = clock_.on_head(); }
  void on_gone() override { retire(); }

 private:
  void end() {
    RunOutcome outcome = from_bridge((*task_)->outcome());
    if (!outcome.well() || !exchange_.finished()) {
      std::string request = id_text(instance_->context().request_id);
      exchange_.fail(report(calls_.deployment_, outcome, {"request", request}, request));
    }
    exchange_.close();
    retire();
  }

  void out_of_time(std::string_view what, std::chrono::milliseconds limit) override {
    std::string request = id_text(instance_->context().request_id);
    log::warn(calls_.deployment_.component, what,
              {{"app", calls_.deployment_.app}, {"request", request}, {"limit_ms", limit.count()}});
    note_out_of_time(calls_.deployment_, what, exchange_.begun(), request);
    exchange_.fail(504);
    exchange_.close();
    retire();
  }

  // The store is dropped as the turn ends, after what was written has left.
  void retire() {
    clock_.stop();
    exchange_.close();
    calls_.deployment_.engine.remove(slot_);
    slot_ = {};
    calls_.retire(*this);
  }

  friend class FreshHttpCalls;
  void stop() {
    if (task_ && slot_.generation != 0) calls_.deployment_.engine.remove(slot_);
    if (task_ && calls_.deployment_.meter != nullptr) count_spent(*calls_.deployment_.meter);
    slot_ = {};
    task_.reset();
    exchange_.close();
    instance_.reset();
  }

  void count_spent(ComponentMeter& meter) {
    bridge::Spent spent = (*task_)->spent();
    meter.instances.add();
    meter.cpu_ns.add(spent.cpu_ns);
    meter.memory_peak.raise(spent.memory_bytes);
  }

  FreshHttpCalls& calls_;
  std::optional<Instance> instance_;
  GuestExchange exchange_;
  std::optional<rust::Box<bridge::Task>> task_;
  EngineLoop::Slot slot_;
  ResponseClock clock_;
  std::list<std::unique_ptr<Running>>::iterator place_;
};

FreshHttpCalls::FreshHttpCalls(Deployment& deployment)
    : deployment_(deployment), sweep_(std::make_shared<Sweep>(this)) {}

FreshHttpCalls::~FreshHttpCalls() {
  sweep_->calls = nullptr;
}

void FreshHttpCalls::handle(HttpExchange::Ptr exchange) {
  exchange->id = deployment_.request_ids.next();
  if (running_.size() + ended_.size() >= deployment_.limits.instances_max) {
    note_busy(deployment_);
    refuse_busy(std::move(exchange));
    return;
  }
  if (free_.empty()) {
    running_.push_front(std::make_unique<Running>(*this));
  } else {
    running_.splice(running_.begin(), free_, free_.begin());
  }
  Running& running = *running_.front();
  running.place_ = running_.begin();
  running.start(std::move(exchange));
}

void FreshHttpCalls::retire(Running& running) {
  if (ended_.empty()) {
    deployment_.engine.loop().defer([sweep = sweep_] {
      if (sweep->calls != nullptr) sweep->calls->recycle();
    });
  }
  ended_.splice(ended_.end(), running_, running.place_);
}

void FreshHttpCalls::recycle() {
  for (const auto& running : ended_) running->stop();
  free_.splice(free_.begin(), ended_);
  if (free_.size() > kFreeMax) free_.resize(kFreeMax);
}

std::uint16_t report(Deployment& deployment, const RunOutcome& outcome, const LogField& which,
                     std::string_view request) {
  note_ended(deployment, outcome, request);
  if (outcome.ending == RunOutcome::Ending::kNoRoom) {
    if (deployment.no_room_told.passes(deployment.engine.loop().now())) {
      log::warn(deployment.component, outcome.message, {{"app", deployment.app}, which});
    }
    return 503;
  }
  if (!outcome.well()) {
    log::error(deployment.component, outcome.message, {{"app", deployment.app}, which});
  }
  return outcome.ending == RunOutcome::Ending::kLimited ? 503 : 500;
}

// Without a caller's trace it says nothing.
std::string trace_state_of(const HttpExchange& exchange) {
  if (exchange.watch.trace.parent == 0) return {};
  auto state = exchange.request().header("tracestate");
  return state && state->size() <= kTraceStateMax ? std::string(*state) : std::string();
}

void refuse_busy(HttpExchange::Ptr exchange) {
  static constexpr std::string_view kBody = "Service Unavailable\n";
  std::string id = id_text(exchange->id);
  const Header headers[] = {{"retry-after", "1"}, {"x-request-id", id}};
  if (exchange->begin_response(503, headers, kBody.size())) {
    exchange->write(as_bytes(kBody));
    exchange->finish();
  }
}

std::unique_ptr<HttpCalls> HttpCalls::make(Deployment& deployment, ProgramKind kind) {
  if (kind == ProgramKind::kHttp03) return make_reused_http_calls(deployment);
  return std::make_unique<FreshHttpCalls>(deployment);
}

}  // namespace weft
