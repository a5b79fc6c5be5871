// wasmcloud:secrets in three versions. What a component did not ask for is `not-found`, as what is
// not there: the interface has no other word.
#include "capabilities/hosted.h"
#include "capabilities/secrets/host.h"
#include "wit/wasmcloud/secrets_0_1_0_draft/reveal.h"
#include "wit/wasmcloud/secrets_0_1_0_draft/store.h"
#include "wit/wasmcloud/secrets_1_0_0/reveal.h"
#include "wit/wasmcloud/secrets_1_0_0/store.h"
#include "wit/wasmcloud/secrets_2_1_0/reveal.h"
#include "wit/wasmcloud/secrets_2_1_0/secret.h"
#include "wit/wasmcloud/secrets_2_1_0/store.h"

namespace weft::secrets {
namespace {

namespace draft = ::weft::wit::wasmcloud::secrets_0_1_0_draft;
namespace v1 = ::weft::wit::wasmcloud::secrets_1_0_0;
namespace v2 = ::weft::wit::wasmcloud::secrets_2_1_0;

template <class E, class S, class Store, class Reveal, class V>
struct Wasmcloud {
  using Error = E;
  using Secret = S;
  using StoreHost = Store;
  using RevealHost = Reveal;
  using Value = V;

  static Error denied() { return Error::not_found(); }
  static Error error_of(const ::weft::Error& error) {
    switch (error.code()) {
      case Errc::kNotFound: return Error::not_found();
      case Errc::kUnavailable:
      case Errc::kTimeout: return Error::upstream(std::string(kSeeLog));
      default: return Error::io(std::string(kSeeLog));
    }
  }
  static Value text(std::string text) { return Value::string(std::move(text)); }
  static Value bytes(Bytes bytes) { return Value::bytes(std::move(bytes)); }
  static std::string& text_of(Value& value) {
    return value.template as<typename Value::String>()->value;
  }
  static Bytes& bytes_of(Value& value) { return value.template as<typename Value::Bytes>()->value; }
};

using Draft = Wasmcloud<draft::store::SecretsError, draft::store::Secret, draft::store::Host,
                        draft::reveal::Host, draft::store::SecretValue>;
using V1 = Wasmcloud<v1::store::SecretsError, v1::store::Secret, v1::store::Host, v1::reveal::Host,
                     v1::store::SecretValue>;
using V2 = Wasmcloud<v2::store::SecretsError, v2::store::Secret, v2::store::Host, v2::reveal::Host,
                     v2::store::SecretValue>;

// The secret that is called as the component imports this interface. It has no word for a failure:
// the call fails, which the guest sees as a trap.
class LabelledSecret final : public v2::secret::Host {
 public:
  using Made = std::unique_ptr<V2::Secret>;

  explicit LabelledSecret(Hosting hosting) : hosting_(std::move(hosting)) {}

  Answer<Made> get(Call& call) override {
    const std::string& name = hosting_.label;
    if (!hosting_.use.allows(name)) {
      return Error(
          Errc::kDenied,
          name + ": the secret is not granted: name it in uses.secrets, as it is imported");
    }
    return read_secret<V2>(hosting_, call, name).settle([name](Result<Made> made) -> Result<Made> {
      if (made) return made;
      Errc code = made.error().code();
      return failure(code, name + (code == Errc::kNotFound ? ": there is no such secret"
                                                           : ": " + std::string(kSeeLog)));
    });
  }

 private:
  Hosting hosting_;
};

}  // namespace

std::unique_ptr<Provider> draft_store(Hosting hosting) {
  return std::make_unique<Hosted<StoreHost<Draft>, draft::store::Binding>>(std::move(hosting));
}

std::unique_ptr<Provider> draft_reveal(Hosting hosting) {
  return std::make_unique<Hosted<RevealHost<Draft>, draft::reveal::Binding>>(std::move(hosting));
}

std::unique_ptr<Provider> v1_store(Hosting hosting) {
  return std::make_unique<Hosted<StoreHost<V1>, v1::store::Binding>>(std::move(hosting));
}

std::unique_ptr<Provider> v1_reveal(Hosting hosting) {
  return std::make_unique<Hosted<RevealHost<V1>, v1::reveal::Binding>>(std::move(hosting));
}

std::unique_ptr<Provider> v2_store(Hosting hosting) {
  return std::make_unique<Hosted<StoreHost<V2>, v2::store::Binding>>(std::move(hosting));
}

std::unique_ptr<Provider> v2_reveal(Hosting hosting) {
  return std::make_unique<Hosted<RevealHost<V2>, v2::reveal::Binding>>(std::move(hosting));
}

std::unique_ptr<Provider> v2_secret(Hosting hosting) {
  return std::make_unique<Hosted<LabelledSecret, v2::secret::Binding>>(std::move(hosting));
}

}  // namespace weft::secrets
