#include "values/call_values.h"

#include <algorithm>

#include "values/wave.h"

namespace weft {
namespace {

// What has a number in the place of a value is a number.
Type with_numbers(Type type) {
  switch (type.kind) {
    case Type::Kind::kOwn:
    case Type::Kind::kBorrow:
    case Type::Kind::kStream:
    case Type::Kind::kFuture:
    case Type::Kind::kErrorContext: return {.kind = Type::Kind::kU32};
    default: break;
  }
  for (Type& part : type.parts) part = with_numbers(std::move(part));
  return type;
}

}  // namespace

Result<std::string> arguments_to_text(const Signature& signature, BytesView bytes) {
  Type all{.kind = Type::Kind::kTuple};
  for (const auto& [name, type] : signature.parameters) all.parts.push_back(with_numbers(type));
  return value_to_wave(all, bytes);
}

Result<std::string> result_to_text(const Signature& signature, BytesView bytes) {
  if (signature.result.kind == Type::Kind::kNothing) {
    if (bytes.empty()) return std::string();
    return failure(Errc::kCorrupt, "there are bytes where there is no result");
  }
  return value_to_wave(with_numbers(signature.result), bytes);
}

std::string cut_text(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  text.resize(most);
  return text + "...";
}

bool is_plain(const Signature& signature) {
  return !find_handle(signature.result) &&
         std::ranges::none_of(signature.parameters, [](const Signature::Parameter& each) {
           return find_handle(each.type).has_value();
         });
}

}  // namespace weft
