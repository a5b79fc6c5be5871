#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/net_rules.h"

namespace weft {

// What one component may spend. The numbers are bounds; 0 stands for none where it says so.
struct Limits {
  std::uint64_t memory_bytes = std::uint64_t{256} << 20;
  std::uint64_t table_elements = 100'000;
  std::chrono::nanoseconds cpu{0};    // Processor time of an instance; 0: none.
  std::chrono::milliseconds time{0};  // To the response head, or of a whole run; 0: none.
  // Of a response after its head: between two parts that the guest sends or takes, and to its end.
  // 0: none.
  std::chrono::milliseconds stream_idle{60'000};
  std::chrono::milliseconds stream_total{3'600'000};
  std::uint64_t hostcall_bytes = std::uint64_t{128} << 20;
  std::uint32_t handles_max = 4'096;
  std::uint32_t instances_max = 256;  // At once, on one loop.
  // Reused instances (0.3): calls in one instance's life, calls at once, how long it is kept idle.
  // One whose guest goes on after its last response has `time` for that, or kLingerMax.
  std::uint32_t reuse_calls_max = 128;
  std::uint32_t reuse_calls_at_once = 16;
  std::chrono::milliseconds reuse_idle{1'000};
  static constexpr std::chrono::milliseconds kLingerMax{60'000};
};

struct Folder {
  std::string host;
  std::string guest;
  enum class Access : std::uint8_t { kRead, kReadWrite } access = Access::kReadWrite;
};

// What WASI's own interfaces give an instance. Nothing is granted by default.
struct WasiGrants {
  enum class Stdio : std::uint8_t { kClosed, kInherit, kLog };

  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<Folder> folders;
  Stdio stdio = Stdio::kLog;
  std::string input = {};  // Standard input, but for kInherit.
  NetRules network;        // Outgoing HTTP and sockets.
};

enum class ProgramKind : std::uint8_t { kLibrary, kCommand02, kCommand03, kHttp02, kHttp03 };
std::string_view to_string(ProgramKind kind);

struct ImportedFunction {
  std::string interface;
  // The interface that is imported under a plain name, where the component says which that is.
  std::string implements;
  std::string name;
  std::string signature;
  bool is_async = false;
  bool plain = true;
  bool wasi = false;  // Wasmtime's own crates serve it, not the door.
};

struct ExportedFunction {
  std::string interface;
  std::string name;
  std::string signature;
  bool is_async = false;
  bool plain = true;
};

struct ProgramInfo {
  ProgramKind kind = ProgramKind::kLibrary;
  std::string digest;   // SHA-256 of the component.
  bool cached = false;  // Its compiled form was on disk.
  std::vector<ImportedFunction> functions;
  std::vector<ExportedFunction> exports;
};

// A program whose imports are all served: what instances are made of. Immutable, for every loop.
class LinkedProgram {
 public:
  struct Impl;
  explicit LinkedProgram(std::unique_ptr<Impl> impl);
  ~LinkedProgram();
  const Impl& impl() const { return *impl_; }

  // The same program, for instances of other limits and grants, but for the network, which stays
  // as it was linked. Cheap enough for each run.
  std::unique_ptr<LinkedProgram> with(const Limits& limits, const WasiGrants& grants) const;

 private:
  std::unique_ptr<Impl> impl_;
};

// A loaded and compiled file. Immutable, for every loop.
class Program {
 public:
  struct Impl;
  Program(std::unique_ptr<Impl> impl, ProgramInfo info);
  ~Program();

  const ProgramInfo& info() const { return info_; }
  // `serve[i]`: the door serves function i of the info. Those of WASI are served anyhow.
  // `component` is the name in reports.
  Result<std::unique_ptr<LinkedProgram>> link(const std::vector<bool>& serve,
                                              std::string_view component, const Limits& limits,
                                              const WasiGrants& grants) const;

 private:
  std::unique_ptr<Impl> impl_;
  ProgramInfo info_;
};

// The most instances of one process: twice as many memories, each with 4 GiB of address space, are
// a quarter of what the processor can address, and there is one such pool for either generation.
inline constexpr std::uint32_t kInstancesMax = 4'096;

struct RuntimeOptions {
  std::uint32_t instances_max = 1'000;  // Alive at once, of all programs; kInstancesMax at most.
  std::uint64_t memory_slot_bytes = std::uint64_t{1}
                                    << 30;  // Programs with more live outside the pool.
  std::chrono::milliseconds tick{10};
  std::string cache_folder;  // Compiled programs; empty: nothing is kept.
  // Whether all processors compile, or the thread that asks alone.
  enum class Compiling : std::uint8_t { kEverywhere, kAlone } compiling = Compiling::kEverywhere;
};

// The engine of the process. One; made before the loops, after crash handlers, destroyed after both
// programs and loops.
class Runtime {
 public:
  struct Impl;
  static Result<std::unique_ptr<Runtime>> create(const RuntimeOptions& options);
  explicit Runtime(std::unique_ptr<Impl> impl);
  ~Runtime();

  // Loads a component, a WASI 0.1 module, or the text of one. From any thread; it compiles when the
  // cache has nothing, which takes from 50 ms to many seconds. `memory_bytes`: its memory limit.
  Result<std::unique_ptr<Program>> load(const std::string& path, std::uint64_t memory_bytes);
  // Held by each loop's thread for its life, and let go of there.
  using ThreadGuard = std::unique_ptr<void, void (*)(void*)>;
  ThreadGuard enter_thread();
  // What this machine could not give, for people; empty when nothing.
  std::string fallback_note() const;

  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft
