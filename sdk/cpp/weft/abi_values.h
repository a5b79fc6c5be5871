// The canonical ABI of the component model for the types that stand for WIT's: how they lie in the
// component's memory, and how they become arguments and results of core functions.
//
// A value is *lowered* on its way out and *lifted* on its way in. Flat values are slots of 64 bits:
// a narrower number lies in the low bits, which is what the ABI asks for wherever two cases of a
// variant share a slot.
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>
#include <new>
#include <type_traits>

#include "weft/stream.h"
#include "weft/wit.h"

namespace weft::abi {

constexpr std::size_t align_up(std::size_t at, std::size_t align) {
  return (at + align - 1) / align * align;
}

// A core value as a slot, and back.
template <class T>
std::uint64_t to_slot(T value) {
  if constexpr (std::same_as<T, float>) {
    return std::bit_cast<std::uint32_t>(value);
  } else if constexpr (std::same_as<T, double>) {
    return std::bit_cast<std::uint64_t>(value);
  } else if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<std::uintptr_t>(value);
  } else if constexpr (sizeof(T) == 8) {
    return static_cast<std::uint64_t>(value);
  } else {
    return static_cast<std::uint32_t>(value);
  }
}
template <class T>
T from_slot(std::uint64_t slot) {
  if constexpr (std::same_as<T, float>) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(slot));
  } else if constexpr (std::same_as<T, double>) {
    return std::bit_cast<double>(slot);
  } else if constexpr (std::same_as<T, bool>) {
    return slot != 0;
  } else {
    return static_cast<T>(slot);
  }
}

// For a type T:
//   kSize, kAlign   in memory; kFlat: how many core values it flattens to
//   kVerbatim       whether it lies in C++ as the ABI wants it, so that lists of it are passed
//   whole store, load     to and from memory;  lower, lift: to and from slots
template <class T>
struct Abi;

template <class T>
  requires std::is_arithmetic_v<T>
struct Abi<T> {
  static constexpr std::size_t kSize = sizeof(T);
  static constexpr std::size_t kAlign = sizeof(T);
  static constexpr std::size_t kFlat = 1;
  static constexpr bool kVerbatim = true;
  static void store(T value, std::byte* at, Scratch&) { std::memcpy(at, &value, sizeof value); }
  static T load(const std::byte* at, Kept&) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  static void lower(T value, std::uint64_t* flat, Scratch&) { *flat = to_slot(value); }
  static T lift(const std::uint64_t* flat, Kept&) { return from_slot<T>(*flat); }
};

template <>
struct Abi<Nothing> {
  static constexpr std::size_t kSize = 0;
  static constexpr std::size_t kAlign = 1;
  static constexpr std::size_t kFlat = 0;
  static constexpr bool kVerbatim = false;
  static void store(Nothing, std::byte*, Scratch&) {}
  static Nothing load(const std::byte*, Kept&) { return {}; }
  static void lower(Nothing, std::uint64_t*, Scratch&) {}
  static Nothing lift(const std::uint64_t*, Kept&) { return {}; }
};

// What crosses as one number that is not the value itself: `To` has `number` and `value`.
template <class T, class Wire, class To>
struct NumberAbi {
  static constexpr std::size_t kSize = sizeof(Wire);
  static constexpr std::size_t kAlign = sizeof(Wire);
  static constexpr std::size_t kFlat = 1;
  static constexpr bool kVerbatim = false;
  template <class V>
  static void store(V& value, std::byte* at, Scratch&) {
    auto number = static_cast<Wire>(To::number(value));
    std::memcpy(at, &number, sizeof number);
  }
  static T load(const std::byte* at, Kept&) {
    Wire number;
    std::memcpy(&number, at, sizeof number);
    return To::value(number);
  }
  template <class V>
  static void lower(V& value, std::uint64_t* flat, Scratch&) {
    *flat = To::number(value);
  }
  static T lift(const std::uint64_t* flat, Kept&) {
    return To::value(static_cast<std::uint32_t>(*flat));
  }
};

// The number that tells `count` cases apart.
template <std::size_t count>
using Tag =
    std::conditional_t<(count <= 0x100), std::uint8_t,
                       std::conditional_t<(count <= 0x10000), std::uint16_t, std::uint32_t>>;

template <class E>
struct ToEnum {
  static std::uint32_t number(E value) { return static_cast<std::uint32_t>(value); }
  static E value(std::uint32_t number) { return static_cast<E>(number); }
};
template <class E, std::size_t count>
struct EnumAbi : NumberAbi<E, Tag<count>, ToEnum<E>> {
  static constexpr bool kVerbatim = sizeof(E) == sizeof(Tag<count>);
};

