#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "base/bytes.h"
#include "base/error.h"
#include "node/events/event.h"
#include "node/object/key.h"

namespace weft::node::events {

// The events `first` to `last` of a folder with their chain, in the form of one segment, handed to
// `write` piece by piece. `first` 0: the oldest; `last` 0: the newest that is durable.
Result<void> export_events(const std::filesystem::path& folder, std::uint64_t first,
                           std::uint64_t last, const std::function<Result<void>(BytesView)>& write);

// Reads an export whole, checking its chain, and calls `each` with every event. kInvalid where it
// is none, kConflict where it is of another node, kCorrupt where its chain does not hold.
Result<void> read_export(BytesView bytes, const PublicKey& node,
                         const std::function<void(const Event&)>& each);

}  // namespace weft::node::events
