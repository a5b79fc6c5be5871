#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "door/call.h"
#include "door/context.h"
#include "engine/shared_service.h"

namespace weft {

// The end of a SharedService where its provider is: makes calls of what other loops ask for, each
// in a context that stands for the instance that calls, and that has the handles which this one was
// given.
//
// Made, used and destroyed on the home's thread, once for a service. The provider, the loop and its
// calls outlive it.
class ServiceHome {
 public:
  // `functions`: all that may be asked for; the place in the list is a function's ordinal.
  ServiceHome(std::shared_ptr<SharedService> service, Loop& loop, CallPool& calls,
              Provider& provider, std::vector<Function> functions);
  ServiceHome(const ServiceHome&) = delete;
  // Whatever is under way fails, and what is asked for from then on.
  ~ServiceHome();

  // Nobody is left on other loops who might call.
  bool deserted() const { return service_->callers() == 0; }
  std::size_t callers() const { return callers_.size(); }

 private:
  class Serving;

  void handle(SharedService::Begin message);
  void handle(const SharedService::Cancel& message);
  void handle(const SharedService::Drop& message);
  void handle(const SharedService::Gone& message);
  Context& stand_in(std::uint64_t caller);
  void answer(std::uint64_t call, const std::shared_ptr<Inbox<SharedService::Outcome>>& to,
              Result<Bytes> reply);

  std::shared_ptr<SharedService> service_;  // Shared with those who call.
  Loop& loop_;
  CallPool& pool_;
  // Shared with the contexts: a call that was cancelled may unwind after the end of this.
  std::shared_ptr<std::vector<std::unique_ptr<Link>>> links_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Context>> callers_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Serving>> under_way_;
};

}  // namespace weft
