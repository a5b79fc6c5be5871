// weft:secrets@0.1.0.
#include "capabilities/hosted.h"
#include "capabilities/secrets/host.h"
#include "wit/weft/secrets_0_1_0/reveal.h"
#include "wit/weft/secrets_0_1_0/store.h"

namespace weft::secrets {
namespace {

namespace wit = ::weft::wit::weft::secrets_0_1_0;

struct Weft {
  using Error = wit::store::Error;
  using Secret = wit::store::Secret;
  using StoreHost = wit::store::Host;
  using RevealHost = wit::reveal::Host;
  using Value = wit::reveal::Value;

  static Error denied() { return Error::denied(); }
  static Error error_of(const ::weft::Error& error) {
    switch (error.code()) {
      case Errc::kNotFound: return Error::not_found();
      case Errc::kUnavailable:
      case Errc::kTimeout: return Error::unavailable(std::string(kSeeLog));
      default: return Error::other(std::string(kSeeLog));
    }
  }
  static Value text(std::string text) { return Value::text(std::move(text)); }
  static Value bytes(Bytes bytes) { return Value::bytes(std::move(bytes)); }
  static std::string& text_of(Value& value) { return value.as<Value::Text>()->value; }
  static Bytes& bytes_of(Value& value) { return value.as<Value::Bytes>()->value; }
};

}  // namespace

std::unique_ptr<Provider> weft_store(Hosting hosting) {
  return std::make_unique<Hosted<StoreHost<Weft>, wit::store::Binding>>(std::move(hosting));
}

std::unique_ptr<Provider> weft_reveal(Hosting hosting) {
  return std::make_unique<Hosted<RevealHost<Weft>, wit::reveal::Binding>>(std::move(hosting));
}

}  // namespace weft::secrets
