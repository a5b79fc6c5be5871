// Shows that signed objects read back as they were written, that there is one encoding of each, and
// that no byte of one can be changed, moved or used for something else.
#include <gtest/gtest.h>

#include <random>

#include "node/object/beacon.h"
#include "node/object/receipt.h"
#include "node/object/request.h"

namespace weft::node {
namespace {

SigningKey key_of(char letter) {
  return *SigningKey::from_seed(Secret(std::string(SigningKey::kSeedBytes, letter)));
}

Request some_request() {
  return {.audience = Audience::of(key_of('n').public_key()),
          .nonce = {1, 2, 3},
          .made = 1'700'000'000'000,
          .expires = 1'700'000'060'000,
          .action = Action::kCall,
          .module = Hash::of(as_bytes("module")),
          .function = "demo:math/add@1.0.0#sum",
          .arguments = Hash::of(as_bytes("arguments")),
          .limits = {.cpu_ns = 1, .memory_bytes = 2, .time_ms = 3, .output_bytes = 4},
          .reply = key_of('r').public_key()};
}

Result<Request> take(BytesView bytes) {
  TRY(auto view, SignedView::open(bytes, ObjectKind::kRequest));
  TRY(auto request, read_request(view));
  if (!view.verify()) return failure(Errc::kDenied, "not signed by who it says");
  return request;
}

TEST(Hash, IsSha256AndReadsBack) {
  EXPECT_EQ(Hash::of(as_bytes("abc")).text(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Hasher hasher;
  hasher.add(as_bytes("a"));
  hasher.add(as_bytes("bc"));
  EXPECT_EQ(hasher.finish(), Hash::of(as_bytes("abc")));
  EXPECT_EQ(hasher.finish(), Hash::of({}));
  EXPECT_EQ(*Hash::parse(Hash::of(as_bytes("abc")).text()), Hash::of(as_bytes("abc")));
  for (std::string_view bad : {"", "ab", "zz", "BA7816"}) EXPECT_FALSE(Hash::parse(bad)) << bad;
  EXPECT_FALSE(Hash::parse(std::string(64, 'G')));
}

// The first test vector of RFC 8032.
TEST(Key, SignsAsTheStandardSays) {
  auto seed = *from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
  auto key = *SigningKey::from_seed(Secret(std::string(seed.begin(), seed.end())));
  EXPECT_EQ(key.public_key().text(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  EXPECT_EQ(hex(key.sign({})),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e"
            "39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
  EXPECT_TRUE(key.public_key().verify({}, key.sign({})));
  EXPECT_FALSE(key.public_key().verify(as_bytes("x"), key.sign({})));
  EXPECT_FALSE(key.public_key().verify({}, as_bytes("short")));
}

TEST(Request, ReadsBackAsItWasWritten) {
  for (Action action : {Action::kDescribe, Action::kFetch, Action::kRun, Action::kCall,
                        Action::kResume, Action::kCancel, Action::kStore}) {
    Request request = some_request();
    request.action = action;
    if (action != Action::kCall) request.function.clear();
    if (action != Action::kCall && action != Action::kRun) {
      request.arguments = {};
      request.limits = {};
      if (action != Action::kFetch && action != Action::kStore) request.module = {};
    }
    if (action == Action::kResume || action == Action::kCancel) request.run = Hash::of({});
    if (action == Action::kResume) request.from = 7;
    Bytes bytes = sign(request, key_of('k'));
    EXPECT_LE(bytes.size(), kRequestBytesMax);
    auto back = take(bytes);
    ASSERT_TRUE(back.has_value()) << to_string(action) << ": " << back.error().message();
    EXPECT_EQ(*back, request);
    EXPECT_EQ(SignedView::open(bytes, ObjectKind::kRequest)->signer(), key_of('k').public_key());
  }
  Request request = some_request();
  request.audience = Audience::of_group(std::string(kGroupNameMax, 'g'));
  request.function = std::string(kFunctionNameMax, 'f');
  Bytes longest = sign(request, key_of('k'));
  EXPECT_LE(longest.size(), kRequestBytesMax);
  EXPECT_EQ(*take(longest), request);
}

TEST(Request, AFieldThatDoesNotBelongToTheActionIsRefused) {
  Request request = some_request();
  request.action = Action::kDescribe;
  EXPECT_FALSE(take(sign(request, key_of('k'))));  // A function.
  request.function.clear();
  EXPECT_TRUE(take(sign(request, key_of('k'))));
  request.from = 3;
  EXPECT_FALSE(take(sign(request, key_of('k'))));
}

// Every single byte, changed to every other value that differs in one bit, and every cut.
TEST(Request, NoChangedByteIsAccepted) {
  Bytes whole = sign(some_request(), key_of('k'));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = whole;
      changed[at] ^= static_cast<std::uint8_t>(1 << bit);
      EXPECT_FALSE(take(changed)) << "byte " << at << ", bit " << bit;
    }
    EXPECT_FALSE(take(BytesView(whole).first(at))) << at;
  }
  whole.push_back(0);
  EXPECT_FALSE(take(whole));
}

// One byte taken out somewhere and put in somewhere else: the same bytes between the same ends,
// which a signature over joined values might take.
TEST(Request, NoByteMovesFromOneFieldToTheNext) {
  Bytes whole = sign(some_request(), key_of('k'));
  std::mt19937 random(1);
  int parsed = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes moved = whole;
    std::size_t from = 10 + random() % (moved.size() - 10);
    std::size_t to = 10 + random() % (moved.size() - 10);
    std::uint8_t byte = moved[from];
    moved.erase(moved.begin() + static_cast<std::ptrdiff_t>(from));
    moved.insert(moved.begin() + static_cast<std::ptrdiff_t>(to), byte);
    if (moved == whole) continue;
    ++parsed;
    ASSERT_FALSE(take(moved)) << from << " to " << to;
  }
  EXPECT_GT(parsed, 10'000);
}

TEST(SignedView, AnObjectOfOneKindIsNoneOfAnother) {
  Bytes seal = sign(Seal{Hash::of({}), 3, Hash::of(as_bytes("c"))}, key_of('k'));
  EXPECT_TRUE(SignedView::open(seal, ObjectKind::kSeal));
  EXPECT_FALSE(SignedView::open(seal, ObjectKind::kReceipt));
  seal[5] = static_cast<std::uint8_t>(ObjectKind::kReceipt);
  auto as_other = SignedView::open(seal, ObjectKind::kReceipt);
  ASSERT_TRUE(as_other.has_value());
  EXPECT_FALSE(as_other->verify());
}

TEST(Receipt, ReadsBackAsItWasWritten) {
  Receipt receipt{.request = Hash::of(as_bytes("r")),
                  .requester = key_of('k').public_key(),
                  .group = "friends",
                  .action = Action::kCall,
                  .module = Hash::of(as_bytes("m")),
                  .function = "f",
                  .outcome = Outcome::kLimited,
                  .exit_code = 3,
                  .message = "processor time is spent",
                  .usage = {1, 2, 3, 4, 5, 6},
                  .began = 7,
                  .ended = 8,
                  .frames = 9,
                  .chain = Hash::of(as_bytes("c")),
                  .event = 10};
  Bytes bytes = sign(receipt, key_of('n'));
  auto view = SignedView::open(bytes, ObjectKind::kReceipt);
  ASSERT_TRUE(view.has_value());
  EXPECT_TRUE(view->verify());
  EXPECT_EQ(*read_receipt(*view), receipt);
  Seal seal{Hash::of({}), 3, Hash::of(as_bytes("c")), true};
  Bytes sealed = sign(seal, key_of('n'));
  EXPECT_EQ(*read_seal(*SignedView::open(sealed, ObjectKind::kSeal)), seal);
}

TEST(Beacon, FitsADatagramAndReadsBack) {
  Beacon beacon{.name = std::string(kNodeNameMax, 'n'),
                .boot = 1,
                .sequence = 2,
                .sent = 3,
                .port = 7420,
                .catalogue = Hash::of({}),
                .offers = "demo:math@1.0.0\ndemo:text@2.0.0",
                .leaving = true};
  Bytes bytes = sign(beacon, key_of('n'));
  EXPECT_LE(bytes.size(), kDatagramBytesMax);
  EXPECT_EQ(*read_beacon(*SignedView::open(bytes, ObjectKind::kBeacon)), beacon);
  beacon.offers = std::string(kBeaconOffersMax, 'o');
  EXPECT_LE(sign(beacon, key_of('n')).size(), kDatagramBytesMax);
  beacon.offers = "\x1b[2J";
  bytes = sign(beacon, key_of('n'));
  EXPECT_FALSE(read_beacon(*SignedView::open(bytes, ObjectKind::kBeacon)));
}

TEST(Fields, TextIsWhatATerminalMayBeShown) {
  auto reads = [](std::string_view text) {
    Bytes bytes;
    FieldWriter(bytes).text(1, text);
    FieldReader reader(bytes);
    bool same = reader.text(1, 100) == text;
    return same && reader.finish().has_value();
  };
  for (std::string_view good : {"", "plain", "gr\xc3\xbc\xc3\x9f", "\xf0\x9f\x90\x9f"}) {
    EXPECT_TRUE(reads(good)) << good;
  }
  for (std::string_view bad : {"\n", "\x1b[1m", "\xc2\x9b", "\xe2\x80\xae", "\xff", "\xc3",
                               "\xc0\x80", "\xed\xa0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(reads(bad)) << hex(as_bytes(bad));
  }
}

}  // namespace
}  // namespace weft::node
