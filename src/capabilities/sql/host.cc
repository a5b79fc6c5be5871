// weft:sql/database: its handles over a driver's objects, and how many an instance may hold.
#include "capabilities/sql/host.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "capabilities/hosted.h"

namespace weft::sql {
namespace {

// How many of each an instance holds.
struct Counts {
  std::size_t connections = 0;
  std::size_t transactions = 0;
  std::size_t cursors = 0;
};

// One of the things that are counted: made before the thing, gone with it. Empty where there are
// too many already.
class Place {
 public:
  Place() = default;
  Place(std::shared_ptr<Counts> counts, std::size_t Counts::* which, std::size_t most) {
    if ((*counts).*which >= most) return;
    counts_ = std::move(counts);
    which_ = which;
    ++((*counts_).*which_);
  }
  Place(Place&& other) noexcept
      : counts_(std::exchange(other.counts_, nullptr)), which_(other.which_) {}
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (counts_ != nullptr) --((*counts_).*which_);
  }

  explicit operator bool() const { return counts_ != nullptr; }

 private:
  // Shared with the instance's other handles: they go in any order, some after the instance.
  std::shared_ptr<Counts> counts_;
  std::size_t Counts::* which_ = nullptr;
};

struct Kept final : Context::Attachment {
  std::shared_ptr<Counts> counts = std::make_shared<Counts>();
};

// The counts of the instance that calls.
std::shared_ptr<Counts> counts_of(Call& call) {
  static constexpr char kKey = 0;
  auto* kept = static_cast<Kept*>(call.context().attachment(&kKey));
  if (kept != nullptr) return kept->counts;
  auto made = std::make_unique<Kept>();
  auto counts = made->counts;
  call.context().attach(&kKey, std::move(made));
  return counts;
}

template <class T>
Or<T> too_many(std::string_view what, std::size_t most) {
  return failed(
      Failure::limit(fmt::format("{} {} are open: drop one before the next", most, what)));
}

using Opened = Or<std::unique_ptr<interface::Cursor>>;

class HostCursor final : public interface::Cursor {
 public:
  HostCursor(std::unique_ptr<sql::Cursor> cursor, Place place)
      : place_(std::move(place)), cursor_(std::move(cursor)) {}

  Answer<std::vector<Column>> columns(Call&) override { return cursor_->columns(); }
  Answer<Or<std::vector<Row>>> next(Call& call, std::uint32_t max) override {
    return cursor_->next(request_of(call), max);
  }

 private:
  Place place_;
  std::unique_ptr<sql::Cursor> cursor_;
};

Answer<Or<ResultSet>> query_in(Runner& runner, Call& call, std::string_view statement,
                               std::vector<Value> parameters) {
  return runner
      .run(request_of(call), {std::string(statement), std::move(parameters)}, Wanted::kRows)
      .then([](Or<Outcome> outcome) -> Or<ResultSet> {
        if (!outcome) return failed(std::move(outcome).error());
        return std::move(outcome->set);
      });
}

Answer<Or<std::uint64_t>> execute_in(Runner& runner, Call& call, std::string_view statement,
                                     std::vector<Value> parameters) {
  return runner
      .run(request_of(call), {std::string(statement), std::move(parameters)}, Wanted::kCount)
      .then([](Or<Outcome> outcome) -> Or<std::uint64_t> {
        if (!outcome) return failed(std::move(outcome).error());
        return outcome->affected;
      });
}

Answer<Opened> cursor_in(Runner& runner, Call& call, std::string_view statement,
                         std::vector<Value> parameters) {
  Place place(counts_of(call), &Counts::cursors, kOpenMax);
  if (!place) return too_many<std::unique_ptr<interface::Cursor>>("cursors", kOpenMax);
  return runner.open_cursor(request_of(call), {std::string(statement), std::move(parameters)})
      .then([place = std::move(place)](Or<std::unique_ptr<Cursor>> cursor) mutable -> Opened {
        if (!cursor) return failed(std::move(cursor).error());
        return std::make_unique<HostCursor>(*std::move(cursor), std::move(place));
      });
}

class HostTransaction final : public interface::Transaction {
 public:
  HostTransaction(std::unique_ptr<sql::Transaction> transaction, Place place)
      : place_(std::move(place)), transaction_(std::move(transaction)) {}

