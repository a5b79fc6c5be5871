#pragma once

#include <optional>
#include <string_view>

#include "base/error.h"

namespace weft::node::library {

inline constexpr std::size_t kLibraryNameMax = 64;
inline constexpr std::size_t kVersionMax = 64;
inline constexpr std::size_t kInterfaceNameMax = 200;

// "math" or "acme:math": letters, digits and -_.: with a letter or a digit first and last. Names
// become parts of file names and lines of beacons, so there is no slash, no blank, no "..".
Result<void> check_library_name(std::string_view name);
// "1.2.0", "2.0.0-rc.1+build": a digit first, then letters, digits and .-+ as semantic versions
// have.
Result<void> check_version(std::string_view version);
// "acme:math/add@1.0.0".
Result<void> check_interface_name(std::string_view name);
// "acme:words@1.2.0" in its two parts; without a version it is any.
struct NameAndVersion {
  std::string_view name;
  std::optional<std::string_view> version = {};
};
NameAndVersion cut_version(std::string_view library);
// What a folder of keys may be called: visible ASCII without a slash, no dot first.
Result<void> check_owner_name(std::string_view name);

// Whether version `a` comes before `b`, as semantic versions are ordered.
bool version_before(std::string_view a, std::string_view b);

}  // namespace weft::node::library
