#pragma once

// The C++ types that stand for WIT's, and how they cross the door.
//
//   bool, u8.., s8.., f32, f64, char    bool, std::uint8_t.., std::int8_t.., float, double,
//   char32_t string                              std::string; std::string_view where it is borrowed
//   list<u8>                            Bytes; BytesView where it is borrowed
//   list<T>, list<T, N>                 std::vector<T>, std::array<T, N>
//   map<K, V>                           std::vector<std::tuple<K, V>>
//   option<T>, tuple<T..>               std::optional<T>, std::tuple<T..>
//   result<T, E>                        std::expected<T, E>; Nothing stands for an absent E
//   own<R>, borrow<R>                   std::unique_ptr<R>, R*
//   stream<T>, future<T>                Stream<T>, Future<T>

#include <array>
#include <concepts>
#include <expected>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "door/codec.h"
#include "door/stream.h"

namespace weft {

// One function of many, chosen by the argument: for std::visit and for a variant's match.
template <class... F>
struct Overload : F... {
  using F::operator()...;
};

// A resource somebody else serves, as the caller of its functions knows it: a number in the table
// of the instance the calls belong to. Dropping the handle drops the resource.
template <class R>
class Handle {
 public:
  Handle() = default;
  Handle(ResourceTable& table, std::uint32_t number) : table_(&table), number_(number) {}
  Handle(Handle&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)), number_(other.number_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(table_, other.table_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~Handle() {
    if (table_ != nullptr) table_->drop(number_);
  }

  explicit operator bool() const { return table_ != nullptr; }
  std::uint32_t number() const { return number_; }
  // Gives the number away: what crosses as `own` belongs to the other side.
  std::uint32_t release() {
    table_ = nullptr;
    return number_;
  }

 private:
  ResourceTable* table_ = nullptr;
  std::uint32_t number_ = 0;
};

template <class T>
concept UnsignedNumber = std::same_as<T, std::uint16_t> || std::same_as<T, std::uint32_t> ||
                         std::same_as<T, std::uint64_t>;
template <class T>
concept SignedNumber =
    std::same_as<T, std::int16_t> || std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t>;
// Lists of these lie on the wire as in memory.
template <class T>
concept Verbatim = std::same_as<T, std::uint8_t> || std::same_as<T, std::int8_t> ||
                   std::same_as<T, float> || std::same_as<T, double>;

template <>
struct Codec<bool> {
  static void write(Writer& out, bool value) { out.byte(value ? 1 : 0); }
  static bool read(Reader& in) { return in.boolean(); }
};
template <UnsignedNumber T>
struct Codec<T> {
  static void write(Writer& out, T value) { out.unsigned_leb(value); }
  static T read(Reader& in) { return static_cast<T>(in.unsigned_leb(8 * sizeof(T))); }
};
template <SignedNumber T>
struct Codec<T> {
  static void write(Writer& out, T value) { out.signed_leb(value); }
  static T read(Reader& in) { return static_cast<T>(in.signed_leb(8 * sizeof(T))); }
};
template <Verbatim T>
struct Codec<T> {
  static void write(Writer& out, T value) { out.memory(value); }
  static T read(Reader& in) { return in.memory<T>(); }
};
template <>
struct Codec<char32_t> {
  static void write(Writer& out, char32_t value) { out.character(value); }
  static char32_t read(Reader& in) { return in.character(); }
};
template <>
struct Codec<std::string_view> {
  static void write(Writer& out, std::string_view value) { out.text(value); }
  static std::string_view read(Reader& in) { return in.text(); }
};
template <>
struct Codec<std::string> {
  static void write(Writer& out, std::string_view value) { out.text(value); }
  static std::string read(Reader& in) { return std::string(in.text()); }
};
template <>
struct Codec<BytesView> {
  static void write(Writer& out, BytesView value) {
    out.count(value.size());
    out.raw(value);
  }
  static BytesView read(Reader& in) { return in.raw(in.unsigned_leb(32)); }
};
template <>
struct Codec<Nothing> {
  static void write(Writer&, Nothing) {}
  static Nothing read(Reader&) { return {}; }
};

template <class T>
struct Codec<std::vector<T>> {
  template <class List>
  static void write(Writer& out, List& list) {
    out.count(list.size());
    if constexpr (Verbatim<T>) {
      out.raw({reinterpret_cast<const std::uint8_t*>(list.data()), list.size() * sizeof(T)});
    } else if constexpr (std::same_as<T, bool>) {
      for (bool element : list) out.write(element);
    } else {
      for (auto& element : list) out.write(element);
    }
  }
  static std::vector<T> read(Reader& in) {
    std::size_t count = in.count();
    if constexpr (Verbatim<T>) {
      BytesView bytes = in.raw(count * sizeof(T));
      std::vector<T> list(bytes.size() / sizeof(T));
      if (!list.empty()) std::memcpy(list.data(), bytes.data(), bytes.size());
      return list;
    } else {
      std::vector<T> list;
      list.reserve(count);
      for (; count > 0 && !in.failed(); --count) list.push_back(in.read<T>());
      return list;
    }
  }
};
template <class T, std::size_t N>
struct Codec<std::array<T, N>> {
  template <class List>
  static void write(Writer& out, List& list) {
    for (auto& element : list) out.write(element);
  }
  static std::array<T, N> read(Reader& in) {
    std::array<T, N> list{};
    for (T& element : list) element = in.read<T>();
    return list;
  }
};
template <class... T>
struct Codec<std::tuple<T...>> {
  template <class Tuple>
  static void write(Writer& out, Tuple& tuple) {
    std::apply([&](auto&... element) { (out.write(element), ...); }, tuple);
  }
  // Braces, because they fix the order.
  static std::tuple<T...> read(Reader& in) { return std::tuple<T...>{in.read<T>()...}; }
};
template <class T>
struct Codec<std::optional<T>> {
  template <class Option>
  static void write(Writer& out, Option& option) {
    out.byte(option ? 1 : 0);
    if (option) out.write(*option);
  }
  static std::optional<T> read(Reader& in) {
    if (!in.boolean()) return std::nullopt;
    return in.read<T>();
  }
};
template <class T, class E>
struct Codec<std::expected<T, E>> {
  template <class Expected>
  static void write(Writer& out, Expected& result) {
    out.byte(result ? 0 : 1);
    if (!result) {
      out.write(result.error());
    } else if constexpr (!std::is_void_v<T>) {
      out.write(*result);
    }
  }
  static std::expected<T, E> read(Reader& in) {
    if (in.boolean()) return std::unexpected<E>(in.read<E>());
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return in.read<T>();
    }
  }
};

template <std::derived_from<Resource> R>
struct Codec<std::unique_ptr<R>> {
  static void write(Writer& out, std::unique_ptr<R>& resource) {
    out.own(R::kKind, std::move(resource));
  }
  static std::unique_ptr<R> read(Reader& in) {
    return std::unique_ptr<R>(static_cast<R*>(in.own(R::kKind).release()));
  }
};
template <std::derived_from<Resource> R>
struct Codec<R*> {
  static R* read(Reader& in) { return static_cast<R*>(in.borrow(R::kKind)); }
};
template <class R>
struct Codec<Handle<R>> {
  static void write(Writer& out, Handle<R>& handle) { out.unsigned_leb(handle.release()); }
  static void write(Writer& out, const Handle<R>& handle) { out.unsigned_leb(handle.number()); }
  static Handle<R> read(Reader& in) {
    auto number = static_cast<std::uint32_t>(in.unsigned_leb(32));
    if (in.resources() == nullptr) in.fail("no handle can cross here");
    if (in.failed()) return {};
    return Handle<R>(*in.resources(), number);
  }
};
template <class R>
struct Codec<const Handle<R>*> {
  static void write(Writer& out, const Handle<R>* handle) { out.unsigned_leb(handle->number()); }
};

// The type that owns what `T` only views: std::string for std::string_view, and so on inwards. The
// two look the same on the wire.
template <class T>
struct OwnedOf {
  using Type = T;
};
template <class T>
using Owned = typename OwnedOf<T>::Type;
template <>
struct OwnedOf<std::string_view> {
  using Type = std::string;
};
template <>
struct OwnedOf<BytesView> {
  using Type = Bytes;
};
template <class T>
struct OwnedOf<std::vector<T>> {
  using Type = std::vector<Owned<T>>;
};
template <class T>
struct OwnedOf<std::optional<T>> {
  using Type = std::optional<Owned<T>>;
};
template <class... T>
struct OwnedOf<std::tuple<T...>> {
  using Type = std::tuple<Owned<T>...>;
};
template <class T, class E>
struct OwnedOf<std::expected<T, E>> {
  using Type = std::expected<Owned<T>, Owned<E>>;
};

}  // namespace weft
