#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weft::remote {

// An element of an XML answer: text, or elements. Attributes, comments and processing instructions
// are read over; a name keeps its prefix.
struct XmlElement {
  std::string name;
  std::string text;  // Of an element with others in it: what stands between them.
  std::vector<XmlElement> children;

  // The first child of that name, or null.
  const XmlElement* find(std::string_view child) const;
  // Its text; empty where there is none.
  std::string_view text_of(std::string_view child) const;
};

inline constexpr std::size_t kXmlDepthMax = 32;
inline constexpr std::size_t kXmlElementsMax = 200'000;

// The root element. UTF-8, without document types; kCorrupt says where it stops being XML.
Result<XmlElement> parse_xml(std::string_view text);

// Text as it stands in an element.
std::string xml_escaped(std::string_view text);

}  // namespace weft::remote
