#include "app/apps_json.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json_string.h"

namespace weft {
namespace {

namespace json = boost::json;

json::array texts(const std::vector<Placed>& placed) {
  json::array out;
  for (const Placed& each : placed) out.push_back(json_string(each.text));
  return out;
}

json::array uses(const Plan::Component& component) {
  json::array out;
  for (const auto& [capability, use] : component.uses) {
    json::array names;
    for (const std::string& name : use.names) {
      auto driver = use.drivers.find(name);
      json::object each;
      each["name"] = json_string(name);
      each["driver"] =
          json_string(driver == use.drivers.end() ? "embedded" : driver->second.driver);
      names.push_back(std::move(each));
    }
    for (const auto& [key, value] : use.values) {
      json::object each;
      each["name"] = json_string(key);
      names.push_back(std::move(each));
    }
    json::object line;
    line["capability"] = json_string(capability);
    line["names"] = std::move(names);
    out.push_back(std::move(line));
  }
  return out;
}

json::object limits(const Limits& limits) {
  json::object out;
  out["memory_bytes"] = limits.memory_bytes;
  out["cpu_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(limits.cpu).count();
  out["time_ms"] = limits.time.count();
  out["stream_idle_ms"] = limits.stream_idle.count();
  out["stream_total_ms"] = limits.stream_total.count();
  out["instances"] = limits.instances_max;
  return out;
}

const Plan* plan_of(const Edition& edition, std::string_view app, std::string_view component) {
  for (const auto& plan : edition.plans()) {
    const Plan::Component& each = plan->component();
    if (each.app == app && each.name == component) return plan.get();
  }
  return nullptr;
}

// `plan` may be null: of a component that was not loaded.
json::object described(const Plan::Component& component, const Plan* plan) {
  json::object out;
  out["name"] = json_string(component.name);
  out["file"] = json_string(component.file);
  out["any"] = component.granting == Plan::Component::Granting::kAnything;
  if (component.shared) out["shared"] = true;
  out["uses"] = uses(component);
  json::array env;
  for (const auto& [name, value] : component.grants.env) env.push_back(json_string(name));
  out["env"] = std::move(env);
  json::array folders;
  for (const Folder& folder : component.grants.folders) {
    json::object each;
    each["host"] = json_string(folder.host);
    each["guest"] = json_string(folder.guest);
    each["writable"] = folder.access == Folder::Access::kReadWrite;
    folders.push_back(std::move(each));
  }
  out["folders"] = std::move(folders);
  if (plan == nullptr) return out;
  out["kind"] = json_string(to_string(plan->info().kind));
  out["digest"] = json_string(plan->info().digest);
  out["limits"] = limits(plan->component().limits);
  return out;
}

json::array triggers(const Edition& edition, const AppSettings& app) {
  json::array out;
  for (const Edition::Event& event : edition.events()) {
    const Plan::Component& component = edition.plans()[event.component]->component();
    if (component.app != app.name) continue;
    TriggerWords words = edition.words(event);
    json::object each;
    each["trigger"] = json_string(event.trigger);
    each["on"] = json_string(words.on);
    if (!words.group.empty()) each["group"] = json_string(words.group);
    each["component"] = json_string(component.name);
    out.push_back(std::move(each));
  }
  return out;
}

json::object described(const Edition& edition, const AppSettings& app) {
  json::object out;
  out["name"] = json_string(app.name);
  out["file"] = json_string(app.file);
  json::array routes;
  for (const HttpTrigger& trigger : app.triggers) {
    json::object route;
    route["route"] = json_string(trigger.route.text);
    route["host"] = json_string(trigger.host);
    json::array methods;
    for (const std::string& method : trigger.methods) methods.push_back(json_string(method));
    route["methods"] = std::move(methods);
    if (trigger.component) route["component"] = json_string(trigger.component->text);
    if (trigger.files) route["files"] = json_string(trigger.files->text);
    routes.push_back(std::move(route));
  }
  out["routes"] = std::move(routes);
  out["triggers"] = triggers(edition, app);
  json::array components;
  for (const ComponentSettings& component : app.components) {
    json::object each = described(component.plan, plan_of(edition, app.name, component.plan.name));
    each["http"] = texts(component.allow_http);
    each["net"] = texts(component.allow_net);
    components.push_back(std::move(each));
  }
  out["components"] = std::move(components);
  return out;
}

}  // namespace

std::string apps_json(const Edition& edition) {
  json::array apps;
  for (const AppSettings& app : edition.apps()) apps.push_back(described(edition, app));
  if (apps.empty()) {
    // One component by itself: an app of that name with the one route.
    for (const auto& plan : edition.plans()) {
      json::object app;
      app["name"] = json_string(plan->component().app);
      app["file"] = json_string(plan->component().file);
      json::object route;
      route["route"] = "/...";
      route["component"] = json_string(plan->component().name);
      app["routes"] = json::array{std::move(route)};
      app["components"] = json::array{described(plan->component(), plan.get())};
      apps.push_back(std::move(app));
    }
  }
  return json::serialize(apps);
}

}  // namespace weft
