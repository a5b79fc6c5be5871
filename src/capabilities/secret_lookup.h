#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/secret.h"
#include "capabilities/capability.h"

namespace weft {

// Reads secrets for weft itself: what the operator's file names, and what processes are given. The
// same drivers that components have theirs from.
class SecretLookup {
 public:
  virtual ~SecretLookup() = default;

  // What is around the file that names a secret.
  struct Where {
    // Where the file says that the embedded store is; empty: it does not.
    std::filesystem::path state_folder = {};
    // What environment variables say.
    std::function<std::optional<std::string>(std::string_view name)> variables = {};
  };

  // Blocks, up to a time of its own. `choice` null: the embedded store.
  virtual Result<Secret> look_up(std::string_view name, const DriverChoice* choice,
                                 const Where& where) const = 0;
  // Whether that needs nothing but this machine, so that it can be tried at any time.
  virtual bool is_local(const DriverChoice* choice) const = 0;
  // The environment variable that it comes from; nothing where it comes from none.
  virtual std::optional<std::string> variable(std::string_view name,
                                              const DriverChoice& choice) const = 0;
  // The state folder that has the embedded store; empty: there is none.
  virtual std::filesystem::path state_folder(const Where& where) const = 0;
};

}  // namespace weft
