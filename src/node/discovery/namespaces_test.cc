// Shows real processes finding each other by IPv4 and IPv6: three in network namespaces of their
// own, joined by a bridge, with loss and delay where the kernel has netem; or, where no namespaces
// can be made, three on the loopback interface. It prints which. The namespaces have no names: they
// go with their processes.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/fd.h"

namespace weft::node::discovery {
namespace {

constexpr int kNodes = 3;
constexpr const char* kSeconds = "3";

bool shell(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

std::string probe() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "weft_net_probe";
}

// Makes this process's own namespaces, as root or as a user who may.
bool leave_namespace() {
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (uid == 0) return unshare(CLONE_NEWNET) == 0;
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/uid_map") << fmt::format("0 {} 1", uid);
  std::ofstream("/proc/self/gid_map") << fmt::format("0 {} 1", gid);
  return true;
}

struct Child {
  pid_t pid = 0;
  Fd ready;  // The child writes a byte when it is in its namespace.
  Fd begin;  // It waits for one.
  std::string output;
};

// Starts a node whose output goes to `output`; in a namespace of its own where `apart`.
enum class Place : std::uint8_t { kApart, kHere };
Child start(int number, Place place, const std::vector<std::string>& arguments,
            const std::string& output) {
  int ready[2];
  int begin[2];
  EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(begin, O_CLOEXEC), 0);
  pid_t pid = fork();
  if (pid == 0) {
    if (place == Place::kApart && unshare(CLONE_NEWNET) != 0) _exit(3);
    char byte = 1;
    if (write(ready[1], &byte, 1) != 1 || read(begin[0], &byte, 1) != 1) _exit(4);
    int out = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (out < 0 || dup2(out, 1) < 0) _exit(5);
    std::string name = fmt::format("node-{}", number);
    std::string program = probe();
    std::vector<char*> argv{program.data(), name.data(), const_cast<char*>(kSeconds)};
    for (const std::string& each : arguments) argv.push_back(const_cast<char*>(each.c_str()));
    argv.push_back(nullptr);
    execv(program.c_str(), argv.data());
    _exit(6);
  }
  close(ready[1]);
  close(begin[0]);
  Child child{pid, Fd(ready[0]), Fd(begin[1]), output};
  char byte = 0;
  EXPECT_EQ(read(child.ready.get(), &byte, 1), 1);
  return child;
}

std::string in(const Child& child, const std::string& command) {
  return fmt::format("nsenter -t {} -n {}", child.pid, command);
}

// A bridge here, and a cable from it to each node. Whether it could be laid.
bool join(const std::vector<Child>& children) {
  if (!shell("ip link set lo up && ip link add wbr type bridge mcast_snooping 0 && "
             "ip link set wbr up")) {
    return false;
  }
  for (std::size_t i = 0; i < children.size(); ++i) {
    const Child& child = children[i];
    if (!shell(fmt::format("ip link add wv{0} type veth peer name eth0 netns {1} && "
                           "ip link set wv{0} master wbr up",
                           i, child.pid)) ||
        !shell(in(child, "ip link set lo up")) ||
        // An address at once: nobody else has it.
        !shell(in(child, "sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad'")) ||
        !shell(in(child, fmt::format("ip addr add 10.9.0.{}/24 dev eth0", i + 1))) ||
        !shell(in(child, "ip link set eth0 up"))) {
      return false;
    }
  }
  return true;
}

// Loss and delay on each cable, as well as the kernel can. What it is.
std::string disturb(const std::vector<Child>& children) {
  auto each = [&](const std::string& command) {
    return std::ranges::all_of(
        children, [&](const Child& child) { return shell(in(child, "tc " + command)); });
  };
  if (each("qdisc add dev eth0 root netem loss 3% delay 5ms 2ms")) {
    return "3 % loss and 5 ms delay on each cable";
  }
  // Without netem: packets by chance (BPF's random number, below 3 % of 2^32) go to a class that
  // lets nothing through.
  if (each("qdisc add dev eth0 root handle 1: htb default 10") &&
      each("class add dev eth0 parent 1: classid 1:10 htb rate 10gbit quantum 60000") &&
      each("class add dev eth0 parent 1: classid 1:20 htb rate 8bit quantum 1500") &&
      each("qdisc add dev eth0 parent 1:20 pfifo limit 1") &&
      each("filter add dev eth0 parent 1: bpf bytecode "
           "'4,32 0 0 4294963256,53 0 1 128849018,6 0 0 0,6 0 0 4294967295,' flowid 1:20")) {
    return "3 % loss on each cable, no delay: this kernel has no netem";
  }
  return "no loss and no delay: this kernel has neither netem nor htb with bpf";
}

void let_go(std::vector<Child>& children) {
  for (Child& child : children) {
    char byte = 1;
    EXPECT_EQ(write(child.begin.get(), &byte, 1), 1);
  }
}

enum class Families : std::uint8_t { kV4, kBoth };
void expect_all_found(std::vector<Child>& children, Families families) {
  for (Child& child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child.pid, &status, 0), child.pid);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  for (const Child& child : children) {
    std::ifstream file(child.output);
    std::string text(std::istreambuf_iterator<char>(file), {});
    std::filesystem::remove(child.output);
    std::string last = text.substr(text.find("{\"nodes\""));
    last.resize(last.find('\n'));
    auto nodes = boost::json::parse(last).at("nodes").as_array();
    EXPECT_EQ(nodes.size(), children.size() - 1) << text;
    for (const auto& node : nodes) {
      bool v4 = false;
      bool v6 = false;
      for (const auto& each : node.at("addresses").as_array()) {
        (each.as_string().starts_with("[") ? v6 : v4) = true;
      }
      EXPECT_TRUE(v4) << text;
      if (families == Families::kBoth) EXPECT_TRUE(v6) << text;
    }
  }
}

