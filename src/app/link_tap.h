#pragma once

#include "app/link_settings.h"

namespace weft {

class CallRecorder;
class Replay;
class SpyQueue;

// Who is told of calls: those who watch (weft spy), and whoever writes down the calls of links
// (weft record); and who answers these in the place of what serves them (weft replay). Each may be
// null. They outlive every edition that is made with it.
struct LinkTap {
  SpyQueue* spy = nullptr;  // Where calls are observed at all.
  CallRecorder* recorder = nullptr;
  Replay* replay = nullptr;
  // Components of the app, and libraries that were fetched, serve as ever, unless it is told
  // otherwise.
  enum class Replayed : unsigned char { kProviders, kAllLinks } replayed = Replayed::kProviders;

  bool replays(const LinkSettings& link) const {
    if (replay == nullptr) return false;
    return replayed == Replayed::kAllLinks || link.serves_from_outside();
  }
};

}  // namespace weft
