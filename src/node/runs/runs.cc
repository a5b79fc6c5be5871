#include "node/runs/runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "io/loop.h"
#include "node/runs/run.h"

namespace weft::node::runs {
namespace {

std::unexpected<Error> unknown(const Hash& run) {
  return failure(Errc::kNotFound, fmt::format("there is no run {}", run.text()));
}

}  // namespace

Runs::Runs(EngineLoop& engine, ModulePlans& plans, const SigningKey& node, Options options)
    : engine_(engine),
      plans_(plans),
      node_(node),
      options_(options),
      expiry_(engine.loop(), [this] { expire(); }),
      self_(std::make_shared<Runs*>(this)) {}

Runs::~Runs() {
  *self_ = nullptr;
  all_.clear();
}

Result<void> Runs::begin(RunOrder order) {
  if (all_.contains(order.name)) {
    return failure(Errc::kConflict, fmt::format("run {} was begun before", order.name.text()));
  }
  if (live_ >= options_.runs_max) {
    return failure(Errc::kLimit, fmt::format("{} runs are there, which is the most", live_));
  }
  Hash name = order.name;
  Run& run = *(all_[name] = std::make_unique<Run>(*this, std::move(order)));
  ++live_;
  auto go = [self = self_, name](ModulePlans::Made made) {
    if (*self == nullptr) return;
    auto found = (*self)->all_.find(name);
    if (found != (*self)->all_.end()) found->second->go(std::move(made));
  };
  auto plan =
      run.order().service != nullptr ? run.order().service : plans_.find(run.order().module);
  if (plan != nullptr) {
    engine_.loop().defer([go, plan = std::move(plan)]() mutable { go({std::move(plan)}); });
  } else {
    const RunOrder& wants = run.order();
    run.wait_for(plans_.make(wants.module, wants.file, wants.group, engine_.loop(), std::move(go)));
  }
  return {};
}

std::shared_ptr<Deployed> Runs::deployed(const RunOrder& order, ModulePlans::PlanPtr plan) {
  bool service = order.service != nullptr;
  auto found = std::ranges::find_if(deployed_, [&](const auto& each) {
    return each->module == order.module && each->service == service;
  });
  if (found != deployed_.end() && (*found)->plan == plan) {
    deployed_.splice(deployed_.begin(), deployed_, found);
    return deployed_.front();
  }
  // One that was made of an earlier plan goes with its last run.
  if (found != deployed_.end()) take_out(found);
  static const std::vector<std::unique_ptr<Plan>> kNoOthers;
  auto made = std::make_shared<Deployed>();
  made->module = order.module;
  made->service = service;
  made->deployment = plan->deploy(engine_, Deployments(kNoOthers, engine_), nullptr);
  made->plan = std::move(plan);
  deployed_.push_front(made);
  if (deployed_.size() > kDeployedMax) take_out(std::prev(deployed_.end()));
  return made;
}

void Runs::take_out(std::list<std::shared_ptr<Deployed>>::iterator deployed) {
  leaving_.splice(leaving_.end(), deployed_, deployed);
  sweep();
}

void Runs::sweep() {
  std::erase_if(leaving_, [](const std::shared_ptr<Deployed>& each) {
    return each.use_count() == 1 && each->deployment->contexts == 0;
  });
}

bool Runs::unwound() {
  sweep();
  auto is_quiet = [](const auto& each) { return each->deployment->contexts == 0; };
  return leaving_.empty() && std::ranges::all_of(deployed_, is_quiet);
}

Result<void> Runs::close(const Hash& run, BytesView receipt) {
  auto found = all_.find(run);
  if (found == all_.end()) return unknown(run);
  found->second->log().finish(receipt);
  return {};
}

Result<std::unique_ptr<OutputReader>> Runs::read(const Hash& run, std::uint64_t from,
                                                 std::function<void()> wake) {
  auto found = all_.find(run);
  if (found == all_.end()) return unknown(run);
  return found->second->log().read(from, std::move(wake));
}

Result<void> Runs::cancel(const Hash& run, std::string_view why) {
  auto found = all_.find(run);
  if (found == all_.end()) return unknown(run);
  found->second->stop(Outcome::kCancelled, std::string(why));
  return {};
}

void Runs::cancel_all(std::string_view why) {
  std::vector<Hash> names;
  for (const RunOrder* order : running()) names.push_back(order->name);
  for (const Hash& name : names) static_cast<void>(cancel(name, why));
}

const RunOrder* Runs::find(const Hash& run) const {
  auto found = all_.find(run);
  return found == all_.end() ? nullptr : &found->second->order();
}

Usage Runs::usage(const Hash& run) const {
  auto found = all_.find(run);
  return found == all_.end() ? Usage() : found->second->usage();
}

std::vector<const RunOrder*> Runs::running() const {
  std::vector<const RunOrder*> orders;
  for (const auto& [name, run] : all_) {
    if (!run->ended()) orders.push_back(&run->order());
  }
  return orders;
}

// From inside the run, which stays.
void Runs::ended(Run& run) {
  --live_;
  sweep();
  finished_.push_back({run.order().name, engine_.loop().now()});
  finished_bytes_ += run.log().kept();
  while (finished_.size() > 1 &&
         (finished_.size() > options_.finished_max || finished_bytes_ > kFinishedBytesMax)) {
    if (!forget_oldest()) break;
  }
  if (!expiry_.armed()) expiry_.arm(Deadline::after(options_.finished_kept));
}

// False where its receipt waits for the disk still, and its readers for that: how many those are,
// the queue of the log of events bounds.
bool Runs::forget_oldest() {
  auto run = all_.find(finished_.front().name);
  if (!run->second->log().finished()) return false;
  finished_bytes_ -= run->second->log().kept();
  all_.erase(run);
  finished_.pop_front();
  return true;
}

void Runs::expire() {
  auto now = engine_.loop().now();
  while (!finished_.empty() && finished_.front().when + options_.finished_kept <= now) {
    if (!forget_oldest()) {
      expiry_.arm(Deadline::after(kReceiptLook));
      return;
    }
  }
  if (!finished_.empty()) {
    expiry_.arm(Deadline::at(finished_.front().when + options_.finished_kept));
  }
}

}  // namespace weft::node::runs
