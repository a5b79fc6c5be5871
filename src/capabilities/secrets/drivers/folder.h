#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "capabilities/secrets/source.h"
#include "io/pool.h"

namespace weft::secrets {

// `folder`: one file a secret, by its name, as Kubernetes and systemd mount them. Each read opens
// the path anew, so that a folder that is swapped by a symbolic link is seen at once. Reads run on
// the pool, because a mount may be slow.
//
// `file`: the name of the one file that is read whatever the secret's name; empty: each its own.
// The pool is shared by the sources of a process.
std::unique_ptr<Source> folder_source(std::filesystem::path folder, std::string file,
                                      std::shared_ptr<Pool> pool);

}  // namespace weft::secrets
