#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/problems.h"
#include "app/toml.h"
#include "base/secret.h"

namespace weft {

// What the process's environment says; a test's says what the test wants.
using VariableLookup = std::function<std::optional<std::string>(std::string_view name)>;
VariableLookup process_variables();

inline constexpr std::size_t kSecretBytesMax = 64 << 10;

// Puts into the operator's file what it only names: `${env:NAME}` inside a string, and the whole
// values { env = "NAME" } and { secret = "name" }; in [secrets], { file = "PATH" } too. `$${`
// stands for `${`. What was put in is hidden: no message shows it.
class Interpolation {
 public:
  Interpolation(VariableLookup variables, Problems& problems)
      : variables_(std::move(variables)), problems_(problems) {}

  // Reads the [secrets] of the file and leaves them out of it: first, because the rest may name
  // them.
  void take_secrets(TomlValue& top);
  // The rest.
  void apply(TomlValue& value);

  using Secrets = std::map<std::string, Secret, std::less<>>;
  Secrets secrets() && { return std::move(secrets_); }
  // The environment variables that secrets were read from.
  std::vector<std::string> secret_variables() && { return std::move(secret_variables_); }

 private:
  void expand(TomlValue& value);
  bool refer(TomlValue& value);
  std::optional<std::string> variable(std::string_view name, const Place& place);
  void read_file(TomlValue& value, const std::string& path);

  VariableLookup variables_;
  Problems& problems_;
  Secrets secrets_;
  // Their names, also of those that could not be read: one problem each is enough.
  std::map<std::string, bool, std::less<>> named_;
  std::vector<std::string> secret_variables_;
  bool in_secrets_ = false;
};

}  // namespace weft
