// Serves ollama:llm from an endpoint that speaks Ollama's or OpenAI's API.
//
// Configuration: dialect ("ollama" or "openai"), url, first-byte-seconds, idle-seconds. Secret:
// api-key, sent as a bearer token unless it is empty.

#include <fmt/format.h>

#include <memory>

#include "host.h"
#include "weft/provider.h"

namespace {

using weft::Errc;
using weft::provider::Setup;

weft::Result<std::chrono::milliseconds> seconds(const Setup& setup, std::string_view key) {
  constexpr double kSecondsMax = 3600;
  double value = setup.number(key).value_or(0);
  if (value > 0 && value <= kSecondsMax) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(value * 1000));
  }
  return weft::failure(Errc::kInvalid,
                       fmt::format("{} is {}: write a number up to {}", key, value, kSecondsMax));
}

weft::Result<EndpointSettings> settings_of(const Setup& setup) {
  EndpointSettings settings;
  settings.url = setup.text("url").value_or("");
  bool http = settings.url.starts_with("http://") || settings.url.starts_with("https://");
  if (!http || settings.url.contains('@') || settings.url.contains('?')) {
    // The URL itself is not shown: who writes a key into it does so by mistake.
    return weft::failure(Errc::kInvalid,
                         "url is not http://HOST:PORT or https://HOST/PATH; the key is a secret");
  }
  if (settings.url.ends_with('/')) settings.url.pop_back();
  TRY(settings.first_byte, seconds(setup, "first-byte-seconds"));
  TRY(settings.idle, seconds(setup, "idle-seconds"));
  if (const weft::Secret* key = setup.secret("api-key")) settings.key = *key;
  return settings;
}

weft::Result<weft::provider::Interfaces> make(Setup& setup) {
  std::string name = setup.text("dialect").value_or("");
  std::unique_ptr<Dialect> dialect = make_dialect(name);
  if (dialect == nullptr) {
    return weft::failure(Errc::kInvalid,
                         fmt::format("dialect is \"{}\": write \"ollama\" or \"openai\"", name));
  }
  TRY(EndpointSettings settings, settings_of(setup));
  weft::provider::Interfaces served;
  served.add<llm::Binding>(
      llm::kName, llm::kFunctions,
      std::make_unique<Host>(setup.loop(), std::move(dialect), std::move(settings)));
  return served;
}

}  // namespace

int main(int argc, char** argv) {
  return weft::provider::serve(argc, argv, make);
}
