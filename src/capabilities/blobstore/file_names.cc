#include "capabilities/blobstore/file_names.h"

#include "base/bytes.h"
#include "base/sha256.h"

namespace weft::blobstore {
namespace {

// File systems take 255; the file of a long name's name has a suffix.
constexpr std::size_t kFileNameBytesMax = 240;
constexpr char kHashed = '~';
constexpr std::size_t kHashDigits = 64;
// Between owner and name of a container: in neither, as it is escaped.
constexpr char kBetween = ',';

constexpr std::string_view kDigits = "0123456789ABCDEF";

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

std::string escape(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (plain(name[i]) && (i > 0 || name[i] != '.')) {
      out.push_back(name[i]);
      continue;
    }
    auto byte = static_cast<unsigned char>(name[i]);
    out.push_back('%');
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::string shortened(std::string name) {
  if (name.size() <= kFileNameBytesMax) return name;
  return kHashed + sha256_hex(as_bytes(name));
}

}  // namespace

std::string file_name_of(std::string_view object) {
  return shortened(escape(object));
}

std::string file_name_of_container(std::string_view owner, std::string_view name) {
  return shortened(escape(owner) + kBetween + escape(name));
}

bool is_hashed(std::string_view file) {
  return file.size() == 1 + kHashDigits && file.front() == kHashed;
}

std::optional<std::string> object_name_of(std::string_view file) {
  std::string name;
  for (std::size_t i = 0; i < file.size(); ++i) {
    if (file[i] != '%') {
      if (!plain(file[i])) return std::nullopt;
      name.push_back(file[i]);
      continue;
    }
    if (i + 2 >= file.size()) return std::nullopt;
    auto high = kDigits.find(file[i + 1]);
    auto low = kDigits.find(file[i + 2]);
    if (high == kDigits.npos || low == kDigits.npos) return std::nullopt;
    name.push_back(static_cast<char>(high << 4 | low));
    i += 2;
  }
  // A file that nobody here has called so is not passed off as an object.
  if (name.empty() || escape(name) != file) return std::nullopt;
  return name;
}

}  // namespace weft::blobstore
