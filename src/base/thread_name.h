#pragma once

#include <pthread.h>

#include <string>

namespace weft {

// Names the calling thread, as `top -H` and debuggers show it: 15 bytes, the rest is cut off.
inline void name_thread(std::string name) {
  constexpr std::size_t kNameMax = 15;
  if (name.size() > kNameMax) name.resize(kNameMax);
  ::pthread_setname_np(::pthread_self(), name.c_str());
}

}  // namespace weft
