#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "app/linked_node.h"
#include "node/client/description.h"
#include "node/links/fetched.h"
#include "node/links/way.h"

namespace weft::node::links {

// One node that links name, asked with one key.
class NetNode final : public LinkedNode {
 public:
  NetNode(std::string at, std::shared_ptr<Whereabouts> where, SigningKey key,
          std::filesystem::path modules);

  Result<NodeOffer> offer(const std::string& library, Deadline deadline) override;
  Result<std::filesystem::path> fetch(const std::string& library, Deadline deadline) override;
  Result<NodeLook> look(std::span<const NodeWant> wants, Deadline deadline) override;
  std::unique_ptr<Provider> provider_for(Loop& loop, NodeImport import,
                                         std::shared_ptr<const NodeOffer> offer) override;

 private:
  Result<client::Description> describe(Deadline deadline);
  Result<Bytes> bytes_of(const Hash& module, Deadline deadline);
  std::shared_ptr<Way> way_on(Loop& loop);

  const std::string at_;
  const std::shared_ptr<Whereabouts> where_;     // Shared by the ways,
  const std::shared_ptr<const SigningKey> key_;  // and this too.
  const Fetched fetched_;
  std::mutex mutex_;
  std::map<Loop*, std::weak_ptr<Way>> ways_;  // Of providers that are there.
};

}  // namespace weft::node::links
