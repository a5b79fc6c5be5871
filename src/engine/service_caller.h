#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "door/call.h"
#include "engine/shared_service.h"
#include "values/type.h"

namespace weft {

// The end of a SharedService on another loop than its home: a provider that has each call made
// there.
//
// Handles that come back are numbers of the home's, and belong to the instance that called: when it
// drops one, or goes, the home is told. Streams do not get here (bound_to_its_loop). On its loop's
// thread; outlives the contexts that call.
class ServiceCaller final : public Provider {
 public:
  // `functions`: what is called, by ordinal: the same as at home.
  ServiceCaller(std::shared_ptr<SharedService> service, Loop& loop,
                const std::vector<Function>& functions);
  ServiceCaller(const ServiceCaller&) = delete;
  ~ServiceCaller() override;

  void begin(Call& call, Completion done) override;

 private:
  // A call until its outcome is here. One that was given up waits for it all the same: there may be
  // handles in it.
  struct Pending {
    ServiceCaller* self;
    std::uint64_t call;
    std::uint64_t caller;
    const Signature* carrying;
    Completion done;
  };

  std::uint64_t number_of(Context& context);
  Result<Bytes> arguments_of(Call& call, const Signature* carrying);
  void outcome(SharedService::Outcome message);
  void give_up(Pending& pending);

  std::shared_ptr<SharedService> service_;  // Shared with the home.
  // Of functions with handles, by ordinal.
  std::unordered_map<std::uint32_t, Signature> carrying_;
  std::shared_ptr<Inbox<SharedService::Outcome>> inbox_;  // Shared with the home's calls.
  std::unordered_map<std::uint64_t, Pending> pending_;
};

}  // namespace weft
