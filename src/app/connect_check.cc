#include "app/connect_check.h"

#include <fmt/format.h>

#include <utility>

namespace weft {
namespace {

constexpr std::string_view kSecrets = "secrets";

// As it stands in the table's name; a value's has dots, and is written with them.
std::string name_text(const DriverSettings& driver) {
  return driver.capability == "config" ? driver.name.text : key_text(driver.name.text);
}

// What to do about it.
std::string advice(const Error& error, const DriverSettings& driver) {
  switch (error.code()) {
    case Errc::kDenied: return "write who may use it, and the right password or key";
    case Errc::kNotFound: return "make it there, or write the name of one that is there";
    case Errc::kUnavailable:
    case Errc::kTimeout:
    case Errc::kIo:
      return fmt::format("write where it is in [{}.{}], and see that it runs and can be reached",
                         driver.capability, name_text(driver));
    default: return "";
  }
}

// Settings that are wrong were told where the file was read.
bool is_whole(const CapabilityTable& capabilities, const DriverSettings& driver) {
  const Capability* capability = capabilities.find(driver.capability);
  return capability == nullptr || capability->check(driver.choice).has_value();
}

Result<void> connect(const Environment& environment, const CapabilityTable& capabilities,
                     const DriverSettings& driver) {
  // Those have a look-up of their own, which knows the state folder and variables of the file.
  if (driver.capability == kSecrets) {
    TRY_VOID(environment.secrets.read(driver.name.text));
    return {};
  }
  const Capability* capability = capabilities.find(driver.capability);
  if (capability == nullptr) return {};  // Told where the file was read.
  return capability->connect(driver.name.text, driver.choice);
}

std::vector<const LinkSettings*> links_to(std::string_view node,
                                          const std::vector<AppSettings>& apps) {
  std::vector<const LinkSettings*> links;
  for (const AppSettings& app : apps) {
    for (const ComponentSettings& component : app.components) {
      for (const LinkSettings& link : component.links) {
        if (link.to == LinkSettings::To::kNode && link.name.text == node) links.push_back(&link);
      }
    }
  }
  return links;
}

}  // namespace

std::vector<Reached> connect_all(const Environment& environment,
                                 const CapabilityTable& capabilities, Problems& problems) {
  std::vector<Reached> reached;
  for (const DriverSettings& driver : environment.drivers) {
    if (!is_whole(capabilities, driver)) continue;
    auto began = std::chrono::steady_clock::now();
    Result<void> connected = connect(environment, capabilities, driver);
    std::string table = fmt::format("{}.{}", driver.capability, name_text(driver));
    if (!connected) {
      problems.error(driver.name.place,
                     fmt::format("[{}]: the driver \"{}\": {}", table, driver.choice.driver,
                                 connected.error().message()),
                     advice(connected.error(), driver));
      continue;
    }
    reached.push_back(
        {std::move(table), driver.choice.driver, std::chrono::steady_clock::now() - began});
  }
  return reached;
}

std::vector<Reached> connect_nodes(const EditionSettings& settings, NodeLinks& nodes,
                                   Problems& problems) {
  std::vector<Reached> reached;
  for (const NodeTable& table : settings.environment.nodes) {
    if (table.at.text.empty() || table.key.text.empty()) continue;  // Told where it was read.
    auto began = std::chrono::steady_clock::now();
    std::vector<const LinkSettings*> links = links_to(table.name.text, settings.apps);
    std::vector<NodeWant> wants;
    for (const LinkSettings* link : links) wants.push_back({link->library.text, link->how});
    auto asked = [&]() -> Result<NodeLook> {
      TRY(auto node, nodes.open(table));
      return node->look(wants, Deadline::after(kNodeAskMax));
    };
    auto look = asked();
    if (!look) {
      problems.error(table.name.place,
                     fmt::format("[node.{}]: {}", table.name.text, look.error().message()),
                     "write where it is, and see that it runs and can be reached");
      continue;
    }
    bool well = true;
    for (std::size_t i = 0; i < links.size(); ++i) {
      if (look->wants[i]) continue;
      well = false;
      const Error& why = look->wants[i].error();
      problems.error(
          links[i]->interface.place, fmt::format("{}: {}", links[i]->end_text(), why.message()),
          why.code() == Errc::kDenied ? "have its owner trust the key in a group that may do so"
                                      : "write one that it has, or have its owner add it");
    }
    if (!well) continue;
    reached.push_back({"node." + table.name.text, std::move(look->name),
                       std::chrono::steady_clock::now() - began});
  }
  return reached;
}

}  // namespace weft
