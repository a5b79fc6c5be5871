#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <random>
#include <vector>

#include "base/log.h"
#include "engine/fresh_http_calls.h"
#include "engine/guest_exchange.h"
#include "engine/instance.h"
#include "engine/response_clock.h"
#include "io/timer.h"

namespace weft {

namespace {

class ReusedHttpCalls;

// One reused instance and the requests in it. It takes requests while it has room, is retired after
// its share of them, and ends when it is retired and empty, when it is idle too long, when its
// guest goes on too long after the last response, or when its guest fails: then the other requests
// in it fail too.
class Worker final : public Pollable {
 public:
  explicit Worker(ReusedHttpCalls& calls);
  ~Worker() override;

  bool has_room() const { return !over_ && served_ < served_max_ && worker_->has_room(); }
  // A guest that goes on after its last response is one more.
  std::size_t in_flight() const {
    if (!requests_.empty()) return requests_.size();
    return !over_ && !polling_ && worker_->lingers() ? 1 : 0;
  }
  // Takes no more and serves none: only what its guest does for itself holds it.
  bool gives_way() const { return !over_ && !polling_ && requests_.empty() && !has_room(); }
  Deadline::Clock::time_point empty_since() const { return empty_since_; }
  void start(HttpExchange::Ptr exchange);
  void poll() override;

 private:
  struct Request final : public GuestExchange::Owner, public ResponseClock::Owner {
    explicit Request(Worker& in_worker)
        : worker(in_worker),
          exchange(*this),
          clock(in_worker.loop(), in_worker.limits(), exchange, *this) {}
    void on_head() override {
      end = clock.on_head();
      worker.set_request();
    }
    void on_gone() override { worker.leave(*this); }
    void out_of_time(std::string_view what, std::chrono::milliseconds limit) override {
      worker.out_of_time(*this, what, limit);
    }

    Worker& worker;
    GuestExchange exchange;
    ResponseClock clock;
    Deadline end = Deadline::never();  // Of the step that it is in.
    std::uint64_t call = 0;
    std::uint64_t id = 0;
    TraceContext trace;
    std::string trace_state;
  };

  Loop& loop();
  const Limits& limits() const;
  // How long a guest may go on after its last response.
  std::chrono::milliseconds linger_max() const {
    return limits().time.count() > 0 ? limits().time : Limits::kLingerMax;
  }
  void sweep();
  void set_request();
  void count_spent(ComponentMeter& meter);
  void stay_empty();
  void leave(Request& request);
  void out_of_time(Request& request, std::string_view what, std::chrono::milliseconds limit);
  void end();
  void retire();

  ReusedHttpCalls& calls_;
  Instance instance_;
  EngineLoop::Slot slot_;
  rust::Box<bridge::Worker> worker_;
  std::list<Request> requests_;
  Timer empty_;  // Armed while no request is in it, and not anew at its polls.
  Deadline::Clock::time_point empty_since_;
  std::uint64_t cpu_counted_ns_ = 0;
  std::uint32_t served_ = 0;
  std::uint32_t served_max_;
  bool retired_ = false;
  bool over_ = false;
  bool polling_ = false;
};

class ReusedHttpCalls final : public HttpCalls {
 public:
  explicit ReusedHttpCalls(Deployment& deployment)
      : deployment_(deployment), sweep_(std::make_shared<Sweep>(this)) {}
  ~ReusedHttpCalls() override { sweep_->calls = nullptr; }

  void handle(HttpExchange::Ptr exchange) override {
    exchange->id = deployment_.request_ids.next();
    Worker* worker = find();
    if (worker == nullptr) {
      note_busy(deployment_);
      return refuse_busy(std::move(exchange));
    }
    worker->start(std::move(exchange));
  }

  std::size_t in_flight() const override {
    std::size_t count = 0;
    for (const auto& worker : workers_) count += worker->in_flight();
    return count;
  }

  Deployment& deployment() { return deployment_; }
  std::minstd_rand& random() { return random_; }

