#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "app/table_reader.h"
#include "capabilities/capability.h"

namespace weft {

// What a table has of these keys, each checked to be of its kind, as the text that drivers read. A
// path is made one from where the file is by `beside`. What is wrong or missing is told.
std::vector<std::pair<std::string, std::string>> read_keys(
    TableReader& reader, std::span<const DriverKey> keys,
    const std::function<std::string(const std::string&)>& beside);

// Tells what keeps the driver of a table from being used, at the key that it is about. `name` is
// how people write the table: "messaging.orders".
void check_driver(const Capability& capability, const TomlValue& table, const Placed& name,
                  const DriverChoice& choice, Problems& problems);

}  // namespace weft
