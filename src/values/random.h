#pragma once

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "base/buffer.h"
#include "door/codec.h"
#include "values/type.h"

namespace weft::testing {

// Random types, and random values of them, for tests.
class Random {
  using Kind = Type::Kind;

 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  // So many types in a hundred are handles, streams and futures from here on.
  void with_handles(unsigned percent) { handles_ = percent; }

  std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  bool chance(unsigned percent) { return below(100) < percent; }
  // Of any magnitude: uniform bits would all be long.
  std::uint64_t bits() {
    std::uint64_t value = engine_() >> below(64);
    return chance(50) ? value : -value;
  }

  Type type(unsigned depth) {
    Type type;
    if (chance(handles_)) return handle();
    if (depth == 0 || chance(30)) {
      type.kind = static_cast<Kind>(1 + below(static_cast<std::uint64_t>(Kind::kString)));
      return type;
    }
    type.kind = static_cast<Kind>(static_cast<std::uint64_t>(Kind::kList) + below(10));
    auto inner = [&] { return this->type(depth - 1); };
    switch (type.kind) {
      case Kind::kFixedList:
        type.length = static_cast<std::uint32_t>(1 + below(4));
        [[fallthrough]];
      case Kind::kList:
      case Kind::kOption: type.parts.push_back(inner()); break;
      case Kind::kMap: type.parts = {inner(), inner()}; break;
      case Kind::kResult:
        type.parts = {chance(70) ? inner() : Type{}, chance(70) ? inner() : Type{}};
        break;
      case Kind::kTuple:
        for (std::uint64_t i = 1 + below(4); i > 0; --i) type.parts.push_back(inner());
        break;
      default: named(type, inner);
    }
    return type;
  }

  void value(const Type& type, Writer& out) {
    switch (type.kind) {
      case Kind::kBool: return out.byte(chance(50));
      case Kind::kU8:
      case Kind::kS8: return out.byte(static_cast<std::uint8_t>(bits()));
      case Kind::kU16:
      case Kind::kU32:
      case Kind::kU64: return out.unsigned_leb(bits() >> (64 - type.bits()));
      case Kind::kS16:
      case Kind::kS32:
      case Kind::kS64:
        return out.signed_leb(static_cast<std::int64_t>(bits()) >> (64 - type.bits()));
      case Kind::kF32: return real<float>(static_cast<std::uint32_t>(bits()), out);
      case Kind::kF64: return real<double>(bits(), out);
      case Kind::kChar: return out.character(character());
      case Kind::kString: return string(out);
      case Kind::kFlags:
        for (std::size_t i = 0; i < type.names.size(); i += 8) {
          std::size_t left = std::min<std::size_t>(8, type.names.size() - i);
          out.byte(static_cast<std::uint8_t>(bits() & ((1U << left) - 1)));
        }
        return;
      case Kind::kOption: {
        bool some = chance(70);
        out.byte(some);
        if (some) value(type.parts.front(), out);
        return;
      }
      case Kind::kResult: {
        bool err = chance(40);
        out.byte(err);
        return value(type.parts[err], out);
      }
      case Kind::kVariant:
      case Kind::kEnum: {
        std::size_t number = below(type.names.size());
        out.unsigned_leb(number);
        if (type.kind == Kind::kVariant) value(type.parts[number], out);
        return;
      }
      case Kind::kList:
      case Kind::kMap: {
        std::size_t count = below(chance(5) ? 60 : 5);
        out.count(count);
        for (; count > 0; --count) parts(type, out);
        return;
      }
      case Kind::kFixedList:
        for (std::uint32_t i = 0; i < type.length; ++i) parts(type, out);
        return;
      case Kind::kRecord:
      case Kind::kTuple: return parts(type, out);
      case Kind::kOwn:
      case Kind::kBorrow:
      case Kind::kStream:
      case Kind::kFuture: return out.unsigned_leb(bits() & UINT32_MAX);
      default: return;
    }
  }

 private:
  Type handle() {
    static constexpr const char* kResources[] = {"bucket", "cursor", "input-stream",
                                                 "output-stream"};
    Type type;
    type.kind = static_cast<Kind>(static_cast<std::uint64_t>(Kind::kOwn) + below(4));
    if (type.kind == Kind::kBorrow) type.names = {kResources[below(2)]};
    if (type.kind == Kind::kOwn) type.names = {kResources[below(4)]};
    if (type.kind > Kind::kBorrow && chance(80)) {
      type.parts.push_back(Type{.kind = chance(50) ? Kind::kU8 : Kind::kString});
    }
    return type;
  }
  template <class Inner>
  void named(Type& type, Inner inner) {
    // Words that mean something in WAVE among them.
    static constexpr const char* kNames[] = {"none", "some", "ok",    "err", "nan", "inf",
                                             "true", "a",    "b-two", "C3",  "x-1", "false"};
    std::size_t count = 1 + below(type.kind == Kind::kFlags ? 12 : 6);
    std::size_t first = below(12);
    for (std::size_t i = 0; i < count; ++i) {
      type.names.emplace_back(kNames[(first + i) % 12]);
      if (type.kind == Kind::kRecord) type.parts.push_back(inner());
      if (type.kind == Kind::kVariant) type.parts.push_back(chance(60) ? inner() : Type{});
    }
  }
  void parts(const Type& type, Writer& out) {
    for (const Type& part : type.parts) value(part, out);
  }
  // Any float but a NaN, of which one stands for all.
  template <class T, class Bits>
  void real(Bits bits, Writer& out) {
    T value = std::bit_cast<T>(bits);
    out.memory(std::isnan(value) ? std::numeric_limits<T>::quiet_NaN() : value);
  }
  char32_t character() {
    if (chance(70)) return static_cast<char32_t>(below(0x80));
    auto value = static_cast<char32_t>(below(0x10'f800));
    return value >= 0xd800 ? value + 0x800 : value;
  }
  void string(Writer& out) {
    Buffer text;
    Writer each(text);
    for (std::uint64_t i = below(chance(5) ? 100 : 10); i > 0; --i) each.character(character());
    out.text(text.text());
  }

  std::mt19937_64 engine_;
  unsigned handles_ = 0;
};

}  // namespace weft::testing
