#include "capabilities/config/config.h"

#include <algorithm>

#include "capabilities/hosted.h"
#include "capabilities/offer_table.h"
#include "wit/wasi/config_0_2_0_draft/runtime.h"
#include "wit/wasi/config_0_2_0_draft/store.h"
#include "wit/wasi/config_0_2_0_draft_2024_09_27/store.h"
#include "wit/wasi/config_0_2_0_rc_1/store.h"

namespace weft::config {
namespace {

namespace rc1 = ::weft::wit::wasi::config_0_2_0_rc_1;
namespace draft = ::weft::wit::wasi::config_0_2_0_draft;
namespace dated = ::weft::wit::wasi::config_0_2_0_draft_2024_09_27;

// All versions have the same two functions; only the name of the error differs. A key that is not
// set, whatever it looks like, has no value; nothing here fails.
template <class Base, class E>
class Host final : public Base {
 public:
  explicit Host(const Use& use) : use_(use) {}

  Answer<std::expected<std::optional<std::string>, E>> get(Call&, std::string_view key) override {
    auto& values = use_.values;
    auto found = std::ranges::find(
        values, key, [](const auto& entry) -> std::string_view { return entry.first; });
    using Value = std::optional<std::string>;
    return std::expected<Value, E>(found == values.end() ? Value() : Value(found->second));
  }

  Answer<std::expected<std::vector<std::tuple<std::string, std::string>>, E>> get_all(
      Call&) override {
    std::vector<std::tuple<std::string, std::string>> all;
    for (const auto& [key, value] : use_.values) all.emplace_back(key, value);
    return std::expected<std::vector<std::tuple<std::string, std::string>>, E>(std::move(all));
  }

 private:
  const Use& use_;
};

template <class Base, class E, class Binding>
std::unique_ptr<Provider> make(const Use& use) {
  return std::make_unique<Hosted<Host<Base, E>, Binding>>(use);
}

using Make = std::unique_ptr<Provider> (*)(const Use&);

constexpr OfferTable<Make, 4> kTable({
    {{rc1::store::kName, rc1::store::kFunctions},
     make<rc1::store::Host, rc1::store::Error, rc1::store::Binding>},
    {{draft::store::kName, draft::store::kFunctions},
     make<draft::store::Host, draft::store::Error, draft::store::Binding>},
    {{dated::store::kName, dated::store::kFunctions},
     make<dated::store::Host, dated::store::Error, dated::store::Binding>},
    {{draft::runtime::kName, draft::runtime::kFunctions},
     make<draft::runtime::Host, draft::runtime::ConfigError, draft::runtime::Binding>},
});

}  // namespace

std::span<const Offer> ConfigCapability::offers() const {
  return kTable.offers();
}

std::unique_ptr<Provider> ConfigCapability::provider(const Offer& offer, Site site) {
  return kTable.maker(offer)(site.use);
}

}  // namespace weft::config
