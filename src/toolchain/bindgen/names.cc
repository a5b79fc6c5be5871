#include "toolchain/bindgen/names.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace weft::bindgen {
namespace {

// C++'s own words, macros of the standard library, and what generated code calls its own things.
constexpr std::string_view kTaken[] = {
    "alignas",
    "alignof",
    "and",
    "and_eq",
    "asm",
    "assert",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "char16_t",
    "char32_t",
    "char8_t",
    "class",
    "co_await",
    "co_return",
    "co_yield",
    "compl",
    "concept",
    "const",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "continue",
    "decltype",
    "default",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "else",
    "enum",
    "errno",
    "explicit",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "not_eq",
    "nullptr",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "requires",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "std",
    "stdin",
    "stdout",
    "stderr",
    "struct",
    "switch",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "union",
    "unix",
    "linux",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "xor",
    "xor_eq",
};
// Names of the same scope in a host's methods, and in a variant's struct.
constexpr std::string_view kTakenParams[] = {"call", "deadline"};
constexpr std::string_view kTakenCases[] = {"as", "is", "index", "match", "variant"};
constexpr std::string_view kTakenTypes[] = {"Binding", "Client", "Host"};

}  // namespace

std::string snake_case(std::string_view name) {
  std::string out;
  for (char c : name) {
    out += c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (std::ranges::find(kTaken, out) != std::end(kTaken)) out += '_';
  return out;
}

std::string param_name(std::string_view name) {
  std::string out = snake_case(name);
  if (std::ranges::find(kTakenParams, out) != std::end(kTakenParams)) out += '_';
  return out;
}

std::string case_name(std::string_view name) {
  std::string out = snake_case(name);
  if (std::ranges::find(kTakenCases, out) != std::end(kTakenCases)) out += '_';
  return out;
}

std::string pascal_case(std::string_view name) {
  std::string out;
  bool start = true;
  for (char c : name) {
    if (c == '-') {
      start = true;
      continue;
    }
    out += start ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    start = false;
  }
  if (std::ranges::find(kTakenTypes, out) != std::end(kTakenTypes)) out += '_';
  return out;
}

std::string constant_case(std::string_view name) {
  std::string word = pascal_case(name);
  if (word.ends_with('_')) word.pop_back();
  return "k" + word;
}

namespace {

// The parts of the namespace below weft::wit, which are folders as well.
std::array<std::string, 3> parts_of(const Interface& interface) {
  std::string_view package = interface.package;
  std::size_t colon = package.find(':');
  std::string name(package.substr(colon == package.npos ? 0 : colon + 1));
  if (!interface.version.empty()) name += '-' + interface.version;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '-';
  }
  return {snake_case(package.substr(0, colon == package.npos ? 0 : colon)), snake_case(name),
          snake_case(interface.interface)};
}

}  // namespace

std::string namespace_of(const Interface& interface) {
  auto [space, package, name] = parts_of(interface);
  return "weft::wit::" + space + "::" + package + "::" + name;
}

std::string path_of(const Interface& interface) {
  auto [space, package, name] = parts_of(interface);
  return "wit/" + space + "/" + package + "/" + name;
}

}  // namespace weft::bindgen
