#pragma once

// What tests of runs share: a node of one loop that runs guests, and what becomes of them.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "door/values.h"
#include "engine/test_guests.h"
#include "engine/testing.h"
#include "node/object/proven_output.h"
#include "node/runs/command_line.h"
#include "node/runs/resources.h"
#include "node/runs/runs.h"

namespace weft::node::runs {

template <class... T>
Bytes encoded(const T&... values) {
  Buffer buffer;
  Writer writer(buffer);
  (writer.write(values), ...);
  weft::testing::must(writer.end());
  return {buffer.view().begin(), buffer.view().end()};
}

class SomeFacts final : public MachineFacts {
 public:
  std::uint32_t processors() override { return 7; }
};

// Each test has a node of its own, with one loop.
class RunsTest : public ::testing::Test {
 protected:
  // What was told of one run.
  struct Told {
    std::optional<Result<void>> began = {};
    std::optional<RunEnd> end = {};
    std::string out = {};
    std::string error = {};
    Bytes result = {};
  };

  static Runtime& runtime() {
    static auto made =
        weft::testing::must(Runtime::create({.instances_max = 64,
                                             .memory_slot_bytes = std::uint64_t{64} << 20,
                                             .cache_folder = {},
                                             .compiling = RuntimeOptions::Compiling::kAlone}));
    return *made;
  }
  static CapabilityTable table() {
    std::vector<std::unique_ptr<Capability>> all;
    all.push_back(std::make_unique<ResourcesCapability>());
    return CapabilityTable(std::move(all));
  }
  static ModulePlans::Options plan_options() {
    return {.memory_bytes_max = std::uint64_t{64} << 20};
  }

  explicit RunsTest(ModulePlans::Options plans = plan_options(), Runtime& with = runtime())
      : ground_(with),
        plans_(with, capabilities_, std::move(plans)),
        runs_(std::make_unique<Runs>(ground_.engine(), plans_, node_)) {}
  ~RunsTest() override {
    runs_->cancel_all("the test is over");
    EXPECT_TRUE(ground_.run_until([&] { return runs_->live() == 0; }));
  }

  void again(Runs::Options options) {
    runs_ = nullptr;
    runs_ = std::make_unique<Runs>(ground_.engine(), plans_, node_, options);
  }
  RunOrder program(const std::string& file, CommandLine line = {}) {
    RunOrder order;
    order.name = Hash::of(as_bytes(fmt::format("run {}", ++last_)));
    order.module = Hash::of(as_bytes(file));
    order.file = file;
    order.arguments = command_line_bytes(line);
    order.group = "us";
    return order;
  }
  RunOrder call(const std::string& file, std::string function, Bytes arguments = {}) {
    RunOrder order = program(file);
    order.function = std::move(function);
    order.arguments = std::move(arguments);
    return order;
  }
  Told& begin(RunOrder order) {
    Told& told = *all_.emplace_back(std::make_unique<Told>());
    Hash name = order.name;
    order.began = [&told](const Result<void>& how) {
      EXPECT_FALSE(told.began.has_value() || told.end.has_value());
      told.began = how;
    };
    order.ended = [this, &told, name](const RunEnd& end) {
      EXPECT_TRUE(told.began.has_value() && !told.end.has_value());
      told.end = end;
      Bytes receipt = sign(Receipt{.request = name,
                                   .outcome = end.outcome,
                                   .message = end.message,
                                   .usage = end.usage,
                                   .frames = end.frames,
                                   .chain = end.chain},
                           node_);
      if (disk_stands_) {
        unwritten_.emplace_back(name, std::move(receipt));
      } else {
        weft::testing::must(runs_->close(name, receipt));
      }
    };
    weft::testing::must(runs_->begin(std::move(order)));
    EXPECT_FALSE(told.began || told.end);
    return told;
  }
  // Reads and proves all of it, and waits for the end.
  Told& finish(const Hash& name, Told& told) {
    ProvenOutput proof(name, node_.public_key());
    auto reader = weft::testing::must(runs_->read(name, 0, [] {}));
    auto take = [&](OutputStream stream, BytesView bytes) {
      if (stream == OutputStream::kStdout) told.out += as_text(bytes);
      if (stream == OutputStream::kStderr) told.error += as_text(bytes);
      if (stream == OutputStream::kResult) {
        told.result.insert(told.result.end(), bytes.begin(), bytes.end());
      }
    };
    EXPECT_TRUE(ground_.run_until([&] {
      while (auto record = reader->next()) weft::testing::must(proof.take(*record, take));
      return reader->over();
    }));
    if (proof.receipt()) EXPECT_EQ(proof.receipt()->usage, told.end->usage);
    return told;
  }
  Told& run(RunOrder order) {
    Hash name = order.name;
    Told& told = begin(std::move(order));
    return finish(name, told);
  }
  std::string values() { return weft::testing::guest("values"); }
  std::string unruly() {
    return weft::testing::file_with("unruly.wat", weft::testing::kUnrulyGuest);
  }
  // The time that a call of another module takes now.
  std::chrono::milliseconds other_call() {
    auto began = Deadline::Clock::now();
    Told& told = run(call(values(), "add", encoded(std::uint32_t{1}, std::uint32_t{2})));
    EXPECT_EQ(told.result, encoded(std::uint32_t{3})) << told.end->message;
    return std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began);
  }

  const SigningKey node_ = SigningKey::random();
  CapabilityTable capabilities_ = table();
  weft::testing::Ground ground_;
  ModulePlans plans_;
  std::unique_ptr<Runs> runs_;
  SomeFacts facts_;
  std::vector<std::unique_ptr<Told>> all_;
  bool disk_stands_ = false;  // Receipts wait for it.
  std::vector<std::pair<Hash, Bytes>> unwritten_;
  int last_ = 0;
};

}  // namespace weft::node::runs
