#include "values/type.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace weft {
namespace {

using Kind = Type::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 29> kHeads{{
    {"bool", Kind::kBool},
    {"u8", Kind::kU8},
    {"u16", Kind::kU16},
    {"u32", Kind::kU32},
    {"u64", Kind::kU64},
    {"s8", Kind::kS8},
    {"s16", Kind::kS16},
    {"s32", Kind::kS32},
    {"s64", Kind::kS64},
    {"f32", Kind::kF32},
    {"f64", Kind::kF64},
    {"char", Kind::kChar},
    {"string", Kind::kString},
    {"list", Kind::kList},
    {"list", Kind::kFixedList},
    {"map", Kind::kMap},
    {"tuple", Kind::kTuple},
    {"record", Kind::kRecord},
    {"variant", Kind::kVariant},
    {"enum", Kind::kEnum},
    {"flags", Kind::kFlags},
    {"option", Kind::kOption},
    {"result", Kind::kResult},
    {"own", Kind::kOwn},
    {"borrow", Kind::kBorrow},
    {"stream", Kind::kStream},
    {"future", Kind::kFuture},
    {"_", Kind::kNothing},
    {"error-context", Kind::kErrorContext},
}};

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// The first failure sticks; from then on nothing is left to read.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Type type() {
    Type type;
    if (++depth_ > kTypeDepthMax) fail(fmt::format("types deeper than {}", kTypeDepthMax));
    std::string_view head = word();
    const auto* found = std::ranges::find(kHeads, head, &std::pair<std::string_view, Kind>::first);
    if (found == kHeads.end() || found->second == Kind::kNothing) {
      fail(fmt::format("\"{}\" is no type", head));
    } else if (!error_) {
      type.kind = found->second;
      inside(type);
    }
    --depth_;
    return type;
  }

  Signature signature() {
    Signature signature;
    std::string_view head = word();
    if (head == "async") {
      signature.is_async = true;
      head = word();
    }
    if (head != "func") fail("no function");
    expect("(");
    if (!skip(")")) {
      do {
        std::string name(word());
        expect(":");
        signature.parameters.push_back({std::move(name), type()});
      } while (skip(","));
      expect(")");
    }
    if (skip("->")) signature.result = type();
    return signature;
  }

  Result<void> end() {
    blanks();
    if (!text_.empty()) fail("more than a type");
    if (error_) return std::unexpected(*std::move(error_));
    return {};
  }

 private:
  void inside(Type& type) {
    switch (type.kind) {
      case Kind::kList: return list(type);
      case Kind::kMap:
      case Kind::kTuple:
      case Kind::kOption: return generics(type);
      case Kind::kResult:
        if (following('<')) generics(type);
        type.parts.resize(2);
        return;
      case Kind::kStream:
      case Kind::kFuture:
        if (following('<')) generics(type);
        return;
      case Kind::kOwn:
      case Kind::kBorrow:
        expect("<");
        type.names.emplace_back(word());
        return expect(">");
      case Kind::kRecord:
      case Kind::kVariant:
      case Kind::kEnum:
      case Kind::kFlags: return named(type);
      default: return;
    }
  }

  void list(Type& type) {
    expect("<");
    type.parts.push_back(this->type());
    if (skip(",")) {
      type.kind = Kind::kFixedList;
      std::string_view digits = word();
      auto [end, problem] =
          std::from_chars(digits.data(), digits.data() + digits.size(), type.length);
      if (problem != std::errc() || end != digits.data() + digits.size() || type.length == 0) {
        fail("no length");
      }
    }
    expect(">");
  }

  void generics(Type& type) {
    expect("<");
    do {
      bool absent = type.kind == Kind::kResult && following('_');
      type.parts.push_back(absent ? Type{} : this->type());
      if (absent) skip("_");
    } while (skip(",") && !error_);
    expect(">");
    std::size_t count = type.parts.size();
    bool well = true;
    if (type.kind == Kind::kMap) well = count == 2;
    if (type.kind == Kind::kResult) well = count <= 2;
    if (type.kind != Kind::kMap && type.kind != Kind::kTuple && type.kind != Kind::kResult) {
      well = count == 1;
    }
    if (!well) fail("a wrong number of types");
  }

  void named(Type& type) {
    expect("{");
    do {
      type.names.emplace_back(word());
      if (type.names.back().empty()) fail("a name is missing");
      if (type.kind == Kind::kRecord) {
        expect(":");
        type.parts.push_back(this->type());
      } else if (type.kind == Kind::kVariant) {
        bool payload = skip("(");
        type.parts.push_back(payload ? this->type() : Type{});
        if (payload) expect(")");
      }
    } while (skip(",") && !error_);
    expect("}");
    std::vector<std::string_view> sorted(type.names.begin(), type.names.end());
    std::ranges::sort(sorted);
    if (std::ranges::adjacent_find(sorted) != sorted.end()) fail("a name is there twice");
  }

  void blanks() {
    while (text_.starts_with(' ')) text_.remove_prefix(1);
  }
  std::string_view word() {
    blanks();
    auto end = std::ranges::find_if_not(text_, is_word);
    std::string_view word = text_.substr(0, static_cast<std::size_t>(end - text_.begin()));
    text_.remove_prefix(word.size());
    return word;
  }
  bool following(char c) {
    blanks();
    return text_.starts_with(c);
  }
  bool skip(std::string_view token) {
    blanks();
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }
  void expect(std::string_view token) {
    if (!skip(token)) fail(fmt::format("\"{}\" is missing", token));
  }
  void fail(std::string_view what) {
    if (error_) return;
    error_ = Error(Errc::kInvalid,
                   fmt::format("the type cannot be read: {} before \"{}\"", what,
                               text_.substr(0, std::min<std::size_t>(text_.size(), 40))));
    text_ = {};
  }

  std::string_view text_;
  unsigned depth_ = 0;
  std::optional<Error> error_;
};

