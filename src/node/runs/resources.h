#pragma once

#include <memory>

#include "capabilities/capability.h"
#include "door/context.h"
#include "node/runs/node_facts.h"

namespace weft::node::runs {

// weft:node: what a run may ask about its node, and whose it is. Each question about the node has
// its price; one that the run may not ask, or cannot pay, is answered so. One object a process;
// what a run may ask is attached to its instance.
class ResourcesCapability final : public Capability {
 public:
  // What pays for one instance's questions, and answers them. Gone with the instance's run.
  class Asking {
   public:
    virtual ~Asking() = default;
    // Null: it may not ask.
    virtual NodeFacts* facts() = 0;
    virtual std::string_view group() = 0;
    // In digits.
    virtual std::string requester() = 0;
    // Whether the price was paid.
    virtual bool pay(std::chrono::nanoseconds price) = 0;
  };

  std::string_view name() const override { return "node"; }
  std::span<const Offer> offers() const override;
  std::optional<UsesForm> uses() const override { return std::nullopt; }
  std::unique_ptr<Provider> provider(const Offer& offer, Site site) override;

  // Before the guest of this instance starts. `asking` outlives the instance.
  static void attach(Context& context, Asking& asking);
};

}  // namespace weft::node::runs
