#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/link_settings.h"
#include "app/node_table.h"
#include "base/deadline.h"
#include "base/error.h"
#include "door/call.h"
#include "engine/runtime.h"

namespace weft {

class Loop;

// What a node has, to say what it offers.
inline constexpr std::chrono::seconds kNodeAskMax{5};

// What a node offers to a link: its services, or one library of it.
struct NodeOffer {
  std::string module = {};  // Of a library: its name, 64 digits. Of services: empty.
  std::vector<ExportedFunction> exports = {};
};

// One imported interface whose calls go to a node.
struct NodeImport {
  std::string library = {};    // As it was written; empty: a service.
  std::string import = {};     // What the import is called, and
  std::string interface = {};  // what the node calls it, as far as somebody wrote that.
  std::string who = {};        // "service of node words", for messages.
  // As they are imported; each call's ordinal is its place here.
  std::vector<ImportedFunction> functions = {};
};

// What one link wants of a node.
struct NodeWant {
  std::string library = {};  // Empty: a service.
  LinkSettings::How how = LinkSettings::How::kCall;
};

// What came of asking for that.
struct NodeLook {
  std::string name = {};                 // What the node calls itself.
  std::vector<Result<void>> wants = {};  // In their order: kNotFound, kDenied.
};

// A node that serves interfaces: how it is reached, and as whom. From any thread but for what is
// said. Shared by an edition and its plans.
class LinkedNode {
 public:
  virtual ~LinkedNode() = default;

  // What it offers now. kUnavailable and kTimeout: it is away. Blocks, and not on a loop's thread;
  // so do the next two.
  virtual Result<NodeOffer> offer(const std::string& library, Deadline deadline) = 0;
  // A library's module as a file here, whole and verified: fetched where it is not there yet. Of a
  // node that is away, what was fetched of it before. An interface in the place of the library's
  // name ("acme:dict/words@1.0.0") means one that exports it.
  virtual Result<std::filesystem::path> fetch(const std::string& library, Deadline deadline) = 0;
  // Whether it is there, and has what the links to it want.
  virtual Result<NodeLook> look(std::span<const NodeWant> wants, Deadline deadline) = 0;

  // What serves the import on `loop`: on the loop's thread, and destroyed there, before the loop.
  // It may outlive this object. `offer` is what the import was checked against; null: the first
  // call asks for it, and checks.
  virtual std::unique_ptr<Provider> provider_for(Loop& loop, NodeImport import,
                                                 std::shared_ptr<const NodeOffer> offer) = 0;
};

// Where links to nodes come from: src/node/links, which this folder does not know.
class NodeLinks {
 public:
  virtual ~NodeLinks() = default;
  // Asks nobody. kInvalid: the settings name no node; kNotFound and the like: there is no such key.
  virtual Result<std::shared_ptr<LinkedNode>> open(const NodeTable& settings) = 0;
};

}  // namespace weft
