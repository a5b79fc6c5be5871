#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <utility>

#include "base/error.h"
#include "wit/weft/sql_0_1_0/database.h"

// What passes between host classes and drivers: the types of weft:sql themselves, so that nothing
// is copied from one form to another on the way.
namespace weft::sql {

namespace interface = ::weft::wit::weft::sql_0_1_0::database;

using interface::Access;
using interface::Column;
using interface::ConstraintKind;
using interface::Isolation;
using interface::ResultSet;
using interface::Row;
using interface::TransactionOptions;
using interface::Value;
// Why a statement was not done, as the guest is told.
using Failure = interface::Error;

// An outcome of a driver: what was asked for, or why not.
template <class T>
using Or = std::expected<T, Failure>;

inline std::unexpected<Failure> failed(Failure failure) {
  return std::unexpected(std::move(failure));
}

// A failure of the host's own that a guest is told: a bound that was reached, a disk, a bug.
Failure failure_of(const Error& error);

// In words, for logs and messages: "unavailable: ...".
std::string to_text(const Failure& failure);

// What a value weighs in the bounds of parameters and results: its bytes, and 16 for itself.
std::size_t size_of(const Value& value);

}  // namespace weft::sql
