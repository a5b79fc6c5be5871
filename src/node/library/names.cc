#include "node/library/names.h"

#include <fmt/core.h>

#include <algorithm>
#include <compare>
#include <string>

#include "node/object/request.h"

namespace weft::node::library {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter_or_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_of(std::string_view text, std::string_view others) {
  return std::ranges::all_of(text, [&](char c) {
    return is_letter_or_digit(c) || others.find(c) != std::string_view::npos;
  });
}

bool has_room(std::string_view text, std::size_t most) {
  return !text.empty() && text.size() <= most;
}

// What was found, with nothing in it that a terminal would obey.
std::string shown(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, kInterfaceNameMax)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_digit);
}

std::string_view next_part(std::string_view& rest) {
  std::size_t dot = rest.find('.');
  std::string_view part = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  return part;
}

// Numbers by their value, words by their letters, a number before a word.
std::strong_ordering compare_part(std::string_view a, std::string_view b) {
  if (is_number(a) != is_number(b)) return is_number(b) <=> is_number(a);
  if (!is_number(a)) return a <=> b;
  while (a.size() > 1 && a.front() == '0') a.remove_prefix(1);
  while (b.size() > 1 && b.front() == '0') b.remove_prefix(1);
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a <=> b;
}

std::strong_ordering compare_parts(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    auto order = compare_part(next_part(a), next_part(b));
    if (order != 0) return order;
  }
  return !a.empty() <=> !b.empty();
}

}  // namespace

Result<void> check_library_name(std::string_view name) {
  if (has_room(name, kLibraryNameMax) && is_of(name, "-_.:") && is_letter_or_digit(name.front()) &&
      is_letter_or_digit(name.back()) && name.find("..") == std::string_view::npos) {
    return {};
  }
  return failure(Errc::kInvalid,
                 fmt::format("\"{}\" is no name of a library: write letters, digits and -_.:, at "
                             "most {}, like acme:math",
                             shown(name), kLibraryNameMax));
}

Result<void> check_version(std::string_view version) {
  if (has_room(version, kVersionMax) && is_of(version, ".-+") && is_digit(version.front()) &&
      is_letter_or_digit(version.back()) && version.find("..") == std::string_view::npos) {
    return {};
  }
  return failure(Errc::kInvalid,
                 fmt::format("\"{}\" is no version: write one like 1.2.0", shown(version)));
}

Result<void> check_interface_name(std::string_view name) {
  if (has_room(name, kInterfaceNameMax) && is_of(name, "-_.:/@+") &&
      is_letter_or_digit(name.front()) && name.find("..") == std::string_view::npos) {
    return {};
  }
  return failure(
      Errc::kInvalid,
      fmt::format("\"{}\" is no interface: write one like acme:math/add@1.0.0", shown(name)));
}

Result<void> check_owner_name(std::string_view name) {
  bool plain = std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7f && c != '/'; });
  if (has_room(name, kGroupNameMax) && plain && name.front() != '.') return {};
  return failure(Errc::kInvalid, fmt::format("\"{}\" is no name of a group", shown(name)));
}

NameAndVersion cut_version(std::string_view library) {
  std::size_t at = library.rfind('@');
  if (at == std::string_view::npos) return {.name = library};
  return {.name = library.substr(0, at), .version = library.substr(at + 1)};
}

bool version_before(std::string_view a, std::string_view b) {
  a = a.substr(0, a.find('+'));
  b = b.substr(0, b.find('+'));
  std::size_t a_dash = a.find('-');
  std::size_t b_dash = b.find('-');
  auto order = compare_parts(a.substr(0, a_dash), b.substr(0, b_dash));
  if (order != 0) return order < 0;
  // What comes before a release has a word behind it.
  bool a_is_early = a_dash != std::string_view::npos;
  bool b_is_early = b_dash != std::string_view::npos;
  if (!a_is_early || !b_is_early) return a_is_early && !b_is_early;
  return compare_parts(a.substr(a_dash + 1), b.substr(b_dash + 1)) < 0;
}

}  // namespace weft::node::library
