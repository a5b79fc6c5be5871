// Takes any bytes for a request: nothing crashes, nothing is admitted that was not signed, and no
// refusal is without a message and a status. Half of the inputs stand in the place of fields of a
// request that is signed, so that they get as far as its reading.
#include <filesystem>

#include "base/check.h"
#include "node/admission/admission.h"

namespace {

using namespace weft::node;

constexpr UnixMs kNow = 1'700'000'000'000;

struct Node {
  Node() {
    std::string name = (std::filesystem::temp_directory_path() / "weft-fuzz-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    Policy read;
    read.settings.strangers.may.add(Right::kRun);
    policy.set(std::make_shared<const Policy>(read));
    ledger = std::move(*Ledger::open(std::filesystem::path(name) / "ledger", read.settings));
    seen = std::move(*SeenRequests::open({std::filesystem::path(name) / "seen", "boot"}, kNow));
    admission = std::make_unique<Admission>(AdmissionOptions{}, policy, *ledger, *seen);
  }
  CurrentPolicy policy{nullptr};
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<SeenRequests> seen;
  std::unique_ptr<Admission> admission;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Node node;
  static const SigningKey key = *SigningKey::from_seed(weft::Secret(std::string(32, 'k')));
  static SteadyNs steady{0};
  steady += std::chrono::seconds(10);
  weft::Bytes bytes(data, data + size);
  if (size > 0 && data[0] % 2 == 0) {
    begin_object(bytes, ObjectKind::kRequest);
    FieldWriter(bytes).bytes(kSignerField, key.public_key().view());
    bytes.insert(bytes.end(), data + 1, data + size);
    end_object(bytes, key);
  }
  auto admitted = node.admission->admit({.request = bytes, .now = kNow, .steady = steady});
  if (admitted) {
    auto view = SignedView::open(bytes, ObjectKind::kRequest);
    CHECK(view && view->verify());
  } else {
    CHECK(!admitted.error().message.empty() && http_status(admitted.error().code) >= 400);
  }
  return 0;
}
