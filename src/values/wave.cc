#include "values/wave.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "values/printer.h"
#include "values/value_reader.h"

namespace weft {
namespace {

using Kind = Type::Kind;

constexpr std::string_view kMultiline = "\"\"\"";

class WaveReader : public ValueReader<WaveReader> {
 public:
  explicit WaveReader(std::string_view text, std::size_t from = 0) : ValueReader(text, from) {}

 private:
  friend class ValueReader<WaveReader>;
  static constexpr bool kCommaMayBeLast = true;

  void blanks() {
    for (;;) {
      while (!in_.at_end() && std::string_view(" \t\r\n").contains(in_.next())) in_.advance(1);
      if (!in_.rest().starts_with("//")) return;
      in_.advance(std::min(in_.rest().find('\n'), in_.rest().size()));
    }
  }

  void known(const Type& type, Writer& out) {
    switch (type.kind) {
      case Kind::kBool: return boolean(out);
      case Kind::kChar: return character(type, out);
      case Kind::kString: return string(type, out);
      case Kind::kList:
      case Kind::kFixedList:
        if (!open("[", type)) return;
        return elements(type, "]", out, [&](Writer& each) { value(type.parts.front(), each); });
      case Kind::kMap:
        if (!open("[", type)) return;
        return elements(type, "]", out, [&](Writer& each) {
          if (open("(", type)) parts(type, ")", each);
        });
      case Kind::kTuple:
        if (open("(", type)) parts(type, ")", out);
        return;
      case Kind::kRecord: return record(type, out);
      case Kind::kVariant:
      case Kind::kEnum: return one_of(type, out);
      case Kind::kFlags:
        if (open("{", type)) flags(type, "}", out, [&] { return label(type); });
        return;
      case Kind::kOption: return option(type, out);
      case Kind::kResult: return result(type, out);
      default: break;
    }
    if (!type.is_number()) return in_.expected(type.text());
    bool real = type.kind == Kind::kF32 || type.kind == Kind::kF64;
    std::string_view word = in_.peek_word();
    if (real && write_special_float(word, type, out)) return in_.advance(word.size());
    read_number(in_, type, out);
  }

  bool open(std::string_view bracket, const Type& type) {
    if (in_.skip(bracket)) return true;
    in_.expected(type.text());
    return false;
  }

  void boolean(Writer& out) {
    std::string_view word = in_.peek_word();
    if (word != "true" && word != "false") return in_.expected("bool (true or false)");
    out.byte(word == "true" ? 1 : 0);
    in_.advance(word.size());
  }

  void record(const Type& type, Writer& out) {
    if (!open("{", type)) return;
    blanks();
    // The empty record, unlike empty flags.
    if (in_.skip(":")) {
      blanks();
      if (in_.next() != '}') return in_.expected("\"}\"");
    }
    fields(type, "}", out, [&] {
      std::string name = label(type);
      blanks();
      if (!in_.skip(":")) in_.expected("\":\"");
      return name;
    });
  }

  // A name of the type's, without the '%' it may have.
  std::string label(const Type& type) {
    std::size_t place = in_.place();
    in_.skip("%");
    std::string_view word = in_.peek_word();
    if (word.empty()) in_.expected(type.text(), place);
    if (!word.empty()) in_.advance(word.size());
    return std::string(word);
  }

  void one_of(const Type& type, Writer& out) {
    std::size_t place = in_.place();
    std::string name = label(type);
    if (in_.failed()) return;
    std::optional<std::size_t> number = find_name(in_, type, name, place);
    if (!number) return;
    choose(*number, out);
    if (type.kind == Kind::kVariant) payload(type.parts[*number], out);
  }

  // "(value)", or nothing where there is none.
  void payload(const Type& type, Writer& out) {
    if (type.kind == Kind::kNothing) return;
    blanks();
    if (!in_.skip("(")) return in_.expected(fmt::format("({})", type.text()));
    value(type, out);
    blanks();
    if (!in_.skip(")")) in_.expected("\")\"");
  }

  // Whether a value of this type may stand for itself in an option or a result.
  static bool may_be_flat(const Type& type) {
    return type.kind != Kind::kNothing && type.kind != Kind::kOption && type.kind != Kind::kResult;
  }

  void option(const Type& type, Writer& out) {
    const Type& inner = type.parts.front();
    std::string_view word = in_.peek_word();
    bool none = word == "none";
    out.byte(none ? 0 : 1);
    if (none || word == "some") {
      in_.advance(word.size());
      if (!none) payload(inner, out);
    } else if (may_be_flat(inner)) {
      known(inner, out);
    } else {
      in_.expected(type.text());
    }
  }