  // As the turn ends: not from inside the worker's own poll.
  void drop(Worker& worker) {
    gone_.push_back(&worker);
    if (gone_.size() > 1) return;
    deployment_.engine.loop().defer([sweep = sweep_] {
      if (sweep->calls != nullptr) sweep->calls->erase_gone();
    });
  }

 private:
  // Outlives what is deferred to the end of the turn, in which the calls may go.
  struct Sweep {
    ReusedHttpCalls* calls;
  };

  void erase_gone() {
    for (Worker* gone : std::exchange(gone_, {})) {
      std::erase_if(workers_, [gone](const auto& each) { return each.get() == gone; });
    }
  }

  // The one used last that has room, so that the others become idle and go.
  Worker* find() {
    for (std::size_t i = workers_.size(); i-- > 0;) {
      if (!workers_[i]->has_room()) continue;
      std::rotate(workers_.begin() + static_cast<std::ptrdiff_t>(i),
                  workers_.begin() + static_cast<std::ptrdiff_t>(i) + 1, workers_.end());
      return workers_.back().get();
    }
    if (workers_.size() >= deployment_.limits.instances_max && !make_way()) return nullptr;
    workers_.push_back(std::make_unique<Worker>(*this));
    return workers_.back().get();
  }

  // Drops the one that serves nobody for longest: a request goes before what guests do for
  // themselves.
  bool make_way() {
    auto oldest = workers_.end();
    for (auto at = workers_.begin(); at != workers_.end(); ++at) {
      if (!(*at)->gives_way()) continue;
      if (oldest == workers_.end() || (*at)->empty_since() < (*oldest)->empty_since()) oldest = at;
    }
    if (oldest == workers_.end()) return false;
    workers_.erase(oldest);
    return true;
  }

