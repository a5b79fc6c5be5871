// What a call of a warm function on another node takes, beside what it cannot do without: a round
// trip over the same TLS, and the signatures. A node and a client in one process, over loopback.
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/check.h"
#include "io/test_task.h"
#include "node/client/remote_node.h"
#include "node/daemon/node.h"
#include "node/object/key_file.h"
#include "node/policy/groups.h"

namespace weft::node {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using testing::run_task;

constexpr const char* kSettings = R"([node]
listen = ["127.0.0.1:0"]
[node.discovery]
on = false
[rates]
address = { rate = 1000000 }
key = { rate = 1000000 }
[group.bench]
may = ["describe", "store", "call"]
)";

Deadline soon() {
  return Deadline::after(std::chrono::seconds(30));
}

// The median of a row of times, in microseconds.
double median_us(std::vector<Clock::duration>& times) {
  std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
  return std::chrono::duration<double, std::micro>(times[times.size() / 2]).count();
}

template <class F>
double time_us(std::size_t count, F&& work) {
  std::vector<Clock::duration> times;
  for (std::size_t i = 0; i < count; ++i) {
    auto began = Clock::now();
    work();
    times.push_back(Clock::now() - began);
  }
  return median_us(times);
}

// The signatures of one call: its request's and its last seal's, each made and looked at.
void sign_and_verify(const SigningKey& key) {
  Request request{.action = Action::kCall, .function = "add", .reply = key.public_key()};
  Bytes asked = sign(request, key);
  CHECK(SignedView::open(asked, ObjectKind::kRequest)->verify());
  Bytes sealed = sign(Seal{Hash::of(asked), 1, Hash::of(asked), true}, key);
  CHECK(SignedView::open(sealed, ObjectKind::kSeal)->verify());
}

Hash stored(Loop& loop, client::RemoteNode& remote, const char* guest) {
  auto list = *library::ChunkList::of_file(guest);
  std::ifstream file(guest, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  std::function<Result<Bytes>(std::uint32_t)> chunk = [&](std::uint32_t index) -> Result<Bytes> {
    return to_bytes(
        std::string_view(bytes).substr(index * library::kChunkBytes, list.chunk_size(index)));
  };
  CHECK(run_task(loop, remote.store(list, chunk, soon())).has_value());
  return list.name();
}

// Of a node whose group has the key.
std::string node_folder(const SigningKey& key) {
  std::string folder = (fs::temp_directory_path() / "weft-bench-XXXXXX").string();
  CHECK(mkdtemp(folder.data()) != nullptr);
  CHECK(init_folder(fs::path(folder) / "node").has_value());
  std::ofstream(fs::path(folder) / "node" / "node.toml") << kSettings;
  CHECK(trust_key(fs::path(folder) / "node" / "groups", "bench", "me", key.public_key()));
  return folder;
}

int run(const char* guest, std::size_t count) {
  SigningKey key = SigningKey::random();
  std::string folder = node_folder(key);
  {
    Problems problems;
    auto node = daemon::Node::start({.folder = fs::path(folder) / "node", .loops = 1}, problems);
    if (!node) {
      fmt::print(stderr, "{}{}\n", problems.text(), node.error().message());
      return 1;
    }
    Loop loop;
    std::string url = (*node)->status().urls[0];
    auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    wire::NodeAddress address{(*node)->key(), "127.0.0.1", port};
    client::RemoteNode remote(loop, address, key);
    wire::NodeClient plain(loop, address);

    Hash module = stored(loop, remote, guest);
    Clock::time_point proven;
    auto call = [&](wire::NodeClient::Until until) {
      client::RemoteRun run{.module = module, .function = "add"};
      run.arguments = Bytes{2, 40};
      run.until = until;
      Bytes result;
      auto end = run_task(loop, remote.execute(
                                    std::move(run),
                                    [&](OutputStream, BytesView part) {
                                      result.insert(result.end(), part.begin(), part.end());
                                      proven = Clock::now();
                                    },
                                    soon()));
      if (!end) fmt::print(stderr, "{}\n", end.error().message());
      CHECK(end.has_value() && result == Bytes{42});
    };
    auto round_trip = [&] {
      // Refused at once, without a signature.
      auto answer = run_task(loop, plain.ask(Bytes(300, 0), {}, soon()));
      CHECK(!answer && answer.error().code() == Errc::kInvalid);
    };
    using Until = wire::NodeClient::Until;
    call(Until::kReceipt);
    round_trip();
    double in_a_row = time_us(count, [&] { call(Until::kComplete); });
    // Each by itself: the receipt of the one before it has come. One after the other, so that all
    // find the machine, and its caches, as the others left them.
    std::vector<Clock::duration> signatures;
    std::vector<Clock::duration> trips;
    std::vector<Clock::duration> calls;
    std::vector<Clock::duration> receipts;
    for (std::size_t i = 0; i < count; ++i) {
      auto began = Clock::now();
      sign_and_verify(key);
      signatures.push_back(Clock::now() - began);
      began = Clock::now();
      round_trip();
      trips.push_back(Clock::now() - began);
      began = Clock::now();
      call(Until::kReceipt);
      receipts.push_back(Clock::now() - began);
      calls.push_back(proven - began);
    }
    double crypto = median_us(signatures);
    double trip = median_us(trips);
    double whole = median_us(calls);
    double receipted = median_us(receipts);
    fmt::print(
        "round trip {:.1f} us, signatures {:.1f} us, call {:.1f} us: {:.2f} x both; in a row "
        "{:.1f} "
        "us; with its receipt, which waits for the disk, {:.1f} us\n",
        trip, crypto, whole, whole / (trip + crypto), in_a_row, receipted);
  }
  fs::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace weft::node

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: weft_node_call_bench values.wasm [count]\n");
    return 2;
  }
  return weft::node::run(argv[1], argc > 2 ? std::stoul(argv[2]) : 500);
}
