// Shows that the C++ half of the encoding agrees with the golden vectors that every other half is
// held to: each value gives the bytes, each run of bytes gives the value, and what is invalid is
// refused. A type that this test has no C++ type for fails it.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

#include "door/values.h"
#include "wit/test/golden/types.h"

namespace weft {
namespace {

namespace json = boost::json;
namespace golden = wit::test::golden::types;

// A C++ value from the JSON of a vector.
template <class T>
struct FromJson;
template <class T>
T from_json(const json::value& value) {
  return FromJson<T>::make(value);
}
std::string text(const json::value& value) {
  return std::string(value.as_string());
}

template <std::integral T>
struct FromJson<T> {
  static T make(const json::value& value) {
    if constexpr (std::same_as<T, char32_t>) {
      std::string utf8 = text(value);
      Reader in(as_bytes(utf8));
      return in.character();
    } else if constexpr (std::same_as<T, bool>) {
      return value.as_bool();
    } else {
      return value.to_number<T>();
    }
  }
};
template <std::floating_point T>
struct FromJson<T> {
  static T make(const json::value& value) {
    if (!value.is_string()) return static_cast<T>(value.to_number<double>());
    std::string name = text(value);
    if (name == "nan") return std::numeric_limits<T>::quiet_NaN();
    if (name == "-inf") return -std::numeric_limits<T>::infinity();
    EXPECT_EQ(name, "inf");
    return std::numeric_limits<T>::infinity();
  }
};
template <>
struct FromJson<std::string> {
  static std::string make(const json::value& value) { return text(value); }
};
template <class T>
struct FromJson<std::vector<T>> {
  static std::vector<T> make(const json::value& value) {
    std::vector<T> list;
    for (const json::value& each : value.as_array()) list.push_back(from_json<T>(each));
    return list;
  }
};
template <class T, std::size_t N>
struct FromJson<std::array<T, N>> {
  static std::array<T, N> make(const json::value& value) {
    std::array<T, N> list{};
    for (std::size_t i = 0; i < N; ++i) list[i] = from_json<T>(value.as_array().at(i));
    return list;
  }
};
template <class... T>
struct FromJson<std::tuple<T...>> {
  static std::tuple<T...> make(const json::value& value) {
    std::size_t next = 0;
    return std::tuple<T...>{from_json<T>(value.as_array().at(next++))...};
  }
};
template <class T>
struct FromJson<std::optional<T>> {
  static std::optional<T> make(const json::value& value) {
    if (value.is_null()) return std::nullopt;
    return from_json<T>(value.as_object().at("some"));
  }
};
template <class T, class E>
struct FromJson<std::expected<T, E>> {
  static std::expected<T, E> make(const json::value& value) {
    // A side without payload is its bare name.
    if (value.is_string()) {
      if (text(value) == "ok") return ok(value);
      return std::unexpected(from_json<E>(value));
    }
    if (const json::value* error = value.as_object().if_contains("err")) {
      return std::unexpected(from_json<E>(*error));
    }
    return ok(value.as_object().at("ok"));
  }
  static std::expected<T, E> ok(const json::value& value) {
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return from_json<T>(value);
    }
  }
};
template <>
struct FromJson<Nothing> {
  static Nothing make(const json::value&) { return {}; }
};
template <class T>
  requires std::is_enum_v<T>
struct FromJson<T> {
  static T make(const json::value& value) {
    for (std::uint32_t i = 0; i < 300; ++i) {
      auto each = static_cast<T>(i);
      if (to_string(each) == text(value)) return each;
    }
    ADD_FAILURE() << text(value);
    return {};
  }
};
template <>
struct FromJson<golden::Model> {
  static golden::Model make(const json::value& value) {
    return {.name = from_json<std::string>(value.at("name")),
            .dims = from_json<std::vector<std::uint32_t>>(value.at("dims")),
            .big = from_json<std::optional<std::uint64_t>>(value.at("big"))};
  }
};
template <>
struct FromJson<golden::Point> {
  static golden::Point make(const json::value& value) {
    return {.x = from_json<double>(value.at("x")), .y = from_json<double>(value.at("y"))};
  }
};
template <>
struct FromJson<golden::Pair> {
  static golden::Pair make(const json::value& value) {
    return {.a = from_json<std::uint8_t>(value.at("a")),
            .b = from_json<std::uint64_t>(value.at("b"))};
  }
};
template <>
struct FromJson<golden::Error> {
  static golden::Error make(const json::value& value) {
    if (value.is_object()) return golden::Error::other(text(value.at("other")));
    return text(value) == "no-such-store" ? golden::Error::no_such_store()
                                          : golden::Error::access_denied();
  }
};
template <>
struct FromJson<golden::Mixed> {
  static golden::Mixed make(const json::value& value) {
    if (!value.is_object()) return golden::Mixed::c();
    if (const json::value* a = value.as_object().if_contains("a")) {
      return golden::Mixed::a(from_json<float>(*a));
    }
    return golden::Mixed::b(from_json<std::uint64_t>(value.at("b")));
  }
};
template <>
struct FromJson<golden::ManyCases> {
  static golden::ManyCases make(const json::value& value) {
    if (value.is_object()) {
      return golden::ManyCases::last(from_json<std::uint8_t>(value.at("last")));
    }
    std::string name = text(value);
    if (name == "c0") return golden::ManyCases::c0();
    if (name == "c127") return golden::ManyCases::c127();
    EXPECT_EQ(name, "c128");
    return golden::ManyCases::c128();
  }
};

// Sets the flags of the list; each is named where the vectors use it.
template <class T>
T flags_from(const json::value& value, const std::map<std::string, void (*)(T&)>& known) {
  T flags;
  for (const json::value& each : value.as_array()) {
    auto found = known.find(text(each));
    EXPECT_NE(found, known.end()) << text(each);
    if (found != known.end()) found->second(flags);
  }
  return flags;
}
#define FLAG(T, name) {#name, [](golden::T& flags) { flags.name = true; }}
#define FLAGS(T, ...)                                     \
  template <>                                             \
  struct FromJson<golden::T> {                            \
    static golden::T make(const json::value& value) {     \
      return flags_from<golden::T>(value, {__VA_ARGS__}); \
    }                                                     \
  }
FLAGS(One, FLAG(One, a));
FLAGS(Three, FLAG(Three, a), FLAG(Three, b), FLAG(Three, c));
FLAGS(Eight, FLAG(Eight, b0), FLAG(Eight, b7));
FLAGS(Nine, FLAG(Nine, b0), FLAG(Nine, b8));
FLAGS(Seventeen, FLAG(Seventeen, b1), FLAG(Seventeen, b16));
FLAGS(ThirtyTwo, FLAG(ThirtyTwo, b31));
#undef FLAGS
#undef FLAG

ResourceTable& table() {
  static ResourceTable only;
  return only;
}
template <>
struct FromJson<Handle<golden::Bucket>> {
  static Handle<golden::Bucket> make(const json::value& value) {
    return {table(), value.to_number<std::uint32_t>()};
  }
};

std::string hex_of(BytesView bytes) {
  std::string hex;
  for (std::uint8_t byte : bytes) hex += fmt::format("{:02x}", byte);
  return hex;
}
Bytes bytes_of(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    std::uint8_t byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    bytes.push_back(byte);
  }
  return bytes;
}

