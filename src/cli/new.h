#pragma once

#include <string>

#include "base/error.h"
#include "dev/templates.h"

namespace CLI {
class App;
}

namespace weft {

void add_new_options(CLI::App& verb, NewApp& words);
// Writes a new app and says how to go on.
Result<int> run_new(const NewApp& words);

}  // namespace weft
