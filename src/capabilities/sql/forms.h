#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "capabilities/sql/value.h"

// The text of values that are written as text: checked, and brought into the one way of writing
// that weft:sql hands out. Nothing where the text is not of that form.
namespace weft::sql {

inline constexpr std::size_t kDecimalDigitsMax = 1000;

// "-12.50": digits with a point among them or without. A "+", zeros in front and the sign of a zero
// go.
std::optional<std::string> decimal_form(std::string_view text);
// "2026-11-26", of the years 1 to 9999.
std::optional<std::string> date_form(std::string_view text);
// "09:30:00.25": seconds are needed, zeros at the end of a fraction go.
std::optional<std::string> time_form(std::string_view text);
// "2026-11-26T09:30:00.25", with a space or a T in it, and in no time zone.
std::optional<std::string> timestamp_form(std::string_view text);
// "2026-11-26T09:30:00.25Z": of "Z", "+01", "+01:30" or "-0800" becomes UTC.
std::optional<std::string> instant_form(std::string_view text);
std::optional<std::string> uuid_form(std::string_view text);
// A JSON text, as it is.
std::optional<std::string> json_form(std::string_view text);

// A parameter whose text is checked and in its form, or why it cannot be one.
Or<void> check_parameter(Value& value);

}  // namespace weft::sql
