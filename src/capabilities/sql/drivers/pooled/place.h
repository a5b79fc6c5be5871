#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "capabilities/sql/database.h"

namespace weft::sql::pooled {

// An operator's pattern with the names in the places of {app} and {name}; what stands in a name is
// not looked at again. One that a server would cut, so that two might become one, is a hash.
std::string place_of(std::string_view pattern, DatabaseName name, std::size_t bytes_max);

}  // namespace weft::sql::pooled