std::string output_path(int number) {
  return ::testing::TempDir() + fmt::format("net_probe_{}_{}", getpid(), number);
}

// In a process of its own, which is in a namespace of its own: 0 when all is well, 77 when that
// cannot be made.
int in_namespaces() {
  if (!leave_namespace()) return 77;
  std::vector<Child> children;
  for (int i = 0; i < kNodes; ++i) {
    children.push_back(start(i, Place::kApart, {}, output_path(i)));
  }
  if (!join(children)) {
    for (Child& child : children) {
      child.begin.reset();  // It ends.
      waitpid(child.pid, nullptr, 0);
    }
    return 77;
  }
  fmt::print("three nodes in network namespaces, joined by a bridge; {}\n", disturb(children));
  std::fflush(stdout);
  let_go(children);
  expect_all_found(children, Families::kBoth);
  return ::testing::Test::HasFailure() ? 1 : 0;
}

TEST(Namespaces, ThreeNodesFindEachOther) {
  pid_t pid = fork();
  if (pid == 0) {
    int outcome = in_namespaces();
    std::fflush(stdout);
    _exit(outcome);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == 77) {
    GTEST_SKIP() << "no network namespaces, bridge or iproute2 here: see the test on loopback";
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// IPv4 alone: Linux has no route for IPv6 multicast on the loopback interface.
TEST(Loopback, ThreeNodesOfOneMachineFindEachOther) {
  // A port of its own, so that other daemons and tests are not heard.
  std::string port = fmt::to_string(20'000 + getpid() % 20'000);
  setenv("WEFT_PROBE_PORT", port.c_str(), 1);
  std::vector<Child> children;
  for (int i = 0; i < kNodes; ++i) {
    children.push_back(start(i, Place::kHere, {"loopback"}, output_path(i)));
  }
  let_go(children);
  expect_all_found(children, Families::kV4);
}

}  // namespace
}  // namespace weft::node::discovery