// Flags are bits of a struct, the first one lowest; the last byte's other bits mean nothing.
template <class F, std::size_t count>
struct ToFlags {
  static_assert(count <= 32 && sizeof(F) == (count + 7) / 8);
  static std::uint32_t number(const F& value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits & (~std::uint32_t{0} >> (32 - count));
  }
  static F value(std::uint32_t number) {
    F value;
    std::memcpy(&value, &number, sizeof value);
    return value;
  }
};
template <class F, std::size_t count>
struct FlagsAbi
    : NumberAbi<F,
                std::conditional_t<(count <= 8), std::uint8_t,
                                   std::conditional_t<(count <= 16), std::uint16_t, std::uint32_t>>,
                ToFlags<F, count>> {};

// Resources of others: handed over, and lent.
template <class R>
struct ToImported {
  static std::uint32_t number(R& resource) { return resource.Imported<R>::release(); }
  static R value(std::uint32_t number) { return R(Number{number}); }
};
template <class R>
  requires std::derived_from<R, Imported<R>>
struct Abi<R> : NumberAbi<R, std::uint32_t, ToImported<R>> {};
template <class R>
struct ToLent {
  static std::uint32_t number(const R* resource) { return resource->Imported<R>::number(); }
};
template <class R>
  requires std::derived_from<R, Imported<R>>
struct Abi<const R*> : NumberAbi<const R*, std::uint32_t, ToLent<R>> {};

// Resources of this component: owned by whoever has the handle, and lent as they are.
template <class R>
struct ToExported {
  static std::uint32_t number(std::unique_ptr<R>& resource) { return R::new_(resource.release()); }
  static std::unique_ptr<R> value(std::uint32_t number) {
    R* object = R::object_({number});
    object->kept_ = true;
    R::drop_({number});
    object->kept_ = false;
    return std::unique_ptr<R>(object);
  }
};
template <std::derived_from<Exported> R>
struct Abi<std::unique_ptr<R>> : NumberAbi<std::unique_ptr<R>, std::uint32_t, ToExported<R>> {};
template <class R>
struct ToObject {
  static R* value(std::uint32_t number) { return reinterpret_cast<R*>(std::uintptr_t{number}); }
};
template <std::derived_from<Exported> R>
struct Abi<R*> : NumberAbi<R*, std::uint32_t, ToObject<R>> {};

// The ends of streams and futures that are read, handed over.
template <class S>
struct ToReader {
  static std::uint32_t number(S& stream) { return stream.end().release(); }
  static S value(std::uint32_t number) { return S(Number{number}); }
};
template <class T>
struct Abi<Stream<T>> : NumberAbi<Stream<T>, std::uint32_t, ToReader<Stream<T>>> {};
template <class T>
struct Abi<Future<T>> : NumberAbi<Future<T>, std::uint32_t, ToReader<Future<T>>> {};

// What crosses as a place and a number of elements: `Abi<T>` has `lend` and `take`.
struct Place {
  std::uint32_t data = 0;
  std::uint32_t size = 0;
  template <class T>
  T* at() const {
    return reinterpret_cast<T*>(std::uintptr_t{data});
  }
};
inline Place place(const void* data, std::size_t size) {
  return {static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(data)),
          static_cast<std::uint32_t>(size)};
}
template <class T>
struct PlaceAbi {
  static constexpr std::size_t kSize = 8;
  static constexpr std::size_t kAlign = 4;
  static constexpr std::size_t kFlat = 2;
  static constexpr bool kVerbatim = false;
  template <class V>
  static void store(V& value, std::byte* at, Scratch& scratch) {
    Place where = Abi<T>::lend(value, scratch);
    std::memcpy(at, &where, sizeof where);
  }
  static T load(const std::byte* at, Kept& kept) {
    Place where;
    std::memcpy(&where, at, sizeof where);
    return Abi<T>::take(where, kept);
  }
  template <class V>
  static void lower(V& value, std::uint64_t* flat, Scratch& scratch) {
    Place where = Abi<T>::lend(value, scratch);
    flat[0] = where.data;
    flat[1] = where.size;
  }
  static T lift(const std::uint64_t* flat, Kept& kept) {
    return Abi<T>::take({static_cast<std::uint32_t>(flat[0]), static_cast<std::uint32_t>(flat[1])},
                        kept);
  }
};

// Frees what the host allocated for a list. It does not for an empty one.
inline void free_list(Place where) {
  if (where.size != 0) std::free(where.at<void>());
}

