#pragma once

#include <filesystem>
#include <memory>

#include "app/linked_node.h"

namespace weft::node::links {

// The nodes of an operator's file. Modules that are fetched are kept in `modules`, a folder that is
// made when there is one. From any thread.
class NetNodes final : public NodeLinks {
 public:
  explicit NetNodes(std::filesystem::path modules) : modules_(std::move(modules)) {}
  Result<std::shared_ptr<LinkedNode>> open(const NodeTable& table) override;

 private:
  const std::filesystem::path modules_;
};

}  // namespace weft::node::links
