// Shows that slow, absent, greedy and many clients each cost what the limits say and no more, and
// that a drain loses nothing.

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <thread>

#include "base/limits.h"
#include "io/http/listener.h"
#include "io/http/server.h"
#include "io/http/test_support.h"
#include "io/timer.h"

namespace weft {
namespace {

using namespace http_test;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using End = ExchangeSummary::End;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

void hello(HttpExchange::Ptr exchange) {
  answer(*exchange, 200, "hello");
}

HttpLimits quick() {
  HttpLimits limits;
  limits.head_timeout = limits.idle_timeout = limits.body_timeout = limits.write_timeout = 400ms;
  return limits;
}

// Half a head is waited for, then answered 408; silence just ends the connection.
TEST(HttpTimeouts, EndSlowHeadsAndIdleConnections) {
  TestServer server(hello, quick());
  Client slow(*server.server);
  auto start = Deadline::Clock::now();
  slow.send("GET / HTTP/1.1\r\nHo");
  EXPECT_EQ(slow.read_response().status, 408);
  EXPECT_GE(Deadline::Clock::now() - start, 400ms);
  EXPECT_TRUE(slow.closed());
  Client silent(*server.server);
  EXPECT_TRUE(silent.closed());
  Client used(*server.server);
  EXPECT_EQ(used.request(kGet).status, 200);
  EXPECT_TRUE(used.closed());
}

// A head that grows a byte at a time does not buy time with each byte.
TEST(HttpTimeouts, CountFromTheFirstByteOfTheHead) {
  TestServer server(hello, quick());
  Client slow(*server.server);
  std::atomic<bool> ended = false;
  std::thread dripper([&] {
    slow.send("GET / HTTP/1.1\r\nX: ");
    while (!ended && slow.send("x")) ::poll(nullptr, 0, 1);
  });
  EXPECT_EQ(slow.read_response().status, 408);
  ended = true;
  dripper.join();
}

// Only a body that is waited for is late: 408 before a response, a reset within one.
TEST(HttpTimeouts, EndBodiesThatStall) {
  HoldingServer server(quick());
  Client client(*server.server.server);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  auto held = *server.exchanges.take();
  server.on_loop([&] {
    EXPECT_EQ(held->exchange->body().size(), 3u);
    held->exchange->consume_body(3);
    EXPECT_TRUE(held->exchange->body().empty());
    EXPECT_EQ(held->exchange->body_state(), BodyState::kMore);
  });
  EXPECT_EQ(held->events.take(), "gone");
  EXPECT_EQ(client.read_response().status, 408);
  server.on_loop([&] {
    EXPECT_EQ(held->exchange->body_state(), BodyState::kFailed);
    // The wire has answered: what the serving side says now is dropped.
    EXPECT_TRUE(held->exchange->gone());
    EXPECT_TRUE(held->exchange->begin_response(200, {}, std::nullopt));
    held->exchange.reset();
  });
  auto done = server.server.done.take();
  EXPECT_EQ(done->status, 408);
  EXPECT_EQ(done->end, End::kBroken);
}

// A serving side that takes its time over the answer is not the client's fault.
TEST(HttpTimeouts, LeaveTheServingSideItsTime) {
  HoldingServer server(quick());
  Client client(*server.server.server);
  client.send(kGet);
  auto held = *server.exchanges.take();
  std::promise<void> later;
  std::unique_ptr<Timer> timer;
  server.server.loops.on_each([&](Loop& loop, std::size_t) {
    timer = std::make_unique<Timer>(loop, [&] {
      answer(*held->exchange, 200, "late");
      held->exchange.reset();
      later.set_value();
    });
    timer->arm(Deadline::after(1s));
  });
  EXPECT_EQ(client.read_response().body, "late");
  later.get_future().wait();
  server.on_loop([&] { timer.reset(); });
}

// A client that reads nothing is given up once it took nothing for the write time-out.
TEST(HttpTimeouts, EndClientsThatTakeNothing) {
  HoldingServer server(quick());
  Client client(server.server.server->port(), 4096);
  client.send(kGet);
  auto held = *server.exchanges.take();
  std::string large(16 << 20, 'x');
  server.on_loop([&] {
    ASSERT_TRUE(held->exchange->begin_response(200, {}, large.size()));
    EXPECT_FALSE(held->exchange->write(as_bytes(large)));
  });
  EXPECT_EQ(held->events.take(), "gone");
  server.on_loop([&] { held->exchange.reset(); });
  EXPECT_EQ(server.server.done.take()->end, End::kGone);
}

// A stall that ended is forgotten: a response that then pauses is not cut off for it.
TEST(HttpTimeouts, ForgetAStallThatEnded) {
  HttpLimits limits;
  limits.write_timeout = 1s;
  HoldingServer server(limits);
  Client client(*server.server.server);
  client.send(kGet);
  auto held = *server.exchanges.take();
  std::string large(16 << 20, 'x');
  std::unique_ptr<Timer> timer;
  server.server.loops.on_each([&](Loop& loop, std::size_t) {
    ASSERT_TRUE(held->exchange->begin_response(200, {}, large.size() + 3));
    EXPECT_FALSE(held->exchange->write(as_bytes(large)));
    timer = std::make_unique<Timer>(loop, [&] {
      held->exchange->write(as_bytes("end"));
      held->exchange->finish();
      held->exchange.reset();
    });
  });
  std::thread arm([&] {
    EXPECT_EQ(held->events.take(), "writable");
    server.on_loop([&] { timer->arm(Deadline::after(1200ms)); });
  });
  Response response = client.read_response();
  arm.join();
  EXPECT_TRUE(response.whole);
  EXPECT_EQ(response.body.size(), large.size() + 3);
  server.on_loop([&] { timer.reset(); });
}

// What the serving side does not take stays in the client: the server holds at most its buffer and
// the kernel's. Then all of it arrives.
TEST(HttpBackPressure, StopsReadingWhatNobodyTakes) {
  HoldingServer server;
  Client client(*server.server.server);
  constexpr std::size_t kSize = 64 << 20;
  client.send(fmt::format("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", kSize));
  auto held = *server.exchanges.take();
  std::size_t sent = client.send_until_stalled(kSize, 300ms);
  EXPECT_LT(sent, kSize / 2);
  std::thread sender([&] { client.send(std::string(kSize - sent, 'b')); });
  std::size_t taken = 0;
  bool ended = false;
  while (!ended) {
    server.on_loop([&] {
      for (;;) {
        BytesView bytes = held->exchange->body();
        EXPECT_LE(bytes.size(), kBodyBuffer);
        if (bytes.empty()) break;
        taken += bytes.size();
        held->exchange->consume_body(bytes.size());
      }
      ended = held->exchange->body_state() == BodyState::kEnd;
    });
    if (!ended) ASSERT_EQ(held->events.take(), "body");
  }
  EXPECT_EQ(taken, kSize);
  server.on_loop([&] {
    answer(*held->exchange, 200, "got it");
    held->exchange.reset();
  });
  EXPECT_EQ(client.read_response().body, "got it");
  sender.join();
}

// Writes are told to wait when the client does not take them, and told to go on when it does.
TEST(HttpBackPressure, HoldsWritesBack) {
  HoldingServer server;
  Client client(*server.server.server);
  client.send(kGet);
  auto held = *server.exchanges.take();
  constexpr std::size_t kSize = 32 << 20;
  std::string block(10'000, 'x');
  std::size_t written = 0;
  int waits = 0;
  bool reading = false;
  std::thread reader;
  Response response;
  server.on_loop([&] { ASSERT_TRUE(held->exchange->begin_response(200, {}, std::nullopt)); });
  while (written < kSize) {
    server.on_loop([&] {
      bool more = true;
      while (more && written < kSize) {
        EXPECT_GT(held->exchange->writable(), 0u);
        more = held->exchange->write(as_bytes(block));
        written += block.size();
      }
    });
    if (written >= kSize) break;
    ++waits;
    auto event = held->events.take(reading ? kPatience : 300ms);
    if (!event && !reading) {
      // The kernel's buffers are full, and nothing moves until the client reads.
      reading = true;
      EXPECT_LT(written, kSize);
      reader = std::thread([&] { response = client.read_response(); });
      event = held->events.take();
    }
    ASSERT_EQ(event, "writable");
  }
  EXPECT_GT(waits, 50);
  server.on_loop([&] {
    held->exchange->finish();
    held->exchange.reset();
  });
  ASSERT_TRUE(reading);
  reader.join();
  EXPECT_TRUE(response.whole);
  EXPECT_EQ(response.body.size(), written);
}

// Beyond the cap a client hears so and why; when one leaves, the next is served.
TEST(HttpMany, RefusesConnectionsBeyondTheCap) {
  HttpLimits limits;
  limits.connections_max = 3;
  TestServer server(hello, limits);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<Client>(*server.server));
    EXPECT_EQ(clients.back()->request(kGet).status, 200);
  }
  Client refused(*server.server);
  Response response = refused.request(kGet);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.header("retry-after"), "1");
  EXPECT_TRUE(refused.closed());
  EXPECT_EQ(clients[0]->request(kGet).status, 200);
  clients[0]->send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  clients[0]->read_to_end();
  while (server.server->connections() == 3) std::this_thread::yield();
  Client next(*server.server);
  EXPECT_EQ(next.request(kGet).status, 200);
}

