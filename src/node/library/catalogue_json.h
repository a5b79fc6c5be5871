#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/library/catalogue.h"

namespace weft::node::library {

// What others are told: everything but the files.
std::string catalogue_json(std::span<const Library> libraries, std::span<const Service> services);

// The file of a catalogue, for people to read. `read_catalogue_file` reads what the other wrote, or
// somebody with an editor: kInvalid with what is wrong. Whether the libraries may be, it does not
// look at.
std::string catalogue_file(std::span<const Library> libraries);
Result<std::vector<Library>> read_catalogue_file(std::string_view text);

}  // namespace weft::node::library
