#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/check.h"
#include "capabilities/test_folder.h"
#include "node/admission/admission.h"
#include "node/object/key_file.h"

namespace weft::node {

inline SigningKey test_key(char letter) {
  return *SigningKey::from_seed(Secret(std::string(SigningKey::kSeedBytes, letter)));
}

inline constexpr UnixMs kTestNow = 1'700'000'000'000;

// A node whose key is 'n', with the keys 'k' and 'm' in the group friends (name "kay"), 'm' in lab
// too, on a disk of its own; one thread.
class TestNode {
 public:
  explicit TestNode(std::string_view settings, char key = 'n', std::size_t places = 10'000)
      : places_(places) {
    trust("friends", "kay", 'k');
    trust("friends", "em", 'm');
    trust("lab", "em", 'm');
    options.node = test_key(key).public_key();
    // No two of a test's have one number, or two always.
    options.rates_key.emplace();
    apply(settings);
    start();
  }

  void trust(const std::string& group, const std::string& name, char letter) const {
    CHECK(trust_key(folder.path() / "groups", group, name, test_key(letter).public_key()));
  }
  // Reads settings and groups anew.
  void apply(std::string_view settings) {
    std::ofstream(folder.path() / "node.toml") << "# test\n" << settings;
    Problems problems;
    auto read = Policy::read(folder.path(), problems);
    if (!read) ADD_FAILURE() << problems.text();
    policy.set(read);
    if (ledger) ledger->apply(read->settings, now);
  }
  // As after a kill -9: nothing is closed.
  void start() {
    admission.reset();
    seen.reset();
    ledger = std::move(*Ledger::open(folder.path() / "ledger", policy.get()->settings, now));
    seen = std::move(*SeenRequests::open({folder.path() / "seen", "boot", places_}, now));
    admission = std::make_unique<Admission>(options, policy, *ledger, *seen);
  }

  std::expected<Admitted, Refusal> admit(BytesView request) {
    return admission->admit(
        {.request = request, .peer = IpAddress::v4({127, 0, 0, 1}), .now = now, .steady = steady});
  }
  // Empty where it is admitted, else the status.
  int status(BytesView request) {
    auto admitted = admit(request);
    return admitted ? 200 : http_status(admitted.error().code);
  }

  TestFolder folder;
  AdmissionOptions options;
  CurrentPolicy policy{nullptr};
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<SeenRequests> seen;
  std::unique_ptr<Admission> admission;
  UnixMs now = kTestNow;
  SteadyNs steady = std::chrono::hours(1);

 private:
  const std::size_t places_;
};

inline Request test_request(Action action = Action::kRun, UnixMs now = kTestNow) {
  Request request{.audience = Audience::of(test_key('n').public_key()),
                  .nonce = random_nonce(),
                  .made = now,
                  .expires = now + 60'000,
                  .action = action,
                  .reply = test_key('k').public_key()};
  if (action == Action::kRun || action == Action::kCall) {
    request.arguments = Hash::of(as_bytes("arguments"));
    request.limits.cpu_ns = 1'000'000;
  }
  if (action != Action::kDescribe && action != Action::kResume && action != Action::kCancel) {
    request.module = Hash::of(as_bytes("module"));
  }
  if (action == Action::kCall) request.function = "demo:math/add@1.0.0#sum";
  if (action == Action::kResume || action == Action::kCancel)
    request.run = Hash::of(as_bytes("run"));
  return request;
}

}  // namespace weft::node
