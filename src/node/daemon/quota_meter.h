#pragma once

#include "node/library/storage_meter.h"
#include "node/policy/ledger.h"

namespace weft::node::daemon {

// The node's clock beside unix_now.
SteadyNs steady_now();

// Storage in the ledger, as the module store asks for it. From any thread; outlived by the ledger.
class QuotaMeter final : public library::StorageMeter {
 public:
  explicit QuotaMeter(Ledger& ledger) : ledger_(ledger) {}

  Result<void> take(std::string_view group, std::uint64_t bytes) override;
  void keep(std::string_view group, std::uint64_t bytes) override;
  void give_back(std::string_view group, std::uint64_t bytes) override;

 private:
  Ledger& ledger_;
};

}  // namespace weft::node::daemon
