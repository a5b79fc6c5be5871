#pragma once

#include <string>

#include "app/edition.h"

namespace weft {

// The grants in force, for whoever starts an app: each app's routes and triggers, and what each of
// its components may reach and spend. Names only: neither values of configuration nor secrets.
std::string grants_text(const Edition& edition);

}  // namespace weft
