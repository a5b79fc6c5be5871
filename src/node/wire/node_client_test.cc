// Shows both sides of the protocol against each other over TLS: a node of another key is not talked
// to, requests and their answers arrive, streams arrive proven, refusals as what they are.
#include "node/wire/node_client.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/check.h"
#include "io/http/server.h"
#include "io/test_task.h"
#include "node/object/record.h"
#include "node/wire/identity.h"
#include "node/wire/node_handler.h"
#include "node/wire/peers.h"

namespace weft::node::wire {
namespace {

using weft::testing::run_task;

// Sends what it was given, a frame a call, and then the receipt.
class Scripted final : public OutputReader {
 public:
  Scripted(const SigningKey& key, const Hash& name, Bytes text)
      : key_(key), name_(name), text_(std::move(text)), chain_(name) {}

  BytesView next() override {
    out_.clear();
    if (over_) return {};
    if (at_ < text_.size()) {
      std::size_t count = std::min(kFrameBytesMax, text_.size() - at_);
      BytesView bytes = BytesView(text_).subspan(at_, count);
      out_ = frame_record(OutputStream::kStdout, bytes);
      chain_ = next_chain(chain_, 1, bytes);
      at_ += count;
      if (++frames_ % kUnprovenMax == 0) {
        Bytes seal = record(RecordType::kSeal, sign(Seal{name_, frames_, chain_}, key_));
        out_.insert(out_.end(), seal.begin(), seal.end());
      }
      return out_;
    }
    over_ = true;
    out_ = record(RecordType::kReceipt,
                  sign(Receipt{.request = name_, .frames = frames_, .chain = chain_}, key_));
    return out_;
  }
  bool over() const override { return over_; }

 private:
  const SigningKey& key_;
  const Hash name_;
  const Bytes text_;
  Hash chain_;
  std::size_t at_ = 0;
  std::uint64_t frames_ = 0;
  bool over_ = false;
  Bytes out_;
};

class FakeNode final : public NodeApi {
 public:
  explicit FakeNode(const SigningKey& key) : key_(key) {}

  std::expected<Asked, Refusal> admit(BytesView bytes, std::string_view) override {
    auto view = SignedView::open(bytes, ObjectKind::kRequest);
    if (!view) return std::unexpected(Refusal{400, "invalid", view.error().message()});
    if (!view->verify()) return std::unexpected(Refusal{401, "unsigned", "not signed by that key"});
    auto request = read_request(*view);
    if (!request) return std::unexpected(Refusal{400, "invalid", request.error().message()});
    return Asked{.request = *request,
                 .signer = view->signer(),
                 .group = "",
                 .name = view->hash(),
                 .bytes = Bytes(bytes.begin(), bytes.end())};
  }
  std::expected<void, Refusal> stands(const Asked&) override {
    if (trusted) return {};
    return std::unexpected(Refusal{403, "not-allowed", "its key is trusted no more"});
  }
  Refusal told(const Error& why) override {
    return {status_of(why.code()), std::string(to_string(why.code())), why.message()};
  }
  std::size_t follows_max(const Asked&) const override { return std::size_t{8} << 20; }
  FollowsRoom::Part follows_room(const Asked&) override { return room.part_of(kGroup); }
  void cut_off(const Asked&, Cut why, std::size_t followed) override {
    last_cut = why;
    last_followed = followed;
    ++cuts;
  }
  Task<Bytes> answer(Asked asked, Follows follows) override {
    ++answered;
    if (asked.request.action == Action::kCancel) co_return failure(Errc::kNotFound, "no such run");
    if (asked.request.action == Action::kFetch) co_return failure(Errc::kLimit, "spent");
    co_return to_bytes(asked.signer.text());
  }
  std::atomic<bool> trusted = true;
  std::atomic<int> answered = 0;  // Requests that were admitted, and have no stream.
  static constexpr std::string_view kGroup = "friends";
  FollowsRoom room{{.total = std::size_t{16} << 20, .group = std::size_t{9} << 20}};
  // Of those that were cut off.
  std::atomic<int> cuts = 0;
  std::atomic<Cut> last_cut = Cut::kGone;
  std::atomic<std::size_t> last_followed = 0;
  std::atomic<std::size_t> room_at_begin = 0;