  Answer<Or<ResultSet>> query(Call& call, std::string_view statement,
                              std::vector<Value> parameters) override {
    return query_in(*transaction_, call, statement, std::move(parameters));
  }
  Answer<Or<std::uint64_t>> execute(Call& call, std::string_view statement,
                                    std::vector<Value> parameters) override {
    return execute_in(*transaction_, call, statement, std::move(parameters));
  }
  Answer<Opened> open_cursor(Call& call, std::string_view statement,
                             std::vector<Value> parameters) override {
    return cursor_in(*transaction_, call, statement, std::move(parameters));
  }
  Answer<Or<void>> commit(Call& call) override { return transaction_->commit(request_of(call)); }
  Answer<Or<void>> rollback(Call& call) override {
    return transaction_->rollback(request_of(call));
  }

 private:
  Place place_;
  std::unique_ptr<sql::Transaction> transaction_;
};

class HostConnection final : public interface::Connection {
 public:
  HostConnection(std::unique_ptr<Database> database, Place place)
      : place_(std::move(place)), database_(std::move(database)) {}

  Answer<Or<ResultSet>> query(Call& call, std::string_view statement,
                              std::vector<Value> parameters) override {
    return query_in(*database_, call, statement, std::move(parameters));
  }
  Answer<Or<std::uint64_t>> execute(Call& call, std::string_view statement,
                                    std::vector<Value> parameters) override {
    return execute_in(*database_, call, statement, std::move(parameters));
  }
  Answer<Opened> open_cursor(Call& call, std::string_view statement,
                             std::vector<Value> parameters) override {
    return cursor_in(*database_, call, statement, std::move(parameters));
  }
  Answer<Or<std::unique_ptr<interface::Transaction>>> begin(Call& call,
                                                            TransactionOptions options) override {
    using Begun = Or<std::unique_ptr<interface::Transaction>>;
    Place place(counts_of(call), &Counts::transactions, kOpenMax);
    if (!place) return too_many<std::unique_ptr<interface::Transaction>>("transactions", kOpenMax);
    return database_->begin(request_of(call), options)
        .then([place = std::move(place)](
                  Or<std::unique_ptr<sql::Transaction>> transaction) mutable -> Begun {
          if (!transaction) return failed(std::move(transaction).error());
          return std::make_unique<HostTransaction>(*std::move(transaction), std::move(place));
        });
  }

 private:
  Place place_;
  std::unique_ptr<Database> database_;
};

class DatabaseHost final : public interface::Host {
 public:
  DatabaseHost(std::unique_ptr<Store> store, const Use& use)
      : store_(std::move(store)), use_(use) {}

  Answer<Or<std::unique_ptr<interface::Connection>>> open(Call& call,
                                                          std::string_view name) override {
    using Made = Or<std::unique_ptr<interface::Connection>>;
    Place place(counts_of(call), &Counts::connections, kConnectionsMax);
    if (!place) {
      return too_many<std::unique_ptr<interface::Connection>>("connections", kConnectionsMax);
    }
    return open_granted(*store_, use_, call, name)
        .then([place = std::move(place)](Or<std::unique_ptr<Database>> database) mutable -> Made {
          if (!database) return failed(std::move(database).error());
          return std::make_unique<HostConnection>(*std::move(database), std::move(place));
        });
  }

 private:
  std::unique_ptr<Store> store_;
  const Use& use_;
};

}  // namespace

std::unique_ptr<Provider> database_provider(std::unique_ptr<Store> store, const Use& use) {
  return std::make_unique<Hosted<DatabaseHost, interface::Binding>>(std::move(store), use);
}

}  // namespace weft::sql
