// wasi:sql@0.2.0-draft: parameters are text, a row is one cell, errors are resources.
#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "capabilities/hosted.h"
#include "capabilities/sql/host.h"
#include "wit/wasi/sql_0_2_0_draft/readwrite.h"
#include "wit/wasi/sql_0_2_0_draft/types.h"

namespace weft::sql {
namespace {

namespace types = ::weft::wit::wasi::sql_0_2_0_draft::types;
namespace readwrite = ::weft::wit::wasi::sql_0_2_0_draft::readwrite;

template <class T>
using OrError = std::expected<T, std::unique_ptr<types::Error>>;

class DraftError final : public types::Error {
 public:
  explicit DraftError(std::string text) : text_(std::move(text)) {}
  Answer<std::string> trace(Call&) override { return text_; }

 private:
  std::string text_;
};

std::unexpected<std::unique_ptr<types::Error>> told(const Failure& failure) {
  return std::unexpected<std::unique_ptr<types::Error>>(
      std::make_unique<DraftError>(to_text(failure)));
}

class DraftStatement final : public types::Statement {
 public:
  explicit DraftStatement(sql::Statement statement) : statement_(std::move(statement)) {}
  const sql::Statement& statement() const { return statement_; }

 private:
  sql::Statement statement_;
};

class DraftConnection final : public types::Connection {
 public:
  explicit DraftConnection(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  Database& database() { return *database_; }

 private:
  std::unique_ptr<Database> database_;
};

class DraftTypes final : public types::Host {
 public:
  DraftTypes(std::unique_ptr<Store> store, const Use& use) : store_(std::move(store)), use_(use) {}

  Answer<OrError<std::unique_ptr<types::Statement>>> statement_prepare(
      Call&, std::string_view query, std::vector<std::string_view> params) override {
    using Made = OrError<std::unique_ptr<types::Statement>>;
    Statement statement{std::string(query)};
    for (std::string_view each : params) {
      statement.parameters.push_back(Value::text(std::string(each)));
    }
    if (auto checked = check_statement(statement); !checked) return Made(told(checked.error()));
    return Made(std::make_unique<DraftStatement>(std::move(statement)));
  }

  Answer<OrError<std::unique_ptr<types::Connection>>> connection_open(
      Call& call, std::string_view name) override {
    using Made = OrError<std::unique_ptr<types::Connection>>;
    return open_granted(*store_, use_, call, name)
        .then([](Or<std::unique_ptr<Database>> database) -> Made {
          if (!database) return told(database.error());
          return std::make_unique<DraftConnection>(*std::move(database));
        });
  }

 private:
  std::unique_ptr<Store> store_;
  const Use& use_;
};

types::DataType data_of(Value value) {
  using D = types::DataType;
  using V = Value;
  if (value.is<V::Null>()) return D::null();
  if (auto* each = value.as<V::Boolean>()) return D::boolean(each->value);
  if (auto* each = value.as<V::Integer>()) return D::int64(each->value);
  if (auto* each = value.as<V::Real>()) return D::double_(each->value);
  if (auto* each = value.as<V::Binary>()) return D::binary(std::move(each->value));
  if (auto* each = value.as<V::Date>()) return D::date(std::move(each->value));
  if (auto* each = value.as<V::Time>()) return D::time(std::move(each->value));
  if (auto* each = value.as<V::Timestamp>()) return D::timestamp(std::move(each->value));
  if (auto* each = value.as<V::Instant>()) return D::timestamp(std::move(each->value));
  if (auto* each = value.as<V::Decimal>()) return D::str(std::move(each->value));
  if (auto* each = value.as<V::Uuid>()) return D::str(std::move(each->value));
  if (auto* each = value.as<V::Json>()) return D::str(std::move(each->value));
  return D::str(std::move(value.as<V::Text>()->value));
}

class DraftReadwrite final : public readwrite::Host {
 public:
  using Cells = std::vector<types::Row>;

  Answer<OrError<Cells>> query(Call& call, types::Connection& connection,
                               types::Statement& statement) override {
    return run(call, connection, statement, Wanted::kRows)
        .then([](Or<Outcome> outcome) -> OrError<Cells> {
          if (!outcome) return told(outcome.error());
          Cells cells;
          for (Row& row : outcome->set.rows) {
            for (std::size_t i = 0; i < row.size(); ++i) {
              cells.push_back({outcome->set.columns[i].name, data_of(std::move(row[i]))});
            }
          }
          return cells;
        });
  }

  Answer<OrError<std::uint32_t>> exec(Call& call, types::Connection& connection,
                                      types::Statement& statement) override {
    return run(call, connection, statement, Wanted::kCount)
        .then([](Or<Outcome> outcome) -> OrError<std::uint32_t> {
          if (!outcome) return told(outcome.error());
          constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
          return static_cast<std::uint32_t>(std::min(outcome->affected, kMost));
        });
  }

 private:
  static Answer<Or<Outcome>> run(Call& call, types::Connection& connection,
                                 types::Statement& statement, Wanted wanted) {
    return static_cast<DraftConnection&>(connection)
        .database()
        .run(request_of(call), static_cast<DraftStatement&>(statement).statement(), wanted);
  }
};

}  // namespace

std::unique_ptr<Provider> draft_types_provider(std::unique_ptr<Store> store, const Use& use) {
  return std::make_unique<Hosted<DraftTypes, types::Binding>>(std::move(store), use);
}

std::unique_ptr<Provider> draft_readwrite_provider(std::unique_ptr<Store>, const Use&) {
  return std::make_unique<Hosted<DraftReadwrite, readwrite::Binding>>();
}

}  // namespace weft::sql