template <>
struct Abi<std::string_view> : PlaceAbi<std::string_view> {
  static Place lend(std::string_view text, Scratch&) { return place(text.data(), text.size()); }
  static std::string_view take(Place where, Kept& kept) {
    if (where.size == 0) return {};
    kept.keep(where.at<void>());
    return {where.at<char>(), where.size};
  }
};
template <>
struct Abi<std::string> : PlaceAbi<std::string> {
  static Place lend(const std::string& text, Scratch&) { return place(text.data(), text.size()); }
  static std::string take(Place where, Kept&) {
    std::string text(where.at<char>(), where.size);
    free_list(where);
    return text;
  }
};
template <class T>
struct Abi<std::span<const T>> : PlaceAbi<std::span<const T>> {
  static_assert(Abi<T>::kVerbatim);
  static Place lend(std::span<const T> list, Scratch&) { return place(list.data(), list.size()); }
  static std::span<const T> take(Place where, Kept& kept) {
    if (where.size == 0) return {};
    kept.keep(where.at<void>());
    return {where.at<const T>(), where.size};
  }
};
template <class T>
struct Abi<std::vector<T>> : PlaceAbi<std::vector<T>> {
  static constexpr bool kWhole = Abi<T>::kVerbatim && !std::same_as<T, bool>;

  template <class List>
  static Place lend(List& list, Scratch& scratch) {
    if constexpr (kWhole) {
      return place(list.data(), list.size());
    } else {
      if (list.empty()) return {};
      std::byte* at = scratch.take(list.size(), Abi<T>::kSize);
      Place where = place(at, list.size());
      for (auto&& element : list) {
        Abi<T>::store(element, at, scratch);
        at += Abi<T>::kSize;
      }
      return where;
    }
  }
  static std::vector<T> take(Place where, Kept& kept) {
    std::vector<T> list;
    if constexpr (kWhole) {
      list.assign(where.at<const T>(), where.at<const T>() + where.size);
    } else {
      list.reserve(where.size);
      const auto* at = where.at<const std::byte>();
      for (std::size_t i = 0; i < where.size; ++i) {
        list.push_back(Abi<T>::load(at + i * Abi<T>::kSize, kept));
      }
    }
    free_list(where);
    return list;
  }
};

// Values beside each other: a record's fields, a tuple's, a function's parameters.
template <class... T>
struct Pack {
  static constexpr std::size_t kCount = sizeof...(T);
  struct Places {
    std::array<std::size_t, kCount + 1> memory{};
    std::array<std::size_t, kCount + 1> flat{};
  };
  static constexpr std::size_t kAlign = std::max({std::size_t{1}, Abi<T>::kAlign...});
  static constexpr Places kPlaces = [] {
    Places places;
    std::size_t aligns[] = {Abi<T>::kAlign..., kAlign};
    std::size_t sizes[] = {Abi<T>::kSize..., 0};
    std::size_t flats[] = {Abi<T>::kFlat..., 0};
    std::size_t at = 0;
    std::size_t slot = 0;
    for (std::size_t i = 0; i <= kCount; ++i) {
      at = align_up(at, aligns[i]);
      places.memory[i] = at;
      places.flat[i] = slot;
      at += sizes[i];
      slot += flats[i];
    }
    return places;
  }();
  static constexpr std::size_t kSize = kPlaces.memory[kCount];
  static constexpr std::size_t kFlat = kPlaces.flat[kCount];

  template <class... V>
  static void store_all(std::byte* at, Scratch& scratch, V&... values) {
    std::size_t i = 0;
    (Abi<T>::store(values, at + kPlaces.memory[i++], scratch), ...);
  }
  template <class... V>
  static void lower_all(std::uint64_t* flat, Scratch& scratch, V&... values) {
    std::size_t i = 0;
    (Abi<T>::lower(values, flat + kPlaces.flat[i++], scratch), ...);
  }
  // Braces, because they fix the order.
  template <class Made>
  static Made load_all(const std::byte* at, Kept& kept) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return Made{Abi<T>::load(at + kPlaces.memory[I], kept)...};
    }(std::index_sequence_for<T...>());
  }
  template <class Made>
  static Made lift_all(const std::uint64_t* flat, Kept& kept) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return Made{Abi<T>::lift(flat + kPlaces.flat[I], kept)...};
    }(std::index_sequence_for<T...>());
  }
};

