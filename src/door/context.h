#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "door/resources.h"

namespace weft {

class Loop;

// What the calls of one component instance have in common: where it lives, who it is, what it holds.
//
// Owned by the instance and dropped after it; used on the instance's loop only.
class Context {
 public:
  Context(Loop& loop, std::string_view app, std::string_view component)
      : loop_(loop), app_(app), component_(component) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Loop& loop() const { return loop_; }
  // Names of the plan the instance was made from, which outlives it.
  std::string_view app() const { return app_; }
  std::string_view component() const { return component_; }
  // Says which request or run the instance works for, in logs and to peers. 0: none yet.
  std::uint64_t request_id = 0;

  ResourceTable& resources() { return resources_; }

 private:
  Loop& loop_;
  std::string_view app_;
  std::string_view component_;
  ResourceTable resources_;
};

}  // namespace weft
