#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "door/call.h"

namespace weft {

// What serves the imports of one component on one loop: a link for each function that the door
// serves, by the function's number in ProgramInfo, and the providers and layers behind them.
//
// Made when the component is deployed, immutable while instances run, dropped after them.
class Links {
 public:
  explicit Links(std::size_t functions) : by_function_(functions) {}

  template <class T>
  T& keep(std::unique_ptr<T> owned) {
    T& kept = *owned;
    if constexpr (std::is_base_of_v<Provider, T>) {
      providers_.push_back(std::move(owned));
    } else {
      layers_.push_back(std::move(owned));
    }
    return kept;
  }
  void set(std::uint32_t function, std::unique_ptr<Link> link) {
    by_function_[function] = std::move(link);
  }

  bool serves(std::uint32_t function) const { return by_function_[function] != nullptr; }
  // The engine asks only for functions that were linked as served.
  Link& at(std::uint32_t function) const {
    CHECK(function < by_function_.size() && by_function_[function] != nullptr);
    return *by_function_[function];
  }

 private:
  std::vector<std::unique_ptr<Provider>> providers_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<std::unique_ptr<Link>> by_function_;
};

}  // namespace weft
