#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "door/call.h"
#include "engine/runtime.h"
#include "record/replay.h"

namespace weft {

// What Links are made of for functions that `component` of `app` imports of one interface, where a
// recording answers them. Fails when it was made with other types. What is not recorded may be
// imported: only a call of it fails.
Result<std::vector<Function>> match_recording(const Replay& replay, std::string_view app,
                                              std::string_view component,
                                              std::span<const ImportedFunction* const> functions);

// Serves them.
std::unique_ptr<Provider> replay_provider(Replay& replay, const std::string& app,
                                          const std::string& component,
                                          const std::vector<Function>& functions);

}  // namespace weft