// Without descriptors the listener pauses instead of spinning, the connections it has are served,
// and it accepts again when there are some.
TEST(HttpMany, PausesWhenDescriptorsRunOut) {
  ::testing::internal::CaptureStderr();
  TestServer server(hello);
  Client before(*server.server);
  EXPECT_EQ(before.request(kGet).status, 200);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int lowest_free = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(lowest_free);
  rlimit none = old;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  Client waiting(std::move(socket));
  waiting.connect(server.server->port());
  waiting.send(kGet);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(before.request(kGet).status, 200);
  EXPECT_EQ(server.server->connections(), 1u);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_EQ(waiting.read_response().status, 200);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("raise the limit of open files"));
}

// The clients' half of the test below, in a process of its own: opens the connections, reports on
// `ready`, asks on every hundredth one, and leaves when `stop` ends. Only plain system calls, as it
// is forked from a process with threads. Its exit code says what failed.
[[noreturn]] void be_idle_clients(std::uint16_t port, std::size_t count, int ready, int stop) {
  static std::array<int, 10'000> sockets;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (std::size_t i = 0; i < count; ++i) {
    sockets[i] = ::socket(AF_INET, SOCK_STREAM, 0);
    if (sockets[i] < 0) _exit(1);
    if (::connect(sockets[i], reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      _exit(2);
  }
  if (::write(ready, "r", 1) != 1) _exit(3);
  char room[512];
  if (::read(stop, room, 1) != 1) _exit(4);
  for (std::size_t i = 0; i < count; i += 100) {
    if (::send(sockets[i], kGet.data(), kGet.size(), 0) < 0) _exit(5);
    if (::recv(sockets[i], room, sizeof(room), 0) < 12) _exit(6);
    if (std::string_view(room, 12) != "HTTP/1.1 200") _exit(7);
  }
  _exit(::read(stop, room, 1) == 0 ? 0 : 8);
}

// Ten thousand idle connections cost no attention: a request on any of them is served at once, and
// all of them end in a drain.
TEST(HttpMany, TenThousandIdleConnections) {
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "the thread sanitizer does not follow a fork";
#endif
#endif
  constexpr std::size_t kConnections = 10'000;
  auto files = raise_open_files();
  ASSERT_TRUE(files);
  if (*files < kConnections + 200) {
    GTEST_SKIP() << "the hard limit of open files is " << *files << ": raise it to run this";
  }
  TestServer server(hello, {}, 2);
  int ready[2];
  int stop[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(stop, O_CLOEXEC), 0);
  Fd ready_end(ready[0]);
  Fd stop_end(stop[1]);
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(stop[1]);
    be_idle_clients(server.server->port(), kConnections, ready[1], stop[0]);
  }
  ::close(ready[1]);
  ::close(stop[0]);
  char byte = 0;
  ASSERT_EQ(::read(ready_end.get(), &byte, 1), 1);
  while (server.server->connections() < kConnections) std::this_thread::yield();
  ASSERT_EQ(::write(stop_end.get(), "g", 1), 1);
  for (std::size_t i = 0; i < kConnections; i += 100) EXPECT_EQ(server.done.take()->status, 200);
  EXPECT_TRUE(server.server->drain(Deadline::after(kPatience)));
  EXPECT_EQ(server.server->connections(), 0u);
  stop_end.reset();
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// Draining, the exchange under way finishes and says close, idle connections end, nobody new comes.
TEST(HttpDrain, FinishesWhatIsUnderWay) {
  HoldingServer server;
  Client idle(*server.server.server);
  Client busy(*server.server.server);
  busy.send(kGet);
  auto held = *server.exchanges.take();
  auto early = server.server.server->drain(Deadline::after(1ms));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code(), Errc::kTimeout);
  EXPECT_FALSE(Client(*server.server.server).connected());
  EXPECT_TRUE(idle.closed());
  server.on_loop([&] {
    answer(*held->exchange, 200, "done");
    held->exchange.reset();
  });
  Response response = busy.read_response();
  EXPECT_EQ(response.body, "done");
  EXPECT_EQ(response.header("connection"), "close");
  EXPECT_TRUE(server.server.server->drain(Deadline::after(kPatience)));
}

