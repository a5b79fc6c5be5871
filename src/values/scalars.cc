#include "values/scalars.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "base/nearest.h"

namespace weft {
namespace {

using Kind = Type::Kind;

template <class T>
std::optional<T> parse(std::string_view literal) {
  T value{};
  auto [end, problem] = std::from_chars(literal.data(), literal.data() + literal.size(), value);
  if (problem != std::errc() || end != literal.data() + literal.size()) return std::nullopt;
  return value;
}

std::int64_t lowest(unsigned bits) {
  return std::numeric_limits<std::int64_t>::min() >> (64 - bits);
}
std::uint64_t highest(unsigned bits) {
  return std::numeric_limits<std::uint64_t>::max() >> (64 - bits);
}

bool write_whole(std::string_view literal, const Type& type, Writer& out) {
  unsigned bits = type.bits();
  if (type.is_signed()) {
    auto value = parse<std::int64_t>(literal);
    if (!value || *value < lowest(bits) || *value > -(lowest(bits) + 1)) return false;
    bits == 8 ? out.byte(static_cast<std::uint8_t>(*value)) : out.signed_leb(*value);
    return true;
  }
  auto value = literal == "-0" ? std::optional<std::uint64_t>(0) : parse<std::uint64_t>(literal);
  if (!value || *value > highest(bits)) return false;
  bits == 8 ? out.byte(static_cast<std::uint8_t>(*value)) : out.unsigned_leb(*value);
  return true;
}

template <class T>
bool write_float(std::string_view literal, Writer& out) {
  auto value = parse<T>(literal);
  if (!value) return false;
  out.memory(*value);
  return true;
}

template <class T>
void append_float(T value, std::string& out) {
  if (std::isnan(value)) {
    out += "nan";
  } else if (std::isinf(value)) {
    out += value < 0 ? "-inf" : "inf";
  } else {
    std::size_t begin = out.size();
    fmt::format_to(std::back_inserter(out), "{}", value);
    // So that it is seen to be no whole number.
    if (std::string_view(out).substr(begin).find_first_of(".e") == std::string_view::npos) {
      out += ".0";
    }
  }
}

}  // namespace

std::string expectation(const Type& type) {
  switch (type.kind) {
    case Kind::kU8:
    case Kind::kU16:
    case Kind::kU32:
    case Kind::kU64: return fmt::format("{} (0 to {})", type.text(), highest(type.bits()));
    case Kind::kS8:
    case Kind::kS16:
    case Kind::kS32:
    case Kind::kS64:
      return fmt::format("{} ({} to {})", type.text(), lowest(type.bits()),
                         -(lowest(type.bits()) + 1));
    default: return type.text();
  }
}

void read_number(Source& in, const Type& type, Writer& out) {
  std::size_t place = in.place();
  std::string_view literal = in.number();
  bool well = !literal.empty();
  if (well) {
    switch (type.kind) {
      case Kind::kF32: well = write_float<float>(literal, out); break;
      case Kind::kF64: well = write_float<double>(literal, out); break;
      default: well = write_whole(literal, type, out);
    }
  }
  if (!well) in.expected(expectation(type), place);
}

bool write_special_float(std::string_view word, const Type& type, Writer& out) {
  double value = 0;
  if (word == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (word == "inf") {
    value = std::numeric_limits<double>::infinity();
  } else if (word == "-inf") {
    value = -std::numeric_limits<double>::infinity();
  } else {
    return false;
  }
  type.kind == Kind::kF32 ? out.memory(static_cast<float>(value)) : out.memory(value);
  return true;
}

void append_number(Reader& in, const Type& type, std::string& out) {
  auto append = [&](auto value) { fmt::format_to(std::back_inserter(out), "{}", value); };
  switch (type.kind) {
    case Kind::kF32: return append_float(in.memory<float>(), out);
    case Kind::kF64: return append_float(in.memory<double>(), out);
    case Kind::kU8: return append(in.byte());
    case Kind::kS8: return append(static_cast<std::int8_t>(in.byte()));
    default: break;
  }
  type.is_signed() ? append(in.signed_leb(type.bits())) : append(in.unsigned_leb(type.bits()));
}

bool append_utf8(std::string& out, char32_t value) {
  Buffer bytes;
  Writer writer(bytes);
  writer.character(value);
  if (!writer.end()) return false;
  out += bytes.text();
  return true;
}

Character first_character(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) ++size;
  return {Reader(as_bytes(text.substr(0, size))).character(), size};
}

std::optional<std::size_t> find_name(Source& in, const Type& type, std::string_view name,
                                     std::size_t place) {
  auto found = std::ranges::find(type.names, name);
  if (found != type.names.end()) return static_cast<std::size_t>(found - type.names.begin());
  std::string what = type.text();
  std::vector<std::string_view> known(type.names.begin(), type.names.end());
  if (auto meant = nearest(name, known)) what += fmt::format(" (did you mean {}?)", *meant);
  in.expected(what, place);
  return std::nullopt;
}

void write_flags(const std::vector<bool>& set, Writer& out) {
  std::uint8_t byte = 0;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (set[i]) byte = static_cast<std::uint8_t>(byte | 1U << i % 8);
    if (i % 8 != 7 && i + 1 != set.size()) continue;
    out.byte(byte);
    byte = 0;
  }
}

}  // namespace weft
