#include "capabilities/sql/drivers/postgres/postgres.h"

#include <libpq-fe.h>

#include <array>
#include <cstring>
#include <string_view>

#include "base/bytes.h"
#include "base/sha256.h"
#include "capabilities/sql/drivers/postgres/connection.h"
#include "capabilities/sql/drivers/postgres/statement.h"
#include "capabilities/sql/settings.h"

namespace weft::sql::postgres {
namespace {

using Kind = DriverKey::Kind;
constexpr std::string_view kExample = "postgresql://USER@HOST:5432/DATABASE";
constexpr std::array<DriverKey, 6> kKeys{{{"url", Kind::kText, kExample},
                                          {"password", Kind::kText},
                                          {"schema", Kind::kText},
                                          {"connections", Kind::kText},
                                          {"statement-timeout", Kind::kDuration},
                                          {"idle-timeout", Kind::kDuration}}};

// The pattern with the names in their places; what stands in a name is not looked at again.
std::string schema_of(std::string_view pattern, DatabaseName name) {
  std::string schema;
  while (!pattern.empty()) {
    constexpr std::string_view kApp = "{app}";
    constexpr std::string_view kName = "{name}";
    if (pattern.starts_with(kApp)) {
      schema += name.owner;
      pattern.remove_prefix(kApp.size());
    } else if (pattern.starts_with(kName)) {
      schema += name.name;
      pattern.remove_prefix(kName.size());
    } else {
      schema += pattern.front();
      pattern.remove_prefix(1);
    }
  }
  // The server would cut it, and two might become one.
  constexpr std::size_t kSchemaBytesMax = 63;
  constexpr std::size_t kHashed = 48;
  if (schema.size() <= kSchemaBytesMax) return schema;
  return "weft_" + sha256_hex(as_bytes(schema)).substr(0, kHashed);
}

// For operators: "db.example.com:5432". The URL was read before.
std::string server_of(const Settings& settings) {
  std::string text(settings.url.reveal());
  auto* parsed = PQconninfoParse(text.c_str(), nullptr);
  explicit_bzero(text.data(), text.size());
  std::string host = "local";
  std::string port = "5432";
  for (auto* each = parsed; each != nullptr && each->keyword != nullptr; ++each) {
    if (each->val == nullptr) continue;
    if (std::string_view(each->keyword) == "host") host = each->val;
    if (std::string_view(each->keyword) == "port") port = each->val;
  }
  PQconninfoFree(parsed);
  return host + ":" + port;
}

std::shared_ptr<const Target> target_of(const Settings& settings) {
  auto target = std::make_shared<Target>();
  target->times = settings.options.times;
  target->health = std::make_shared<remote::Health>(server_of(settings));
  // Kerberos is for whoever asks for it in the URL.
  target->settings.emplace_back("gssencmode", Secret("disable"));
  target->settings.emplace_back("dbname", settings.url);
  if (!settings.password.reveal().empty()) {
    target->settings.emplace_back("password", settings.password);
  }
  target->settings.emplace_back("fallback_application_name", Secret("weft"));
  return target;
}

class PostgresSystem final : public pooled::System {
 public:
  PostgresSystem(const Settings& settings, std::shared_ptr<Pool> helpers)
      : schema_(settings.schema), target_(target_of(settings)), helpers_(std::move(helpers)) {}

  Or<Ready> ready(Statement statement) const override {
    return postgres::ready(std::move(statement));
  }
  std::string place(DatabaseName name) const override { return schema_of(schema_, name); }
  Wait<Or<std::unique_ptr<pooled::Connection>>> connect(Loop& loop, const std::string& place,
                                                        Deadline deadline) const override {
    co_return co_await Connection::open(loop, *helpers_, target_, place, deadline);
  }
  Wait<Or<void>> reach(Loop& loop, Deadline deadline) const override {
    auto connection = co_await Connection::bare(loop, *helpers_, target_, deadline);
    if (!connection) co_return failed(std::move(connection).error());
    co_return Or<void>();
  }
  const std::shared_ptr<remote::Health>& health() const override { return target_->health; }

 private:
  const std::string schema_;
  const std::shared_ptr<const Target> target_;  // Shared with the connections.
  const std::shared_ptr<Pool> helpers_;         // Shared with the backend, which stops it.
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  Settings settings;
  TRY(settings.options, pooled::read_options(choice));
  const Secret* url = choice.find("url");
  if (url == nullptr) {
    return failure(Errc::kInvalid,
                   "there is no url: write url = \"postgresql://USER@HOST:5432/DATABASE\"");
  }
  settings.url = *url;
  if (const Secret* password = choice.find("password")) settings.password = *password;
  if (const Secret* schema = choice.find("schema")) settings.schema = schema->reveal();
  char* why = nullptr;
  std::string text(url->reveal());
  auto* parsed = PQconninfoParse(text.c_str(), &why);
  explicit_bzero(text.data(), text.size());
  // What libpq says may hold a part of the URL, and with it a password.
  PQfreemem(why);
  if (parsed == nullptr) {
    return failure(Errc::kInvalid,
                   "url is none that PostgreSQL's library reads: write "
                   "\"postgresql://USER@HOST:5432/DATABASE\"");
  }
  PQconninfoFree(parsed);
  return settings;
}

std::unique_ptr<Backend> postgres_backend(Settings settings) {
  auto helpers = std::make_shared<Pool>(pooled::kHelpers);
  auto options = settings.options;
  auto system = std::make_shared<PostgresSystem>(settings, helpers);
  return pooled::backend(std::move(system), std::move(helpers), options);
}

}  // namespace weft::sql::postgres