// What the test does with a type, whatever the type.
struct Checks {
  // The bytes of a value given as JSON.
  std::string (*written)(const json::value&);
  // The shortest bytes of the value that the bytes hold, or why they hold none.
  Result<std::string> (*read)(BytesView);
};

template <class T>
std::string hex_written(T value) {
  Buffer buffer;
  Writer out(buffer, &table());
  out.write(value);
  EXPECT_TRUE(out.end());
  return hex_of(buffer.view());
}
template <class T>
Checks checks() {
  return {[](const json::value& value) { return hex_written<T>(from_json<T>(value)); },
          [](BytesView bytes) -> Result<std::string> {
            Reader in(bytes, &table());
            T value = in.read<T>();
            TRY_VOID(in.end());
            return hex_written<T>(std::move(value));
          }};
}

std::string numbered(std::string_view prefix, int count) {
  std::string names;
  for (int i = 0; i < count; ++i) names += fmt::format("{}{}{}", i == 0 ? "" : ", ", prefix, i);
  return names;
}

using U32 = std::uint32_t;
using U64 = std::uint64_t;
const std::map<std::string, Checks>& types() {
  static const std::map<std::string, Checks> all = {
      {"bool", checks<bool>()},
      {"u8", checks<std::uint8_t>()},
      {"s8", checks<std::int8_t>()},
      {"u16", checks<std::uint16_t>()},
      {"s16", checks<std::int16_t>()},
      {"u32", checks<U32>()},
      {"s32", checks<std::int32_t>()},
      {"u64", checks<U64>()},
      {"s64", checks<std::int64_t>()},
      {"f32", checks<float>()},
      {"f64", checks<double>()},
      {"char", checks<char32_t>()},
      {"string", checks<std::string>()},
      {"list<u8>", checks<Bytes>()},
      {"list<u32>", checks<std::vector<U32>>()},
      {"list<s16>", checks<std::vector<std::int16_t>>()},
      {"list<bool>", checks<std::vector<bool>>()},
      {"list<f32>", checks<std::vector<float>>()},
      {"list<f64>", checks<std::vector<double>>()},
      {"list<string>", checks<std::vector<std::string>>()},
      {"list<list<u8>>", checks<std::vector<Bytes>>()},
      {"list<char>", checks<std::vector<char32_t>>()},
      {"list<u8, 4>", checks<std::array<std::uint8_t, 4>>()},
      {"list<string, 2>", checks<std::array<std::string, 2>>()},
      {"list<u16, 2>", checks<std::array<std::uint16_t, 2>>()},
      {"list<u16, 3>", checks<std::array<std::uint16_t, 3>>()},
      {"map<string, u32>", checks<std::vector<std::tuple<std::string, U32>>>()},
      {"map<u8, list<u8>>", checks<std::vector<std::tuple<std::uint8_t, Bytes>>>()},
      {"tuple<u8, string>", checks<std::tuple<std::uint8_t, std::string>>()},
      {"tuple<u8>", checks<std::tuple<std::uint8_t>>()},
      {"tuple<tuple<u8, u8>, u64>",
       checks<std::tuple<std::tuple<std::uint8_t, std::uint8_t>, U64>>()},
      {"record{name: string, dims: list<u32>, big: option<u64>}", checks<golden::Model>()},
      {"record{x: f64, y: f64}", checks<golden::Point>()},
      {"list<record{a: u8, b: u64}>", checks<std::vector<golden::Pair>>()},
      {"option<u8>", checks<std::optional<std::uint8_t>>()},
      {"option<option<bool>>", checks<std::optional<std::optional<bool>>>()},
      {"option<list<u8>>", checks<std::optional<Bytes>>()},
      {"result", checks<std::expected<void, Nothing>>()},
      {"result<u32>", checks<std::expected<U32, Nothing>>()},
      {"result<_, string>", checks<std::expected<void, std::string>>()},
      {"result<list<u8>, u8>", checks<std::expected<Bytes, std::uint8_t>>()},
      {"result<option<list<u8>>, variant{no-such-store, access-denied, other(string)}>",
       checks<std::expected<std::optional<Bytes>, golden::Error>>()},
      {"list<tuple<string, option<u8>>>",
       checks<std::vector<std::tuple<std::string, std::optional<std::uint8_t>>>>()},
      {"variant{no-such-store, access-denied, other(string)}", checks<golden::Error>()},
      {"variant{a(f32), b(u64), c}", checks<golden::Mixed>()},
      {"variant{" + numbered("c", 129) + ", last(u8)}", checks<golden::ManyCases>()},
      {"enum{red, green, blue}", checks<golden::Colour>()},
      {"enum{only}", checks<golden::Single>()},
      {"enum{" + numbered("e", 300) + "}", checks<golden::Many>()},
      {"flags{a}", checks<golden::One>()},
      {"flags{a, b, c}", checks<golden::Three>()},
      {"flags{" + numbered("b", 8) + "}", checks<golden::Eight>()},
      {"flags{" + numbered("b", 9) + "}", checks<golden::Nine>()},
      {"flags{" + numbered("b", 17) + "}", checks<golden::Seventeen>()},
      {"flags{" + numbered("b", 32) + "}", checks<golden::ThirtyTwo>()},
      {"own<bucket>", checks<Handle<golden::Bucket>>()},
      {"borrow<bucket>", checks<Handle<golden::Bucket>>()},
      // Numbers of pipes, whose table these have no part in.
      {"stream<u8>", checks<std::uint32_t>()},
      {"stream", checks<std::uint32_t>()},
      {"future<string>", checks<std::uint32_t>()},
      {"future", checks<std::uint32_t>()},
  };
  return all;
}

