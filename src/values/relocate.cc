#include "values/relocate.h"

#include <fmt/format.h>

#include "door/codec.h"

namespace weft {
namespace {

using Kind = Type::Kind;

// Passes over a value. What lies between two numbers is copied in one piece.
class Walk {
 public:
  Walk(BytesView bytes, Renumbering& numbers, Buffer& out)
      : bytes_(bytes), in_(bytes), numbers_(numbers), out_(out) {}

  void value(const Type& type) {
    switch (type.kind) {
      case Kind::kNothing: return;
      case Kind::kBool: return pass(in_.boolean());
      case Kind::kU8:
      case Kind::kS8: return pass(in_.byte());
      case Kind::kU16:
      case Kind::kU32:
      case Kind::kU64: return pass(in_.unsigned_leb(type.bits()));
      case Kind::kS16:
      case Kind::kS32:
      case Kind::kS64: return pass(in_.signed_leb(type.bits()));
      case Kind::kF32: return pass(in_.raw(4));
      case Kind::kF64: return pass(in_.raw(8));
      case Kind::kChar: return pass(in_.character());
      case Kind::kString: return pass(in_.text());
      case Kind::kList:
      case Kind::kMap: return elements(type, in_.count());
      case Kind::kFixedList: return elements(type, type.length);
      case Kind::kTuple:
      case Kind::kRecord: return parts(type);
      case Kind::kVariant:
      case Kind::kEnum: return choice(type);
      case Kind::kFlags: return flags(type);
      case Kind::kOption:
        if (in_.boolean()) value(type.parts.front());
        return;
      case Kind::kResult: return value(type.parts[in_.boolean() ? 1 : 0]);
      case Kind::kOwn:
      case Kind::kBorrow:
      case Kind::kStream:
      case Kind::kFuture: return number(type);
      case Kind::kErrorContext: return in_.fail("an error-context cannot cross here");
    }
  }

  Result<void> end() {
    if (refused_) return std::unexpected(*std::move(refused_));
    TRY_VOID(in_.end());
    copy_up_to(bytes_.size());
    return {};
  }

 private:
  template <class T>
  void pass(const T&) {}

  void parts(const Type& type) {
    for (const Type& part : type.parts) {
      if (in_.failed()) return;
      value(part);
    }
  }

  // Every element takes a byte at least, so the bytes bound the number of turns.
  void elements(const Type& type, std::size_t count) {
    // A map's element is a key and a value.
    Kind element = type.kind == Kind::kMap ? Kind::kTuple : type.parts.front().kind;
    switch (element) {
      case Kind::kU8:
      case Kind::kS8: return raw(count, 1);
      case Kind::kF32: return raw(count, 4);
      case Kind::kF64: return raw(count, 8);
      default:
        for (; count > 0 && !in_.failed(); --count) parts(type);
    }
  }
  void raw(std::size_t count, std::size_t each) { pass(in_.raw(count * each)); }

  void choice(const Type& type) {
    std::uint32_t index = in_.discriminant(static_cast<std::uint32_t>(type.names.size()));
    if (type.kind == Kind::kVariant && !in_.failed()) value(type.parts[index]);
  }

  void flags(const Type& type) {
    std::size_t count = type.names.size();
    BytesView bits = in_.raw((count + 7) / 8);
    if (!bits.empty() && count % 8 != 0 && bits.back() >> (count % 8) != 0) {
      in_.fail("a flag beyond the last");
    }
  }

  void number(const Type& type) {
    std::size_t before = place();
    auto number = static_cast<std::uint32_t>(in_.unsigned_leb(32));
    if (in_.failed()) return;
    Result<std::uint32_t> changed = renumbered(type, number);
    if (!changed) {
      refused_ = std::move(changed).error();
      return in_.fail("a number that was refused");
    }
    copy_up_to(before);
    copied_ = place();
    Writer(out_).unsigned_leb(*changed);
  }

  Result<std::uint32_t> renumbered(const Type& type, std::uint32_t number) {
    switch (type.kind) {
      case Kind::kStream: {
        bool bytes = !type.parts.empty() && type.parts.front().kind == Kind::kU8;
        return numbers_.reader(bytes ? PipeKind::kBytes : PipeKind::kItems, number);
      }
      case Kind::kFuture: return numbers_.reader(PipeKind::kOne, number);
      default: break;
    }
    const std::string& resource = type.names.front();
    bool input = resource == "input-stream";
    if (input || resource == "output-stream") {
      if (type.kind == Kind::kBorrow) {
        return failure(Errc::kUnsupported, fmt::format("a {} cannot cross here", type.text()));
      }
      return input ? numbers_.reader(PipeKind::kBytes, number)
                   : numbers_.writer(PipeKind::kBytes, number);
    }
    return type.kind == Kind::kOwn ? numbers_.own(resource, number)
                                   : numbers_.borrow(resource, number);
  }

  std::size_t place() const { return bytes_.size() - in_.left(); }
  void copy_up_to(std::size_t place) {
    out_.append(bytes_.subspan(copied_, place - copied_));
    copied_ = place;
  }

  BytesView bytes_;
  Reader in_;
  Renumbering& numbers_;
  Buffer& out_;
  std::size_t copied_ = 0;
  std::optional<Error> refused_;
};

}  // namespace

Result<void> relocate(const Type& type, BytesView bytes, Renumbering& numbers, Buffer& out) {
  Walk walk(bytes, numbers, out);
  walk.value(type);
  return walk.end();
}

Result<void> relocate_arguments(const Signature& signature, BytesView bytes, Renumbering& numbers,
                                Buffer& out) {
  Walk walk(bytes, numbers, out);
  for (const Signature::Parameter& parameter : signature.parameters) walk.value(parameter.type);
  return walk.end();
}

Result<void> relocate_result(const Signature& signature, BytesView bytes, Renumbering& numbers,
                             Buffer& out) {
  return relocate(signature.result, bytes, numbers, out);
}

}  // namespace weft
