// How a Connection is made: libpq's steps on a thread that may block, the waits between on the
// loop.
#include <fmt/format.h>

#include <array>
#include <chrono>

#include "capabilities/sql/drivers/postgres/connection.h"
#include "io/loop.h"

namespace weft::sql::postgres {
namespace {

using pooled::apart;
using Event = pooled::Socket::Event;

std::string quoted_name(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

// For between single quotes.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out;
}

std::shared_ptr<PGconn> begin_connecting(const Target& target) {
  std::vector<const char*> names;
  std::vector<const char*> values;
  std::vector<std::string> texts;
  texts.reserve(target.settings.size());
  for (const auto& [name, value] : target.settings) {
    names.push_back(name.c_str());
    values.push_back(texts.emplace_back(value.reveal()).c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  std::shared_ptr<PGconn> made(PQconnectStartParams(names.data(), values.data(), 1), PQfinish);
  for (std::string& each : texts) explicit_bzero(each.data(), each.size());
  // What the server says beside its answers, also while it lets us in, is not shown to anybody.
  if (made) PQsetNoticeReceiver(made.get(), [](void*, const PGresult*) {}, nullptr);
  return made;
}

// Whether a server that is there refuses who asks, and would again. libpq has no other way to tell.
bool is_refusal(std::string_view message) {
  if (!message.contains("FATAL:")) return false;
  constexpr std::array<std::string_view, 6> kForNow = {
      "starting up",           "shutting down", "recovery mode",
      "accepting connections", "too many",      "remaining connection slots"};
  for (std::string_view each : kForNow) {
    if (message.contains(each)) return false;
  }
  return true;
}

Failure too_late() {
  return Failure::unavailable("the server did not let a connection in in time");
}

}  // namespace

Wait<Or<std::unique_ptr<Connection>>> Connection::open(Loop& loop, Pool& helpers,
                                                       std::shared_ptr<const Target> target,
                                                       std::string schema, Deadline deadline) {
  auto connection = co_await bare(loop, helpers, std::move(target), deadline);
  if (!connection) co_return connection;
  auto set_up = co_await (*connection)->set_up(std::move(schema), deadline);
  if (!set_up) co_return failed(std::move(set_up).error());
  (*connection)->stops_ = true;
  co_return connection;
}

Wait<Or<std::unique_ptr<Connection>>> Connection::bare(Loop& loop, Pool& helpers,
                                                       std::shared_ptr<const Target> target,
                                                       Deadline deadline) {
  auto made = std::make_shared<std::shared_ptr<PGconn>>();
  bool done = co_await apart(
      loop, helpers, [target, made] { *made = begin_connecting(*target); }, deadline);
  if (!done) co_return failed(too_late());
  if (*made == nullptr) co_return failed(Failure::limit("there is no memory for a connection"));
  std::unique_ptr<Connection> connection(
      new Connection(loop, helpers, std::move(target), std::move(*made)));
  auto connected = co_await connection->connect(deadline);
  if (!connected) co_return failed(std::move(connected).error());
  co_return connection;
}

Wait<Or<void>> Connection::connect(Deadline deadline) {
  if (PQstatus(handle_) == CONNECTION_BAD) co_return failed(lost());
  Event event = Event::kWritable;
  auto step = std::make_shared<PostgresPollingStatusType>(PGRES_POLLING_WRITING);
  while (*step != PGRES_POLLING_OK) {
    // libpq may take another socket at each step, and says nothing of it.
    socket_.watch(PQsocket(handle_));
    if (!co_await socket_.ready(event, deadline)) {
      broken_ = true;
      co_return failed(too_late());
    }
    socket_.release();
    bool done = co_await apart(
        loop_, helpers_, [handle = shared_, step] { *step = PQconnectPoll(handle.get()); },
        deadline);
    if (!done) {
      broken_ = true;
      co_return failed(too_late());
    }
    if (*step == PGRES_POLLING_FAILED) {
      Failure failure = lost();
      std::string message = failure.as<Failure::Unavailable>()->value;
      if (is_refusal(message)) failure = Failure::access_denied(std::move(message));
      co_return failed(std::move(failure));
    }
    event = *step == PGRES_POLLING_READING ? Event::kReadable : Event::kWritable;
  }
  socket_.watch(PQsocket(handle_));
  PQsetnonblocking(handle_, 1);
  co_return Or<void>();
}

Wait<Or<void>> Connection::set_up(std::string schema, Deadline deadline) {
  auto milliseconds = [](std::chrono::nanoseconds time) {
    constexpr std::chrono::seconds kMore{5};
    return std::chrono::ceil<std::chrono::milliseconds>(time + kStopping + kMore).count();
  };
  std::string text = fmt::format(
      "SET client_encoding TO 'UTF8'; SET datestyle TO 'ISO'; SET timezone TO 'UTC'; "
      "SET bytea_output TO 'hex'; SET standard_conforming_strings TO on; "
      "SET extra_float_digits TO 1; SET statement_timeout TO {}; "
      "SET idle_in_transaction_session_timeout TO {}",
      milliseconds(target_->times.statement), milliseconds(target_->times.idle));
  if (!schema.empty()) {
    auto name = quoted_name(schema);
    // Looked for first: to make what is there takes a right that a role may not have.
    auto there = co_await say(
        fmt::format("SELECT 1 FROM pg_namespace WHERE nspname = '{}'", escaped(schema)), deadline);
    if (!there) co_return failed(std::move(there).error());
    if (there->command == "SELECT 0") {
      auto made = co_await say(fmt::format("CREATE SCHEMA IF NOT EXISTS {}", name), deadline);
      // Where another connection makes it at the same time the server may call it a duplicate.
      bool duplicate = !made && made.error().is<Failure::Constraint>();
      if (!made && !duplicate) co_return failed(std::move(made).error());
    }
    text += fmt::format("; SET search_path TO {}", name);
  }
  auto done = co_await say(std::move(text), deadline);
  if (!done) co_return failed(std::move(done).error());
  co_return Or<void>();
}

}  // namespace weft::sql::postgres
