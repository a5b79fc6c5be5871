#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft::node::runs {

// Processor time that one question about the node is charged.
inline constexpr std::chrono::nanoseconds kQuestionPrice{20'000};

// And of each node that one tells.
inline constexpr std::chrono::nanoseconds kToldNodePrice{1'000};

// A node, as a run is told of it.
struct ToldNode {
  std::string name = {};
  std::string key = {};      // In digits.
  std::string address = {};  // ADDRESS:PORT; empty: the node itself.
};

// What is left of a group's quota.
struct QuotaLeft {
  std::uint64_t cpu_ns = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t output_bytes = 0;
  std::uint32_t runs = 0;
};

// What a node tells the runs of those who may ask. From any loop's thread, without waiting.
class NodeFacts {
 public:
  virtual ~NodeFacts() = default;
  virtual std::uint64_t memory_free() = 0;
  virtual std::uint64_t memory_total() = 0;
  virtual std::uint32_t processors() = 0;
  // Of the last minute, as uptime has it.
  virtual double load() = 0;
  virtual QuotaLeft quota_left(std::string_view group) = 0;
  virtual ToldNode this_node() = 0;
  virtual std::vector<ToldNode> heard() = 0;
};

// This machine's; of quotas it knows nothing, and says so by the largest numbers; of nodes nothing.
class MachineFacts : public NodeFacts {
 public:
  std::uint64_t memory_free() override;
  std::uint64_t memory_total() override;
  std::uint32_t processors() override;
  double load() override;
  QuotaLeft quota_left(std::string_view group) override;
  ToldNode this_node() override { return {}; }
  std::vector<ToldNode> heard() override { return {}; }
};

}  // namespace weft::node::runs
