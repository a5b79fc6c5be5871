#include "app/link_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

namespace weft {
namespace {

class Walk {
 public:
  Walk(const std::vector<ComponentSettings>& components, Problems& problems)
      : components_(components), problems_(problems) {}

  std::vector<const ComponentSettings*> all() {
    for (const ComponentSettings& component : components_) {
      if (states_[component.plan.name] == State::kUnseen) visit(component);
    }
    return std::move(order_);
  }

 private:
  enum class State : unsigned char { kUnseen, kAbove, kDone };

  void visit(const ComponentSettings& component) {
    states_[component.plan.name] = State::kAbove;
    above_.push_back(&component);
    for (const LinkSettings& link : component.links) {
      if (link.to != LinkSettings::To::kComponent) continue;
      auto callee = std::ranges::find(components_, link.name.text,
                                      [](const auto& each) { return each.plan.name; });
      if (callee == components_.end()) continue;
      State state = states_[callee->plan.name];
      if (state == State::kUnseen) visit(*callee);
      if (state == State::kAbove) tell_round(*callee, link);
    }
    above_.pop_back();
    states_[component.plan.name] = State::kDone;
    order_.push_back(&component);
  }

  void tell_round(const ComponentSettings& first, const LinkSettings& link) {
    std::string round;
    auto from = std::ranges::find(above_, &first);
    for (auto at = from; at != above_.end(); ++at) {
      round += fmt::format("{} -> ", (*at)->plan.name);
    }
    problems_.error(link.name.place,
                    fmt::format("the links of components go round: {}{}", round, first.plan.name),
                    "take one of them out");
  }

  const std::vector<ComponentSettings>& components_;
  Problems& problems_;
  std::map<std::string_view, State> states_;
  std::vector<const ComponentSettings*> above_;
  std::vector<const ComponentSettings*> order_;
};

}  // namespace

std::vector<const ComponentSettings*> link_order(const std::vector<ComponentSettings>& components,
                                                 Problems& problems) {
  return Walk(components, problems).all();
}

}  // namespace weft