// A connection that was promised to live on before the drain began ends once it is idle.
TEST(HttpDrain, EndsAConnectionThatWasToBeKept) {
  HoldingServer server;
  Client client(*server.server.server);
  client.send(kGet);
  auto held = *server.exchanges.take();
  server.on_loop([&] {
    ASSERT_TRUE(held->exchange->begin_response(200, {}, 4));
    held->exchange->write(as_bytes("ab"));
  });
  EXPECT_THAT(client.read_until("ab"), Not(HasSubstr("connection: close")));
  EXPECT_FALSE(server.server.server->drain(Deadline::after(1ms)));
  server.on_loop([&] {
    held->exchange->write(as_bytes("cd"));
    held->exchange->finish();
    held->exchange.reset();
  });
  EXPECT_TRUE(server.server.server->drain(Deadline::after(kPatience)));
  EXPECT_EQ(client.read_to_end(), "cd");
}

// Clients whom the kernel has greeted, and nobody has accepted yet, are served before the end.
TEST(HttpDrain, ServesWhoWaitsInTheBacklog) {
  TestHandler::Serve serve = hello;
  Mailbox<Done> done;
  TestHandler handler(serve, done);
  Loops loops({.count = 1});
  auto shared = std::make_shared<HttpShared>();
  std::shared_ptr<HttpListener> listener;
  std::vector<std::unique_ptr<Client>> clients;
  // In one turn of the loop: it listens, clients come, and it drains before it saw any of them.
  loops.on_each([&](Loop& loop, std::size_t) {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(socket.get(), 64), 0);
    ASSERT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    listener = std::make_shared<HttpListener>(loop, handler, shared);
    listener->open(std::move(socket), boost::asio::ip::tcp::v4());
    for (int i = 0; i < 10; ++i) {
      clients.push_back(std::make_unique<Client>(ntohs(address.sin_port)));
      ASSERT_TRUE(clients.back()->connected());
    }
    listener->drain();
    EXPECT_EQ(shared->connections.load(), 10u);
  });
  for (auto& client : clients) {
    Response response = client->request(kGet);
    EXPECT_EQ(response.body, "hello");
    EXPECT_EQ(response.header("connection"), "close");
  }
  EXPECT_TRUE(shared->gate.close_and_wait(Deadline::after(kPatience)));
  loops.on_each([&](Loop&, std::size_t) { listener.reset(); });
}

// Under load a drain loses no request: whoever was not told to close gets every answer.
TEST(HttpDrain, LosesNoRequestUnderLoad) {
  constexpr int kClients = 16;
  TestServer server(
      [](HttpExchange::Ptr exchange) {
        Loop& loop = exchange->loop();
        loop.post([exchange = std::move(exchange)] { answer(*exchange, 200, "hello"); });
      },
      {}, 2);
  std::atomic<int> answered = 0;
  std::atomic<int> lost = 0;
  std::atomic<int> told = 0;
  std::atomic<int> begun = 0;  // Clients that had an answer.
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      Client client(*server.server);
      if (!client.connected()) return;
      for (bool first = true;; first = false) {
        Response response = client.request(kGet);
        if (response.body != "hello") {
          ++lost;
          return;
        }
        ++answered;
        if (first) ++begun;
        if (response.header("connection") == "close") {
          ++told;
          return;
        }
      }
    });
  }
  Deadline limit = Deadline::after(kPatience);
  while ((answered < 50 * kClients || begun < kClients) && !limit.passed()) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(server.server->drain(Deadline::after(kPatience)));
  for (auto& client : clients) client.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(told, kClients);
}

}  // namespace
}  // namespace weft
