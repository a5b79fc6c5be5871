#pragma once

#include <optional>
#include <string>
#include <string_view>

// How objects and containers are called on a disk, whatever bytes their names have. No two names
// share a file, and no name leads out of its folder.
namespace weft::blobstore {

// Files that are no objects begin with a dot.
inline constexpr std::string_view kDraftPrefix = ".draft-";
// What follows the file of a long name: the file that holds the name itself.
inline constexpr std::string_view kNameSuffix = ".name";

// Letters, digits, '-', '_' and '.' stand for themselves, the first dot apart; every other byte is
// '%' and two hexadecimal digits. A name that would be too long for a file is '~' and its SHA-256.
std::string file_name_of(std::string_view object);
// The same for a container: its owner and its name are both in it.
std::string file_name_of_container(std::string_view owner, std::string_view name);

// A file that stands for an object whose name has to be read from the file beside it.
bool is_hashed(std::string_view file);
// The object that a file stands for; nothing for a hashed one and for what is no object.
std::optional<std::string> object_name_of(std::string_view file);

}  // namespace weft::blobstore
