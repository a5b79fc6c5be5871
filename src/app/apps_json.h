#pragma once

#include <string>

#include "app/edition.h"

namespace weft {

// What an edition serves, for programs: each app's routes, and what each of its components may
// reach and spend. Names only, as grants_text (app/grants.h) tells them: neither values of
// configuration nor secrets.
std::string apps_json(const Edition& edition);

}  // namespace weft
