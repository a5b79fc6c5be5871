#include "capabilities/sql/value.h"

#include <fmt/format.h>

namespace weft::sql {

Failure failure_of(const Error& error) {
  switch (error.code()) {
    case Errc::kInvalid: return Failure::invalid_sql(error.message());
    case Errc::kNotFound: return Failure::no_such_database();
    case Errc::kDenied: return Failure::access_denied(error.message());
    case Errc::kLimit: return Failure::busy(error.message());
    case Errc::kTimeout: return Failure::timeout(error.message());
    case Errc::kFull: return Failure::limit(error.message());
    case Errc::kUnavailable:
    case Errc::kIo:
    case Errc::kCorrupt: return Failure::unavailable(error.message());
    default: return Failure::other(error.message());
  }
}

std::string to_text(const Failure& failure) {
  using F = Failure;
  auto told = [](std::string_view name, const auto& each) {
    return fmt::format("{}: {}", name, each.value);
  };
  return failure.match(
      [](const F::NoSuchDatabase&) { return std::string("no-such-database"); },
      [&](const F::AccessDenied& each) { return told("access-denied", each); },
      [&](const F::InvalidSql& each) { return told("invalid-sql", each); },
      [&](const F::InvalidParameter& each) { return told("invalid-parameter", each); },
      [](const F::Constraint& each) {
        return fmt::format("constraint {}: {}", to_string(each.value.kind), each.value.message);
      },
      [&](const F::Conflict& each) { return told("conflict", each); },
      [&](const F::Timeout& each) { return told("timeout", each); },
      [&](const F::Busy& each) { return told("busy", each); },
      [&](const F::Unavailable& each) { return told("unavailable", each); },
      [&](const F::Limit& each) { return told("limit", each); },
      [&](const F::Ended& each) { return told("ended", each); },
      [&](const F::Other& each) { return told("other", each); });
}

std::size_t size_of(const Value& value) {
  constexpr std::size_t kEach = 16;
  return value.match(
      [](const Value::Null&) { return kEach; }, [](const Value::Boolean&) { return kEach; },
      [](const Value::Integer&) { return kEach; }, [](const Value::Real&) { return kEach; },
      [](const auto& each) { return kEach + each.value.size(); });
}

}  // namespace weft::sql
