#pragma once

// For src/engine's own sources: what ends badly, noted for whoever watches. Does nothing where
// nobody does.

#include <string_view>

#include "engine/deployment.h"

namespace weft {

// A run of a guest is over; one that ended well is not noted.
void note_ended(Deployment& deployment, const RunOutcome& outcome, std::string_view request);
// A request's time is up, before or after its head.
void note_out_of_time(Deployment& deployment, std::string_view what, bool begun,
                      std::string_view request);
// All instances are taken.
void note_busy(Deployment& deployment);

}  // namespace weft
