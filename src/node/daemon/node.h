#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/problems.h"
#include "base/deadline.h"
#include "base/error.h"
#include "node/daemon/shared.h"
#include "node/discovery/neighbours.h"

namespace weft::node::daemon {

struct NodeOptions {
  std::filesystem::path folder;  // With node.toml in it.
  // The command that compiles the file named behind it into the folder behind that, as
  // compile_for_node does, in a process that can be stopped. Empty: modules are compiled here.
  std::vector<std::string> compiler = {};
  std::size_t loops = 0;  // 0: as the quota of cores says, or one a processor.
  // The node can do nothing for anybody until it is started again, and why; once, from a thread of
  // its own. Null: nobody is told.
  std::function<void(const Error&)> broken = {};
};

// The other side of NodeOptions::compiler: its exit code.
int compile_for_node(const std::string& file, const std::string& cache_folder);

// What a node is doing.
struct NodeStatus {
  std::string name;
  PublicKey key;
  std::vector<std::string> urls;
  bool draining = false;
  std::size_t runs = 0;  // That have no receipt yet.
  std::size_t neighbours = 0;
  std::size_t groups = 0;
  std::size_t keys = 0;
  std::uint64_t events = 0;  // The newest that is durable.
  Admission::Refused refused = {};
  library::StoreUse store;
};

// One run, as the owner is told of it.
struct RunStatus {
  Hash name;
  Hash module;
  std::string function;
  PublicKey requester;
  std::string group;
  Usage usage;
};

// One node: everything that `weft node start` runs.
//
// Made and destroyed by one thread that is none of its loops'; used by any that is none of them.
// Stops everything when it goes, without a wait for runs: `stop` is the orderly way.
class Node {
 public:
  // What is wrong with the files is in `problems`, and then kInvalid is all that is said. Warnings
  // stay there.
  static Result<std::unique_ptr<Node>> start(NodeOptions options, Problems& problems);
  ~Node();
  Node(const Node&) = delete;

  // The right to change what holds: files and what they say, one at a time. Blocks for it, so it is
  // for a thread that may wait. Whoever changes a file has it from before that until it is read.
  class Change {
   private:
    friend class Node;
    explicit Change(std::mutex& mutex) : hold_(mutex) {}
    std::unique_lock<std::mutex> hold_;
  };
  Change change();

  // Reads settings and groups again. False: something is wrong, and all stays as it was. What only
  // a start can change (addresses, key, folders) is told as a warning where it differs.
  bool reload(const Change& change, Problems& problems);
  // The text of a node.toml in the place of what the files say, until the next reload. kInvalid
  // with all that is wrong; what only a start can change comes back as a warning.
  Result<std::string> apply(const Change& change, const std::string& text);
  // Takes nothing new from now on; or takes it again.
  void drain();
  void undrain();
  // Drains, waits for runs, cancels those that are left at `deadline`, and says good-bye.
  void stop(Deadline deadline);

  NodeStatus status();
  std::vector<RunStatus> running();
  std::vector<discovery::Neighbour> neighbours();
  // kNotFound: there is none.
  Result<void> cancel(const Hash& run);
  // What a component exports. Compiles it, so it blocks.
  Result<std::vector<library::LibraryFunction>> exports_of(const std::string& file);
  // What it offers has changed: its beacon says so.
  void offers_changed();

  NodeParts& parts();
  const PublicKey& key() const;

 private:
  struct Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft::node::daemon
