#include "node/runs/resources.h"

#include <expected>

#include "capabilities/hosted.h"
#include "wit/weft/node_0_1_0/resources.h"

namespace weft::node::runs {
namespace {

namespace wit = ::weft::wit::weft::node_0_1_0::resources;
template <class T>
using Or = std::expected<T, wit::Error>;

// Under whose address the instance has its Asking.
constexpr char kOwner = 0;

struct Attached final : Context::Attachment {
  explicit Attached(ResourcesCapability::Asking& given) : asking(given) {}
  ResourcesCapability::Asking& asking;
};

class Host final : public wit::Host {
 public:
  Answer<Or<wit::Memory>> memory_bytes(Call& call) override {
    return answer<wit::Memory>(call, [](NodeFacts& facts, std::string_view) {
      return wit::Memory{.total = facts.memory_total(), .free = facts.memory_free()};
    });
  }
  Answer<Or<std::uint32_t>> processors(Call& call) override {
    return answer<std::uint32_t>(
        call, [](NodeFacts& facts, std::string_view) { return facts.processors(); });
  }
  Answer<Or<double>> load(Call& call) override {
    return answer<double>(call, [](NodeFacts& facts, std::string_view) { return facts.load(); });
  }
  Answer<Or<wit::Quota>> quota_left(Call& call) override {
    return answer<wit::Quota>(call, [](NodeFacts& facts, std::string_view group) {
      QuotaLeft left = facts.quota_left(group);
      return wit::Quota{.cpu_ns = left.cpu_ns,
                        .memory_bytes = left.memory_bytes,
                        .output_bytes = left.output_bytes,
                        .runs = left.runs};
    });
  }

 private:
  template <class T, class Ask>
  static Or<T> answer(Call& call, Ask ask) {
    auto* attached = static_cast<Attached*>(call.context().attachment(&kOwner));
    if (attached == nullptr) return std::unexpected(wit::Error::kDenied);
    ResourcesCapability::Asking& asking = attached->asking;
    NodeFacts* facts = asking.facts();
    if (facts == nullptr) return std::unexpected(wit::Error::kDenied);
    if (!asking.pay(kQuestionPrice)) return std::unexpected(wit::Error::kLimit);
    return ask(*facts, asking.group());
  }
};

constexpr Offer kOffers[] = {{wit::kName, wit::kFunctions}};

}  // namespace

std::span<const Offer> ResourcesCapability::offers() const {
  return kOffers;
}

std::unique_ptr<Provider> ResourcesCapability::provider(const Offer&, Site) {
  return std::make_unique<Hosted<Host, wit::Binding>>();
}

void ResourcesCapability::attach(Context& context, Asking& asking) {
  context.attach(&kOwner, std::make_unique<Attached>(asking));
}

}  // namespace weft::node::runs
