#include "capabilities/blobstore/drivers/object_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/sha256.h"

namespace weft::blobstore {
namespace {

// Before a byte's two digits: one that sorts before everything spelled as itself, one behind it.
constexpr char kLow = '!';
constexpr char kHigh = '~';
constexpr char kBeforeHash = '+';
constexpr std::size_t kHashDigits = 64;
// Of one of the two parts of a container's prefix; longer ones end with a hash.
constexpr std::size_t kPartMax = 100;

std::string spell(std::string_view name) {
  std::string out;
  for (unsigned char c : name) {
    if (c < '0') {
      out += fmt::format("{}{:02X}", kLow, c);
    } else if (c >= static_cast<unsigned char>(kHigh)) {
      out += fmt::format("{}{:02X}", kHigh, c);
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

std::optional<unsigned> digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::string part_of_prefix(std::string_view text) {
  bool only_dots = std::ranges::all_of(text, [](char c) { return c == '.'; });
  std::string out;
  for (unsigned char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '_' || (c == '.' && !only_dots);
    out += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  if (out.size() > kPartMax) {
    out = out.substr(0, kPartMax - kHashDigits - 1) + "~" + sha256_hex(as_bytes(text));
  }
  // An empty segment is nothing that every store takes.
  return out.empty() ? "%" : out;
}

}  // namespace

bool ObjectKeys::plain(std::string_view name) {
  if (name.starts_with(kReserved)) return false;
  if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    return false;
  }
  for (std::size_t begin = 0; begin <= name.size();) {
    std::string_view segment = name.substr(begin, name.find('/', begin) - begin);
    if (segment.empty() || segment == "." || segment == "..") return false;
    begin += segment.size() + 1;
  }
  // A dot or a slash at the end is dropped by some.
  return !name.ends_with('.');
}

std::string ObjectKeys::new_marker() {
  std::random_device random;
  return fmt::format("weft container {:08x}{:08x}{:08x}{:08x}\n", random(), random(), random(),
                     random());
}

ObjectKeys::Key ObjectKeys::of(std::string_view name) const {
  bool taken = plain(name) && (takes_ == nullptr || takes_(name));
  if (prefix_.size() + name.size() <= kKeyBytesMax && taken) return {prefix_ + std::string(name)};
  std::string text = spell(name);
  if (text.size() <= kSpelledMax) return {special() + text};
  text.resize(kSpelledMax);
  return {special() + text + kBeforeHash + sha256_hex(as_bytes(name)), true};
}

std::optional<ObjectKeys::Spelled> ObjectKeys::spelled(std::string_view key) const {
  std::string begin = special();
  if (!key.starts_with(begin)) return std::nullopt;
  key.remove_prefix(begin.size());
  if (key.size() <= kSpelledMax) return Spelled{std::string(key)};
  if (key.size() != kSpelledMax + 1 + kHashDigits || key[kSpelledMax] != kBeforeHash) {
    return std::nullopt;
  }
  return Spelled{std::string(key.substr(0, kSpelledMax)), true};
}

std::optional<std::string> ObjectKeys::unspelled(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != kLow && text[i] != kHigh) {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    auto high = digit(text[i + 1]);
    auto low = digit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    out += static_cast<char>(*high << 4 | *low);
    i += 2;
  }
  // Somebody else's spelling would be listed under a name that leads elsewhere.
  if (spell(out) != text) return std::nullopt;
  return out;
}

std::string ObjectKeys::special_after(std::string_view name) const {
  std::string text = spell(name);
  if (text.size() > kSpelledMax) text.resize(kSpelledMax);
  return special() + text;
}

std::string container_prefix(const ContainerName& name) {
  return part_of_prefix(name.owner) + "/" + part_of_prefix(name.name) + "/";
}

}  // namespace weft::blobstore
