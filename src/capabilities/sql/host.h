#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "capabilities/capability.h"
#include "capabilities/sql/database.h"
#include "door/answer.h"

// What the host classes of weft:sql and wasi:sql have in common.
namespace weft::sql {

// Transactions, and cursors, that one component instance may have open at once, and databases.
inline constexpr std::size_t kOpenMax = 16;
inline constexpr std::size_t kConnectionsMax = 256;

inline Request request_of(Call& call) {
  return {call.context().loop(), call.deadline()};
}

// Opens the database of a name: one that the component's grant names, of the app that it belongs
// to.
inline Answer<Or<std::unique_ptr<Database>>> open_granted(Store& store, const Use& use, Call& call,
                                                          std::string_view name) {
  using Opened = Or<std::unique_ptr<Database>>;
  if (!use.allows(name)) {
    return Opened(
        failed(Failure::access_denied("the database is not granted: name it in uses.sql")));
  }
  return store.open(request_of(call), {call.context().app(), name});
}

// The providers of one interface each, as sql.cc lists them.
std::unique_ptr<Provider> database_provider(std::unique_ptr<Store> store, const Use& use);
std::unique_ptr<Provider> draft_types_provider(std::unique_ptr<Store> store, const Use& use);
std::unique_ptr<Provider> draft_readwrite_provider(std::unique_ptr<Store> store, const Use& use);

}  // namespace weft::sql
