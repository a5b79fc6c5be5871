#include "node/links/net_nodes.h"

#include "node/links/net_node.h"
#include "node/object/key_file.h"

namespace weft::node::links {

Result<std::shared_ptr<LinkedNode>> NetNodes::open(const NodeTable& table) {
  TRY(auto where, Whereabouts::of(table.at.text));
  TRY(SigningKey key, read_key_file(table.key.text));
  return std::make_shared<NetNode>(table.at.text, std::move(where), std::move(key), modules_);
}

}  // namespace weft::node::links
