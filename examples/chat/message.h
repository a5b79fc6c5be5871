// What is said in a room: what it may be, and as what it travels and is kept.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "form.h"

namespace chat {

inline constexpr std::size_t kRoomMax = 32;
inline constexpr std::size_t kIdMax = 64;
inline constexpr std::size_t kNameMax = 96;
inline constexpr std::size_t kTextMax = 4'000;

struct Message {
  std::string id;  // Its sender's, or given when it came: what came twice has one.
  std::string name;
  std::string text;
  std::int64_t at = 0;  // Milliseconds since 1970.
};

inline bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

inline bool is_room(std::string_view name) {
  return !name.empty() && name.size() <= kRoomMax &&
         std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

inline bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdMax && std::ranges::all_of(id, [](char c) {
    return is_letter_or_digit(static_cast<char>(c | 0x20)) || c == '-';
  });
}

// Whether these bytes are UTF-8: no overlong forms, no halves of pairs.
inline bool is_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    unsigned first = byte(i);
    std::size_t length = first < 0x80       ? 1
                         : first >> 5 == 6  ? 2
                         : first >> 4 == 14 ? 3
                         : first >> 3 == 30 ? 4
                                            : 0;
    if (length == 0 || i + length > bytes.size()) return false;
    std::uint32_t point = length == 1 ? first : first & (0xff >> (length + 1));
    for (std::size_t j = 1; j < length; ++j) {
      if ((byte(i + j) & 0xc0) != 0x80) return false;
      point = point << 6 | (byte(i + j) & 0x3f);
    }
    static constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kLeast[length] || point > 0x10ffff || (point >> 11) == 0x1b) return false;
    i += length;
  }
  return true;
}

// Why this is no text that may be said; nothing to say against it: empty. A line's end is let pass
// where `lines` says so.
enum class Lines : unsigned char { kOne, kMany };
inline std::string against(std::string_view what, std::string_view text, std::size_t most,
                           Lines lines) {
  std::string name(what);
  if (text.size() > most) {
    return name + " has " + std::to_string(text.size()) + " bytes, and at most " +
           std::to_string(most) + " are taken";
  }
  if (!is_utf8(text)) return name + " is no UTF-8";
  bool something = false;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    bool allowed = lines == Lines::kMany && (c == '\n' || c == '\t');
    if ((byte < 0x20 && !allowed) || byte == 0x7f) return name + " has control characters";
    something = something || byte > 0x20;
  }
  return something ? std::string() : name + " is empty";
}

// A message out of a form, checked; why not, in words for who sent it.
inline std::expected<Message, std::string> read_message(std::string_view form) {
  Message message{.id = field(form, "id").value_or(""),
                  .name = field(form, "name").value_or(""),
                  .text = field(form, "text").value_or("")};
  std::erase(message.text, '\r');  // A form's lines end with both.
  if (auto why = against("name", message.name, kNameMax, Lines::kOne); !why.empty()) {
    return std::unexpected(std::move(why));
  }
  if (auto why = against("text", message.text, kTextMax, Lines::kMany); !why.empty()) {
    return std::unexpected(std::move(why));
  }
  if (!message.id.empty() && !is_id(message.id)) {
    return std::unexpected("id is 1 to 64 letters, digits and -");
  }
  std::string at = field(form, "at").value_or("0");
  std::from_chars(at.data(), at.data() + at.size(), message.at);
  return message;
}

inline std::string form_of(const Message& message) {
  std::string form;
  add_field(form, "id", message.id);
  add_field(form, "at", std::to_string(message.at));
  add_field(form, "name", message.name);
  add_field(form, "text", message.text);
  return form;
}

// As JSON's text, and in one line. Nothing in it would be HTML either.
inline std::string quoted(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || std::string_view("\"\\<>&'").contains(c)) {
      out += "\\u00";
      out += {kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

inline std::string json_of(const Message& message) {
  return "{\"id\":" + quoted(message.id) + ",\"at\":" + std::to_string(message.at) +
         ",\"name\":" + quoted(message.name) + ",\"text\":" + quoted(message.text) + "}";
}

}  // namespace chat
