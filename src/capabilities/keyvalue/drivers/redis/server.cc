#include "capabilities/keyvalue/drivers/redis/server.h"

#include <boost/asio/io_context.hpp>

#include "base/check.h"
#include "capabilities/keyvalue/drivers/redis/client.h"
#include "io/loop.h"

namespace weft::keyvalue::redis {

void empty(remote::RealServer& server) {
  Loop loop;
  auto settings = std::make_shared<Settings>();
  settings->endpoint = {"127.0.0.1", server.port()};
  settings->health = std::make_shared<remote::Health>("");
  auto client = std::make_shared<Client>(loop, settings);
  bool done = false;
  loop.post([&] {
    client->send(Commands({"FLUSHALL"}), Deadline::after(std::chrono::seconds(10)),
                 Client::Repeat::kYes, [&](Result<Reply> reply) {
                   done = reply.has_value();
                   loop.stop();
                 });
  });
  loop.run();
  CHECK(done);
}

}  // namespace weft::keyvalue::redis