template <class... T>
struct Abi<std::tuple<T...>> : Pack<T...> {
  using Base = Pack<T...>;
  static constexpr bool kVerbatim = false;
  template <class V>
  static void store(V& value, std::byte* at, Scratch& scratch) {
    std::apply([&](auto&... part) { Base::store_all(at, scratch, part...); }, value);
  }
  static std::tuple<T...> load(const std::byte* at, Kept& kept) {
    return Base::template load_all<std::tuple<T...>>(at, kept);
  }
  template <class V>
  static void lower(V& value, std::uint64_t* flat, Scratch& scratch) {
    std::apply([&](auto&... part) { Base::lower_all(flat, scratch, part...); }, value);
  }
  static std::tuple<T...> lift(const std::uint64_t* flat, Kept& kept) {
    return Base::template lift_all<std::tuple<T...>>(flat, kept);
  }
};

template <class R, class Field>
Field field_of(Field R::*);
template <auto field>
using FieldOf = decltype(field_of(field));

template <class R, auto... field>
struct RecordAbi : Pack<FieldOf<field>...> {
  using Base = Pack<FieldOf<field>...>;
  static constexpr bool kVerbatim = (Abi<FieldOf<field>>::kVerbatim && ...) &&
                                    sizeof(R) == Base::kSize && alignof(R) == Base::kAlign;
  template <class V>
  static void store(V& value, std::byte* at, Scratch& scratch) {
    Base::store_all(at, scratch, value.*field...);
  }
  static R load(const std::byte* at, Kept& kept) { return Base::template load_all<R>(at, kept); }
  template <class V>
  static void lower(V& value, std::uint64_t* flat, Scratch& scratch) {
    Base::lower_all(flat, scratch, value.*field...);
  }
  static R lift(const std::uint64_t* flat, Kept& kept) {
    return Base::template lift_all<R>(flat, kept);
  }
};

template <class T, std::size_t count>
struct Abi<std::array<T, count>> {
  static constexpr std::size_t kSize = Abi<T>::kSize * count;
  static constexpr std::size_t kAlign = Abi<T>::kAlign;
  static constexpr std::size_t kFlat = Abi<T>::kFlat * count;
  static constexpr bool kVerbatim = Abi<T>::kVerbatim;
  template <class V>
  static void store(V& value, std::byte* at, Scratch& scratch) {
    for (std::size_t i = 0; i < count; ++i) {
      Abi<T>::store(value[i], at + i * Abi<T>::kSize, scratch);
    }
  }
  static std::array<T, count> load(const std::byte* at, Kept& kept) {
    std::array<T, count> value{};
    for (std::size_t i = 0; i < count; ++i) value[i] = Abi<T>::load(at + i * Abi<T>::kSize, kept);
    return value;
  }
  template <class V>
  static void lower(V& value, std::uint64_t* flat, Scratch& scratch) {
    for (std::size_t i = 0; i < count; ++i) {
      Abi<T>::lower(value[i], flat + i * Abi<T>::kFlat, scratch);
    }
  }
  static std::array<T, count> lift(const std::uint64_t* flat, Kept& kept) {
    std::array<T, count> value{};
    for (std::size_t i = 0; i < count; ++i) value[i] = Abi<T>::lift(flat + i * Abi<T>::kFlat, kept);
    return value;
  }
};

// A number that says which case, and after it what the case carries; Nothing where it carries none.
template <class... Payload>
struct Cases {
  using TagType = Tag<sizeof...(Payload)>;
  static constexpr std::size_t kPayloadAlign = std::max({std::size_t{1}, Abi<Payload>::kAlign...});
  static constexpr std::size_t kAlign = std::max(sizeof(TagType), kPayloadAlign);
  static constexpr std::size_t kPayload = align_up(sizeof(TagType), kPayloadAlign);
  static constexpr std::size_t kSize =
      align_up(kPayload + std::max({std::size_t{0}, Abi<Payload>::kSize...}), kAlign);
  static constexpr std::size_t kFlat = 1 + std::max({std::size_t{0}, Abi<Payload>::kFlat...});
  static constexpr bool kVerbatim = false;

  static void store_tag(std::size_t tag, std::byte* at) {
    auto number = static_cast<TagType>(tag);
    std::memcpy(at, &number, sizeof number);
  }
  static std::size_t load_tag(const std::byte* at) {
    TagType number;
    std::memcpy(&number, at, sizeof number);
    return number;
  }
  static void lower_tag(std::size_t tag, std::uint64_t* flat) {
    flat[0] = tag;
    std::fill(flat + 1, flat + kFlat, 0);
  }
};

