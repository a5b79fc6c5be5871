#include "observe/admin_server.h"

#include <chrono>
#include <future>
#include <memory>

#include "base/net_address.h"
#include "observe/admin_handler.h"

namespace weft {
namespace {

// From the host's end to the last answers.
constexpr std::chrono::seconds kAnswersOutMax{1};

}  // namespace

AdminServer::AdminServer(Loops& own) : own_(own) {}

Result<std::unique_ptr<AdminServer>> AdminServer::start(Loops& own, Watched watched,
                                                        HttpAddress address) {
  auto at = IpAddress::parse(address.address);
  bool loopback = at && kind_of(*at) == AddressKind::kLoopback;
  auto names = loopback ? AdminHandler::Names::kLocal : AdminHandler::Names::kAny;
  std::unique_ptr<AdminServer> admin(new AdminServer(own));
  own.on_each([&](Loop& loop, std::size_t) {
    admin->handler_ = std::make_unique<AdminHandler>(loop, std::move(watched), names);
  });
  HttpLimits limits;
  limits.connections_max = kAdminConnectionsMax;
  limits.body_bytes_max = kAdminCallBytesMax;
  HttpHandler* const handlers[] = {admin->handler_.get()};
  auto server =
      HttpServer::listen(own, handlers, {.addresses = {std::move(address)}, .limits = limits});
  if (!server) return std::unexpected(std::move(server).error().within("the admin address"));
  admin->server_ = *std::move(server);
  return admin;
}

// Calls that ended with the host have been told so: their answers leave before the connections are
// closed.
AdminServer::~AdminServer() {
  auto out = std::make_shared<std::promise<void>>();
  own_.on_each([&out](Loop& loop, std::size_t) { loop.defer_last([out] { out->set_value(); }); });
  out->get_future().wait_for(kAnswersOutMax);
  server_.reset();
  own_.on_each([this](Loop&, std::size_t) { handler_.reset(); });
}

}  // namespace weft
