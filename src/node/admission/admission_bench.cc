// How many requests a second one core admits, nonces written, beside what the crypto library takes
// to verify as many signatures; and how many it refuses that need no look at the signature.
#include <benchmark/benchmark.h>
#include <sodium.h>

#include <vector>

#include "node/admission/testing.h"

namespace weft::node {
namespace {

constexpr std::string_view kOpen = R"(
[rates]
address = { rate = 1000000, burst = 1000000 }
key = { rate = 1000000, burst = 1000000 }
[quota]
rate = 1000000
[group.friends]
may = ["run"]
)";
constexpr std::size_t kRequests = 20'000;

// As many as there are iterations, signed before the time is taken.
std::vector<Bytes> requests() {
  std::vector<Bytes> all;
  for (std::size_t i = 0; i < kRequests; ++i) all.push_back(sign(test_request(), test_key('k')));
  return all;
}

void BM_Verify(benchmark::State& state) {
  Bytes bytes = sign(test_request(), test_key('k'));
  PublicKey key = test_key('k').public_key();
  BytesView message = BytesView(bytes).first(bytes.size() - kSignatureBytes);
  Signature signature = test_key('k').sign(message);
  for (auto _ : state) {
    benchmark::DoNotOptimize(crypto_sign_verify_detached(signature.data(), message.data(),
                                                         message.size(), key.bytes.data()));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Verify)->Iterations(kRequests)->Repetitions(5)->ReportAggregatesOnly();

void BM_Admit(benchmark::State& state) {
  static const std::vector<Bytes> kAll = requests();
  TestNode node(kOpen, 'n', kSeenMax);
  std::size_t next = 0;
  for (auto _ : state) {
    node.steady += std::chrono::milliseconds(1);
    if (node.status(kAll[next++]) != 200) state.SkipWithError("refused");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Admit)->Iterations(kRequests)->Repetitions(5)->ReportAggregatesOnly();

void refuse(benchmark::State& state, const Bytes& bytes, TestNode& node, int expected) {
  for (auto _ : state) {
    node.steady += std::chrono::milliseconds(1);
    if (node.status(bytes) != expected) state.SkipWithError("not refused as it has to be");
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_RefuseMalformed(benchmark::State& state) {
  TestNode node(kOpen);
  Bytes bytes = sign(test_request(), test_key('k'));
  bytes[20] ^= 1;
  bytes.pop_back();
  refuse(state, bytes, node, 400);
}
BENCHMARK(BM_RefuseMalformed);

void BM_RefuseForAnother(benchmark::State& state) {
  TestNode node(kOpen, 'o');
  refuse(state, sign(test_request(), test_key('k')), node, 421);
}
BENCHMARK(BM_RefuseForAnother);

void BM_RefuseExpired(benchmark::State& state) {
  TestNode node(kOpen);
  refuse(state, sign(test_request(Action::kRun, kTestNow - 120'000), test_key('k')), node, 410);
}
BENCHMARK(BM_RefuseExpired);

void BM_RefuseSeen(benchmark::State& state) {
  TestNode node(kOpen);
  Bytes bytes = sign(test_request(), test_key('k'));
  if (node.status(bytes) != 200) state.SkipWithError("refused");
  refuse(state, bytes, node, 409);
}
BENCHMARK(BM_RefuseSeen);

void BM_RefuseStranger(benchmark::State& state) {
  TestNode node(kOpen);
  refuse(state, sign(test_request(), test_key('x')), node, 403);
}
BENCHMARK(BM_RefuseStranger);

void BM_RefuseTooOften(benchmark::State& state) {
  TestNode node("[rates]\naddress = { rate = 1, burst = 1 }\n");
  Bytes bytes = sign(test_request(), test_key('x'));
  node.status(bytes);
  for (auto _ : state) {
    if (node.status(bytes) != 429) state.SkipWithError("not refused as it has to be");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_RefuseTooOften);

}  // namespace
}  // namespace weft::node

BENCHMARK_MAIN();
