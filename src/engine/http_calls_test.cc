// Shows HTTP requests served by guests, fresh and reused: bodies both ways with back-pressure,
// clients that go, guests that fail, limits, and what a reused instance keeps.

#include "engine/http_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "engine/test_exchange.h"
#include "engine/testing.h"
#include "io/loop.h"

namespace weft::testing {
namespace {

using ::testing::HasSubstr;

// A guest that serves, and its clients.
class Served {
 public:
  explicit Served(std::string_view name, const Limits& limits = {}, Runtime& of = runtime())
      : ground_(of),
        stage_(ground_, guest(name), {.limits = limits, .grants = {}}),
        calls_(HttpCalls::make(stage_.deployment(), stage_.info().kind)) {}
  ~Served() { calls_.reset(); }

  Client& prepare(std::string path, std::string body = {}) {
    return clients_.emplace_back(ground_.loop(), std::move(path), std::move(body));
  }
  Client& start(std::string path, std::string body = {}) {
    Client& client = prepare(std::move(path), std::move(body));
    start(client);
    return client;
  }
  void start(Client& client) {
    ground_.loop().post([&] { calls_->handle(client.exchange()); });
  }
  // Sends all, takes all, and waits for the end.
  Client& ask(std::string path, std::string body = {}) {
    Client& client = prepare(std::move(path), std::move(body));
    serve(client);
    return client;
  }
  void serve(Client& client) {
    start(client);
    EXPECT_TRUE(ground_.run_until([&] {
      client.send_all();
      client.take();
      return client.released;
    }));
  }
  bool until(const std::function<bool()>& over) { return ground_.run_until(over); }
  // Until no guest is left.
  bool quiet() {
    return until([&] { return calls_->in_flight() == 0 && ground_.engine().live() == 0; });
  }

