#include "node/runs/resources.h"

#include <expected>

#include "capabilities/hosted.h"
#include "wit/weft/node_0_1_0/neighbours.h"
#include "wit/weft/node_0_1_0/requester.h"
#include "wit/weft/node_0_1_0/resources.h"

namespace weft::node::runs {
namespace {

namespace wit = ::weft::wit::weft::node_0_1_0::resources;
namespace neighbours = ::weft::wit::weft::node_0_1_0::neighbours;
namespace requester = ::weft::wit::weft::node_0_1_0::requester;
template <class T>
using Or = std::expected<T, wit::Error>;

// Under whose address the instance has its Asking.
constexpr char kOwner = 0;

struct Attached final : Context::Attachment {
  explicit Attached(ResourcesCapability::Asking& given) : asking(given) {}
  ResourcesCapability::Asking& asking;
};

ResourcesCapability::Asking* asking_of(Call& call) {
  auto* attached = static_cast<Attached*>(call.context().attachment(&kOwner));
  return attached == nullptr ? nullptr : &attached->asking;
}

// Asks for what was granted and paid.
template <class T, class Ask>
Or<T> answer(Call& call, Ask ask) {
  ResourcesCapability::Asking* attached = asking_of(call);
  if (attached == nullptr) return std::unexpected(wit::Error::kDenied);
  ResourcesCapability::Asking& asking = *attached;
  NodeFacts* facts = asking.facts();
  if (facts == nullptr) return std::unexpected(wit::Error::kDenied);
  if (!asking.pay(kQuestionPrice)) return std::unexpected(wit::Error::kLimit);
  return ask(*facts, asking);
}

using Asking = ResourcesCapability::Asking;

class Resources final : public wit::Host {
 public:
  Answer<Or<wit::Memory>> memory_bytes(Call& call) override {
    return answer<wit::Memory>(call, [](NodeFacts& facts, Asking&) {
      return wit::Memory{.total = facts.memory_total(), .free = facts.memory_free()};
    });
  }
  Answer<Or<std::uint32_t>> processors(Call& call) override {
    return answer<std::uint32_t>(call,
                                 [](NodeFacts& facts, Asking&) { return facts.processors(); });
  }
  Answer<Or<double>> load(Call& call) override {
    return answer<double>(call, [](NodeFacts& facts, Asking&) { return facts.load(); });
  }
  Answer<Or<wit::Quota>> quota_left(Call& call) override {
    return answer<wit::Quota>(call, [](NodeFacts& facts, Asking& asking) {
      QuotaLeft left = facts.quota_left(asking.group());
      return wit::Quota{.cpu_ns = left.cpu_ns,
                        .memory_bytes = left.memory_bytes,
                        .output_bytes = left.output_bytes,
                        .runs = left.runs};
    });
  }
};

neighbours::Node shown(ToldNode&& node) {
  return {
      .name = std::move(node.name), .key = std::move(node.key), .address = std::move(node.address)};
}

class Neighbours final : public neighbours::Host {
 public:
  Answer<Or<neighbours::Node>> this_node(Call& call) override {
    return answer<neighbours::Node>(
        call, [](NodeFacts& facts, Asking&) { return shown(facts.this_node()); });
  }
  Answer<Or<std::vector<neighbours::Node>>> heard(Call& call) override {
    using All = std::vector<neighbours::Node>;
    return answer<All>(call, [](NodeFacts& facts, Asking& asking) -> Or<All> {
      std::vector<ToldNode> told = facts.heard();
      if (!asking.pay(kToldNodePrice * static_cast<int>(told.size()))) {
        return std::unexpected(wit::Error::kLimit);
      }
      All all;
      for (ToldNode& each : told) all.push_back(shown(std::move(each)));
      return all;
    });
  }
};

class Requester final : public requester::Host {
 public:
  Answer<std::string> key(Call& call) override {
    Asking* asking = asking_of(call);
    return asking == nullptr ? std::string() : asking->requester();
  }
  Answer<std::string> group(Call& call) override {
    Asking* asking = asking_of(call);
    return asking == nullptr ? std::string() : std::string(asking->group());
  }
};

constexpr Offer kOffers[] = {{wit::kName, wit::kFunctions},
                             {neighbours::kName, neighbours::kFunctions},
                             {requester::kName, requester::kFunctions}};

}  // namespace

std::span<const Offer> ResourcesCapability::offers() const {
  return kOffers;
}

std::unique_ptr<Provider> ResourcesCapability::provider(const Offer& offer, Site) {
  if (offer.interface == neighbours::kName) {
    return std::make_unique<Hosted<Neighbours, neighbours::Binding>>();
  }
  if (offer.interface == requester::kName) {
    return std::make_unique<Hosted<Requester, requester::Binding>>();
  }
  return std::make_unique<Hosted<Resources, wit::Binding>>();
}

void ResourcesCapability::attach(Context& context, Asking& asking) {
  context.attach(&kOwner, std::make_unique<Attached>(asking));
}

}  // namespace weft::node::runs
