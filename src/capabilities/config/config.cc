#include "capabilities/config/config.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "capabilities/hosted.h"
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

constexpr std::array<Offer, 4> kOffers{{{rc1::store::kName, rc1::store::kFunctions},
                                        {draft::store::kName, draft::store::kFunctions},
                                        {dated::store::kName, dated::store::kFunctions},
                                        {draft::runtime::kName, draft::runtime::kFunctions}}};
using Make = std::unique_ptr<Provider> (*)(const Use&);
constexpr std::array<Make, kOffers.size()> kMakers = {
    make<rc1::store::Host, rc1::store::Error, rc1::store::Binding>,
    make<draft::store::Host, draft::store::Error, draft::store::Binding>,
    make<dated::store::Host, dated::store::Error, dated::store::Binding>,
    make<draft::runtime::Host, draft::runtime::ConfigError, draft::runtime::Binding>};

}  // namespace

std::span<const Offer> ConfigCapability::offers() const {
  return kOffers;
}

std::unique_ptr<Provider> ConfigCapability::provider(const Offer& offer, Site site) {
  auto index = static_cast<std::size_t>(&offer - kOffers.data());
  CHECK(index < kOffers.size());
  return kMakers[index](site.use);
}

}  // namespace weft::config