  Ground ground_;
  Stage stage_;
  std::unique_ptr<HttpCalls> calls_;
  std::deque<Client> clients_;
};

class Both : public ::testing::TestWithParam<std::string_view> {};
INSTANTIATE_TEST_SUITE_P(All, Both, ::testing::Values("hello_p2", "hello_p3"));

// A request is answered, by a fresh instance or a reused one.
TEST_P(Both, Answers) {
  Served served(GetParam());
  Client& client = served.ask("/");
  EXPECT_TRUE(client.well());
  EXPECT_THAT(client.body, HasSubstr("hello from C++"));
}

// A body goes in piece by piece and comes back as it was, though client and guest wait for each
// other.
TEST_P(Both, EchoesUnderBackPressure) {
  Served served(GetParam());
  std::string body(300'000, 'a');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  Client& client = served.start("/echo", body);
  client.room_max = 5'000;
  EXPECT_TRUE(served.until([&] {
    client.send(1'777);
    client.take();
    return client.released;
  }));
  EXPECT_TRUE(client.well());
  EXPECT_EQ(client.body, body);
}

// A guest whose client takes nothing waits, and holds no more than one write beyond the room.
TEST_P(Both, WaitsForItsClient) {
  Served served(GetParam());
  Client& client = served.start("/echo", std::string(1'000'000, 'x'));
  client.room_max = 10'000;
  int turns = 0;
  EXPECT_TRUE(served.until([&] {
    client.send(50'000);
    return ++turns == 200;
  }));
  EXPECT_FALSE(client.finished);
  EXPECT_LE(client.body.size(), 10'000u + 128 * 1024);
  client.go_away();
  EXPECT_TRUE(served.quiet());
}

// A client that goes in the middle frees its guest.
TEST_P(Both, LetsGoOfClientsThatGo) {
  Served served(GetParam());
  Client& client = served.start("/echo", "never all of it");
  EXPECT_TRUE(served.until([&] { return client.open != nullptr; }));
  client.send(5);
  client.go_away();
  EXPECT_TRUE(served.quiet());
  EXPECT_TRUE(client.released);
  EXPECT_TRUE(served.ask("/").well()) << "others are served on";
}

// A client that goes in the turn in which everything is torn down is no trouble.
TEST_P(Both, AreTornDownWithAClientThatGoes) {
  Served served(GetParam());
  Client& client = served.start("/echo", "a body that never comes");
  EXPECT_TRUE(served.until([&] { return client.open != nullptr; }));
  bool gone = false;
  served.ground_.loop().post([&] {
    client.go_away();
    served.calls_.reset();
    gone = true;
  });
  EXPECT_TRUE(served.until([&] { return gone; }));
  EXPECT_TRUE(client.released);
  EXPECT_EQ(served.ground_.engine().live(), 0u);
}

// What is in flight when everything is torn down is broken off.
TEST_P(Both, BreakOffWhatIsInFlight) {
  Served served(GetParam());
  Client& client = served.start("/echo", "a body that never comes");
  EXPECT_TRUE(served.until([&] { return client.open != nullptr; }));
  served.calls_.reset();
  EXPECT_TRUE(client.released);
  EXPECT_FALSE(client.finished);
  EXPECT_EQ(served.ground_.engine().live(), 0u);
}

// No more requests are taken than there may be instances: the others are answered 503.
TEST_P(Both, RefusesWhenAllAreBusy) {
  Served served(GetParam(), {.instances_max = 2, .reuse_calls_at_once = 1});
  std::vector<Client*> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(&served.start("/echo", "wait for it"));
  EXPECT_TRUE(served.until([&] { return clients[2]->released; }));
  EXPECT_EQ(clients[2]->status, 503);
  EXPECT_TRUE(served.until([&] {
    for (Client* client : clients) client->send_all();
    return clients[0]->released && clients[1]->released;
  }));
  EXPECT_TRUE(clients[0]->well());
  EXPECT_TRUE(clients[1]->well());
}

// A guest that has sent no head within its time is answered for with 504.
TEST_P(Both, AnswersForGuestsThatAreLate) {
  Served served(GetParam(), {.time = std::chrono::milliseconds(50)});
  // p2 reads its body before it answers; p3 waits a second.
  bool p2 = GetParam() == "hello_p2";
  Client& client = p2 ? served.start("/count", "never") : served.start("/wait");
  EXPECT_TRUE(served.until([&] { return client.released; }));
  EXPECT_EQ(client.status, 504);
  EXPECT_TRUE(served.quiet());
}

// What a client asks for that no guest can be asked is the client's fault: 400 and no error line.
TEST_P(Both, RefuseWhatCannotBeAsked) {
  Served served(GetParam());
  ::testing::internal::CaptureStderr();
  for (std::string_view target : {"/<x>", "/`"}) {
    EXPECT_EQ(served.ask(std::string(target)).status, 400) << target;
  }
  for (std::string_view authority : {"a%zz", "[::::::::::]:1"}) {
    Client& client = served.prepare("/");
    client.head.authority = authority;
    served.serve(client);
    EXPECT_EQ(client.status, 400) << authority;
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  // Browsers send these as they are typed.
  EXPECT_TRUE(served.ask("/?q=a|b^{c}").well());
}

// A request without a Host is served, as one for the address that it came to.
TEST_P(Both, ServeRequestsWithoutAHost) {
  Served served(GetParam());
  Client& client = served.prepare("/");
  client.head.authority = "";
  served.serve(client);
  EXPECT_TRUE(client.well());
}

// When the whole process has as many instances as it may, requests are answered 503, told once.
TEST_P(Both, AnswerThatThereIsNoRoom) {
  auto small = must(Runtime::create(
      {.instances_max = 2, .memory_slot_bytes = std::uint64_t{64} << 20, .cache_folder = {}}));
  Served served(GetParam(), {.memory_bytes = std::uint64_t{64} << 20, .reuse_calls_at_once = 1},
                *small);
  ::testing::internal::CaptureStderr();
  std::vector<Client*> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(&served.start("/echo", "wait for it"));
  EXPECT_TRUE(served.until([&] { return clients[2]->released && clients[5]->released; }));
  for (int i = 2; i < 6; ++i) EXPECT_EQ(clients[i]->status, 503) << i;
  std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
  EXPECT_THAT(said, HasSubstr(" warn "));
  EXPECT_TRUE(served.until([&] {
    for (Client* client : clients) client->send_all();
    return clients[0]->released && clients[1]->released;
  }));
  EXPECT_TRUE(clients[0]->well() && clients[1]->well());
}

// A guest that traps before its response is out is answered for with 500, one that traps in the
// middle of it is broken off; the report goes to the log and the next request is served.
TEST(HttpCalls, AnswersForGuestsThatTrap) {
  Served served("trap");
  EXPECT_EQ(served.ask("/trap").status, 500);
  Client& late = served.ask("/late");
  EXPECT_TRUE(late.status == 500 || late.aborted) << "whether the head was out is timing";
  EXPECT_TRUE(served.ask("/").well());
}

// A guest that spins is ended by its processor time and answered for with 503; its neighbours are
// served meanwhile.
TEST(HttpCalls, EndsGuestsThatSpin) {
  Served served("spin", {.cpu = std::chrono::milliseconds(1'000)});
  Client& spinning = served.start("/spin");
  int neighbours = 0;
  while (!spinning.released && neighbours < 1'000) {
    EXPECT_TRUE(served.ask("/").well());
    neighbours += spinning.released ? 0 : 1;
  }
  EXPECT_GE(neighbours, 1);
  EXPECT_TRUE(served.until([&] { return spinning.released; }));
  EXPECT_EQ(spinning.status, 503);
}

// A fresh instance remembers nothing; a reused one its calls, until it has had its share.
TEST(HttpCalls, ReusesInstancesOnlyWhereAsked) {
  Served fresh("hello_p2");
  EXPECT_EQ(fresh.ask("/calls").body, "1\n");
  EXPECT_EQ(fresh.ask("/calls").body, "1\n");
  Served reused("hello_p3", {.reuse_calls_max = 8});
  int most = 0;
  int fewest = 99;
  for (int i = 0; i < 40; ++i) {
    int calls = std::stoi(reused.ask("/calls").body);
    most = std::max(most, calls);
    fewest = std::min(fewest, calls);
  }
  EXPECT_LE(most, 8);
  EXPECT_GE(most, 4);
  EXPECT_EQ(fewest, 1);
}

// Several requests are in one instance at once.
TEST(HttpCalls, SharesAnInstance) {
  Served served("hello_p3", {.instances_max = 1});
  std::vector<Client*> clients;
  for (int i = 0; i < 10; ++i) {
    // One that comes while the guest yields at a tick, as if it computed, is refused.
    Client* client = nullptr;
    ASSERT_TRUE(served.until([&] {
      if (client == nullptr || client->released) client = &served.start("/echo", "wait for it");
      return client->open != nullptr;
    }));
    clients.push_back(client);
  }
  EXPECT_EQ(served.calls_->in_flight(), 10u);
  for (Client* client : clients) {
    client->send_all();
    EXPECT_TRUE(served.until([&] { return client->released; }));
    EXPECT_TRUE(client->well());
  }
}

// An instance that is idle for its time is given up.
TEST(HttpCalls, GivesUpIdleInstances) {
  Served served("hello_p3", {.reuse_idle = std::chrono::milliseconds(30)});
  EXPECT_TRUE(served.ask("/").well());
  EXPECT_TRUE(served.quiet());
}

// A guest that works on after its responses has its time for that, polls or not; then its instance
// goes, retired or not.
TEST(HttpCalls, EndsGuestsThatLinger) {
  for (std::uint32_t calls : {1u, 100u}) {
    Served served("hello_p3", {.time = std::chrono::milliseconds(1'500),
                               .reuse_calls_max = calls,
                               .reuse_idle = std::chrono::milliseconds(30)});
    EXPECT_TRUE(served.ask("/linger").well());
    EXPECT_TRUE(served.quiet());
  }
}

// Instances in which guests only linger make way for requests.
TEST(HttpCalls, ServesPastGuestsThatLinger) {
  Served served("hello_p3",
                {.time = std::chrono::seconds(60), .instances_max = 2, .reuse_calls_max = 2});
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(served.ask("/linger").well()) << i;
}

// Calls through the door from an HTTP guest, answered late.
TEST(HttpCalls, CallThroughTheDoor) {
  Served served("keyvalue_p2");
  served.stage_.script().way = [](const Call&) { return Script::Way::kThread; };
  Client& client = served.ask("/kv/flower");
  EXPECT_TRUE(client.well());
  EXPECT_EQ(client.body, "flower");
}

}  // namespace
}  // namespace weft::testing
