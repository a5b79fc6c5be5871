#include "remote/amqp/fields.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace weft::remote::amqp {
namespace {

void write_size(Buffer& out, std::size_t at) {
  auto size = static_cast<std::uint32_t>(out.size() - at - 4);
  for (int i = 0; i < 4; ++i) {
    out.data()[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(size >> (24 - 8 * i));
  }
}

// With its letter before it.
void put_value(Buffer& out, const Value& value) {
  struct Kinds {
    Buffer& out;
    void operator()(std::monostate) const { put(out, 'V'); }
    void operator()(bool is) const {
      put(out, 't');
      put(out, is ? 1 : 0);
    }
    void operator()(std::int64_t number) const {
      put(out, 'l');
      put_eight(out, static_cast<std::uint64_t>(number));
    }
    void operator()(double number) const {
      put(out, 'd');
      put_eight(out, std::bit_cast<std::uint64_t>(number));
    }
    void operator()(const std::string& text) const {
      put(out, 'S');
      put_long(out, text);
    }
    void operator()(const Array& array) const {
      put(out, 'A');
      std::size_t at = out.size();
      put_four(out, 0);
      for (const Value& each : array) put_value(out, each);
      write_size(out, at);
    }
    void operator()(const Table& table) const {
      put(out, 'F');
      put_table(out, table);
    }
  };
  std::visit(Kinds{out}, value.is);
}

}  // namespace

std::unexpected<Error> corrupt(std::string_view what) {
  return failure(Errc::kCorrupt, std::string("AMQP: ") + std::string(what));
}

const Value* find(const Table& table, std::string_view name) {
  auto found = std::ranges::find(table, name, &Field::name);
  return found == table.end() ? nullptr : &found->value;
}

struct In::Bound {
  std::size_t fields = 0;
};

BytesView In::take(std::size_t count) {
  if (count > bytes_.size()) {
    failed_ = true;
    bytes_ = {};
    return {};
  }
  BytesView taken = bytes_.first(count);
  bytes_ = bytes_.subspan(count);
  return taken;
}

std::uint8_t In::byte() {
  BytesView one = take(1);
  return one.empty() ? std::uint8_t{0} : one[0];
}
std::uint16_t In::two() {
  unsigned high = byte();
  return static_cast<std::uint16_t>(high << 8 | byte());
}
std::uint32_t In::four() {
  std::uint32_t high = two();
  return high << 16 | two();
}
std::uint64_t In::eight() {
  std::uint64_t high = four();
  return high << 32 | four();
}
std::string In::short_text() {
  return std::string(as_text(take(byte())));
}
std::string In::long_text() {
  return std::string(as_text(take(four())));
}

Value In::value(Bound& bound, unsigned depth) {
  if (++bound.fields > kFieldsMax || depth > kDepthMax) {
    failed_ = true;
    return {};
  }
  auto number = [](auto value) { return Value{static_cast<std::int64_t>(value)}; };
  switch (byte()) {
    case 't': return {byte() != 0};
    case 'b': return number(static_cast<std::int8_t>(byte()));
    case 'B': return number(byte());
    case 's': return number(static_cast<std::int16_t>(two()));
    case 'u': return number(two());
    case 'I': return number(static_cast<std::int32_t>(four()));
    case 'i': return number(four());
    case 'l':
    case 'L':
    case 'T': return number(eight());
    case 'f': return {static_cast<double>(std::bit_cast<float>(four()))};
    case 'd': return {std::bit_cast<double>(eight())};
    case 'D': take(5); return {};
    case 'S':
    case 'x': return {long_text()};
    case 'V': return {};
    case 'F': {
      In within(take(four()));
      Table table = within.fields(bound, depth + 1);
      failed_ = failed_ || within.failed();
      return {std::move(table)};
    }
    case 'A': {
      In within(take(four()));
      Array array;
      while (within.left() > 0) array.push_back(within.value(bound, depth + 1));
      failed_ = failed_ || within.failed();
      return {std::move(array)};
    }
    default: take(left() + 1); return {};
  }
}

Table In::fields(Bound& bound, unsigned depth) {
  Table table;
  while (left() > 0) {
    std::string name = short_text();
    table.emplace_back(std::move(name), value(bound, depth));
  }
  return table;
}

Table In::table() {
  In within(take(four()));
  Bound bound;
  Table table = within.fields(bound, 1);
  failed_ = failed_ || within.failed();
  return table;
}

void put(Buffer& out, std::uint8_t value) {
  out.push(value);
}
void put_two(Buffer& out, std::uint16_t value) {
  put(out, static_cast<std::uint8_t>(value >> 8));
  put(out, static_cast<std::uint8_t>(value));
}
void put_four(Buffer& out, std::uint32_t value) {
  put_two(out, static_cast<std::uint16_t>(value >> 16));
  put_two(out, static_cast<std::uint16_t>(value));
}
void put_eight(Buffer& out, std::uint64_t value) {
  put_four(out, static_cast<std::uint32_t>(value >> 32));
  put_four(out, static_cast<std::uint32_t>(value));
}
void put_short(Buffer& out, std::string_view text) {
  CHECK(text.size() <= kShortBytesMax);
  put(out, static_cast<std::uint8_t>(text.size()));
  out.append(text);
}
void put_long(Buffer& out, std::string_view text) {
  put_four(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}
void put_table(Buffer& out, const Table& table) {
  std::size_t at = out.size();
  put_four(out, 0);
  for (const auto& [name, value] : table) {
    put_short(out, name);
    put_value(out, value);
  }
  write_size(out, at);
}

}  // namespace weft::remote::amqp