  Task<std::unique_ptr<OutputReader>> begin(Asked asked, Follows follows,
                                            std::function<void()>) override {
    room_at_begin = follows.room.bytes();
    co_return std::make_unique<Scripted>(key_, asked.name, std::move(follows.bytes));
  }
  Task<Bytes> read_chunk(Bytes ticket, std::uint32_t index) override {
    co_return index == 7 ? Result<Bytes>(ticket) : failure(Errc::kNotFound, "no such chunk");
  }
  Task<void> write_chunk(Bytes, std::uint32_t, Bytes chunk) override {
    co_return chunk.size() == kFrameBytesMax ? Result<void>()
                                             : failure(Errc::kCorrupt, "not what was named");
  }
  Task<Bytes> have_chunks(Bytes, std::uint32_t more_than) override {
    co_return Bytes(1, static_cast<std::uint8_t>(more_than));
  }

 private:
  const SigningKey& key_;
};

class Wire : public ::testing::Test {
 protected:
  Wire() : loops_({.count = 1, .started = {}, .stopping = {}}), api_(key_) {
    loops_.on_each(
        [&](Loop& loop, std::size_t) { handler_ = std::make_unique<NodeHandler>(loop, api_); });
    HttpHandler* handlers[] = {handler_.get()};
    auto server = HttpServer::listen(loops_, handlers, {.addresses = {{.tls = tls_of(key_)}}});
    CHECK(server.has_value());
    server_ = *std::move(server);
  }
  ~Wire() override {
    server_.reset();
    CHECK(handler_->gate().close_and_wait(Deadline::after(std::chrono::seconds(10))).has_value());
    loops_.on_each([&](Loop&, std::size_t) { handler_.reset(); });
  }
  NodeAddress address(const PublicKey& key) const { return {key, "127.0.0.1", server_->port()}; }
  Bytes request(Action action, BytesView follows = {}, UnixMs life = 60'000) {
    Request request{.nonce = random_nonce(), .action = action};
    request.made = unix_now();
    request.expires = request.made + life;
    if (action == Action::kRun) request.arguments = Hash::of(follows);
    request.reply = user_.public_key();
    return sign(request, user_);
  }
  static Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }

  SigningKey key_ = SigningKey::random();
  SigningKey user_ = SigningKey::random();
  Loops loops_;
  FakeNode api_;
  std::unique_ptr<NodeHandler> handler_;
  std::unique_ptr<HttpServer> server_;
  Loop loop_;
};

TEST_F(Wire, AsksTheNodeThatHasTheKeyAndNoOther) {
  {
    NodeClient client(loop_, address(key_.public_key()));
    auto answer = run_task(loop_, client.ask(request(Action::kDescribe), {}, soon()));
    ASSERT_TRUE(answer.has_value()) << answer.error().message();
    EXPECT_EQ(as_text(*answer), user_.public_key().text());
  }
  NodeClient wrong(loop_, address(user_.public_key()));
  auto refused = run_task(loop_, wrong.ask(request(Action::kDescribe), {}, soon()));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::kUnavailable) << refused.error().message();
}

TEST_F(Wire, AStreamArrivesWholeAndProven) {
  NodeClient client(loop_, address(key_.public_key()));
  Bytes text(5'000'000, 'x');
  for (const Bytes& follows : {Bytes(), to_bytes("hello"), text}) {
    Bytes signed_bytes = request(Action::kRun, follows);
    Bytes taken;
    ProvenOutput output(Hash::of(signed_bytes), key_.public_key());
    auto take = [&](OutputStream, BytesView bytes) {
      taken.insert(taken.end(), bytes.begin(), bytes.end());
    };
    auto followed = run_task(loop_, client.follow(signed_bytes, follows, output, take, soon()));
    ASSERT_TRUE(followed.has_value()) << followed.error().message();
    EXPECT_EQ(taken, follows);
    EXPECT_TRUE(output.receipt().has_value());
  }
}