// Appends to `out` until it has more than `most` bytes.
class Writing {
 public:
  Writing(std::string& out, std::size_t most) : out_(out), most_(most) {}

  void type(const Type& type) {
    if (out_.size() > most_) return;
    const auto* found =
        std::ranges::find(kHeads, type.kind, &std::pair<std::string_view, Kind>::second);
    out_ += found->first;
    switch (type.kind) {
      case Kind::kRecord:
      case Kind::kVariant:
      case Kind::kEnum:
      case Kind::kFlags: return named(type);
      case Kind::kOwn:
      case Kind::kBorrow: out_ += fmt::format("<{}>", type.names.front()); return;
      case Kind::kFixedList:
        out_ += '<';
        this->type(type.parts.front());
        out_ += fmt::format(", {}>", type.length);
        return;
      default: return generics(type);
    }
  }

 private:
  void generics(const Type& type) {
    std::size_t count = type.parts.size();
    while (count > 0 && type.parts[count - 1].kind == Kind::kNothing) --count;
    for (std::size_t i = 0; i < count && out_.size() <= most_; ++i) {
      out_ += i == 0 ? "<" : ", ";
      this->type(type.parts[i]);
    }
    if (count > 0) out_ += '>';
  }
  void named(const Type& type) {
    for (std::size_t i = 0; i < type.names.size() && out_.size() <= most_; ++i) {
      out_ += i == 0 ? "{" : ", ";
      out_ += type.names[i];
      if (type.parts.empty() || type.parts[i].kind == Kind::kNothing) continue;
      bool record = type.kind == Kind::kRecord;
      out_ += record ? ": " : "(";
      this->type(type.parts[i]);
      if (!record) out_ += ')';
    }
    out_ += '}';
  }

  std::string& out_;
  std::size_t most_;
};

}  // namespace

unsigned Type::bits() const {
  switch (kind) {
    case Kind::kU8:
    case Kind::kS8: return 8;
    case Kind::kU16:
    case Kind::kS16: return 16;
    case Kind::kU32:
    case Kind::kS32: return 32;
    default: return 64;
  }
}

std::string Type::text(std::size_t most) const {
  if (kind == Kind::kNothing) return "nothing";
  std::string out;
  Writing(out, most).type(*this);
  if (out.size() > most) {
    out.resize(most);
    out += "...";
  }
  return out;
}

Result<Type> parse_type(std::string_view text) {
  Parser parser(text);
  Type type = parser.type();
  TRY_VOID(parser.end());
  return type;
}

Result<Signature> parse_signature(std::string_view text) {
  Parser parser(text);
  Signature signature = parser.signature();
  TRY_VOID(parser.end());
  return signature;
}

std::optional<std::string> find_handle(const Type& type) {
  if (type.kind >= Kind::kOwn) return type.text();
  for (const Type& part : type.parts) {
    if (auto found = find_handle(part)) return found;
  }
  return std::nullopt;
}

}  // namespace weft
