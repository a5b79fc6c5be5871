#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/problems.h"
#include "node/daemon/shared.h"
#include "node/library/catalogue.h"

namespace weft::node::daemon {

// What a component in a file exports; compiles it.
using ExportsOf = std::function<Result<std::vector<library::LibraryFunction>>(const std::string&)>;

// What the tables [service.NAME] serve: files are stored and pinned, libraries found. Nothing where
// anything is wrong; all of it is told. Waits for the disk and the compiler.
std::optional<std::vector<library::Service>> services_of(const NodeSettings& settings,
                                                         const NodeParts& parts,
                                                         const ExportsOf& exports_of,
                                                         Problems& problems);

// Lets go of those modules of the node's own, among these, that it offers no more.
void let_go(const NodeParts& parts, const std::vector<Hash>& modules);
// Every module of its own.
std::vector<Hash> own_modules(const NodeParts& parts);

}  // namespace weft::node::daemon