template <class T>
struct Abi<std::optional<T>> : Cases<Nothing, T> {
  using Base = Cases<Nothing, T>;
  template <class V>
  static void store(V& value, std::byte* at, Scratch& scratch) {
    Base::store_tag(value ? 1 : 0, at);
    if (value) Abi<T>::store(*value, at + Base::kPayload, scratch);
  }
  static std::optional<T> load(const std::byte* at, Kept& kept) {
    if (Base::load_tag(at) == 0) return std::nullopt;
    return std::optional<T>(Abi<T>::load(at + Base::kPayload, kept));
  }
  template <class V>
  static void lower(V& value, std::uint64_t* flat, Scratch& scratch) {
    Base::lower_tag(value ? 1 : 0, flat);
    if (value) Abi<T>::lower(*value, flat + 1, scratch);
  }
  static std::optional<T> lift(const std::uint64_t* flat, Kept& kept) {
    if (flat[0] == 0) return std::nullopt;
    return std::optional<T>(Abi<T>::lift(flat + 1, kept));
  }
};

template <class T>
using OrNothing = std::conditional_t<std::is_void_v<T>, Nothing, T>;

template <class T, class E>
struct Abi<std::expected<T, E>> : Cases<OrNothing<T>, E> {
  using Base = Cases<OrNothing<T>, E>;
  using Made = std::expected<T, E>;
  template <class V>
  static void store(V& value, std::byte* at, Scratch& scratch) {
    Base::store_tag(value ? 0 : 1, at);
    if (!value) {
      Abi<E>::store(value.error(), at + Base::kPayload, scratch);
    } else if constexpr (!std::is_void_v<T>) {
      Abi<T>::store(*value, at + Base::kPayload, scratch);
    }
  }
  static Made load(const std::byte* at, Kept& kept) {
    if (Base::load_tag(at) != 0) {
      return Made(std::unexpect, Abi<E>::load(at + Base::kPayload, kept));
    }
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return Made(std::in_place, Abi<T>::load(at + Base::kPayload, kept));
    }
  }
  template <class V>
  static void lower(V& value, std::uint64_t* flat, Scratch& scratch) {
    Base::lower_tag(value ? 0 : 1, flat);
    if (!value) {
      Abi<E>::lower(value.error(), flat + 1, scratch);
    } else if constexpr (!std::is_void_v<T>) {
      Abi<T>::lower(*value, flat + 1, scratch);
    }
  }
  static Made lift(const std::uint64_t* flat, Kept& kept) {
    if (flat[0] != 0) return Made(std::unexpect, Abi<E>::lift(flat + 1, kept));
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return Made(std::in_place, Abi<T>::lift(flat + 1, kept));
    }
  }
};

// A variant of the bindings: `variant` inside is a std::variant of a struct for each case.
template <class T, class... Payload>
struct VariantAbi : Cases<Payload...> {
  using Base = Cases<Payload...>;

  template <class V>
  static void store(V& value, std::byte* at, Scratch& scratch) {
    Base::store_tag(value.variant.index(), at);
    with_payload(value, [&]<class P>(auto& payload) {
      Abi<P>::store(payload, at + Base::kPayload, scratch);
    });
  }
  static T load(const std::byte* at, Kept& kept) {
    return make(Base::load_tag(at),
                [&]<class P>() { return Abi<P>::load(at + Base::kPayload, kept); });
  }
  template <class V>
  static void lower(V& value, std::uint64_t* flat, Scratch& scratch) {
    Base::lower_tag(value.variant.index(), flat);
    with_payload(value, [&]<class P>(auto& payload) { Abi<P>::lower(payload, flat + 1, scratch); });
  }
  static T lift(const std::uint64_t* flat, Kept& kept) {
    return make(static_cast<std::size_t>(flat[0]),
                [&]<class P>() { return Abi<P>::lift(flat + 1, kept); });
  }

 private:
  template <class V, class F>
  static void with_payload(V& value, F use) {
    auto one = [&]<std::size_t place, class P>() {
      if constexpr (!std::same_as<P, Nothing>) {
        if (auto* found = std::get_if<place>(&value.variant)) {
          use.template operator()<P>(found->value);
        }
      }
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (one.template operator()<I, Payload>(), ...);
    }(std::index_sequence_for<Payload...>());
  }
  template <class F>
  static T make(std::size_t tag, F read) {
    T made;
    auto one = [&]<std::size_t place, class P>() {
      if (tag != place) return;
      using Case = std::variant_alternative_t<place, decltype(made.variant)>;
      if constexpr (std::same_as<P, Nothing>) {
        made.variant.template emplace<place>();
      } else {
        made.variant.template emplace<place>(Case{read.template operator()<P>()});
      }
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (one.template operator()<I, Payload>(), ...);
    }(std::index_sequence_for<Payload...>());
    return made;
  }
};

}  // namespace weft::abi
