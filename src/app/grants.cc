#include "app/grants.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace weft {
namespace {

constexpr std::string_view kEmbedded = "embedded";

void line(std::string& out, std::string_view what, const std::vector<std::string>& words) {
  if (words.empty()) return;
  out += fmt::format("    {:<9} {}\n", what, fmt::join(words, ", "));
}

std::vector<std::string> texts(const std::vector<Placed>& placed) {
  std::vector<std::string> words;
  for (const Placed& each : placed) words.push_back(each.text);
  return words;
}

// "; retry predict; 8 at once; cache embed"
std::string around(const LinkLayerSettings& layers) {
  std::string out;
  if (layers.retry)
    out += fmt::format("; retry {}", fmt::join(texts(layers.retry->functions), ", "));
  if (layers.concurrency) out += fmt::format("; {} at once", layers.concurrency->calls);
  if (layers.cache)
    out += fmt::format("; cache {}", fmt::join(texts(layers.cache->functions), ", "));
  return out;
}

// "  message orders.* -> mail, group mail orders.*"
void add_events(std::string& out, const Edition& edition, std::string_view app) {
  for (const Edition::Event& event : edition.events()) {
    const Plan::Component& component = edition.plans()[event.component]->component();
    if (component.app != app) continue;
    TriggerWords words = edition.words(event);
    out += fmt::format("  {} {} -> {}", event.trigger, words.on, component.name);
    if (!words.group.empty()) out += fmt::format(", group {}", words.group);
    if (!words.more.empty()) out += fmt::format(", {}", words.more);
    out += '\n';
  }
}

void add_component(std::string& out, const ComponentSettings& component) {
  const Plan::Component& plan = component.plan;
  out += fmt::format("  {}: {}\n", plan.name, plan.file);
  for (const auto& [capability, use] : plan.uses) {
    std::vector<std::string> words;
    for (const std::string& name : use.names) {
      auto driver = use.drivers.find(name);
      words.push_back(fmt::format("{} ({})", name,
                                  driver == use.drivers.end() ? kEmbedded : driver->second.driver));
    }
    for (const auto& [key, value] : use.values) words.push_back(key);
    if (words.empty()) words.emplace_back("none, each call is refused");
    line(out, capability, words);
  }
  if (plan.shared) line(out, "shared", {"one instance for all who call it"});
  for (const LinkSettings& link : component.links) {
    line(out, "link",
         {fmt::format("{} -> {}{}", link.interface.text, link.end_text(), around(link.layers))});
  }
  line(out, "http", texts(component.allow_http));
  line(out, "net", texts(component.allow_net));
  std::vector<std::string> words;
  for (const auto& [name, value] : plan.grants.env) words.push_back(name);
  line(out, "env", words);
  words.clear();
  for (const Folder& folder : plan.grants.folders) {
    words.push_back(fmt::format("{} as {} ({})", folder.host, folder.guest,
                                folder.access == Folder::Access::kRead ? "read-only" : "writable"));
  }
  line(out, "folders", words);
  if (std::string limits = component.limits.text(); !limits.empty()) line(out, "limits", {limits});
}

}  // namespace

std::string grants_text(const Edition& edition) {
  std::string out;
  for (const AppSettings& app : edition.apps()) {
    out += fmt::format("{}: {}\n", app.name, app.file);
    for (const HttpTrigger& trigger : app.triggers) {
      std::string methods =
          trigger.methods.empty() ? "" : fmt::format("{} ", fmt::join(trigger.methods, ","));
      out += fmt::format(
          "  {}{}{} -> {}\n", methods, trigger.host, trigger.route.text,
          trigger.component ? trigger.component->text : trigger.files.value_or(Placed{}).text);
    }
    add_events(out, edition, app.name);
    for (const ComponentSettings& component : app.components) add_component(out, component);
    for (const AppSettings::Provider& provider : app.providers) {
      const std::vector<std::string>& command = provider.settings.command;
      out += fmt::format("  {}: {}\n", provider.settings.name,
                         command.empty() ? "not started, a recording answers"
                                         : fmt::format("{}", fmt::join(command, " ")));
    }
  }
  return out;
}

}  // namespace weft
