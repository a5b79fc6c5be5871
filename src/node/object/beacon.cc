#include "node/object/beacon.h"

#include "base/check.h"

namespace weft::node {
namespace {

enum Field : std::uint16_t {
  kName = kFirstField,
  kBoot,
  kSequence,
  kSent,
  kPort,
  kCatalogue,
  kOffers,
  kLeaving,
};

bool are_lines(std::string_view text) {
  for (char c : text) {
    if (c != '\n' && (c <= ' ' || c > '~')) return false;
  }
  return true;
}

}  // namespace

Bytes sign(const Beacon& beacon, const SigningKey& node) {
  CHECK(beacon.offers.size() <= kBeaconOffersMax && beacon.name.size() <= kNodeNameMax);
  Bytes bytes = sign_object(ObjectKind::kBeacon, node, [&](FieldWriter& fields) {
    fields.text(kName, beacon.name);
    fields.u64(kBoot, beacon.boot);
    fields.u64(kSequence, beacon.sequence);
    fields.u64(kSent, beacon.sent);
    fields.u64(kPort, beacon.port);
    fields.bytes(kCatalogue, beacon.catalogue.view());
    fields.text(kOffers, beacon.offers);
    fields.u8(kLeaving, beacon.leaving ? 1 : 0);
  });
  CHECK(bytes.size() <= kDatagramBytesMax);
  return bytes;
}

Result<Beacon> read_beacon(const SignedView& view) {
  FieldReader fields = view.fields();
  Beacon beacon;
  beacon.name = fields.text(kName, kNodeNameMax);
  beacon.boot = fields.u64(kBoot);
  beacon.sequence = fields.u64(kSequence);
  beacon.sent = fields.u64(kSent);
  std::uint64_t port = fields.u64(kPort);
  BytesView catalogue = fields.exactly(kCatalogue, Hash::kBytes);
  BytesView offers = fields.bytes(kOffers, kBeaconOffersMax);
  std::uint8_t leaving = fields.u8(kLeaving);
  TRY_VOID(fields.finish());
  if (port == 0 || port > UINT16_MAX || leaving > 1 || beacon.name.empty() ||
      !are_lines(as_text(offers))) {
    return failure(Errc::kInvalid, "a beacon with a field that is none");
  }
  beacon.port = static_cast<std::uint16_t>(port);
  beacon.catalogue = Hash::from(catalogue);
  beacon.offers = std::string(as_text(offers));
  beacon.leaving = leaving == 1;
  return beacon;
}

}  // namespace weft::node
