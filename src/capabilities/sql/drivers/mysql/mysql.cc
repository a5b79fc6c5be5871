#include "capabilities/sql/drivers/mysql/mysql.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <string_view>

#include "capabilities/sql/drivers/mysql/connection.h"
#include "capabilities/sql/drivers/mysql/statement.h"
#include "capabilities/sql/drivers/pooled/place.h"
#include "remote/endpoint.h"

namespace weft::sql::mysql {
namespace {

using Kind = DriverKey::Kind;
constexpr std::string_view kExample = "mysql://USER@HOST:3306/DATABASE";
constexpr std::array<DriverKey, 8> kKeys{{{"url", Kind::kText, kExample},
                                          {"username", Kind::kText},
                                          {"password", Kind::kText},
                                          {"ca-file", Kind::kPath},
                                          {"database", Kind::kText},
                                          {"connections", Kind::kText},
                                          {"statement-timeout", Kind::kDuration},
                                          {"idle-timeout", Kind::kDuration}}};
// Of a database, in characters.
constexpr std::size_t kDatabaseMax = 64;

std::shared_ptr<const Target> target_of(const Settings& settings) {
  auto target = std::make_shared<Target>();
  target->host = settings.host;
  target->port = settings.port;
  target->user = settings.user;
  target->password = settings.password;
  target->tls = settings.tls;
  target->authorities = settings.authorities;
  target->times = settings.options.times;
  target->health =
      std::make_shared<remote::Health>(remote::Endpoint{settings.host, settings.port}.text());
  return target;
}

class MysqlSystem final : public pooled::System {
 public:
  MysqlSystem(const Settings& settings, std::shared_ptr<Pool> helpers)
      : database_(settings.database), target_(target_of(settings)), helpers_(std::move(helpers)) {}

  Or<Ready> ready(Statement statement) const override { return mysql::ready(std::move(statement)); }
  std::string place(DatabaseName name) const override {
    return pooled::place_of(database_, name, kDatabaseMax);
  }
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
  const std::string database_;
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
  const Secret* text = choice.find("url");
  if (text == nullptr) {
    return failure(Errc::kInvalid, fmt::format("there is no url: write url = \"{}\"", kExample));
  }
  TRY(remote::ServerUrl url, remote::ServerUrl::parse(text->reveal()));
  if (url.scheme != "mysql" && url.scheme != "mysqls") {
    return failure(Errc::kInvalid, "the URL's scheme: write mysql:// or, with TLS, mysqls://");
  }
  settings.host = url.host;
  if (url.port != 0) settings.port = url.port;
  settings.user = url.user;
  settings.password = url.password;
  settings.tls = url.scheme == "mysqls";
  settings.database = url.path;
  if (const Secret* user = choice.find("username")) settings.user = user->reveal();
  if (const Secret* password = choice.find("password")) settings.password = *password;
  if (const Secret* database = choice.find("database")) settings.database = database->reveal();
  if (settings.database.empty()) {
    return failure(Errc::kInvalid,
                   fmt::format("there is no database: write url = \"{}\"", kExample));
  }
  const Secret* authorities = choice.find("ca-file");
  if (authorities == nullptr) return settings;
  if (!settings.tls) {
    return failure(Errc::kInvalid, "ca-file is for TLS: write mysqls:// in the URL");
  }
  settings.authorities = authorities->reveal();
  if (access(settings.authorities.c_str(), R_OK) != 0) {
    return failure(Errc::kInvalid, fmt::format("ca-file: {} cannot be read", settings.authorities));
  }
  return settings;
}

std::unique_ptr<Backend> mysql_backend(Settings settings) {
  // What libmariadb prepares for the process, before threads meet in it.
  static std::once_flag once;
  std::call_once(once, [] { mysql_library_init(0, nullptr, nullptr); });
  auto helpers = std::make_shared<Pool>(pooled::kHelpers);
  auto options = settings.options;
  auto system = std::make_shared<MysqlSystem>(settings, helpers);
  return pooled::backend(std::move(system), std::move(helpers), options);
}

}  // namespace weft::sql::mysql