TEST_F(Wire, RefusalsArriveAsWhatTheyAre) {
  NodeClient client(loop_, address(key_.public_key()));
  auto code = [&](Bytes bytes, Bytes follows) {
    auto answer = run_task(loop_, client.ask(std::move(bytes), std::move(follows), soon()));
    return answer ? Errc::kInternal : answer.error().code();
  };
  EXPECT_EQ(code(request(Action::kCancel), {}), Errc::kNotFound);
  EXPECT_EQ(code(to_bytes("no request"), {}), Errc::kInvalid);
  EXPECT_EQ(code(Bytes(kRequestBytesMax + 1), {}), Errc::kLimit);
  EXPECT_EQ(code(request(Action::kRun, as_bytes("named")), to_bytes("sent")), Errc::kCorrupt);
  EXPECT_EQ(code(request(Action::kDescribe), Bytes((std::size_t{8} << 20) + 1)), Errc::kLimit);
  Bytes changed = request(Action::kDescribe);
  changed[60] ^= 1;
  EXPECT_EQ(code(changed, {}), Errc::kDenied);
}

// What follows a request has its room while it comes, and what has none is refused and counted.
TEST_F(Wire, WhatFollowsIsTakenWhileThereIsRoom) {
  NodeClient client(loop_, address(key_.public_key()));
  auto follow = [&](std::size_t size) {
    Bytes follows(size, 'x');
    Bytes signed_bytes = request(Action::kRun, follows);
    ProvenOutput output(Hash::of(signed_bytes), key_.public_key());
    return run_task(loop_, client.follow(signed_bytes, follows, output, {}, soon()));
  };
  constexpr std::size_t kMuch = std::size_t{5} << 20;
  ASSERT_TRUE(follow(kMuch).has_value());
  EXPECT_EQ(api_.room_at_begin, kMuch);
  EXPECT_EQ(api_.room.taken(FakeNode::kGroup), 0U);
  EXPECT_EQ(api_.cuts, 0);
  {
    // Others of the group have most of it on their way.
    auto others = api_.room.part_of(FakeNode::kGroup);
    ASSERT_TRUE(others.more(kMuch));
    auto refused = follow(kMuch);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Errc::kLimit) << refused.error().message();
    EXPECT_TRUE(refused.error().message().contains("group friends")) << refused.error().message();
    EXPECT_EQ(api_.last_cut, Cut::kNoRoom);
    // As much as there was room for, and the piece that was too much.
    EXPECT_GT(api_.last_followed, std::size_t{4} << 20);
    EXPECT_LE(api_.last_followed, kMuch);
    EXPECT_EQ(api_.room.taken(FakeNode::kGroup), kMuch);
  }
  EXPECT_TRUE(follow(kMuch).has_value());
  Bytes named = request(Action::kRun, as_bytes("named"));
  ProvenOutput output(Hash::of(named), key_.public_key());
  auto wrong = run_task(loop_, client.follow(named, to_bytes("sent"), output, {}, soon()));
  EXPECT_EQ(wrong.error().code(), Errc::kCorrupt);
  EXPECT_EQ(api_.last_cut, Cut::kMismatch);
  EXPECT_EQ(api_.last_followed, 4U);
  EXPECT_EQ(api_.cuts, 2);
}

// Rights and life of a request are looked at again when what follows it is there.
TEST_F(Wire, WhatFollowsTooLateIsRefused) {
  NodeClient client(loop_, address(key_.public_key()));
  auto refused = run_task(
      loop_, client.ask(request(Action::kStore, {}, 0), Bytes(std::size_t{7} << 20, 'x'), soon()));
  EXPECT_EQ(refused.error().code(), Errc::kTimeout) << refused.error().message();
  EXPECT_EQ(api_.last_cut, Cut::kLate);
  EXPECT_LT(api_.last_followed, std::size_t{7} << 20);
  api_.trusted = false;
  refused = run_task(loop_, client.ask(request(Action::kStore), to_bytes("list"), soon()));
  EXPECT_EQ(refused.error().code(), Errc::kDenied) << refused.error().message();
  EXPECT_EQ(api_.last_followed, 4U);
  EXPECT_EQ(api_.answered, 0);
}

