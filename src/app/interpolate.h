#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/operator_secrets.h"
#include "app/problems.h"
#include "app/toml.h"
#include "base/secret.h"

namespace weft {

// What the process's environment says; a test's says what the test wants.
using VariableLookup = std::function<std::optional<std::string>(std::string_view name)>;
VariableLookup process_variables();

// Puts into the operator's file what it only names: `${env:NAME}` inside a string, and the whole
// values { env = "NAME" } and { secret = "name" }. `$${` stands for `${`. What was put in is
// hidden: no message shows it.
class Interpolation {
 public:
  Interpolation(VariableLookup variables, Problems& problems)
      : variables_(std::move(variables)), problems_(problems) {}

  // Takes [secrets] out of the file, each entry as the table of a driver: "VALUE" is one of
  // `value`, { env = "NAME" } of `environment`, { file = "PATH" } of `folder`. A { secret = "name"
  // } in it is left for `apply`. What is wrong is told, and its entry left out.
  struct TakenSecret {
    TomlEntry entry;
    bool is_file = false;  // It was { file = "PATH" }.
  };
  std::vector<TakenSecret> take_secrets(TomlValue& top, OperatorSecrets& secrets);
  // Puts in what a value names; its secrets are among those, which outlive the call.
  void apply(TomlValue& value, const OperatorSecrets& secrets);
  // `${env:NAME}` and { env = "NAME" } alone.
  void apply(TomlValue& value);

  // The environment variables that were put into [secrets].
  std::vector<std::string> secret_variables() && { return std::move(secret_variables_); }

 private:
  void expand(TomlValue& value);
  bool refer(TomlValue& value);
  void refer_secret(TomlValue& value, const TomlEntry& named);
  std::optional<std::string> variable(std::string_view name, const Place& place);
  bool settle_secret(TomlEntry& entry);

  VariableLookup variables_;
  Problems& problems_;
  std::vector<std::string> secret_variables_;
  bool in_secrets_ = false;
  const OperatorSecrets* secrets_ = nullptr;  // While a value is worked on that may name some.
};

}  // namespace weft