  Deployment& deployment_;
  std::minstd_rand random_{std::random_device{}()};
  std::shared_ptr<Sweep> sweep_;  // Shared with the deferred erase_gone.
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> gone_;  // Of workers_, until the end of this turn.
};

// Between half and all of the allowed calls: a guest that leaks state between requests is not
// always seen with the same ones together.
std::uint32_t randomised(ReusedHttpCalls& calls) {
  std::uint32_t max = std::max(1U, calls.deployment().limits.reuse_calls_max);
  return std::uniform_int_distribution<std::uint32_t>(std::max(1U, max / 2), max)(calls.random());
}

Worker::Worker(ReusedHttpCalls& calls)
    : calls_(calls),
      instance_(calls.deployment()),
      slot_(calls.deployment().engine.add(*this)),
      worker_(bridge::worker_new(*calls.deployment().program.impl().linked, &instance_,
                                 wake_key(calls.deployment().engine, slot_))),
      empty_(calls.deployment().engine.loop(), [this] { stay_empty(); }),
      served_max_(randomised(calls)) {
  if (ComponentMeter* meter = calls_.deployment().meter) meter->instances.add();
}

Worker::~Worker() {
  for (Request& request : requests_) request.exchange.close();
  calls_.deployment().engine.remove(slot_);
}

Loop& Worker::loop() {
  return calls_.deployment().engine.loop();
}

const Limits& Worker::limits() const {
  return calls_.deployment().limits;
}

void Worker::start(HttpExchange::Ptr exchange) {
  empty_.disarm();
  served_++;
  Request& request = requests_.emplace_back(*this);
  request.id = exchange->id;
  request.trace = exchange->watch.trace;
  request.trace_state = trace_state_of(*exchange);
  request.end = request.clock.on_request();
  set_request();
  request.exchange.open(std::move(exchange));
  request.call = worker_->push(&request.exchange);
  if (served_ >= served_max_) {
    retired_ = true;
    worker_->retire();
  }
  poll();
}

void Worker::poll() {
  if (over_) return;
  polling_ = true;
  bool ended;
  {
    WakeTarget::Poll polling(*calls_.deployment().engine.wakes(), slot_.index, slot_.generation);
    ended = worker_->poll();
  }
  sweep();
  polling_ = false;
  if (ComponentMeter* meter = calls_.deployment().meter) count_spent(*meter);
  if (ended) return end();
  if (requests_.empty() && !empty_.armed()) {
    empty_since_ = loop().now();
    empty_.arm(Deadline::at(empty_since_ + limits().reuse_idle));
  }
}

// What the guest does is known to be for a request only while no other is in the instance. After
// the last one it is still for that one. What it calls has the time of the request that has most.
void Worker::set_request() {
  if (requests_.empty()) {
    instance_.deadline = Deadline::at(loop().now() + linger_max());
    return;
  }
  instance_.deadline = std::ranges::max_element(requests_, {}, [](const Request& each) {
                         return each.end.when();
                       })->end;
  Context& context = instance_.context();
  const Request* alone = requests_.size() == 1 ? &requests_.front() : nullptr;
  context.request_id = alone != nullptr ? alone->id : 0;
  context.trace = alone != nullptr ? alone->trace : TraceContext();
  context.trace_state = alone != nullptr ? alone->trace_state : std::string();
}

void Worker::count_spent(ComponentMeter& meter) {
  bridge::Spent spent = worker_->spent();
  meter.cpu_ns.add(spent.cpu_ns - std::exchange(cpu_counted_ns_, spent.cpu_ns));
  meter.memory_peak.raise(spent.memory_bytes);
}

// No request came for a while: an idle instance goes; a guest that goes on after its responses has
// its time for that.
void Worker::stay_empty() {
  std::chrono::milliseconds most = linger_max();
  Deadline end = Deadline::at(empty_since_ + most);
  if (!worker_->lingers()) return retire();
  if (!end.passed()) {
    return empty_.arm(earlier(end, Deadline::at(loop().now() + limits().reuse_idle)));
  }
  log::warn(calls_.deployment().component, "out of time after its last response",
            {{"app", calls_.deployment().app}, {"limit_ms", most.count()}});
  retire();
}

// Lets go of the requests that have their whole response.
void Worker::sweep() {
  std::size_t before = requests_.size();
  for (auto at = requests_.begin(); at != requests_.end();) {
    if (!at->exchange.finished()) {
      ++at;
      continue;
    }
    worker_->detach(at->call);
    at->exchange.close();
    at = requests_.erase(at);
  }
  if (requests_.size() == before) return;
  // While it is known for which request it was printed.
  if (requests_.empty()) instance_.end_lines();
  set_request();
}

void Worker::leave(Request& request) {
  worker_->detach(request.call);
  request.exchange.close();
  std::erase_if(requests_, [&](const Request& each) { return &each == &request; });
  set_request();
  // The guest still works for a client that is gone, and one call cannot be stopped alone: the
  // instance takes no more, and ends with the calls that are left, or with its limits.
  retire();
}

void Worker::out_of_time(Request& request, std::string_view what, std::chrono::milliseconds limit) {
  log::warn(calls_.deployment().component, what,
            {{"app", calls_.deployment().app},
             {"request", id_text(request.id)},
             {"limit_ms", limit.count()}});
  note_out_of_time(calls_.deployment(), what, request.exchange.begun(), id_text(request.id));
  request.exchange.fail(504);
  leave(request);
}

void Worker::retire() {
  if (over_) return;
  retired_ = true;
  if (requests_.empty()) {
    over_ = true;
    calls_.drop(*this);
    return;
  }
  worker_->retire();
  calls_.deployment().engine.wakes()->wake(slot_.index, slot_.generation);
}

void Worker::end() {
  over_ = true;
  RunOutcome outcome = from_bridge(worker_->outcome());
  std::string which = requests_.size() == 1 ? id_text(requests_.front().id)
                                            : fmt::format("one of {}", requests_.size());
  std::uint16_t status =
      report(calls_.deployment(), outcome, {"requests", requests_.size()}, which);
  // Which request's call failed is not known: all in the instance are answered alike.
  if (requests_.size() > 1) status = 503;
  for (Request& request : requests_) {
    request.exchange.fail(status);
    worker_->detach(request.call);
    request.exchange.close();
  }
  requests_.clear();
  calls_.drop(*this);
}

}  // namespace

std::unique_ptr<HttpCalls> make_reused_http_calls(Deployment& deployment) {
  return std::make_unique<ReusedHttpCalls>(deployment);
}

}  // namespace weft
