#include "remote/http/xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace weft::remote {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

void append_utf8(std::string& out, std::uint32_t code) {
  auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : text_(text) {}

  Result<XmlElement> document() {
    if (rest().starts_with("\xef\xbb\xbf")) at_ += 3;
    TRY_VOID(skip_misc());
    TRY(XmlElement root, element(1));
    TRY_VOID(skip_misc());
    if (at_ != text_.size()) return wrong("something behind the root element");
    return root;
  }

 private:
  std::string_view rest() const { return text_.substr(at_); }
  bool take(std::string_view what) {
    if (!rest().starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  std::unexpected<Error> wrong(std::string_view what) const {
    return failure(Errc::kCorrupt, fmt::format("not XML at byte {}: {}", at_, what));
  }
  void skip_space() { at_ = std::min(text_.find_first_not_of(kSpace, at_), text_.size()); }
  Result<void> skip_past(std::string_view end) {
    std::size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) return wrong(fmt::format("no {}", end));
    at_ = found + end.size();
    return {};
  }

  // Space, comments and instructions.
  Result<void> skip_misc() {
    for (;;) {
      skip_space();
      if (take("<?")) {
        TRY_VOID(skip_past("?>"));
      } else if (take("<!--")) {
        TRY_VOID(skip_past("-->"));
      } else {
        return {};
      }
    }
  }

  Result<std::string_view> name() {
    std::size_t end = std::min(text_.find_first_of(" \t\r\n/>=<&\"'", at_), text_.size());
    if (end == at_) return wrong("a name is missing");
    std::string_view found = text_.substr(at_, end - at_);
    at_ = end;
    return found;
  }

  Result<void> attributes() {
    for (;;) {
      skip_space();
      if (rest().empty() || rest().starts_with('>') || rest().starts_with('/')) return {};
      TRY_VOID(name());
      skip_space();
      if (!take("=")) return wrong("an attribute without a value");
      skip_space();
      char quote = rest().empty() ? '\0' : rest().front();
      if (quote != '"' && quote != '\'') return wrong("a value without quotes");
      ++at_;
      TRY_VOID(skip_past(std::string_view(&quote, 1)));
    }
  }

  Result<void> reference(std::string& out) {
    constexpr std::pair<std::string_view, char> kNamed[] = {
        {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (auto [written, meant] : kNamed) {
      if (!take(written)) continue;
      out += meant;
      return {};
    }
    if (!take("&#")) return wrong("an unknown reference");
    int base = take("x") ? 16 : 10;
    std::uint32_t code = 0;
    const char* end = text_.data() + text_.size();
    auto [stop, problem] = std::from_chars(text_.data() + at_, end, code, base);
    at_ = static_cast<std::size_t>(stop - text_.data());
    bool surrogate = code >= 0xd800 && code < 0xe000;
    if (problem != std::errc() || code > 0x10ffff || surrogate || !take(";")) {
      return wrong("a reference to no character");
    }
    append_utf8(out, code);
    return {};
  }

  Result<XmlElement> element(std::size_t depth) {
    if (depth > kXmlDepthMax) return wrong("elements too deep in each other");
    if (++elements_ > kXmlElementsMax) return wrong("too many elements");
    if (rest().starts_with("<!") || !take("<")) return wrong("an element is missing");
    XmlElement out;
    TRY(out.name, name());
    TRY_VOID(attributes());
    if (take("/>")) return out;
    if (!take(">")) return wrong("a tag without its end");
    TRY_VOID(content(out, depth));
    TRY(std::string_view closed, name());
    skip_space();
    if (closed != out.name || !take(">")) return wrong(fmt::format("<{}> is not closed", out.name));
    return out;
  }

  // Up to and with the `</` of the element's end.
  Result<void> content(XmlElement& into, std::size_t depth) {
    for (;;) {
      std::size_t end = text_.find_first_of("<&", at_);
      if (end == std::string_view::npos) return wrong(fmt::format("<{}> has no end", into.name));
      into.text += text_.substr(at_, end - at_);
      at_ = end;
      if (rest().starts_with('&')) {
        TRY_VOID(reference(into.text));
      } else if (take("</")) {
        return {};
      } else if (take("<!--")) {
        TRY_VOID(skip_past("-->"));
      } else if (take("<?")) {
        TRY_VOID(skip_past("?>"));
      } else if (take("<![CDATA[")) {
        std::size_t begin = at_;
        TRY_VOID(skip_past("]]>"));
        into.text += text_.substr(begin, at_ - 3 - begin);
      } else {
        TRY(XmlElement child, element(depth + 1));
        into.children.push_back(std::move(child));
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t elements_ = 0;
};

}  // namespace

const XmlElement* XmlElement::find(std::string_view child) const {
  auto found = std::ranges::find(children, child, &XmlElement::name);
  return found == children.end() ? nullptr : &*found;
}

std::string_view XmlElement::text_of(std::string_view child) const {
  const XmlElement* found = find(child);
  return found == nullptr ? std::string_view() : std::string_view(found->text);
}

Result<XmlElement> parse_xml(std::string_view text) {
  return XmlReader(text).document();
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '\r': out += "&#13;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace weft::remote
