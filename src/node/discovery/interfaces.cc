#include "node/discovery/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>

namespace weft::node::discovery {
namespace {

bool is_chosen(const ifaddrs& each, const InterfaceChoice& choice) {
  if ((each.ifa_flags & IFF_UP) == 0) return false;
  bool loopback = (each.ifa_flags & IFF_LOOPBACK) != 0;
  if (loopback ? !choice.loopback : (each.ifa_flags & IFF_MULTICAST) == 0) return false;
  return choice.names.empty() || std::ranges::count(choice.names, each.ifa_name) > 0;
}

}  // namespace

Result<std::vector<Interface>> interfaces(const InterfaceChoice& choice) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return system_failure("listing the network interfaces", errno);
  std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(first, &freeifaddrs);
  std::map<std::uint32_t, Interface> by_index;
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || !is_chosen(*each, choice)) continue;
    auto address = IpAddress::of(*each->ifa_addr);
    std::uint32_t index = if_nametoindex(each->ifa_name);
    if (!address || index == 0) continue;
    Interface& interface = by_index[index];
    interface.index = index;
    interface.name = each->ifa_name;
    // Linux has no route for IPv6 multicast over the loopback interface.
    if (!address->is_v4()) interface.v6 = (each->ifa_flags & IFF_LOOPBACK) == 0;
    if (address->is_v4() && !interface.v4) interface.v4 = address;
  }
  std::vector<Interface> all;
  for (auto& [index, interface] : by_index) {
    if (all.size() < kInterfacesMax) all.push_back(std::move(interface));
  }
  return all;
}

}  // namespace weft::node::discovery
