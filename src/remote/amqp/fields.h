#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

// What the methods of AMQP 0-9-1 are made of.
namespace weft::remote::amqp {

inline constexpr std::size_t kShortBytesMax = 255;  // Of a short string.
// Of one table, what is within it included: one that goes beyond is refused.
inline constexpr std::size_t kFieldsMax = 1'000;
inline constexpr unsigned kDepthMax = 8;

struct Value;
struct Field;
using Array = std::vector<Value>;
using Table = std::vector<Field>;

// A field. Integers of all sizes and times are one kind here; what is of no use is the first one.
struct Value {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Table> is;
};

struct Field {
  std::string name;
  Value value;
};

// What a server sends is none of AMQP's.
std::unexpected<Error> corrupt(std::string_view what);

// Null: it is not there. The first of that name.
const Value* find(const Table& table, std::string_view name);

// Reads within one frame. What is not there makes it fail, once and for all.
class In {
 public:
  explicit In(BytesView bytes) : bytes_(bytes) {}

  bool failed() const { return failed_; }
  std::size_t left() const { return bytes_.size(); }
  BytesView take(std::size_t count);
  std::uint8_t byte();
  std::uint16_t two();
  std::uint32_t four();
  std::uint64_t eight();
  std::string short_text();
  std::string long_text();
  Table table();

 private:
  struct Bound;
  Value value(Bound& bound, unsigned depth);
  Table fields(Bound& bound, unsigned depth);

  BytesView bytes_;
  bool failed_ = false;
};

void put(Buffer& out, std::uint8_t value);
void put_two(Buffer& out, std::uint16_t value);
void put_four(Buffer& out, std::uint32_t value);
void put_eight(Buffer& out, std::uint64_t value);
// Of kShortBytesMax at most: more is a bug.
void put_short(Buffer& out, std::string_view text);
void put_long(Buffer& out, std::string_view text);
void put_table(Buffer& out, const Table& table);

}  // namespace weft::remote::amqp
