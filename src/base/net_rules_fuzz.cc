// Rules, targets and addresses of any bytes: whatever is parsed reads back as itself, and no rule
// of public names reaches an address that is not public.

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/net_rules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t cut = text.find('\n');
  std::string_view first = text.substr(0, cut);
  std::string_view second = cut == std::string_view::npos ? first : text.substr(cut + 1);

  if (auto host = NetHost::parse(first)) {
    auto again = NetHost::parse(host->url_text());
    CHECK(again && again->name == host->name && again->address == host->address);
  }
  std::size_t slash = second.find('/');
  std::string_view path = slash == std::string_view::npos ? "/" : second.substr(slash);
  auto target = HttpTarget::parse("http", second.substr(0, slash), path);
  if (target) CHECK(target->url().starts_with("http://"));
  NetRules manifest;
  NetRules flag;
  (void)flag.add_net(first, RuleSource::kFlag);
  if (!manifest.add_http(first, RuleSource::kManifest) || !target) return 0;
  CHECK(flag.add_http(first, RuleSource::kFlag));
  for (std::string_view address : {"127.0.0.1", "::1", "10.0.0.1", "::ffff:169.254.169.254"}) {
    CHECK(!manifest.allows(*target, *IpAddress::parse(address)));
  }
  // A flag's rule reaches at least what the manifest's does.
  CHECK(!manifest.allows(*target) || flag.allows(*target));
  return 0;
}
