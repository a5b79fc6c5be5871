#include "provider/provider_process.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/nearest.h"
#include "io/loop.h"
#include "provider/session.h"
#include "provider/supervisor.h"

namespace weft {

using provider::Offer;
using provider::OfferedFunction;
using provider::OfferedInterface;

class ProviderProcess::Impl {
 public:
  explicit Impl(ProviderSettings settings) : supervisor(std::move(settings)) {}

  provider::Supervisor supervisor;
  // Shared by the sessions.
  std::shared_ptr<provider::Roster> roster;
};

ProviderProcess::ProviderProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

// The sessions may outlive the supervisor, and have nobody to tell from here on.
ProviderProcess::~ProviderProcess() {
  impl_->roster->on_broken(nullptr);
}

Result<std::shared_ptr<ProviderProcess>> ProviderProcess::start(ProviderSettings settings,
                                                                Deadline deadline) {
  CHECK(Loop::current() == nullptr);
  auto impl = std::make_unique<Impl>(std::move(settings));
  TRY(impl->roster, impl->supervisor.start(deadline));
  return std::shared_ptr<ProviderProcess>(new ProviderProcess(std::move(impl)));
}

const Offer& ProviderProcess::offers() const {
  return impl_->roster->offer();
}

Result<Function> ProviderProcess::function(std::string_view interface, std::string_view name,
                                           std::string_view signature) const {
  const Offer& offer = offers();
  auto found = std::ranges::find(offer, interface, &OfferedInterface::name);
  if (found == offer.end()) {
    std::string served;
    for (const OfferedInterface& each : offer) {
      served += fmt::format("{}{}", served.empty() ? "" : ", ", each.name);
    }
    return failure(Errc::kNotFound,
                   fmt::format("the {} does not serve {}; it serves {}", impl_->roster->who(),
                               interface, served.empty() ? "nothing" : served));
  }
  auto function = std::ranges::find(found->functions, name, &OfferedFunction::name);
  if (function == found->functions.end()) {
    return failure(Errc::kNotFound, fmt::format("the {} serves {} without {}", impl_->roster->who(),
                                                interface, name));
  }
  if (!signature.empty() && signature != function->signature) {
    return failure(Errc::kConflict,
                   fmt::format("the {} serves {} {} as {}, and {} is wanted", impl_->roster->who(),
                               interface, name, function->signature, signature));
  }
  auto parsed = parse_signature(function->signature);
  bool plain = !find_handle(parsed->result);
  for (const auto& parameter : parsed->parameters) {
    plain = plain && !find_handle(parameter.type);
  }
  return Function{.interface = found->name,
                  .name = function->name,
                  .signature = function->signature,
                  .ordinal = static_cast<std::uint32_t>(function - found->functions.begin()),
                  .plain = plain};
}

std::unique_ptr<Provider> ProviderProcess::provider_for(Loop& loop, std::string_view interface) {
  std::uint32_t first = 0;
  for (const OfferedInterface& each : offers()) {
    if (each.name == interface) {
      return std::make_unique<provider::ProcessProvider>(impl_->roster->join(loop), first);
    }
    first += static_cast<std::uint32_t>(each.functions.size());
  }
  CHECK(false);
}

ProviderStatus ProviderProcess::status() const {
  return impl_->supervisor.status();
}

}  // namespace weft
