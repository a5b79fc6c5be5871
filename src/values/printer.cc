#include "values/printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "values/scalars.h"
#include "values/wave.h"

namespace weft {
namespace {

using Kind = Type::Kind;

// Reads a value's bytes and appends its text. Fails the reader where they are no value.
class Printer {
 public:
  Printer(Reader& in, Notation notation, std::string& out)
      : in_(in), json_(notation == Notation::kJson), out_(out) {}

  void value(const Type& type) {
    if (out_.size() > kTextBytesMax) return in_.fail("the value is too long to be printed");
    switch (type.kind) {
      case Kind::kBool: out_ += in_.boolean() ? "true" : "false"; return;
      case Kind::kChar: return character(in_.character());
      case Kind::kString: return string(in_.text());
      case Kind::kList: return list(type, in_.count());
      case Kind::kFixedList: return list(type, type.length);
      case Kind::kMap: return map(type);
      case Kind::kTuple: return tuple(type);
      case Kind::kRecord: return record(type);
      case Kind::kVariant:
      case Kind::kEnum: return one_of(type);
      case Kind::kFlags: return flags(type);
      case Kind::kOption: return option(type);
      case Kind::kResult: return result(type);
      default: break;
    }
    if (type.is_number()) return number(type);
    in_.fail(fmt::format("{} has no text", type.text()));
  }

 private:
  void number(const Type& type) {
    std::size_t begin = out_.size();
    append_number(in_, type, out_);
    if (!json_) return;
    std::string_view text = std::string_view(out_).substr(begin);
    if (text != "nan" && text != "inf" && text != "-inf") return;
    out_.insert(begin, 1, '"');
    out_ += '"';
  }

  void character(char32_t value) {
    char quote = json_ ? '"' : '\'';
    out_ += quote;
    escaped(value, quote);
    out_ += quote;
  }
  void string(std::string_view text) {
    out_ += '"';
    // Plain characters in one go.
    auto plain = [](char c) {
      return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
    };
    while (!text.empty()) {
      auto end = std::ranges::find_if_not(text, plain);
      auto size = static_cast<std::size_t>(end - text.begin());
      out_ += text.substr(0, size);
      text.remove_prefix(size);
      if (text.empty()) break;
      escaped(static_cast<unsigned char>(text.front()), '"');
      text.remove_prefix(1);
    }
    out_ += '"';
  }
  void escaped(char32_t c, char quote) {
    switch (c) {
      case U'\\': out_ += "\\\\"; return;
      case U'\n': out_ += "\\n"; return;
      case U'\r': out_ += "\\r"; return;
      case U'\t': out_ += "\\t"; return;
      default: break;
    }
    if (c == static_cast<unsigned char>(quote)) {
      out_ += '\\';
      out_ += quote;
    } else if (c < 0x20 || c == 0x7f) {
      out_ += fmt::format(fmt::runtime(json_ ? "\\u{:04x}" : "\\u{{{:x}}}"),
                          static_cast<std::uint32_t>(c));
    } else {
      append_utf8(out_, c);
    }
  }

  void separate(std::size_t index) {
    if (index > 0) out_ += ", ";
  }
  void list(const Type& type, std::size_t count) {
    out_ += '[';
    for (std::size_t i = 0; i < count && !in_.failed(); ++i) {
      separate(i);
      value(type.parts.front());
    }
    out_ += ']';
  }
  void map(const Type& type) {
    std::size_t count = in_.count();
    out_ += '[';
    for (std::size_t i = 0; i < count && !in_.failed(); ++i) {
      separate(i);
      tuple(type);
    }
    out_ += ']';
  }
  void tuple(const Type& type) {
    out_ += json_ ? '[' : '(';
    for (std::size_t i = 0; i < type.parts.size() && !in_.failed(); ++i) {
      separate(i);
      value(type.parts[i]);
    }
    out_ += json_ ? ']' : ')';
  }
  void record(const Type& type) {
    out_ += '{';
    for (std::size_t i = 0; i < type.parts.size() && !in_.failed(); ++i) {
      separate(i);
      label(type.names[i]);
      out_ += ": ";
      value(type.parts[i]);
    }
    out_ += '}';
  }
  void one_of(const Type& type) {
    std::size_t number = in_.discriminant(static_cast<std::uint32_t>(type.names.size()));
    const std::string& name = type.names[number];
    if (type.kind == Kind::kEnum || type.parts[number].kind == Kind::kNothing) {
      return keyword_free(name);
    }
    if (!json_ && is_wave_keyword(name)) out_ += '%';
    payload(name, type.parts[number]);
  }
  void flags(const Type& type) {
    out_ += json_ ? '[' : '{';
    BytesView bytes = in_.raw((type.names.size() + 7) / 8);
    std::size_t set = 0;
    for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
      if ((bytes[i / 8] >> i % 8 & 1) == 0) continue;
      if (i >= type.names.size()) return in_.fail("a flag beyond the last");
      separate(set++);
      label(type.names[i]);
    }
    out_ += json_ ? ']' : '}';
  }
  void option(const Type& type) {
    if (in_.boolean()) return payload("some", type.parts.front());
    out_ += json_ ? "null" : "none";
  }
  void result(const Type& type) {
    bool err = in_.boolean();
    payload(err ? "err" : "ok", type.parts[err ? 1 : 0]);
  }

  // "name(value)" or {"name": value}; of a result without a payload "ok" or {"ok": null}.
  void payload(std::string_view name, const Type& type) {
    bool there = type.kind != Kind::kNothing;
    if (json_) {
      out_ += fmt::format("{{\"{}\": ", name);
      there ? value(type) : void(out_ += "null");
      out_ += '}';
    } else {
      out_ += name;
      if (!there) return;
      out_ += '(';
      value(type);
      out_ += ')';
    }
  }
  void keyword_free(std::string_view name) {
    if (!json_ && is_wave_keyword(name)) out_ += '%';
    label(name);
  }
  void label(std::string_view name) {
    json_ ? void(out_ += fmt::format("\"{}\"", name)) : void(out_ += name);
  }

  Reader& in_;
  bool json_;
  std::string& out_;
};

}  // namespace

Result<std::string> print_value(const Type& type, BytesView bytes, Notation notation) {
  std::string out;
  Reader in(bytes);
  Printer(in, notation, out).value(type);
  TRY_VOID(in.end());
  return out;
}

}  // namespace weft