  void result(const Type& type, Writer& out) {
    std::string_view word = in_.peek_word();
    bool err = word == "err";
    out.byte(err ? 1 : 0);
    if (err || word == "ok") {
      in_.advance(word.size());
      payload(type.parts[err ? 1 : 0], out);
    } else if (may_be_flat(type.parts.front())) {
      known(type.parts.front(), out);
    } else {
      in_.expected(type.text());
    }
  }

  void character(const Type& type, Writer& out) {
    std::size_t place = in_.place();
    if (!in_.skip("'")) return in_.expected("char, like 'x'");
    std::string text;
    if (in_.next() == '\'' || in_.next() == '\n' || in_.at_end()) {
      return in_.expected("char, like 'x'", place);
    }
    one_character(text);
    if (in_.failed()) return;
    if (!in_.skip("'")) return in_.expected("char, like 'x'", place);
    out.character(first_character(text).value);
  }

  void string(const Type& type, Writer& out) {
    if (in_.rest().starts_with(kMultiline)) return multiline(out);
    std::size_t place = in_.place();
    if (!in_.skip("\"")) return in_.expected("string, in double quotes");
    std::string text;
    while (!in_.failed() && !in_.skip("\"")) {
      if (in_.at_end() || in_.next() == '\n') return in_.fail("this string has no end", place);
      plain_or_one(text);
    }
    if (!in_.failed()) out.text(text);
  }

  // Between line breaks; the blanks before the end are taken off each line.
  void multiline(Writer& out) {
    std::size_t place = in_.place();
    in_.skip(kMultiline);
    in_.skip("\r");
    if (in_.next() != '\n') return in_.expected("a line break after \"\"\"");
    std::string_view body = in_.rest();
    std::size_t end = body.find(kMultiline);
    std::size_t line = body.substr(0, end).rfind('\n');
    bool well =
        end != std::string_view::npos &&
        body.substr(line + 1, end - line - 1).find_first_not_of(' ') == std::string_view::npos;
    if (!well) return in_.fail("this string has no end on a line of its own", place);
    std::string indent = "\n" + std::string(end - line - 1, ' ');
    std::size_t last = in_.place() + line;
    std::string text;
    bool first = true;
    while (!in_.failed() && in_.place() < last) {
      if (in_.rest().starts_with("\r\n")) {
        in_.advance(1);
      } else if (in_.next() != '\n') {
        one_character(text);
      } else if (in_.skip(indent)) {
        if (!std::exchange(first, false)) text += '\n';
      } else {
        in_.fail("a line with fewer blanks before it than the last", in_.place() + 1);
      }
    }
    if (in_.failed()) return;
    in_.advance(end - line);
    in_.skip(kMultiline);
    out.text(text);
  }

  // As many plain characters as there are, or one other.
  void plain_or_one(std::string& text) {
    std::string_view rest = in_.rest();
    std::size_t size = std::min(rest.find_first_of("\"\\\n"), rest.size());
    if (size == 0) return one_character(text);
    text += rest.substr(0, size);
    in_.advance(size);
  }

  void one_character(std::string& text) {
    std::size_t place = in_.place();
    if (!in_.skip("\\")) {
      std::size_t size = first_character(in_.rest()).size;
      text += in_.rest().substr(0, size);
      return in_.advance(size);
    }
    constexpr std::string_view kNames = "\\\"'tnr";
    constexpr std::string_view kMeant = "\\\"'\t\n\r";
    std::size_t name = in_.at_end() ? std::string_view::npos : kNames.find(in_.next());
    if (name != std::string_view::npos) {
      text += kMeant[name];
      return in_.advance(1);
    }
    if (!in_.skip("u{") || !code_point(text)) {
      in_.fail(R"(expected one of \\ \" \' \t \n \r \u{...})", place);
    }
  }

  // "20ac}"
  bool code_point(std::string& text) {
    std::string_view digits = in_.peek_word();
    std::uint32_t value = 0;
    auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (problem != std::errc() || end != digits.data() + digits.size()) return false;
    in_.advance(digits.size());
    return in_.skip("}") && append_utf8(text, value);
  }
};

}  // namespace

bool is_wave_keyword(std::string_view word) {
  constexpr std::array<std::string_view, 8> kKeywords{"true", "false", "inf", "nan",
                                                      "some", "none",  "ok",  "err"};
  return std::ranges::find(kKeywords, word) != kKeywords.end();
}

Result<Bytes> value_from_wave(const Type& type, std::string_view text) {
  return WaveReader(text).whole(type);
}

Result<std::string> value_to_wave(const Type& type, BytesView bytes) {
  return print_value(type, bytes, Notation::kWave);
}

Result<Bytes> arguments_from_wave(const Signature& signature, std::string_view text,
                                  std::size_t from) {
  return WaveReader(text, from).arguments(signature, "(", ")");
}

}  // namespace weft
