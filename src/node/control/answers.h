#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/daemon/node.h"

namespace weft::node::control {

// What is said and done at the control socket, as JSON. On a thread that may wait for the disk.

std::string status_json(const daemon::NodeStatus& status);
std::string runs_json(const std::vector<daemon::RunStatus>& runs);
std::string neighbours_json(daemon::Node& node);
std::string libraries_json(daemon::Node& node);

// The warnings, or all that is wrong as one message.
Result<std::string> reload(daemon::Node& node);
// A node.toml: applied, and with `write` put in the place of the file.
Result<std::string> apply_settings(daemon::Node& node, const std::string& text, bool write);
// {"file", "name", "version"}: looks what it exports, stores it, and offers it.
Result<std::string> add_library(daemon::Node& node, const std::string& text);
// "NAME@VERSION", or "NAME" where there is one.
Result<void> remove_library(daemon::Node& node, std::string_view library);
// A public key, as files have it.
Result<void> trust(daemon::Node& node, std::string_view group, std::string_view name,
                   const std::string& key);
Result<void> distrust(daemon::Node& node, std::string_view group, std::string_view name);

}  // namespace weft::node::control
