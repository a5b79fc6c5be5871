#pragma once

// For node.cc: what a node is made of, in the order in which it is made.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "capabilities/table.h"
#include "engine/engine_loop.h"
#include "io/http/server.h"
#include "io/loop.h"
#include "node/daemon/desk.h"
#include "node/daemon/node.h"
#include "node/daemon/own_facts.h"
#include "node/daemon/quota_meter.h"
#include "node/daemon/service_stores.h"
#include "node/discovery/discovery.h"
#include "node/runs/module_plans.h"
#include "node/wire/node_handler.h"

namespace weft::node::daemon {

// What one loop has.
struct LoopPart {
  LoopPart(Runtime& runtime, Loop& loop, NodeParts& parts, runs::ModulePlans& plans)
      : engine(runtime, loop), desk(parts, engine, plans), handler(loop, desk) {}

  EngineLoop engine;
  Desk desk;
  wire::NodeHandler handler;
};

struct Node::Impl {
  Impl(NodeOptions with, std::shared_ptr<const Policy> read, SigningKey own)
      : options(std::move(with)), key(std::move(own)), policy(std::move(read)) {}
  ~Impl();

  Result<void> open();
  AdmissionOptions admits();
  // Begins to serve what the settings say, in the place of what it served. False: something of
  // it is wrong, and all stays as it was.
  bool serve(const NodeSettings& settings, Problems& problems);
  Result<void> listen();
  Result<void> discover();
  void keep_house();
  // Calls that were cancelled touch what the loops have until they are unwound.
  void wait_until_unwound();
  static void wait_until_empty(Gate& gate);
  // Of chunks that moved, into the log of events. False: there is no room for all of it now.
  bool bill_moved();
  // On loop 0, and waits.
  template <class F>
  void on_first(F&& work) {
    loops->on_each([&](Loop& loop, std::size_t index) {
      if (index == 0) work(loop);
    });
  }

  const NodeOptions options;
  std::mutex changing;  // What policy, services and stores are made from.
  const SigningKey key;
  CurrentPolicy policy;
  std::unique_ptr<Runtime> runtime;
  std::optional<Loops> loops;
  std::optional<CapabilityTable> capabilities;
  std::optional<ServiceStores> stores;
  std::unique_ptr<runs::ModulePlans> plans;
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<SeenRequests> seen;
  std::unique_ptr<Admission> admission;
  std::unique_ptr<events::EventLog> events;
  std::optional<QuotaMeter> meter;
  std::unique_ptr<library::ModuleStore> modules;
  std::unique_ptr<library::Catalogue> catalogue;
  ServicePlans services;
  Tickets tickets;
  RunPlaces places;
  RunSeats seats;
  Gate running;
  Notice disk_full;
  Notice own_failure;
  std::optional<OwnFacts> facts;
  std::optional<Pool> pool;
  std::optional<gather::Gatherings> gatherings;
  std::optional<NodeParts> parts;
  std::vector<std::unique_ptr<LoopPart>> sides;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<discovery::Discovery> discovery;  // Of loop 0.
  std::atomic<bool> draining = false;

  // What happens every so often, on a thread that may wait for the disk.
  std::mutex house_mutex;
  std::condition_variable house_closes;
  bool house_closed = false;
  std::thread house;
};

}  // namespace weft::node::daemon
