#pragma once

#include <functional>
#include <memory>

#include "base/log.h"
#include "capabilities/capability.h"

namespace weft::logging {

// Where records go: the log of the process, or a test's list.
using Sink = std::function<void(LogLevel level, std::string_view message, LogFields fields)>;
Sink process_log();

// wasi:logging, with its version and without: what a component logs goes to the host's log, one
// line a record, with the component's name. Never fails: it has no way to say so.
class LoggingCapability final : public Capability {
 public:
  explicit LoggingCapability(Sink sink = process_log()) : sink_(std::move(sink)) {}

  std::string_view name() const override { return "logging"; }
  std::span<const Offer> offers() const override;
  // Its records go to the operator and nowhere else.
  std::optional<UsesForm> uses() const override { return std::nullopt; }
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;

 private:
  Sink sink_;
};

}  // namespace weft::logging
