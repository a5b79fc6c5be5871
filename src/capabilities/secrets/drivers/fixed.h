#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "capabilities/secrets/source.h"

namespace weft::secrets {

// What an environment variable says; nothing where it is not set.
using Variables = std::function<std::optional<std::string>(std::string_view name)>;

// `value`: what the operator's file itself says, whatever the name.
std::unique_ptr<Source> value_source(Secret value);

// `environment`: weft's environment variables, as they are when a secret is read. The variable is
// `variable`, or where that is empty the secret's name in capitals: payment-key is PAYMENT_KEY.
std::unique_ptr<Source> environment_source(std::string variable, Variables variables);
std::string variable_of(std::string_view name);

}  // namespace weft::secrets
