#include "values/json.h"

#include <charconv>

#include "values/printer.h"
#include "values/value_reader.h"

namespace weft {
namespace {

using Kind = Type::Kind;

class JsonReader : public ValueReader<JsonReader> {
 public:
  explicit JsonReader(std::string_view text) : ValueReader(text, 0) {}

 private:
  friend class ValueReader<JsonReader>;
  static constexpr bool kCommaMayBeLast = false;

  void blanks() {
    while (!in_.at_end() && std::string_view(" \t\r\n").contains(in_.next())) in_.advance(1);
  }

  void known(const Type& type, Writer& out) {
    switch (type.kind) {
      case Kind::kBool:
        if (in_.skip("true")) return out.byte(1);
        if (in_.skip("false")) return out.byte(0);
        return in_.expected("true or false");
      case Kind::kChar: return character(out);
      case Kind::kString: {
        std::string text = string(type);
        if (!in_.failed()) out.text(text);
        return;
      }
      case Kind::kList:
      case Kind::kFixedList:
        if (!open("[", type)) return;
        return elements(type, "]", out, [&](Writer& each) { value(type.parts.front(), each); });
      case Kind::kMap:
        if (!open("[", type)) return;
        return elements(type, "]", out, [&](Writer& each) {
          if (open("[", type)) parts(type, "]", each);
        });
      case Kind::kTuple:
        if (open("[", type)) parts(type, "]", out);
        return;
      case Kind::kRecord:
        if (open("{", type)) fields(type, "}", out, [&] { return key(type); });
        return;
      case Kind::kVariant:
      case Kind::kEnum: return one_of(type, out);
      case Kind::kFlags:
        if (open("[", type)) flags(type, "]", out, [&] { return string(type); });
        return;
      case Kind::kOption: return option(type, out);
      case Kind::kResult: return result(type, out);
      default: break;
    }
    if (!type.is_number()) return in_.expected(type.text());
    bool real = type.kind == Kind::kF32 || type.kind == Kind::kF64;
    if (!real || in_.next() != '"') return read_number(in_, type, out);
    std::size_t place = in_.place();
    std::string word = string(type);
    if (!in_.failed() && !write_special_float(word, type, out)) in_.expected(type.text(), place);
  }

  bool open(std::string_view bracket, const Type& type) {
    if (in_.skip(bracket)) return true;
    in_.expected(fmt::format("{} as JSON, beginning with {}", type.text(), bracket));
    return false;
  }

  // A string and the colon after it.
  std::string key(const Type& type) {
    std::string name = string(type, "a name of ");
    blanks();
    if (!in_.skip(":")) in_.expected("\":\"");
    return name;
  }

  // The end of an object with one member.
  void close() {
    blanks();
    if (!in_.skip("}")) in_.expected("\"}\"");
  }

  void one_of(const Type& type, Writer& out) {
    bool object = type.kind == Kind::kVariant && in_.skip("{");
    if (object) blanks();
    std::size_t place = in_.place();
    std::string name = object ? key(type) : string(type);
    if (in_.failed()) return;
    std::optional<std::size_t> number = find_name(in_, type, name, place);
    if (!number) return;
    bool payload = type.kind == Kind::kVariant && type.parts[*number].kind != Kind::kNothing;
    if (payload != object) {
      return in_.fail(payload
                          ? fmt::format("expected {{\"{}\": {}}}", name, type.parts[*number].text())
                          : fmt::format("expected \"{}\": it has no value", name),
                      place);
    }
    choose(*number, out);
    if (!payload) return;
    value(type.parts[*number], out);
    close();
  }

  void option(const Type& type, Writer& out) {
    if (in_.skip("null")) return out.byte(0);
    std::size_t place = in_.place();
    bool object = in_.skip("{");
    if (object) blanks();
    if (!object || key(type) != "some") {
      return in_.expected(fmt::format("null or {{\"some\": {}}}", type.parts.front().text()),
                          place);
    }
    out.byte(1);
    value(type.parts.front(), out);
    close();
  }

  void result(const Type& type, Writer& out) {
    std::size_t place = in_.place();
    bool object = in_.skip("{");
    if (object) blanks();
    std::string name = object ? key(type) : "";
    bool err = name == "err";
    if (!err && name != "ok") {
      return in_.expected(fmt::format("{{\"ok\": {}}} or {{\"err\": {}}}",
                                      payload_text(type.parts[0]), payload_text(type.parts[1])),
                          place);
    }
    out.byte(err ? 1 : 0);
    const Type& inner = type.parts[err ? 1 : 0];
    if (inner.kind != Kind::kNothing) {
      value(inner, out);
    } else {
      blanks();
      if (!in_.skip("null")) in_.expected("null");
    }
    close();
  }
  static std::string payload_text(const Type& type) {
    return type.kind == Kind::kNothing ? "null" : type.text();
  }

  void character(Writer& out) {
    std::size_t place = in_.place();
    std::string text = string(Type{.kind = Kind::kChar}, "a string of one ");
    if (in_.failed()) return;
    if (text.empty() || first_character(text).size != text.size()) {
      return in_.expected("a string of one character", place);
    }
    out.character(first_character(text).value);
  }

  // A string in the place of a value of `type`, or of something of it.
  std::string string(const Type& type, std::string_view before = "") {
    std::string text;
    std::size_t place = in_.place();
    if (!in_.skip("\"")) {
      in_.expected(fmt::format("{}{} as a JSON string", before, type.text()));
      return text;
    }
    while (!in_.failed() && !in_.skip("\"")) {
      std::string_view rest = in_.rest();
      std::size_t size = 0;
      while (size < rest.size() && rest[size] != '"' && rest[size] != '\\' &&
             static_cast<unsigned char>(rest[size]) >= 0x20) {
        ++size;
      }
      text += rest.substr(0, size);
      in_.advance(size);
      if (in_.at_end() || static_cast<unsigned char>(in_.next()) < 0x20) {
        in_.fail("this string has no end", place);
      } else if (in_.next() == '\\') {
        escape(text);
      }
    }
    return text;
  }

  void escape(std::string& text) {
    std::size_t place = in_.place();
    in_.advance(1);
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    std::size_t name = in_.at_end() ? std::string_view::npos : kNames.find(in_.next());
    if (name != std::string_view::npos) {
      text += kMeant[name];
      return in_.advance(1);
    }
    std::optional<std::uint32_t> code = unit();
    if (code && *code >= 0xd800 && *code < 0xdc00 && in_.next() == '\\') {
      in_.advance(1);
      std::optional<std::uint32_t> low = unit();
      bool pair = low && *low >= 0xdc00 && *low < 0xe000;
      code =
          pair ? std::optional(0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00)) : std::nullopt;
    }
    if (!code || !append_utf8(text, *code)) in_.fail("this is no character", place);
  }

  // "u20ac"
  std::optional<std::uint32_t> unit() {
    if (!in_.skip("u")) return std::nullopt;
    std::string_view digits = in_.rest().substr(0, 4);
    std::uint32_t value = 0;
    auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (problem != std::errc() || end != digits.data() + 4) return std::nullopt;
    in_.advance(4);
    return value;
  }
};

}  // namespace

Result<Bytes> value_from_json(const Type& type, std::string_view text) {
  return JsonReader(text).whole(type);
}

Result<std::string> value_to_json(const Type& type, BytesView bytes) {
  return print_value(type, bytes, Notation::kJson);
}

Result<Bytes> arguments_from_json(const Signature& signature, std::string_view text) {
  return JsonReader(text).arguments(signature, "[", "]");
}

}  // namespace weft
