#include "app/node_linker.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft {
namespace {

// What a node has, to send a library.
constexpr std::chrono::seconds kNodeFetchMax{120};
// Libraries that are fetched, those that others need among them.
constexpr std::size_t kFetchedLibrariesMax = 256;

}  // namespace

void NodeLinker::wrong(const LinkSettings& link, const std::string& message,
                       const std::string& write) {
  parts_.problems.error(link.interface.place, message, write);
}

Plan::Component::LinkTo NodeLinker::link(const std::string& app, const LinkSettings& link) {
  Plan::Component::LinkTo made{link};
  std::shared_ptr<LinkedNode> node = node_of(link.name);  // Shared by the links to it.
  if (node == nullptr || parts_.opening == Plan::Opening::kLookOnly || parts_.tap.replays(link))
    return made;
  if (link.how == LinkSettings::How::kFetch) {
    made.callee = fetched(app, link, *node);
    return made;
  }
  // One that was away a moment ago is not waited for again.
  std::string& away = away_[link.name.text];
  Result<NodeOffer> offer = failure(Errc::kUnavailable, away);
  if (away.empty()) offer = node->offer(link.library.text, Deadline::after(kNodeAskMax));
  if (offer) {
    made.offer = std::make_shared<const NodeOffer>(*std::move(offer));
  } else if (offer.error().code() == Errc::kUnavailable || offer.error().code() == Errc::kTimeout) {
    away = offer.error().message();
    parts_.problems.warn(
        link.interface.place,
        fmt::format("{} is away: {}", link.end_text(), offer.error().message()),
        "its calls fail until it is there, and the first of them checks its types");
  } else {
    wrong(link, fmt::format("{}: {}", link.end_text(), offer.error().message()));
    return made;
  }
  made.node = std::move(node);
  return made;
}

// Null: there is none, which was told.
std::shared_ptr<LinkedNode> NodeLinker::node_of(const Placed& name) {
  if (auto open = nodes_.find(name.text); open != nodes_.end()) return open->second;
  std::shared_ptr<LinkedNode>& node = nodes_[name.text];
  const std::vector<NodeTable>& all = parts_.nodes;
  auto table = std::ranges::find(
      all, name.text, [](const NodeTable& each) { return std::string_view(each.name.text); });
  if (table == all.end() || table->at.text.empty() || table->key.text.empty()) return node;
  if (parts_.links == nullptr) {
    parts_.problems.error(name.place, fmt::format("node {} cannot be linked to here", name.text),
                          "serve the app with weft run");
    return node;
  }
  auto opened = parts_.links->open(*table);
  if (opened) {
    node = *std::move(opened);
  } else {
    parts_.problems.error(table->name.place,
                          fmt::format("[node.{}]: {}", name.text, opened.error().message()), "");
  }
  return node;
}

// The plan of a library that was fetched, once for an app: a component that nothing is granted
// to, and that is linked to what it needs of the same node's. Null: it is not to be had, which
// was told.
const Plan* NodeLinker::fetched(const std::string& app, const LinkSettings& link,
                                LinkedNode& node) {
  auto [entry, fresh] = fetched_.try_emplace(At(app, link.end_text()), nullptr);
  if (!fresh) {
    if (entry->second == nullptr && needed_) {
      wrong(link, fmt::format("{} needs itself, or was not to be had", link.end_text()));
    }
    return entry->second;
  }
  if (fetched_.size() > kFetchedLibrariesMax) {
    wrong(link, fmt::format("{} is one of more than {} libraries that are fetched", link.end_text(),
                            kFetchedLibrariesMax));
    return nullptr;
  }
  auto file = node.fetch(link.library.text, Deadline::after(kNodeFetchMax));
  if (!file) {
    wrong(link, fmt::format("{}: {}", link.end_text(), file.error().message()));
    return nullptr;
  }
  Plan::Component wanted{.app = app, .name = link.library.text, .file = file->string()};
  wanted.granting = Plan::Component::Granting::kAsWritten;
  wanted.grants.args = {wanted.name};
  wanted.tap = parts_.tap;
  bool outer = std::exchange(needed_, true);
  bool whole = link_needs(app, link, node, wanted);
  needed_ = outer;
  if (!whole) return nullptr;
  std::vector<Lack> lacks;
  auto plan =
      Plan::make(parts_.runtime, parts_.capabilities, std::move(wanted), parts_.opening, lacks);
  for (const Lack& lack : lacks) {
    wrong(link, fmt::format("{}: {}", link.end_text(), lack.found),
          "a library that is fetched is granted nothing: call it where it is");
  }
  if (plan == nullptr) return nullptr;
  entry->second = plan.get();
  parts_.plans.push_back(std::move(plan));
  return entry->second;
}

// Links what a fetched library imports, and no capability here serves, to the libraries of that
// node which export it. False: one is not to be had, which was told.
bool NodeLinker::link_needs(const std::string& app, const LinkSettings& link, LinkedNode& node,
                            Plan::Component& library) {
  auto program = parts_.runtime.load(library.file, library.limits.memory_bytes);
  if (!program) return true;  // Told with the plan as well.
  std::map<std::string, std::vector<DeclaredFunction>> imports;
  for (const ImportedFunction& each : (*program)->info().functions) {
    if (!each.wasi && each.interface.contains('/')) {
      imports[each.interface].push_back({each.name, each.signature});
    }
  }
  for (const auto& [interface, functions] : imports) {
    if (parts_.capabilities.match({interface, functions})) continue;
    LinkSettings needed{.interface = {interface, link.interface.place},
                        .to = LinkSettings::To::kNode,
                        .name = link.name,
                        .library = {interface, link.interface.place},
                        .how = LinkSettings::How::kFetch};
    const Plan* callee = fetched(app, needed, node);
    if (callee == nullptr) return false;
    library.links.push_back({std::move(needed), callee});
  }
  return true;
}

}  // namespace weft
