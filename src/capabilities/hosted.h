#pragma once

#include <utility>

#include "door/call.h"

namespace weft {

template <class Host>
struct HostOwner {
  template <class... Arguments>
  explicit HostOwner(Arguments&&... arguments) : host(std::forward<Arguments>(arguments)...) {}
  Host host;
};

// A generated binding together with the host object it calls: the provider that a capability gives
// out.
template <class Host, class Binding>
class Hosted final : private HostOwner<Host>, public Binding {
 public:
  template <class... Arguments>
  explicit Hosted(Arguments&&... arguments)
      : HostOwner<Host>(std::forward<Arguments>(arguments)...), Binding(this->host) {}
};

}  // namespace weft