class GoldenTest : public ::testing::Test {
 protected:
  // Runs `check` for each vector of a list, and makes sure that there are some.
  template <class F>
  void each(std::string_view list, F check) {
    std::ifstream file(WEFT_GOLDEN);
    std::stringstream all;
    all << file.rdbuf();
    json::value root = json::parse(all.str());
    const json::array& vectors = root.as_object().at(list).as_array();
    EXPECT_GE(vectors.size(), 5);
    for (const json::value& vector : vectors) {
      std::string type = text(vector.at("type"));
      SCOPED_TRACE(json::serialize(vector).substr(0, 400));
      auto found = types().find(type);
      if (found == types().end()) {
        ADD_FAILURE() << "no C++ type stands for " << type;
        continue;
      }
      check(found->second, vector.as_object(), text(vector.at("hex")));
    }
  }
};

void both_ways(const Checks& type, const json::object& vector, const std::string& hex) {
  EXPECT_EQ(type.written(vector.at("value")), hex);
  Result<std::string> read = type.read(bytes_of(hex));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, hex);
}

TEST_F(GoldenTest, ValuesAndBytesAgreeBothWays) {
  each("cases", both_ways);
}

TEST_F(GoldenTest, HandlesAreTheirNumbers) {
  each("handles", both_ways);
}

TEST_F(GoldenTest, LongerNumbersAreRead) {
  each("also_read", [](const Checks& type, const json::object& vector, const std::string& hex) {
    Result<std::string> read = type.read(bytes_of(hex));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, type.written(vector.at("value")));
  });
}

TEST_F(GoldenTest, InvalidBytesAreRefused) {
  each("invalid", [](const Checks& type, const json::object&, const std::string& hex) {
    Result<std::string> read = type.read(bytes_of(hex));
    EXPECT_FALSE(read) << "read as " << *read;
  });
}

}  // namespace
}  // namespace weft