TEST(FollowsRoom, HasABoundForAllAndOneForEachGroup) {
  FollowsRoom room({.total = 100, .group = 60});
  auto one = room.part_of("a");
  ASSERT_TRUE(one.more(50));
  auto two = room.part_of("a");
  EXPECT_EQ(two.more(11).error().code(), Errc::kLimit);
  EXPECT_TRUE(two.more(10));
  auto other = room.part_of("b");
  EXPECT_EQ(other.more(41).error().code(), Errc::kLimit);
  EXPECT_TRUE(other.more(40));
  // It goes along with what is moved, and back once.
  auto moved = std::move(one);
  EXPECT_EQ(one.bytes(), 0U);
  moved.give_back();
  EXPECT_EQ(room.taken("a"), 10U);
  moved.give_back();
  two = FollowsRoom::Part();
  EXPECT_EQ(room.taken("a"), 0U);
  EXPECT_TRUE(room.part_of("c").more(60));
  EXPECT_EQ(room.taken("c"), 0U);
}

// A node that says no has said it: the same request again would be one that it has seen.
TEST_F(Wire, WhatIsRefusedIsNotAskedAgain) {
  NodeClient client(loop_, address(key_.public_key()));
  auto answer = run_task(loop_, client.ask(request(Action::kFetch), {}, soon()));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), Errc::kLimit) << answer.error().message();
  EXPECT_EQ(api_.answered, 1);
}

TEST_F(Wire, ChunksGoBothWays) {
  NodeClient client(loop_, address(key_.public_key()));
  std::string ticket = hex(Bytes(kTicketBytes, 5));
  auto chunk = run_task(loop_, client.read_chunk(ticket, 7, soon()));
  ASSERT_TRUE(chunk.has_value()) << chunk.error().message();
  EXPECT_EQ(*chunk, Bytes(kTicketBytes, 5));
  EXPECT_EQ(run_task(loop_, client.read_chunk(ticket, 8, soon())).error().code(), Errc::kNotFound);
  EXPECT_EQ(run_task(loop_, client.read_chunk("../x", 8, soon())).error().code(), Errc::kNotFound);
  auto write = [&](std::size_t size) {
    return run_task(loop_, client.write_chunk(ticket, 0, Bytes(size, 1), soon()));
  };
  EXPECT_TRUE(write(kFrameBytesMax).has_value());
  EXPECT_EQ(write(kFrameBytesMax + 1).error().code(), Errc::kLimit);
  EXPECT_EQ(write(3).error().code(), Errc::kCorrupt);
  EXPECT_EQ(run_task(loop_, client.have_chunks(ticket, 5, soon())), Bytes(1, 5));
}

TEST(Peers, AreALineEach) {
  std::vector<NodeAddress> peers;
  for (std::uint16_t port = 1; port <= kPeersMax; ++port) {
    peers.push_back({SigningKey::random().public_key(), port % 2 == 0 ? "::1" : "127.0.0.1", port});
  }
  auto read = read_peers(peers_text(peers));
  ASSERT_TRUE(read.has_value()) << read.error().message();
  ASSERT_EQ(read->size(), peers.size());
  EXPECT_EQ(read->back().text(), peers.back().text());
  Bytes text = peers_text(peers);
  EXPECT_FALSE(read_peers(BytesView(text).first(text.size() - 1)));
  Bytes more = peers_text(std::span(peers).first(1));
  text.insert(text.end(), more.begin(), more.end());
  EXPECT_EQ(read_peers(text).error().code(), Errc::kLimit);
  EXPECT_TRUE(read_peers({})->empty());
}

TEST(NodeAddress, IsReadAsItIsWritten) {
  std::string key = SigningKey::random().public_key().text();
  for (std::string rest : {"@127.0.0.1:7420", "@[fe80::1]:1"}) {
    auto address = NodeAddress::parse(key + rest);
    ASSERT_TRUE(address.has_value()) << rest;
    EXPECT_EQ(address->text(), key + rest);
  }
  for (std::string rest : {"", "@", "@127.0.0.1", "@127.0.0.1:", "@:1", "@127.0.0.1:70000",
                           "@127.0.0.1:0", "@name.example:1", "@127.0.0.1:1x"}) {
    EXPECT_FALSE(NodeAddress::parse(key + rest)) << rest;
  }
  EXPECT_FALSE(NodeAddress::parse("abc@127.0.0.1:1"));
}

}  // namespace
}  // namespace weft::node::wire
