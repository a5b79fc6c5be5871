// Shows that answers in XML are read whole or refused.
#include "remote/http/xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::remote {
namespace {

TEST(Xml, AnAnswerIsReadIntoItsElements) {
  auto root = parse_xml(
      "\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?>\n<!-- made > by hand -->\n"
      "<List xmlns=\"http://x.y/?a>b\" a='1'><Name>a&amp;b &lt;&#x43;&#8364;&gt;</Name><Empty/>"
      "<Key >one</Key ><Key><![CDATA[<two>]]></Key></List>\n");
  ASSERT_TRUE(root.has_value()) << root.error().message();
  EXPECT_EQ(root->name, "List");
  ASSERT_EQ(root->children.size(), 4U);
  EXPECT_EQ(root->text_of("Name"), "a&b <C\xe2\x82\xac>");
  ASSERT_NE(root->find("Empty"), nullptr);
  EXPECT_EQ(root->text_of("Empty"), "");
  EXPECT_EQ(root->find("absent"), nullptr);
  EXPECT_EQ(root->text_of("Key"), "one");
  EXPECT_EQ(root->children[3].text, "<two>");
}

TEST(Xml, WhatIsNotXmlIsRefused) {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  for (const std::string& text :
       {std::string(), std::string("plain"), std::string("<a>"), std::string("<a></b>"),
        std::string("<a></a><b></b>"), std::string("<a b></a>"), std::string("<a b=c></a>"),
        std::string("<a>&nbsp;</a>"), std::string("<a>&#xd800;</a>"), std::string("<a>&#x;</a>"),
        std::string("<a>&#x110000;</a>"), std::string("<!DOCTYPE a><a></a>"), std::string("<a"),
        std::string("<a>&lt"), std::string("<a></a>x"), std::string("< a></a>"),
        std::string("<a><!-- </a>"), std::string("<a b='></a>"), deep}) {
    auto root = parse_xml(text);
    ASSERT_FALSE(root.has_value()) << text;
    EXPECT_EQ(root.error().code(), Errc::kCorrupt);
  }
}

TEST(Xml, WhatIsEscapedIsReadBack) {
  std::string odd = "a<b>&\"'\r\n\xc3\xa9]]>";
  EXPECT_EQ(parse_xml("<k>" + xml_escaped(odd) + "</k>")->text, odd);
}

}  // namespace
}  // namespace weft::remote
