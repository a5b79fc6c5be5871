#include "node/runs/module_plans.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "io/loop.h"

namespace weft::node::runs {
namespace {

// Whoever compiles gives way to whoever runs.
constexpr int kCompileNice = 10;

std::chrono::nanoseconds thread_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

Plan::Component component_of(const Hash& module, std::string file, std::uint64_t memory_bytes_max) {
  Plan::Component component{.app = "node",
                            .name = module.text().substr(0, kModuleNameDigits),
                            .file = std::move(file),
                            .cpu = std::chrono::nanoseconds(0),
                            .time = std::chrono::milliseconds(0),
                            .granting = Plan::Component::Granting::kAsWritten};
  component.limits.memory_bytes = memory_bytes_max;
  return component;
}

ModulePlans::ModulePlans(Runtime& runtime, const CapabilityTable& capabilities, Options options)
    : runtime_(runtime),
      capabilities_(capabilities),
      options_(std::move(options)),
      pool_({.threads = options_.threads, .waiting_max = options_.threads}) {}

ModulePlans::~ModulePlans() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    std::erase_if(jobs_, [](const Job& job) { return !job.running; });
  }
  pool_.stop();
}

ModulePlans::PlanPtr ModulePlans::find(const Hash& module) {
  std::lock_guard lock(mutex_);
  auto found = by_name_.find(module);
  if (found == by_name_.end()) return nullptr;
  plans_.splice(plans_.begin(), plans_, found->second);
  return found->second->second;
}

std::size_t ModulePlans::kept() const {
  std::lock_guard lock(mutex_);
  return plans_.size();
}

void ModulePlans::tell(Wanted wanted, Made made) {
  wanted.loop->post(
      [done = std::move(wanted.done), made = std::move(made)]() mutable { done(std::move(made)); });
}

ModulePlans::Ticket ModulePlans::make(const Hash& module, std::string file, std::string group,
                                      Loop& loop, Done done) {
  std::lock_guard lock(mutex_);
  Wanted wanted{++last_ticket_, &loop, std::move(done)};
  Ticket ticket = wanted.ticket;
  auto job = std::ranges::find(jobs_, module, &Job::module);
  if (job != jobs_.end()) {
    job->wanted.push_back(std::move(wanted));
  } else if (auto made = by_name_.find(module); made != by_name_.end()) {
    tell(std::move(wanted), {made->second->second});
  } else if (refused_.contains(module)) {
    tell(std::move(wanted),
         {failure(Errc::kLimit,
                  "it reached a bound when it was compiled before, and is not compiled again")});
  } else if (jobs_.size() >= kCompilesWaitingMax) {
    tell(std::move(wanted),
         {failure(Errc::kLimit, fmt::format("{} modules wait to be compiled", jobs_.size()))});
  } else {
    jobs_.push_back({module, std::move(file), std::move(group), {}});
    jobs_.back().wanted.push_back(std::move(wanted));
    start_next();
  }
  return ticket;
}

void ModulePlans::give_up(Ticket ticket) {
  std::lock_guard lock(mutex_);
  for (auto job = jobs_.begin(); job != jobs_.end(); ++job) {
    auto wanted = std::ranges::find(job->wanted, ticket, &Wanted::ticket);
    if (wanted == job->wanted.end()) continue;
    // Who was first pays for what runs.
    if (job->running && wanted == job->wanted.begin()) return;
    tell(std::move(*wanted), {failure(Errc::kCancelled, "given up before it was compiled")});
    job->wanted.erase(wanted);
    if (job->wanted.empty()) jobs_.erase(job);
    return;
  }
}

// Those that came first, of groups of which none is compiled now.
void ModulePlans::start_next() {
  auto running = [this](const std::string& group) {
    return std::ranges::any_of(jobs_,
                               [&](const Job& job) { return job.running && job.group == group; });
  };
  std::size_t threads = static_cast<std::size_t>(std::ranges::count_if(jobs_, &Job::running));
  for (Job& job : jobs_) {
    if (threads >= options_.threads) return;
    if (job.running || running(job.group)) continue;
    job.running = true;
    ++threads;
    // One of its threads has nothing to do, or is about to.
    CHECK(pool_.submit([this, &job] { compile(job); }));
  }
}

void ModulePlans::compile(Job& job) {
  ::setpriority(PRIO_PROCESS, 0, kCompileNice);  // Of this thread alone, on Linux.
  auto began = thread_time();
  std::chrono::nanoseconds cost{0};
  Result<PlanPtr> plan = plan_of(job, cost);
  cost += thread_time() - began;
  std::lock_guard lock(mutex_);
  // What was stopped at a bound reaches it again.
  bool stopped = options_.apart && !plan && plan.error().code() == Errc::kLimit;
  if (stopped || cost > options_.compile_max) {
    if (refused_.size() >= kRefusedKept) refused_.erase(refused_.begin());
    refused_.insert(job.module);
    if (plan) {
      plan =
          failure(Errc::kLimit, fmt::format("it took {} ms to compile, {} are the most",
                                            cost / std::chrono::milliseconds(1),
                                            options_.compile_max / std::chrono::milliseconds(1)));
    }
  }
  if (plan) keep(job.module, *plan);
  for (Wanted& wanted : job.wanted) tell(std::move(wanted), {plan, std::exchange(cost, {})});
  jobs_.erase(std::ranges::find(jobs_, job.module, &Job::module));
  if (!stopping_) start_next();
}

// Whoever asked is told what is wrong, and not where this node keeps its files.
Result<ModulePlans::PlanPtr> ModulePlans::plan_of(const Job& job,
                                                  std::chrono::nanoseconds& cost) const {
  auto plan = plan_of_file(job, cost);
  if (plan) return plan;
  std::string message = plan.error().message();
  for (std::size_t at = message.find(job.file); at != std::string::npos;
       at = message.find(job.file)) {
    message.replace(at, job.file.size(), "the module");
  }
  return failure(plan.error().code(), std::move(message));
}

// `cost` is what others than this thread did for it.
Result<ModulePlans::PlanPtr> ModulePlans::plan_of_file(const Job& job,
                                                       std::chrono::nanoseconds& cost) const {
  struct stat about{};
  if (::stat(job.file.c_str(), &about) != 0) {
    return failure(Errc::kIo, fmt::format("{}: {}", job.file, std::strerror(errno)));
  }
  auto size = static_cast<std::uint64_t>(about.st_size);
  if (size > options_.code_bytes_max) {
    return failure(Errc::kLimit,
                   fmt::format("a module of {} bytes, {} are the most that is run here", size,
                               options_.code_bytes_max));
  }
  if (options_.apart) {
    Compiled compiled = options_.apart(job.file);
    cost += compiled.cost;
    if (!compiled.how) return std::unexpected(std::move(compiled.how).error());
  }
  TRY(std::unique_ptr<Plan> plan,
      Plan::make(runtime_, capabilities_,
                 component_of(job.module, job.file, options_.memory_bytes_max)));
  return PlanPtr(std::move(plan));
}

void ModulePlans::keep(const Hash& module, const PlanPtr& plan) {
  plans_.emplace_front(module, plan);
  by_name_[module] = plans_.begin();
  while (plans_.size() > options_.kept_max) {
    by_name_.erase(plans_.back().first);
    plans_.pop_back();
  }
}

}  // namespace weft::node::runs
