#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "app/link_settings.h"
#include "door/call.h"
#include "door/link_notes.h"
#include "door/links.h"
#include "engine/runtime.h"

namespace weft {

class CallCache;
class ConcurrencyLimit;
class RetryLayer;

// What stands around one link on all loops: its replies, its places. Made with a plan and shared by
// its deployments; a reload makes new ones.
class LinkLayers {
 public:
  explicit LinkLayers(const LinkSettings& settings);

  // A function that is named for what it is not there for.
  struct Wrong {
    Place place;
    std::string found;
    std::string write;
  };
  // `functions` are what the component imports of it.
  static std::vector<Wrong> check(const LinkSettings& settings,
                                  std::span<const ImportedFunction* const> functions);

  // The link on one loop: puts into `links` what it needs.
  class OnLoop {
   public:
    OnLoop(const LinkLayers& link, Links& links, Loop& loop)
        : link_(link), links_(links), loop_(loop) {}

    // Adds those of one function to its layers; what the link of it calls instead of `provider`.
    // `notes` may be null.
    Provider& add(const Function& function, Provider& provider, LinkNotes* notes,
                  std::vector<Layer*>& layers);

   private:
    const LinkLayers& link_;
    Links& links_;
    Loop& loop_;
    RetryLayer* retry_ = nullptr;  // The functions' own budget is one.
  };

 private:
  LinkLayerSettings settings_;
  std::string end_;
  std::shared_ptr<CallCache> cache_;         // Shared by the loops' layers.
  std::shared_ptr<ConcurrencyLimit> limit_;  // The same.
};

}  // namespace weft
