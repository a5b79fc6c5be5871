#pragma once

// What reading values has in common, whatever their notation. For this folder's sources.

#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "values/scalars.h"
#include "values/source.h"
#include "values/type.h"

namespace weft {

// Reads values in the order of their types. `Notation` has
//   void blanks()                           passes over what means nothing
//   void known(const Type&, Writer&)        reads one value; nothing has failed, blanks are passed
//   static constexpr bool kCommaMayBeLast   whether [1, 2,] is a list of two
template <class Notation>
class ValueReader {
 public:
  Result<Bytes> whole(const Type& type) {
    one(type);
    return end();
  }

  Result<Bytes> arguments(const Signature& signature, std::string_view open,
                          std::string_view close) {
    self().blanks();
    if (!in_.skip(open)) in_.expected(fmt::format("\"{}\"", open));
    std::size_t index = 0;
    items(close, [&] {
      if (index == signature.parameters.size()) {
        return in_.expected(fmt::format("\"{}\" after {} arguments", close, index));
      }
      const auto& [name, type] = signature.parameters[index++];
      one(type);
      if (in_.failed() && wrong_.empty()) wrong_ = fmt::format("argument \"{}\"", name);
    });
    for (; index < signature.parameters.size() && !in_.failed(); ++index) {
      const auto& [name, type] = signature.parameters[index];
      if (type.kind != Type::Kind::kOption) {
        in_.fail(fmt::format("argument \"{}\" is missing: expected {}", name, expectation(type)),
                 in_.place() - close.size());
      }
      out_.push(0);
    }
    return end();
  }

 protected:
  void one(const Type& type) {
    Writer out(out_);
    value(type, out);
  }

  void value(const Type& type, Writer& out) {
    if (spent_ > kSpentBytesMax) return in_.fail("the value is too long", in_.place());
    self().blanks();
    if (!in_.failed()) self().known(type, out);
  }

  // What stands between an opening bracket and `close`, with commas between and perhaps after.
  template <class Item>
  void items(std::string_view close, Item item) {
    for (;;) {
      self().blanks();
      if (in_.failed() || in_.skip(close)) return;
      item();
      self().blanks();
      if (in_.skip(close)) return;
      if (!in_.skip(",")) return in_.expected(fmt::format("\",\" or \"{}\"", close));
      self().blanks();
      if (!Notation::kCommaMayBeLast && in_.rest().starts_with(close)) {
        return in_.expected("more after the \",\"");
      }
    }
  }

  // The elements of a list up to `close`, with their number before them where it is not fixed.
  template <class Item>
  void elements(const Type& type, std::string_view close, Writer& out, Item item) {
    std::size_t place = in_.place();
    Buffer bytes;
    Writer each(bytes);
    std::size_t count = 0;
    items(close, [&] {
      item(each);
      ++count;
    });
    if (in_.failed()) return;
    if (type.kind != Type::Kind::kFixedList) {
      out.count(count);
    } else if (count != type.length) {
      return in_.fail(fmt::format("expected {}, found {} elements", type.text(), count), place);
    }
    append(bytes, out);
  }

  // Exactly one value for each part of the type.
  void parts(const Type& type, std::string_view close, Writer& out) {
    std::size_t index = 0;
    items(close, [&] {
      if (index == type.parts.size()) {
        return in_.expected(fmt::format("\"{}\" after the last of {}", close, type.text()));
      }
      value(type.parts[index++], out);
    });
    if (!in_.failed() && index < type.parts.size()) {
      in_.fail(
          fmt::format("expected {}, found {} of {} values", type.text(), index, type.parts.size()),
          in_.place() - close.size());
    }
  }

  // The fields of a record in any order. `name` reads a field's name and what is between it and
  // the value.
  template <class Name>
  void fields(const Type& type, std::string_view close, Writer& out, Name name) {
    std::vector<std::optional<Buffer>> found(type.names.size());
    items(close, [&] {
      std::size_t place = in_.place();
      std::string word = name();
      if (in_.failed()) return;
      std::optional<std::size_t> index = find_name(in_, type, word, place);
      if (!index) return;
      if (found[*index]) return in_.fail(fmt::format("{} is there twice", word), place);
      Writer field(found[*index].emplace());
      value(type.parts[*index], field);
    });
    for (std::size_t i = 0; i < found.size() && !in_.failed(); ++i) {
      if (found[i]) {
        append(*found[i], out);
      } else if (type.parts[i].kind == Type::Kind::kOption) {
        ++spent_;
        out.byte(0);
      } else {
        in_.fail(fmt::format("the field {} of {} is missing", type.names[i], type.text()),
                 in_.place() - close.size());
      }
    }
  }

  // Flags up to `close`. `name` reads one.
  template <class Name>
  void flags(const Type& type, std::string_view close, Writer& out, Name name) {
    std::vector<bool> set(type.names.size());
    spent_ += set.size() / 8;
    items(close, [&] {
      std::size_t place = in_.place();
      std::string word = name();
      if (in_.failed()) return;
      std::optional<std::size_t> index = find_name(in_, type, word, place);
      if (index) set[*index] = true;
    });
    if (!in_.failed()) write_flags(set, out);
  }

  // Writes the number of the case; its payload follows.
  void choose(std::size_t number, Writer& out) { out.unsigned_leb(number); }

  Source in_;

 private:
  friend Notation;
  explicit ValueReader(std::string_view text, std::size_t from) : in_(text, from) {}

  Notation& self() { return static_cast<Notation&>(*this); }

  void append(const Buffer& bytes, Writer& out) {
    spent_ += bytes.size();
    out.raw(bytes.view());
  }

  Result<Bytes> end() {
    self().blanks();
    if (auto read = in_.end(); !read) {
      if (wrong_.empty()) return std::unexpected(std::move(read).error());
      return std::unexpected(std::move(read).error().within(wrong_));
    }
    if (out_.size() > kValueBytesMax) return failure(Errc::kLimit, "the value is too long");
    return Bytes(out_.view().begin(), out_.view().end());
  }

  Buffer out_;
  // Bytes that were copied outwards or stand for what was left out: text that says little may
  // stand for much.
  static constexpr std::size_t kSpentBytesMax = 4 * kValueBytesMax;
  std::size_t spent_ = 0;
  std::string wrong_;
};

}  // namespace weft
