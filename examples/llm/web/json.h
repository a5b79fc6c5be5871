// JSON as RFC 8259 has it, read strictly and within bounds. Plain C++: compiled for the component,
// and natively for its test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace json {

inline constexpr std::size_t kDepthMax = 64;
inline constexpr std::size_t kValuesMax = 100'000;

enum class Kind : std::uint8_t { kNull, kFlag, kNumber, kText, kArray, kObject };

// A value, with all that is in it. The fields of other kinds than its own are empty.
struct Value {
  Kind kind = Kind::kNull;
  bool flag = false;
  double number = 0;
  std::string text;
  std::vector<Value> items;  // Of an array; of an object: the values of `names`.
  std::vector<std::string> names;

  // A member of an object; null when there is none. Of two with one name the last counts.
  const Value* find(std::string_view name) const;
};

// What a text says: one value. Otherwise why not, for a person: "byte 12: ...". Its strings are
// UTF-8 in any case.
std::expected<Value, std::string> parse(std::string_view text);

// Whether text from elsewhere may be a string: of an interface, or in an answer.
bool is_utf8(std::string_view text);

// Appends a string in its quotes. `text` is UTF-8.
void append(std::string& out, std::string_view text);
// The same, as a value of its own.
std::string written(std::string_view text);

}  // namespace json
